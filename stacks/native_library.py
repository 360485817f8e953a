"""Compiles a job's C, for Lambda or for this machine, without a system compiler.

Zig's C compiler comes from PyPI, pinned and checked against its hash, and compiles for every platform. It is
fetched (100 MB) only where something must be compiled. The same source gives the same bytes in every folder.
"""

import hashlib
import os
import platform
import subprocess
import tempfile
from pathlib import Path

from stacks.dependency_layer import MACHINES, ROOT, LayerNotBuilt, pip_install, rename_whole

LOCK = ROOT / "requirements-native.txt"
"""The compiler."""

BUILT = ROOT / ".build" / "native"

_GLIBC = "2.17"
"""Older than that of any runtime: the library asks for no newer one."""

_OPTIONS = ["-std=c11", "-O3", "-g0", "-s", "-shared", "-fPIC", "-fvisibility=hidden"]


def source_of_job(job: str) -> Path | None:
    """What ``job`` has in C, if anything: one file."""
    return next((ROOT / "lambda_src" / "jobs" / job).glob("*.c"), None)


def library_name(source: Path) -> str:
    """Where the library of ``source`` lies in a layer. It changes with the source, so that code never meets
    the library of another."""
    return f"fanfold.libs/{source.stem}-{hashlib.sha256(source.read_bytes()).hexdigest()[:8]}.so"


def build_library(architecture: str, source: Path) -> Path:
    """The folder that has the library of ``source`` for ``architecture``: ``arm64`` or ``x86_64`` for Lambda,
    ``host`` for this machine. Built once. Raises LayerNotBuilt."""
    target = _target(architecture)
    made_of = hashlib.sha256(source.read_bytes() + LOCK.read_bytes() + Path(__file__).read_bytes())
    folder = BUILT / f"{target}-{made_of.hexdigest()[:16]}"
    if not folder.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILT) as building:
            library = Path(building, "built", library_name(source))
            library.parent.mkdir(parents=True)
            command = [str(_compiler()), "cc", "-target", target, *_OPTIONS, source.name, "-o", str(library)]
            caches = {f"ZIG_{name}_CACHE_DIR": building for name in ("GLOBAL", "LOCAL")}
            compiled = subprocess.run(
                command,
                cwd=source.parent,  # no path is told that could be written into the library
                env={**os.environ, **caches},
                capture_output=True,
                text=True,
                check=False,
            )
            if compiled.returncode:
                raise LayerNotBuilt(f"{source.name} does not compile for {target}:\n{compiled.stderr}")
            rename_whole(Path(building, "built"), folder)
    return folder


def _target(architecture: str) -> str:
    """The platform, as zig names it."""
    if architecture == "host" and platform.libc_ver()[0] != "glibc":
        return "native"
    return f"{MACHINES.get(architecture, platform.machine())}-linux-gnu.{_GLIBC}"


def _compiler() -> Path:
    """The pinned compiler, installed at its first use."""
    folder = BUILT / f"zig-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=BUILT) as installing:
            installed = Path(installing, "installed")
            pip_install(installed, LOCK, [], "install the compiler")
            rename_whole(installed, folder)
    return folder / "ziglang" / "zig"
