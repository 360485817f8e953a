"""Processes that end with this one, unless they are detached."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from fanfold.signals import SIGNALS

STOP_TIMEOUT_S = 10.0
GONE_TIMEOUT_S = 0.5
SUPERVISOR = Path(__file__).with_name("supervisor.py")


class Group:
    """A command's process group. Its ``leader`` is the supervisor, which ends when the command does, with its
    exit status. ``pipe`` is the end of the supervisor's pipe that keeps the group running."""

    def __init__(self, leader: subprocess.Popen[bytes], pipe: int) -> None:
        self.leader = leader
        self.pipe = pipe
        self.stays = False

    def detach(self) -> None:
        """Let the group outlive this process. ``end_group`` ends it."""
        with SIGNALS.held():
            os.write(self.pipe, b"\0")
            self.stays = True


@contextmanager
def started(
    command: Sequence[str],
    environment: Mapping[str, str],
    log_file: IO[bytes],
    *,
    folder: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[Group]:
    """Start ``command`` in ``folder``, in a session and a process group of its own, and end the whole group
    with the block, or when this process is killed. Its output goes to ``log_file``.
    Raises OSError.
    """
    SIGNALS.check()

    def start() -> Group:
        reading, writing = os.pipe()
        try:
            leader = subprocess.Popen(
                [sys.executable, "-I", "-S", SUPERVISOR, str(reading), str(STOP_TIMEOUT_S), *command],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                pass_fds=(reading, *pass_fds),
                start_new_session=True,
            )
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        return Group(leader, writing)

    with SIGNALS.cleanup(start, _end) as group:
        yield group


@contextmanager
def temporary_folder(*, prefix: str = "fanfold-", parent: Path | None = None) -> Iterator[Path]:
    """A private folder that is removed when the block ends."""
    with SIGNALS.cleanup(lambda: Path(tempfile.mkdtemp(dir=parent, prefix=prefix)), remove_folder) as folder:
        yield folder


def remove_folder(folder: Path) -> None:
    """Remove it if it is there, as far as possible."""
    shutil.rmtree(folder, ignore_errors=True)


def end_group(process_id: int, has_ended: Callable[[], bool], timeout_s: float) -> None:
    """End the group that ``process_id`` leads and another process detached: by SIGTERM, and after
    ``timeout_s`` by SIGKILL. Raises PermissionError."""
    with suppress(ProcessLookupError):
        os.killpg(process_id, signal.SIGTERM)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not has_ended():
            time.sleep(0.02)
    _kill(process_id)


def _end(group: Group) -> None:
    os.close(group.pipe)  # the supervisor then ends it
    if group.stays:
        return
    with suppress(subprocess.TimeoutExpired):
        group.leader.wait(2 * STOP_TIMEOUT_S)
    # The command may have left processes, or its leader may have been killed.
    _kill(group.leader.pid)
    group.leader.wait()


def _kill(group: int) -> None:
    """A killed process takes a moment to end, and remains a zombie until its parent waits for it."""
    deadline = time.monotonic() + GONE_TIMEOUT_S
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, signal.SIGKILL)
            time.sleep(0.01)
