"""Where the CDK app is, and where what is built or fetched is kept.

In a clone, both are in its folder. An installed wheel has the app inside the package, and keeps the rest in
the user's cache folder: the package's own folder may belong to somebody else.
"""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent

INSTALLED = (_PACKAGE / "cdk_app").is_dir()
"""Whether this is an installed wheel. In a clone, make installs everything that is needed."""

ROOT = _PACKAGE / "cdk_app" if INSTALLED else _PACKAGE.parent
"""The folder of the CDK app: ``app.py``, ``stacks``, ``lambda_src`` and the locks."""


def cache_folder(environment: Mapping[str, str]) -> Path:
    """The folder for Fanfold in the user's cache.

    >>> cache_folder({"HOME": "/home/me"}), cache_folder({"HOME": "/home/me", "XDG_CACHE_HOME": "/fast"})
    (PosixPath('/home/me/.cache/fanfold'), PosixPath('/fast/fanfold'))
    """
    caches = environment.get("XDG_CACHE_HOME", "")
    if not caches.startswith("/"):  # by its specification, a relative path is to be ignored
        caches = f"{environment.get('HOME') or Path('~').expanduser()}/.cache"
    return Path(caches, "fanfold")


def _npm_folder() -> Path:
    if not INSTALLED:
        return ROOT
    import hashlib  # noqa: PLC0415 - only here

    lock = (ROOT / "package-lock.json").read_bytes()
    return BUILDS / f"npm-{hashlib.sha256(lock).hexdigest()[:16]}"


BUILDS = cache_folder(os.environ) if INSTALLED else ROOT / ".build"
"""What is built or fetched once, and the local AWS."""

NODE_MODULES = _npm_folder() / "node_modules"
"""What comes from npm, by ``package-lock.json``. ``fanfold.tools`` fetches it for an installed wheel."""

CDK = (str(NODE_MODULES / ".bin" / "cdk"), "--no-notices")

APP = ("--app", f"{shlex.quote(sys.executable)} app.py")
"""Makes the CDK run the app in ``ROOT`` with this Python."""


def with_node(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` for the CDK: with the Node.js that is installed beside this Python, if there is one."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return {**environment, "PATH": path, "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1"}
