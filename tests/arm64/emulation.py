"""Lambda's Python for arm64 on this machine: Debian's, under QEMU, with nothing installed.

apt gets both, with lists, a cache and a state of its own in a folder of ours. So it is apt that chooses what
Python needs, and that checks every byte: the archive's release file by its signature, the index of packages
by its hash in the release file, each package by its hash in the index.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fanfold.checkout import ROOT
from stacks.dependency_layer import RUNTIME_PYTHON

BUILT = ROOT / ".build" / "emulated"
SUITE = "trixie"
"""The Debian that has Lambda's version of Python."""

PACKAGES = (f"python{RUNTIME_PYTHON}", "libstdc++6")
"""Python, and what wheels may take for granted (PEP 599) that Python does not need itself."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PYTHON = f"usr/bin/python{RUNTIME_PYTHON}"
EMULATOR = "qemu-aarch64"
INSTALLED = "root"

_SETTINGS = """\
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "{folder}";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}";
Dir::Log "{folder}";
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; "{host}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::AllowInsecureRepositories "false";
Acquire::Languages "none";
Acquire::http::Timeout "20";
Acquire::Retries "2";
"""
"""Nothing of the machine's own settings, sources and hooks. The sandbox's user could not write into our
folder, and where apt is not run by root there is none anyway."""

_REFUSED = re.compile(r"Err:.* InRelease\n +(4\d\d |Clearsigned file isn't valid)")
"""What apt says of a proxy that lets nobody through, or answers with a page of its own."""


class Unavailable(Exception):
    """This machine cannot have the emulated Python; the text says why."""


class Broken(Exception):
    """What apt got is not what Debian signed, or cannot be unpacked; the text is apt's own."""


class EmulatedPython(NamedTuple):
    """``command`` starts the Python, which is unpacked in ``root``."""

    command: Sequence[str]
    root: Path


def emulated_python() -> EmulatedPython:
    """Lambda's version of Python for arm64. Downloaded and unpacked once. Raises Unavailable, Broken."""
    identity = hashlib.sha256(Path(__file__).read_bytes() + RUNTIME_PYTHON.encode()).hexdigest()
    built = BUILT / f"{SUITE}-python{RUNTIME_PYTHON}-{identity[:16]}"
    if not built.exists():
        _check_machine()
        BUILT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILT) as building:
            _build(Path(building))
            # Renamed as a whole: a second build at the same time, or a broken one, leaves no half of it.
            try:
                (Path(building) / "built").rename(built)
            except OSError:
                if not built.exists():
                    raise
    root = built / INSTALLED
    return EmulatedPython((str(built / EMULATOR), "-L", str(root), str(root / PYTHON)), root)


def _check_machine() -> None:
    if platform.system() != "Linux":
        raise Unavailable(f"QEMU emulates programs of Linux on Linux, and this is {platform.system()}.")
    if missing := [tool for tool in ("apt-get", "dpkg", "dpkg-deb") if not shutil.which(tool)]:
        raise Unavailable(f"There is no {' and no '.join(missing)} here to get Debian's packages with.")


def _build(folder: Path) -> None:
    apt, built = folder / "apt", folder / "built"
    packages = _download(folder, apt)
    root, qemu = built / INSTALLED, folder / "qemu"
    root.mkdir(parents=True)
    for package in packages:
        target = qemu if package.name.startswith("qemu-user_") else root
        _run(Broken, "dpkg-deb", "--extract", str(package), str(target))
    (qemu / "usr" / "bin" / EMULATOR).rename(built / EMULATOR)
    # Where programs name their loader. In Debian the link comes with a package that these do not need.
    (root / "lib").symlink_to("usr/lib")
    hashes = [f"{hashlib.sha256(package.read_bytes()).hexdigest()}  {package.name}\n" for package in packages]
    (built / "SHA256SUMS").write_text("".join(hashes), "utf-8")


def _download(folder: Path, apt: Path) -> list[Path]:
    """``PACKAGES`` for arm64, all that they need, and of QEMU for this machine."""
    for part in ("lists/partial", "archives/partial"):
        (apt / part).mkdir(parents=True)
    (apt / "status").touch()  # no package is installed: so apt gets all that these need
    host = _run(Broken, "dpkg", "--print-architecture").strip()
    (apt / "apt.conf").write_text(_SETTINGS.format(folder=apt, host=host), "utf-8")
    (apt / "sources.list").write_text(
        f"deb [signed-by={_keyring(folder)}] http://deb.debian.org/debian {SUITE} main\n", "utf-8"
    )
    settings = str(apt / "apt.conf")
    # apt fails where a signature or a hash is wrong, and only warns where nobody answers.
    try:
        said = _run(Broken, "apt-get", "update", apt_config=settings)
    except Broken as error:
        if _REFUSED.search(str(error)):
            raise Unavailable(f"The way to Debian's archive is closed: {error}") from error
        raise
    if not list((apt / "lists").glob("*_InRelease")):
        raise Unavailable(f"Debian's archive does not answer: {said}")
    wanted = (*(f"{package}:arm64" for package in PACKAGES), f"qemu-user:{host}")
    _run(Broken, "apt-get", "install", "--yes", "--download-only", *wanted, apt_config=settings)
    return sorted((apt / "archives").glob("*.deb"))


def _keyring(folder: Path) -> Path:
    """Debian's keys: this machine's, or those that its own apt vouches for, as Ubuntu's does."""
    if KEYRING.is_file():
        return KEYRING
    keys = folder / "keys"
    keys.mkdir()
    _run(Unavailable, "apt-get", "download", KEYRING.stem, folder=keys)
    for package in keys.glob("*.deb"):
        _run(Broken, "dpkg-deb", "--extract", str(package), str(keys))
    return keys / KEYRING.relative_to("/")


def _run(
    error: type[Exception], *command: str, folder: Path | None = None, apt_config: str | None = None
) -> str:
    """What ``command`` says. Raises ``error`` if it fails."""
    environment = {**os.environ, "LC_ALL": "C"}
    if apt_config is not None:
        environment["APT_CONFIG"] = apt_config
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, check=False, stdout=-1, stderr=subprocess.STDOUT
    )
    if done.returncode:
        raise error(f"{' '.join(command)}: {done.stdout.strip()}")
    return done.stdout
