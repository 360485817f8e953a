"""Standard output or standard error, and questions to the person."""

import io
import os
import select
import sys
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.text import Text

from fanfold.errors import ConfirmationRequired

LISTEN_S = 0.2
"""Seconds after which a signal is handled at the latest."""


class Terminal(Console):
    """A console that never fails: characters that its encoding lacks are escaped, and output to a closed pipe
    (``| head``) is dropped, so the command can still write its result to a file. Markup is not
    interpreted."""

    def __init__(self, *, to_errors: bool = False) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        super().__init__(markup=False, emoji=False, highlight=False, stderr=to_errors)

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        """Print. In a pipe, lines are not wrapped, so that commands in them can be pasted."""
        if soft_wrap is None:
            soft_wrap = not self.is_terminal and all(isinstance(one, str | Text) for one in objects)
        super().print(*objects, soft_wrap=soft_wrap, **options)

    def on_broken_pipe(self) -> None:
        """Drop all further output."""
        with suppress(SystemExit):
            super().on_broken_pipe()


def drop_output() -> None:
    """Drop what standard output could not take. Otherwise Python would try again, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def ask(question: str) -> str:
    """The person's answer. Raises EOFError, and whatever a signal handler raises.

    It polls: during a blocking read, a signal would only be handled after the next key.
    """
    print(question, end="", file=sys.stderr, flush=True)
    while not select.select([sys.stdin], [], [], LISTEN_S)[0]:
        pass  # Python calls signal handlers here
    return input()


def agrees(question: str, unasked: str) -> bool:
    """Whether the person says yes; no answer means no. Without a terminal, raises ConfirmationRequired with
    the text ``unasked``."""
    if not sys.stdin.isatty():
        raise ConfirmationRequired(unasked)
    try:
        return ask(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False
