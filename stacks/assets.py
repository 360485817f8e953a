"""Makes a folder ready to deploy: Lambda can read every file, and the hash covers everything Lambda sees."""

import hashlib
import stat
from pathlib import Path

from aws_cdk import aws_lambda as lambda_

_EXECUTABLE, _READABLE = 0o755, 0o644


def code_of(folder: Path) -> lambda_.Code:
    """The files below ``folder`` as code or a layer. Lambda runs as another user than the owner of the files,
    and the CDK's zip keeps their modes: with a umask of 027 or 077, nothing could be imported.

    The CDK's own hash does not depend on modes: a zip that nobody can read, once uploaded, would be used for
    every later build of the same files.
    """
    identity = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        mode = _set_mode(path)
        content = path.read_bytes()
        name = path.relative_to(folder).as_posix()
        identity.update(f"\0{name}\0{mode:o}\0{len(content)}\0".encode() + content)
    return lambda_.Code.from_asset(str(folder), asset_hash=identity.hexdigest())


def _set_mode(path: Path) -> int:
    """Set the mode of ``path``, which may have been built earlier, and return it."""
    found = stat.S_IMODE(path.stat().st_mode)
    mode = _EXECUTABLE if found & 0o111 else _READABLE
    if found != mode:
        path.chmod(mode)
    return mode
