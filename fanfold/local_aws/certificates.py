"""The TLS certificates of the local AWS: new ones at each start."""

import datetime as dt
from pathlib import Path

AUTHORITY = "authority.pem"

VALID = dt.timedelta(days=800)
"""Validity of the certificates, longer than a local AWS runs. Apple's systems reject server certificates of
more than 825 days."""


class Certificates:
    """The authority of one local AWS, and the server certificate that it signed for loopback, as files in
    ``folder``. The authority's own key is never written, so it signs nothing else."""

    def __init__(self, folder: Path) -> None:
        import trustme  # noqa: PLC0415 - installed only with the extra `deploy`

        self.authority, self.certificate, self.key = (
            folder / name for name in (AUTHORITY, "server.pem", "server.key")
        )
        authority = trustme.CA(organization_name="Fanfold local AWS", path_length=0)
        now = dt.datetime.now(dt.UTC)
        server = authority.issue_cert(
            "localhost", "127.0.0.1", not_before=now - dt.timedelta(hours=1), not_after=now + VALID
        )
        authority.cert_pem.write_to_path(self.authority)
        server.cert_chain_pems[0].write_to_path(self.certificate)
        self.key.touch(mode=0o600)
        server.private_key_pem.write_to_path(self.key)
