"""Ends the waits of threads from outside: a thread that waits for a socket cannot be stopped otherwise."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_of_thread = threading.local()


class Waits:
    """The sockets that a group of threads waits for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._ended = False

    def join(self) -> None:
        """Add this thread: whatever it waits for from now on belongs to the group."""
        _of_thread.waits = self

    def end(self) -> None:
        """End all waits of the group, now and later."""
        with self._lock:
            self._ended = True
            for waited_for in self._sockets:
                with suppress(OSError):  # not connected, or not any more
                    # Not through TLS, whose state belongs to the waiting thread.
                    socket.socket.shutdown(waited_for, socket.SHUT_RDWR)

    def add(self, waited_for: socket.socket) -> None:
        """Raises OSError if the group has ended."""
        with self._lock:
            if self._ended:
                raise ConnectionAbortedError("given up")
            self._sockets.add(waited_for)

    def remove(self, waited_for: socket.socket) -> None:
        """The thread no longer waits for it."""
        with self._lock:
            self._sockets.discard(waited_for)


@contextmanager
def waiting_for(waited_for: socket.socket) -> Iterator[None]:
    """Register this thread's wait for a socket. Raises OSError if its group has ended."""
    waits: Waits | None = getattr(_of_thread, "waits", None)
    if waits is None:
        yield
        return
    waits.add(waited_for)
    try:
        yield
    finally:
        waits.remove(waited_for)
