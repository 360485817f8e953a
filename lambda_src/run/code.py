"""Identifies the code of this function."""

import hashlib
import sys
from functools import cache
from pathlib import Path

import lambda_src

OF_RUNTIME = "/var/runtime"
"""Where Lambda has packages of its own, besides those in Python's folder."""


@cache
def code_digest() -> str:
    """Identifies the engine, all jobs, their packages and the version of Python: everything that may decide
    what a block gives. Compiled libraries have their sources here, or are named by a hash of them. What AWS
    updates by itself does not count: functions get it at different times."""
    root = Path(lambda_src.__file__).parent
    found = hashlib.sha256(repr(sys.version_info[:2]).encode())
    for path in sorted(root.rglob("*")):
        if not path.is_file() or path.suffix == ".pyc":
            continue
        text = path.read_bytes()
        found.update(f"\0{path.relative_to(root).as_posix()}\0{len(text)}\0".encode() + text)
    own = [folder for folder in sys.path if not folder.startswith((sys.prefix, sys.base_prefix, OF_RUNTIME))]
    packages = {path.name for folder in own for path in Path(folder).glob("*.dist-info")}
    found.update("\0".join(sorted(packages)).encode())
    return found.hexdigest()[:32]
