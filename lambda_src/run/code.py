"""Identifies the code of this function."""

import hashlib
import sys
from functools import cache
from pathlib import Path

import lambda_src


@cache
def code_digest() -> str:
    """Identifies the engine, all jobs, the packages and the Python: what may decide on what a block gives.
    Compiled libraries have their sources here, or are named by a hash of them."""
    root = Path(lambda_src.__file__).parent
    found = hashlib.sha256(sys.version.encode())
    for path in sorted(root.rglob("*")):
        if not path.is_file() or path.suffix == ".pyc":
            continue
        text = path.read_bytes()
        found.update(f"\0{path.relative_to(root).as_posix()}\0{len(text)}\0".encode() + text)
    packages = {path.name for folder in sys.path for path in Path(folder).glob("*.dist-info")}
    found.update("\0".join(sorted(packages)).encode())
    return found.hexdigest()[:32]
