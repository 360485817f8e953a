"""Signals that end a command: Ctrl-C, SIGTERM, and the SIGHUP of a terminal that is closed.

The first one raises KeyboardInterrupt at whatever line the main thread is, but not while signals are held:
what is begun there is noted down, to be undone in any case. Only standard library, and little of it: this is
imported before anything else.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

EXIT_STATUS = 130
STOPPED = "Stopped."


class Signals:
    """What came, and what is to be undone before this process ends. Of use in the main thread only.

    ``exit_message`` is what a person is told when a signal has ended the command.
    """

    def __init__(self) -> None:
        self.arrived = False
        self.latest: int | None = None
        self.exit_message = STOPPED
        self._raised = False
        self._holds = 0
        self._endings: list[Callable[[], object]] = []

    def listen(self) -> None:
        """From now on the signals end the command, except those that whoever started it has it ignore, as
        nohup does."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._arrive)
        sys.unraisablehook = _tell_unless_interrupted

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has come. For a library may have swallowed the first one: in
        ``__del__`` and other callbacks Python itself does."""
        if self.arrived and not self._holds:
            self._raised = True
            raise KeyboardInterrupt

    def reset(self) -> None:
        """What came was answered otherwise than by ending: the next signal is a first one again."""
        self.arrived = self._raised = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """No signal interrupts the block; one that comes does so right after it."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
        if not self._raised:
            self.check()

    @contextmanager
    def cleanup(self, do: Callable[[], T], undo: Callable[[T], object]) -> Iterator[T]:
        """What ``do`` gives, undone when the block ends. Whenever a signal comes, either nothing was done or
        it will be undone: here, or where a ``with`` itself was interrupted, by ``end``."""
        with self.held():
            thing = do()

            def ending() -> None:
                undo(thing)

            self._endings.append(ending)
        try:
            yield thing
        finally:
            with self.held():
                if ending in self._endings:
                    self._endings.remove(ending)
                    ending()

    def end(self) -> None:
        """Undo what is not undone yet, the latest first. No signal interrupts it, or anything after it."""
        self._holds += 1
        with ExitStack() as endings:
            while self._endings:
                endings.callback(self._endings.pop(0))

    def ignore(self) -> None:
        """All is done, and told: from now on signals change nothing, also while Python itself ends, which no
        longer calls their handlers then."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def _arrive(self, number: int, _frame: FrameType | None) -> None:
        self.arrived, self.latest = True, number
        if self._holds:
            return
        if self._raised:  # Asked again: the way out takes long, or the first exception was swallowed.
            self.end()
            os.write(2, f"{self.exit_message}\n".encode())
            os._exit(EXIT_STATUS)
        self._raised = True
        raise KeyboardInterrupt


def _tell_unless_interrupted(unraisable: "sys.UnraisableHookArgs") -> None:
    """``check`` raises again what was swallowed; no person wants to read of it."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)


SIGNALS = Signals()
