"""Compiles a job's C, for Lambda or for this machine, without a system compiler.

Zig's C compiler comes from PyPI, pinned and checked against its hash, and compiles for every platform. It is
fetched (100 MB) only where something must be compiled. The same source gives the same bytes in every folder.
"""

import hashlib
import os
import platform
import subprocess
from pathlib import Path

from stacks.builds import ROOT, build_once
from stacks.dependency_layer import MACHINES, LayerNotBuilt, pip_install

LOCK = ROOT / "requirements-native.txt"
"""The compiler."""

BUILT = ROOT / ".build" / "native"

_GLIBC = "2.17"
"""Older than that of any runtime: the library asks for no newer one."""

_OPTIONS = ["-std=c11", "-O3", "-g0", "-s", "-shared", "-fPIC", "-fvisibility=hidden"]


def source_of_job(job: str) -> Path | None:
    """The C file of ``job``, if it has one."""
    return next((ROOT / "lambda_src" / "jobs" / job).glob("*.c"), None)


def library_name(source: Path) -> str:
    """The path in a layer of the library of ``source``, with a hash of it, so that code never loads the
    library of another version."""
    return f"fanfold.libs/{source.stem}-{hashlib.sha256(source.read_bytes()).hexdigest()[:8]}.so"


def build_library(architecture: str, source: Path) -> Path:
    """The folder that has the library of ``source`` for ``architecture``: ``arm64`` or ``x86_64`` for Lambda,
    ``host`` for this machine. Built once. Raises LayerNotBuilt."""
    target = _target(architecture)
    made_of = hashlib.sha256(source.read_bytes() + LOCK.read_bytes() + Path(__file__).read_bytes())

    def build(folder: Path) -> None:
        library = folder / library_name(source)
        library.parent.mkdir(parents=True)
        command = [str(_compiler()), "cc", "-target", target, *_OPTIONS, source.name, "-o", str(library)]
        caches = {f"ZIG_{name}_CACHE_DIR": str(folder.parent) for name in ("GLOBAL", "LOCAL")}
        compiled = subprocess.run(
            command,
            cwd=source.parent,  # so that no path gets into the library
            env={**os.environ, **caches},
            capture_output=True,
            text=True,
            check=False,
        )
        if compiled.returncode:
            raise LayerNotBuilt(f"{source.name} does not compile for {target}:\n{compiled.stderr}")

    return build_once(BUILT / f"{target}-{made_of.hexdigest()[:16]}", build)


def _target(architecture: str) -> str:
    """The platform, as zig names it."""
    if architecture == "host" and platform.libc_ver()[0] != "glibc":
        return "native"
    return f"{MACHINES.get(architecture, platform.machine())}-linux-gnu.{_GLIBC}"


def _compiler() -> Path:
    """The pinned compiler, installed at its first use."""
    folder = build_once(
        BUILT / f"zig-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}",
        lambda folder: pip_install(folder, LOCK, [], "install the compiler"),
    )
    return folder / "ziglang" / "zig"
