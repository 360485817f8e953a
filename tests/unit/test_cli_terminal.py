"""A question at a terminal, and who can interrupt it."""

import os
import pty
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from fanfold.cli.terminal import ask

QUESTION = "Go on? "
DEADLINE_S = 30.0


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A person's end of a pseudo-terminal, the other end of which is standard input."""
    mine, theirs = pty.openpty()
    with os.fdopen(theirs, encoding="utf-8", closefd=True) as typed:
        monkeypatch.setattr(sys, "stdin", typed)
        yield mine
    os.close(mine)


@pytest.mark.parametrize(("typed", "answer"), [(b"y\n", "y"), (b"\n", ""), (b"yes, all\n", "yes, all")])
def test_a_line_is_the_answer(
    person: int, capsys: pytest.CaptureFixture[str], typed: bytes, answer: str
) -> None:
    os.write(person, typed)
    assert ask(QUESTION) == answer
    assert tuple(capsys.readouterr()) == ("", QUESTION)  # nothing that a pipe would take for a result


def test_the_end_of_input_is_reported(person: int) -> None:
    os.write(person, b"\x04")
    with pytest.raises(EOFError):
        ask(QUESTION)


def test_a_signal_just_before_the_wait_is_heard(person: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel wakes a read only for a signal that comes while it waits. One that comes between the
    question and the read is like one that another thread gets: Python has noted it, and the read goes on."""
    waits, has_ended, is_deaf = threading.Event(), threading.Event(), threading.Event()

    def noting(wait: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            waits.set()
            return wait(*arguments)

        return noted

    keyboard = SimpleNamespace(fileno=sys.stdin.fileno, readline=noting(sys.stdin.readline))
    monkeypatch.setattr(sys, "stdin", keyboard)
    monkeypatch.setattr(select, "select", noting(select.select))

    def interrupt() -> None:
        waits.wait(DEADLINE_S)
        os.kill(os.getpid(), signal.SIGINT)
        if not has_ended.wait(DEADLINE_S):
            is_deaf.set()
            os.write(person, b"\n")  # lest it waits for ever

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    other = threading.Thread(target=interrupt)
    other.start()  # which does not block the signal
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        with pytest.raises(KeyboardInterrupt):
            ask(QUESTION)
        assert not is_deaf.is_set()
    finally:
        has_ended.set()
        other.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGINT, before)
