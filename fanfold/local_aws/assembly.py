"""The stack of a job for a local AWS, as `cdk synth` writes it. It is kept by what it is made of: to write it
takes longer than to deploy it."""

import hashlib
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fanfold.checkout import CDK, ROOT
from fanfold.local_aws.processes import remove_folder, started, temporary_folder

ASSEMBLIES = ROOT / ".build" / "assemblies"

KEPT = 3
"""Of each job the assemblies that were used last. Nobody deploys from an older one any more."""

MADE_OF = (
    *("app.py", "cdk.json", "package-lock.json", "requirements.txt", "requirements-native.txt"),
    *("stacks", "lambda_src"),
)


def identity(job: str) -> str:
    """Tells the local stack of ``job``, as this checkout has it now, from any other."""
    made_of = hashlib.sha256(f"{job} {sys.implementation.cache_tag} {platform.machine()}".encode())
    for name in MADE_OF:
        for path in _files(ROOT / name):
            made_of.update(f"\0{path.relative_to(ROOT)}\0".encode())
            made_of.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{job}-{made_of.hexdigest()[:16]}"


@contextmanager
def assembled(environment: Mapping[str, str], folder: Path, job: str) -> Iterator[Callable[[], Path | None]]:
    """Begin to write the assembly of ``job`` if there is none. Gives what waits until it is there, to be used
    within the block; None, if it could not be written. What the CDK says of it stays in ``folder``."""
    wanted = ASSEMBLIES / identity(job)
    if wanted.exists():
        wanted.touch()
        yield lambda: wanted
        return

    def written() -> Path | None:
        if group.leader.wait():
            return None
        if identity(job) != wanted.name:  # A source has changed meanwhile: whose assembly it is nobody knows.
            return writing / "cdk.out"
        try:
            (writing / "cdk.out").rename(wanted)
        except OSError:  # another process was faster
            if not wanted.exists():
                raise
        return wanted

    ASSEMBLIES.mkdir(parents=True, exist_ok=True)
    _tidy(job)
    settings = (f"job={job}", "architecture=host", "retain_data=false")
    with (
        temporary_folder(prefix=f"{job}-", parent=ASSEMBLIES) as writing,
        (folder / "cdk-synth.log").open("wb") as log_file,
        started(
            [
                *CDK,
                "synth",
                "--quiet",
                "--output",
                str(writing / "cdk.out"),
                *(f"--context={s}" for s in settings),
            ],
            environment,
            log_file,
            folder=ROOT,
        ) as group,
    ):
        yield written


def _files(path: Path) -> Iterator[Path]:
    """What ``path`` holds, or is, without what Python and other tools have left there."""
    if not path.is_dir():
        yield path
        return
    for entry in sorted(path.iterdir()):
        if entry.name != "__pycache__" and not entry.name.startswith("."):
            yield from _files(entry)


def _tidy(job: str) -> None:
    by_use = sorted(ASSEMBLIES.glob(f"{job}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_use[KEPT - 1 :]:  # one more comes
        remove_folder(path)
