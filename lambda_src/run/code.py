"""Identifies the code of this function."""

import hashlib
import sys
from functools import cache
from pathlib import Path

import lambda_src


@cache
def code_digest() -> str:
    """Identifies the engine, all jobs, the packages and the Python: what may decide on what a block gives.
    Compiled libraries are named in the code by a hash of their sources."""
    root = Path(lambda_src.__file__).parent
    found = hashlib.sha256(sys.version.encode())
    for path in sorted(root.rglob("*.py")):
        text = path.read_bytes()
        found.update(f"\0{path.relative_to(root).as_posix()}\0{len(text)}\0".encode() + text)
    packages = {path.name for folder in sys.path for path in Path(folder).glob("*.dist-info")}
    found.update("\0".join(sorted(packages)).encode())
    return found.hexdigest()[:32]
