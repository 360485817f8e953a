"""Wherever a signal comes, what was begun is undone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from fanfold.checkout import ROOT
from fanfold.signals import Signals

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Listening, as in a command of its own."""
    before, hook = {number: signal.getsignal(number) for number in HANDLED}, sys.unraisablehook
    for number in HANDLED:
        signal.signal(number, signal.SIG_DFL)  # for the tests may run where a shell has SIGINT ignored
    listening = Signals()
    listening.listen()
    yield listening
    for number, handler in before.items():
        signal.signal(number, handler)
    sys.unraisablehook = hook


def send(number: signal.Signals = signal.SIGINT) -> None:
    """Its handler runs before the next line."""
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", HANDLED)
def test_the_first_signal_interrupts(signals: Signals, number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        send(number)
    assert signals.arrived


def test_a_held_signal_comes_after_the_block(signals: Signals) -> None:
    reached = False
    with suppress(KeyboardInterrupt):
        with signals.held():
            send()
            with signals.held():
                pass
            reached = True
        reached = False
    assert reached


def test_what_was_done_is_noted_before_a_signal_gets_through(signals: Signals) -> None:
    done: list[str] = []

    def do() -> str:
        send()
        done.append("done")
        return "it"

    entered = False
    with suppress(KeyboardInterrupt), signals.cleanup(do, lambda thing: done.append(f"undone {thing}")):
        entered = True
    signals.end()
    assert (entered, done) == (False, ["done", "undone it"])


def test_after_one_that_was_forgiven_the_next_is_a_first_one(signals: Signals) -> None:
    """Of which the command is told, and not ended by it at once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        with pytest.raises(KeyboardInterrupt):
            send(number)
        assert (signals.arrived, signals.latest) == (True, number)
        signals.reset()
        signals.check()
    assert not signals.arrived


def test_undoing_is_not_interrupted(signals: Signals) -> None:
    done: list[str] = []

    def undo(_: object) -> None:
        send()
        done.append("undone")

    with pytest.raises(KeyboardInterrupt), signals.cleanup(lambda: None, undo):
        pass
    signals.end()
    assert done == ["undone"]


def test_the_end_undoes_what_is_left_latest_first_in_spite_of_errors(
    signals: Signals,
) -> None:
    done: list[int] = []

    def undo(number: int) -> None:
        done.append(number)
        if number == 2:
            raise OSError("2")

    opened = [signals.cleanup(lambda number=number: number, undo) for number in (1, 2, 3)]  # type: ignore[misc]
    for context in opened:
        context.__enter__()
    with pytest.raises(OSError, match="2"):
        signals.end()
    assert done == [3, 2, 1]
    send()  # no longer of interest: the process is ending


def test_a_signal_that_was_swallowed_is_raised_again(signals: Signals) -> None:
    with suppress(KeyboardInterrupt):
        send()
    with pytest.raises(KeyboardInterrupt):
        signals.check()


def test_python_does_not_tell_of_one_that_it_swallowed(
    signals: Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        def __del__(self) -> None:
            send()

    class Broken:
        def __del__(self) -> None:
            raise ValueError("told")

    Interrupted()
    Broken()
    errors = capsys.readouterr().err
    assert "KeyboardInterrupt" not in errors
    assert "ValueError: told" in errors
    with pytest.raises(KeyboardInterrupt):
        signals.check()


def test_what_the_starter_has_it_ignore_is_ignored(signals: Signals) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Signals().listen()
    send(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def interrupted(*arguments: str) -> list[str]:
    """What ``tests.interrupted`` says, a line for each run."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.interrupted", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    assert set(done.stderr.splitlines()) <= {"Stopped."}
    return done.stdout.splitlines()


def check_every_line(number: signal.Signals, fewest: int, *files: str) -> None:
    """At each of at least ``fewest`` lines of ``files`` a signal ends the command, and nothing stays."""
    lines = interrupted(str(int(number)), *files)
    assert lines[-1] == "whole: exit status 0, left 0"
    assert len(lines) > fewest
    ends = [line.partition(": ")[2] for line in lines[:-1]]
    assert set(ends[:-1]) == {"exit status 130, left 0"}
    # At its very last line the command is over.
    assert ends[-1] in ("exit status 130, left 0", "exit status 0, left 0")


@pytest.mark.parametrize("number", HANDLED)
def test_at_no_line_does_a_signal_leave_anything_behind(number: signal.Signals) -> None:
    check_every_line(
        number, 50, "fanfold/__main__.py", "fanfold/signals.py", "fanfold/local_aws/processes.py"
    )


@pytest.mark.long
def test_at_no_line_of_the_standard_library_either() -> None:
    check_every_line(signal.SIGINT, 150, "/contextlib.py", "/subprocess.py")


def test_a_second_signal_ends_it_at_once_and_leaves_nothing_behind() -> None:
    assert interrupted("twice") == ["twice: exit status 130, left 0"]


def test_killed_it_leaves_no_process_behind() -> None:
    assert interrupted("killed") == ["killed: exit status 137, left 0"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_comes_when_all_is_done_changes_nothing(number: signal.Signals) -> None:
    """Python itself takes a moment to end, and by then no longer calls the handlers of signals."""
    code = f"""
import os, sys, types
from fanfold import __main__ as entry

class Late:
    def __del__(self, kill=os.kill, process_id=os.getpid()):
        kill(process_id, {int(number)})

late = Late()
module = types.ModuleType("fanfold.cli.app")
module.main = lambda _: print("the result") or 0
import fanfold.cli
sys.modules["fanfold.cli.app"] = fanfold.cli.app = module
sys.exit(entry.main([]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the result\n", "")
