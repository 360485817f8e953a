"""Signals that end a command: Ctrl-C, SIGTERM, and the SIGHUP of a terminal that is closed.

The first one raises KeyboardInterrupt in the main thread, at any line, except while signals are held: what
starts there is recorded first, so that it is always cleaned up. This module is imported before anything else,
so it imports little.
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
    """The signals received and the cleanup that remains. For the main thread only.

    ``exit_message`` is printed when a signal has ended the command.
    """

    def __init__(self) -> None:
        self.arrived = False
        self.latest: int | None = None
        self.exit_message = STOPPED
        self._raised = False
        self._holds = 0
        self._endings: list[Callable[[], object]] = []

    def listen(self) -> None:
        """From now on the signals end the command, except those that it was started to ignore, as by
        nohup."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._arrive)
        sys.unraisablehook = _tell_unless_interrupted

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has come. A library may have swallowed the first one; Python
        itself does, in ``__del__`` and other callbacks."""
        if self.arrived and not self._holds:
            self._raised = True
            raise KeyboardInterrupt

    def reset(self) -> None:
        """Forget the signal, which the command has handled: the next one counts as the first."""
        self.arrived = self._raised = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """No signal interrupts the block. One that comes during it interrupts right after it."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
        if not self._raised:
            self.check()

    @contextmanager
    def cleanup(self, do: Callable[[], T], undo: Callable[[T], object]) -> Iterator[T]:
        """The result of ``do``, undone when the block ends. Whenever a signal comes, either nothing was done
        or it will be undone: here, or by ``end`` if the ``with`` itself was interrupted."""
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
        """Run the cleanup that remains, latest first. From here on, no signal interrupts anything."""
        self._holds += 1
        with ExitStack() as endings:
            while self._endings:
                endings.callback(self._endings.pop(0))

    def ignore(self) -> None:
        """Ignore signals from now on, once all is done and printed: Python no longer calls their handlers
        while it shuts down."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def _arrive(self, number: int, _frame: FrameType | None) -> None:
        self.arrived, self.latest = True, number
        if self._holds:
            return
        if self._raised:  # A second signal: the exit takes long, or the first exception was swallowed.
            self.end()
            os.write(2, f"{self.exit_message}\n".encode())
            os._exit(EXIT_STATUS)
        self._raised = True
        raise KeyboardInterrupt


def _tell_unless_interrupted(unraisable: "sys.UnraisableHookArgs") -> None:
    """Do not print a swallowed KeyboardInterrupt: ``check`` raises it again."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)


SIGNALS = Signals()
