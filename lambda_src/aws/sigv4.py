"""Signing a request to AWS by Signature Version 4 (IAM user guide, "Create a signed AWS API request")."""

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """``session_token`` is empty for keys that do not expire."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""


class Scope(NamedTuple):
    """The region and service that a signature is valid for."""

    region: str
    service: str


def signed(
    credentials: Credentials,
    scope: Scope,
    method: str,
    path: str,
    *,
    query: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, str],
    body: bytes,
    now: float,
) -> dict[str, str]:
    """``headers``, which include the host, with those that sign the request at ``now``, in seconds since the
    epoch. ``path`` is percent-encoded, as it is sent; ``query`` is not encoded yet."""
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    date = at[:8]
    token = {"x-amz-security-token": credentials.session_token} if credentials.session_token else {}
    body_sha256 = hashlib.sha256(body).hexdigest()
    of_s3 = {"x-amz-content-sha256": body_sha256} if scope.service == "s3" else {}
    all_headers = {**headers, **token, **of_s3, "x-amz-date": at}
    to_sign = {name.lower(): " ".join(value.split()) for name, value in all_headers.items()}
    names = ";".join(sorted(to_sign))
    canonical = "\n".join(
        [
            method,
            # Every service but S3 signs the path encoded twice.
            path if scope.service == "s3" else quote(path, safe="/~"),
            encoded(sorted(query)),
            *(f"{name}:{to_sign[name]}" for name in sorted(to_sign)),
            "",
            names,
            body_sha256,
        ]
    )
    where = f"{date}/{scope.region}/{scope.service}/aws4_request"
    text = f"{ALGORITHM}\n{at}\n{where}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(_key(credentials.secret_access_key, date, scope), text.encode(), "sha256").hex()
    proof = f"Credential={credentials.access_key_id}/{where}, SignedHeaders={names}, Signature={signature}"
    return to_sign | {"authorization": f"{ALGORITHM} {proof}"}


def encoded(query: Sequence[tuple[str, str]]) -> str:
    """A query as it is sent and signed.

    >>> encoded([("versionId", "a/b=+"), ("x", "")])
    'versionId=a%2Fb%3D%2B&x='
    """
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in query)


@lru_cache(maxsize=8)
def _key(secret_access_key: str, date: str, scope: Scope) -> bytes:
    """The signing key for one day."""
    key = f"AWS4{secret_access_key}".encode()
    for part in (date, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
