"""A stack for a local AWS, as `cdk synth` writes it. It is kept under a hash of its sources,
because synthesis takes longer than deployment."""

import hashlib
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fanfold.checkout import APP, BUILDS, CDK, ROOT
from fanfold.job_code import digest_of, files_setting
from fanfold.local_aws.processes import remove_folder, started, temporary_folder
from lambda_src.settings import stack_name

ASSEMBLIES = BUILDS / "assemblies"

KEPT = 3
"""Number of assemblies that are kept for each stack. Older ones are no longer deployed."""

MADE_OF = (
    *("app.py", "cdk.json", "package-lock.json", "requirements.txt", "requirements-native.txt"),
    *("stacks", "lambda_src"),
)


def identity(own: str | None = None, added: Sequence[str] = ()) -> str:
    """Identifies the local stack of all jobs and of those ``added``, or of the job ``own`` alone, as it is in
    this checkout now."""
    stack = stack_name(own)
    made_of = hashlib.sha256(f"{stack} {sys.implementation.cache_tag} {platform.machine()}".encode())
    for name in MADE_OF:
        for path in _files(ROOT / name):
            made_of.update(f"\0{path.relative_to(ROOT)}\0".encode())
            made_of.update(hashlib.sha256(path.read_bytes()).digest())
    for job in added:
        made_of.update(f"\0{job} {digest_of(job)}".encode())
    return f"{stack}-{made_of.hexdigest()[:16]}"


@contextmanager
def assembled(
    environment: Mapping[str, str], folder: Path, own: str | None, added: Sequence[str] = ()
) -> Iterator[Callable[[], Path | None]]:
    """Start to synthesize the stack that ``identity`` identifies, unless that was done. Yields a function,
    for use in the block, that waits for it; it returns None if the synthesis failed. The CDK's log is in
    ``folder``."""
    wanted = ASSEMBLIES / identity(own, added)
    if wanted.exists():
        wanted.touch()
        yield lambda: wanted
        return

    def written() -> Path | None:
        if group.leader.wait():
            return None
        if (
            identity(own, added) != wanted.name
        ):  # a source changed during the synthesis, so the result must not be kept
            return writing / "cdk.out"
        try:
            (writing / "cdk.out").rename(wanted)
        except OSError:  # another process was faster
            if not wanted.exists():
                raise
        return wanted

    ASSEMBLIES.mkdir(parents=True, exist_ok=True)
    _tidy(stack_name(own))
    of_job = (f"job={own}",) if own else ()
    settings = (*of_job, *files_setting(added), "architecture=host", "retain_data=false")
    with (
        temporary_folder(prefix=f"{wanted.name}-", parent=ASSEMBLIES) as writing,
        (folder / "cdk-synth.log").open("wb") as log_file,
        started(
            [
                *CDK,
                "synth",
                *APP,
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
    """``path``, or the files below it without caches of Python and other tools."""
    if not path.is_dir():
        yield path
        return
    for entry in sorted(path.iterdir()):
        if entry.name != "__pycache__" and not entry.name.startswith("."):
            yield from _files(entry)


def _tidy(stack: str) -> None:
    by_use = sorted(
        ASSEMBLIES.glob(f"{stack}-{16 * '?'}"), key=lambda path: path.stat().st_mtime, reverse=True
    )
    for path in by_use[KEPT - 1 :]:  # one more is about to be added
        remove_folder(path)
