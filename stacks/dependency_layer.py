"""Builds layers of dependencies for the platform that runs the Lambdas, without Docker.

A layer has the wheels of a lock, checked against its hashes: ``lambda_src/requirements.txt``, or the lock of
a job. It may also have libraries that are compiled here, and bytecode for Lambda. Files that differ between
machines or installations (scripts, pip's metadata) are left out, so that the same lock gives the same asset
hash everywhere.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from fanfold.checkout import BUILDS, ROOT
from fanfold.job_code import LOCK as LOCK_OF_JOB
from fanfold.job_code import folder_of
from stacks.builds import build_once
from stacks.bytecode import add_bytecode
from stacks.bytecode import identity as identity_of_bytecode

LOCK = ROOT / "lambda_src" / "requirements.txt"
"""The lock of the packages that every function needs."""

BUILT = BUILDS / "layers"

RUNTIME_PYTHON = "3.13"
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
_GLIBC_OF_RUNTIME = 34
"""python3.13 runs on Amazon Linux 2023, which has glibc 2.34: any older manylinux wheel runs there."""

_NOT_NEEDED = (
    "bin",
    "**/__pycache__",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
)


class LayerNotBuilt(Exception):
    """pip could not install the layer's packages, or its libraries do not compile."""


def host_architecture() -> str:
    """This machine's architecture, as Lambda names it."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def lock_of_job(job: str) -> Path | None:
    """The job's own lock, if it has one."""
    lock = folder_of(job) / LOCK_OF_JOB
    return lock if lock.is_file() else None


def build_layer(architecture: str, lock: Path = LOCK, libraries: Path | None = None) -> Path:
    """The folder of the layer of ``lock`` for ``architecture``: ``arm64`` or ``x86_64`` for Lambda, ``host``
    for running on this machine with this Python. It also holds the folder ``libraries``, whose name
    identifies its content. Built once. Raises LayerNotBuilt, BytecodeNotWritten."""
    identity = hashlib.sha256(lock.read_bytes() + Path(__file__).read_bytes())
    identity.update(libraries.name.encode() if libraries else b"")
    identity.update(
        f"{sys.implementation.cache_tag} {platform.machine()}".encode()
        if architecture == "host"
        else identity_of_bytecode()
    )

    def build(layer: Path) -> None:
        _install(layer / "python", architecture, lock)
        if libraries:
            shutil.copytree(libraries, layer / "python", dirs_exist_ok=True)
        if architecture != "host":
            add_bytecode(layer, "/opt")

    return build_once(BUILT / f"{architecture}-{identity.hexdigest()[:16]}", build)


def pip_install(target: Path, lock: Path, options: list[str], what: str) -> None:
    """Install the packages of ``lock`` into ``target``. Raises LayerNotBuilt."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-compile", "--require-hashes", "--only-binary=:all:"]
    command += ["--target", str(target), "--requirement", str(lock), *options]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        raise LayerNotBuilt(f"pip could not {what}:\n{installed.stderr}")


def _install(target: Path, architecture: str, lock: Path) -> None:
    options = []
    if architecture != "host":
        machine = MACHINES[architecture]
        options += ["--implementation", "cp", "--python-version", RUNTIME_PYTHON]
        options += ["--platform", f"manylinux2014_{machine}"]
        for minor in range(17, _GLIBC_OF_RUNTIME + 1):
            options += ["--platform", f"manylinux_2_{minor}_{machine}"]
    pip_install(target, lock, options, f"build the {architecture} layer")
    for pattern in _NOT_NEEDED:
        for path in target.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
