"""Builds layers of dependencies for the platform that runs the Lambdas, without Docker.

A layer has the wheels of locks, checked against their hashes: ``lambda_src/requirements.txt``, or the locks
of jobs. It may also have libraries that are compiled here, and bytecode for Lambda. Files that differ between
machines or installations (scripts, pip's metadata) are left out, so that the same lock gives the same asset
hash everywhere.
"""

import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
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
    # A quarter of NumPy, which nothing else of NumPy imports: Lambda unpacks layers for each new environment.
    "numpy/**/tests",
    "numpy/**/*_tests.*.so",
    "numpy/_core/_simd.*.so",
    "numpy/**/*.pyi",
)


class LocksDisagree(Exception):
    """Two locks whose packages would be imported together have different versions of a package."""


class LayerNotBuilt(Exception):
    """pip could not install the layer's packages, or its libraries do not compile."""


def host_architecture() -> str:
    """This machine's architecture, as Lambda names it."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def lock_of_job(job: str) -> Path | None:
    """The job's own lock, if it has one."""
    lock = folder_of(job) / LOCK_OF_JOB
    return lock if lock.is_file() else None


def locks_of_jobs(jobs: Sequence[str]) -> list[Path]:
    """The locks of those of ``jobs`` that have one: they share a layer. Raises LocksDisagree."""
    locks = {job: lock for job in jobs if (lock := lock_of_job(job))}
    known = {package: ("every function", version) for package, version in _versions(LOCK).items()}
    for job, lock in locks.items():
        for package, version in _versions(lock).items():
            owner, other = known.setdefault(package, (f"the job {job}", version))
            if version == other:
                continue
            differ = f"The job {job} locks {package} {version}, but {owner} has {other}"
            if owner == "every function":
                raise LocksDisagree(f"{differ}: lock that version.")
            others = ",".join(one for one in jobs if one != job)
            raise LocksDisagree(
                f"{differ}: deploy {job} as a stack of its own, with -c job={job}, and the other jobs "
                f"without it, with -c jobs={others}."
            )
    return list(locks.values())


def _versions(lock: Path) -> dict[str, str]:
    """The version of each package of ``lock``, or all of them, where it depends on the version of Python."""
    found: dict[str, list[str]] = {}
    for package, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ \\\n]+)", lock.read_text(), re.MULTILINE):
        found.setdefault(package.lower(), []).append(version)
    return {package: " or ".join(versions) for package, versions in found.items()}


def build_layer(architecture: str, locks: Sequence[Path] = (LOCK,), libraries: Path | None = None) -> Path:
    """The folder of the layer of ``locks`` for ``architecture``: ``arm64`` or ``x86_64`` for Lambda, ``host``
    for running on this machine with this Python. It also holds the folder ``libraries``, whose name
    identifies its content. Built once. Raises LayerNotBuilt, BytecodeNotWritten."""
    identity = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks) + Path(__file__).read_bytes())
    identity.update(libraries.name.encode() if libraries else b"")
    identity.update(
        f"{sys.implementation.cache_tag} {platform.machine()}".encode()
        if architecture == "host"
        else identity_of_bytecode()
    )

    def build(layer: Path) -> None:
        _install(layer / "python", architecture, locks)
        if libraries:
            shutil.copytree(libraries, layer / "python", dirs_exist_ok=True)
        if architecture != "host":
            add_bytecode(layer, "/opt")

    return build_once(BUILT / f"{architecture}-{identity.hexdigest()[:16]}", build)


def pip_install(target: Path, locks: Sequence[Path], options: list[str], what: str) -> None:
    """Install the packages of ``locks`` into ``target``. Raises LayerNotBuilt."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-compile", "--require-hashes", "--only-binary=:all:"]
    command += ["--target", str(target), *(f"--requirement={lock}" for lock in locks), *options]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode:
        raise LayerNotBuilt(f"pip could not {what}:\n{installed.stderr}")


def _install(target: Path, architecture: str, locks: Sequence[Path]) -> None:
    what = f"build the {architecture} layer"
    if architecture == "host":
        pip_install(target, locks, [], what)
    else:
        machine = MACHINES[architecture]
        options = ["--implementation", "cp", "--python-version", RUNTIME_PYTHON]
        options += ["--platform", f"manylinux2014_{machine}"]
        for minor in range(17, _GLIBC_OF_RUNTIME + 1):
            options += ["--platform", f"manylinux_2_{minor}_{machine}"]
        with tempfile.TemporaryDirectory() as folder:
            locks_of_lambda = [Path(folder, f"{number}.txt") for number in range(len(locks))]
            for lock, of_lambda in zip(locks, locks_of_lambda, strict=True):
                of_lambda.write_text(for_lambda(lock.read_text("utf-8"), machine), "utf-8")
            pip_install(target, locks_of_lambda, options, what)
    for pattern in _NOT_NEEDED:
        for path in target.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def for_lambda(lock: str, machine: str) -> str:
    """``lock`` with only what its markers want in Lambda. pip would compare them with the machine that
    builds, whatever it installs for.

    >>> for_lambda("a==1 ; python_version < '3.13' --hash=x\\nb==1 ; os_name == 'posix' --hash=y", "aarch64")
    'b==1 --hash=y'
    """
    # Only to build: `fanfold try` imports this module, too, where there may be no pip.
    from pip._vendor.packaging.markers import Marker  # noqa: PLC0415

    environment = {
        "python_version": RUNTIME_PYTHON,
        "python_full_version": f"{RUNTIME_PYTHON}.0",
        "platform_machine": machine,
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    wanted = []
    for line in lock.replace("\\\n", " ").splitlines():
        marked = re.fullmatch(r"([^#;]+?)\s*;\s*(.+?)((?:\s+--hash=\S+)*)\s*", line)
        if not marked:
            wanted.append(line)
        elif Marker(marked[2]).evaluate(environment):
            wanted.append(marked[1] + marked[3])
    return "\n".join(wanted)
