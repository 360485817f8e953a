"""The folder of one local run: its corpus, its deployment's files, its logs."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fanfold.signals import SIGNALS

KEPT = 3
"""Number of failed runs whose logs are kept."""


@contextmanager
def run_folder(runs: Path, run_id: str) -> Iterator[Path]:
    """The folder ``run_id`` in ``runs`` for the duration of the block. The logs of a failed run are kept
    until others have failed after it. Raises OSError."""
    folder = runs / run_id
    failed = False

    def leave(lock: int) -> None:
        if failed:
            _keep_logs(folder)
        if not failed or not any(folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)

    with SIGNALS.cleanup(lambda: _made(folder), leave):
        _tidy(runs)
        try:
            yield folder
        except Exception:
            # On the way out of an interrupted one, a terminal that is closed can fail a last line.
            failed = not SIGNALS.arrived
            raise


def _made(folder: Path) -> int:
    """Make and lock ``folder``. The lock ends with this process."""
    folder.mkdir(parents=True)
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _tidy(runs: Path) -> None:
    """Remove the files of ended runs except logs, and of older runs the logs, too."""
    # Run ids sort by time.
    for age, folder in enumerate(sorted((path for path in runs.iterdir() if path.is_dir()), reverse=True)):
        with suppress(FileNotFoundError):  # another run tidies up too
            lock = os.open(folder, os.O_RDONLY)
            try:
                with suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _keep_logs(folder)
                    if age > KEPT:  # the newest is the run that is beginning
                        shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _keep_logs(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix != ".log":
            path.unlink(missing_ok=True)
