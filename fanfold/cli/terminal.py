"""Standard output, or the stream of errors; and a question to the person."""

import io
import select
import sys
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.text import Text

from fanfold.errors import ExpectedError

LISTEN_S = 0.2
"""How long a signal may go unheard."""


class ConfirmationRequired(ExpectedError):
    """Not a terminal, so nobody can be asked: an option must answer the question."""


class Terminal(Console):
    """Shows what it can: a character that its encoding lacks as an escape, and nothing to a reader that has
    gone (``| head``). Neither keeps the command from its end, which may be a file with the result. Text is
    text: no markup in it is interpreted."""

    def __init__(self, *, to_errors: bool = False) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        super().__init__(markup=False, emoji=False, highlight=False, stderr=to_errors)

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        """In a pipe there is no width at which to break text: a command in it can be pasted."""
        if soft_wrap is None:
            soft_wrap = not self.is_terminal and all(isinstance(one, str | Text) for one in objects)
        super().print(*objects, soft_wrap=soft_wrap, **options)

    def on_broken_pipe(self) -> None:
        """Leave standard output open to nowhere."""
        with suppress(SystemExit):
            super().on_broken_pipe()


def ask(question: str) -> str:
    """What a person answers. Raises EOFError, and whatever a signal's handler raises.

    It does not wait in one read: a signal that comes between the question and that read would be heard with
    the next key only.
    """
    print(question, end="", file=sys.stderr, flush=True)
    while not select.select([sys.stdin], [], [], LISTEN_S)[0]:
        pass  # here Python calls the handlers of signals
    return input()


def agrees(question: str, unasked: str) -> bool:
    """Whether the person says yes; no answer is no. Without a terminal, raises ConfirmationRequired with the
    text ``unasked``."""
    if not sys.stdin.isatty():
        raise ConfirmationRequired(unasked)
    try:
        return ask(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False
