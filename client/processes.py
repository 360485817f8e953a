"""Processes that do not outlive this one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from client.interruption import SIGNALS

STOP_TIMEOUT_S = 10.0
GONE_TIMEOUT_S = 0.5
LIFELINE = Path(__file__).with_name("lifeline.py")


class _Group(NamedTuple):
    leader: subprocess.Popen[bytes]
    lifeline: int


@contextmanager
def started(
    command: Sequence[str],
    environment: Mapping[str, str],
    log_file: IO[bytes],
    *,
    folder: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """Start ``command`` in ``folder``, in a session and a process group of its own, and end the whole group
    with the block. Should this process be killed, the group ends too. What it says goes to ``log_file``.

    Gives the group's leader, which ends when the command does, with its exit status. Raises OSError.
    """
    SIGNALS.check()

    def start() -> _Group:
        reading, writing = os.pipe()
        try:
            leader = subprocess.Popen(
                [sys.executable, "-I", "-S", LIFELINE, str(reading), str(STOP_TIMEOUT_S), *command],
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
        return _Group(leader, writing)

    with SIGNALS.undone(start, _end) as group:
        yield group.leader


def _end(group: _Group) -> None:
    os.close(group.lifeline)  # its leader then ends it
    with suppress(subprocess.TimeoutExpired):
        group.leader.wait(2 * STOP_TIMEOUT_S)
    # What a command that ended by itself has left, or one whose leader was killed. What is killed takes a
    # moment to go, and as a zombie stays until who inherits it has asked for it.
    deadline = time.monotonic() + GONE_TIMEOUT_S
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group.leader.pid, signal.SIGKILL)
            time.sleep(0.01)
    group.leader.wait()
