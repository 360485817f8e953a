"""Compiles the C of the engine and of jobs, for Lambda or for this machine, without a system compiler.

Zig's C compiler comes from PyPI, pinned and checked against its hash, and compiles for every platform. It is
downloaded (100 MB) only if something must be compiled. The same source gives the same bytes in every folder.
"""

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from fanfold.checkout import BUILDS, ROOT
from fanfold.job_code import folder_of
from lambda_src.counts.compiled import library_name, text_of
from stacks.builds import build_once
from stacks.dependency_layer import MACHINES, LayerNotBuilt, pip_install

LOCK = ROOT / "requirements-native.txt"
"""The compiler."""

BUILT = BUILDS / "native"

_GLIBC = "2.17"
"""The glibc that libraries require, older than that of any runtime."""

_OPTIONS = ["-std=c11", "-O3", "-g0", "-s", "-shared", "-fPIC"]


def sources_of_jobs(jobs: Iterable[str]) -> list[Path]:
    """The C files that are compiled for the functions of ``jobs``: the engine's, and their own."""
    folders = (ROOT / "lambda_src" / "counts", *map(folder_of, jobs))
    return [source for folder in folders for source in sorted(folder.glob("*.c"))]


def build_libraries(architecture: str, sources: Sequence[Path]) -> Path:
    """The folder that has the library of each of ``sources`` for ``architecture``: ``arm64`` or ``x86_64``
    for Lambda, ``host`` for this machine. Built once. Raises LayerNotBuilt."""
    target = _target(architecture)
    made_of = hashlib.sha256(LOCK.read_bytes() + Path(__file__).read_bytes())
    for source in sources:
        made_of.update(library_name(source).encode() + text_of(source))

    def build(folder: Path) -> None:
        (folder / "fanfold.libs").mkdir(parents=True)
        for source in sources:
            _compile(source, target, folder / library_name(source), caches=folder.parent)

    return build_once(BUILT / f"{target}-{made_of.hexdigest()[:16]}", build)


def _compile(source: Path, target: str, library: Path, caches: Path) -> None:
    is_ours = source.is_relative_to(ROOT / "lambda_src")
    command = [str(_compiler()), "cc", "-target", target, *_OPTIONS]
    command += ["-fvisibility=hidden"] if is_ours else []  # an own job exports all its functions
    command += [source.name, "-o", str(library)]
    compiled = subprocess.run(
        command,
        cwd=source.parent,  # so that no path gets into the library
        env={**os.environ, **{f"ZIG_{name}_CACHE_DIR": str(caches) for name in ("GLOBAL", "LOCAL")}},
        capture_output=True,
        text=True,
        check=False,
    )
    if compiled.returncode:
        raise LayerNotBuilt(f"{source.name} does not compile for {target}:\n{compiled.stderr}")


def _target(architecture: str) -> str:
    """The platform, as Zig names it."""
    if architecture == "host" and platform.libc_ver()[0] != "glibc":
        return "native"
    return f"{MACHINES.get(architecture, platform.machine())}-linux-gnu.{_GLIBC}"


def _compiler() -> Path:
    """The pinned compiler, installed at its first use."""
    folder = build_once(
        BUILT / f"zig-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}",
        lambda folder: pip_install(folder, [LOCK], [], "install the compiler"),
    )
    return folder / "ziglang" / "zig"
