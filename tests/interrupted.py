"""Runs a command of the client that only starts a process, and interrupts it: at each line in turn.

python -m tests.interrupted SIGNAL FILE...    a signal at the first line of these files, at the second, ...
python -m tests.interrupted twice | killed    a second signal while the first is at work; SIGKILL
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType, ModuleType
from typing import Any

import fanfold.cli
from fanfold import __main__ as entry
from fanfold.local_aws.processes import started
from fanfold.signals import SIGNALS

Work = Callable[[], None]

STUBBORN = ("bash", "-c", "(trap '' TERM; exec sleep 600) & exec sleep 601")
"""One process that ends when asked to, and one that does not."""


def command(folder: Path, words: Sequence[str], work: Work) -> Any:
    """What takes the place of ``fanfold.cli.app``: ``work`` in a private folder with processes."""

    # Its path tells in the list of processes whose it is.
    sleep = str(shutil.copy("/bin/sleep", folder))

    def main(_: Sequence[str]) -> int:
        with (
            SIGNALS.cleanup((folder / "private").mkdir, lambda _: (folder / "private").rmdir()),
            (folder / "log").open("wb") as log_file,
            started([word.replace("sleep", sleep) for word in words], os.environ, log_file),
        ):
            work()
        return 0

    module: Any = ModuleType("fanfold.cli.app")
    module.main = main
    return module


def processes_in(folder: Path) -> list[str]:
    """Those that ``command`` has started there and that are still there."""
    listed = subprocess.run(["ps", "-eo", "stat=,args="], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if str(folder) in line and line[0] != "Z"]


def forked(folder: Path, words: Sequence[str], work: Work, trace: Any = None) -> int:
    """The exit status of the command, run in a process of its own, as a shell gives it."""
    child = os.fork()
    if child == 0:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)  # a shell has SIGINT ignored by what runs in the background
        sys.modules["fanfold.cli.app"] = module = command(folder, words, work)
        fanfold.cli.__dict__["app"] = module
        sys.settrace(trace)
        status = entry.main([])
        sys.settrace(None)
        os._exit(status)
    _, waited = os.waitpid(child, 0)
    status = os.waitstatus_to_exitcode(waited)
    return status if status >= 0 else 128 - status


def signal_at(number: int, files: Sequence[str], line: int, marker: Path) -> Any:
    """A trace function that sends the signal at the ``line``th line that is executed in ``files``, once the
    process listens."""
    left = line

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.endswith(tuple(files)):
            return None
        if event == "line" and signal.getsignal(number) == SIGNALS._arrive:
            left -= 1
            if not left:
                sys.settrace(None)
                marker.touch()
                os.kill(os.getpid(), number)
        return trace

    return trace


def report(name: str, status: int, folder: Path) -> None:
    """Print how it ended and what it left: the private folder, processes that live on for long."""
    left = [path.name for path in folder.glob("private")]
    deadline = time.monotonic() + (20 if name == "killed" else 0)
    while (processes := processes_in(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    print(f"{name}: exit status {status}, left {len(processes) + (0 if name == 'killed' else len(left))}")


def every_line(number: int, files: Sequence[str]) -> None:
    """Until a run comes to its end without that many lines."""
    for line in range(1, 10_000):
        with TemporaryDirectory() as name:
            folder = Path(name)
            status = forked(
                folder, ["sleep", "600"], lambda: None, signal_at(number, files, line, folder / "sent")
            )
            was_sent = (folder / "sent").exists()
            report(f"line {line}" if was_sent else "whole", status, folder)
            if not was_sent:
                return


def until_at_work(folder: Path) -> None:
    """Until both processes of the command run."""
    deadline = time.monotonic() + 20
    while sum(f"{folder}/sleep 60" in line for line in processes_in(folder)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def twice() -> None:
    """Ctrl-C, and again because the way out takes long."""
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def killed() -> None:
    """As the system does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1] in ("twice", "killed"):
        with TemporaryDirectory() as name:
            folder, ending = Path(name), twice if sys.argv[1] == "twice" else killed

            def work() -> None:
                until_at_work(folder)
                ending()

            report(sys.argv[1], forked(folder, STUBBORN, work), folder)
    else:
        every_line(int(sys.argv[1]), sys.argv[2:])
