"""Work of this process, done while it waits for others."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class NotWanted(Exception):
    """The block has ended, and with it the work."""


@contextmanager
def in_background(work: Callable[[Callable[[], None]], T]) -> Iterator[Future[T]]:
    """Do ``work`` in a thread while the block lasts, which asks for its result when it needs it.

    ``work`` is given what to call every now and then: should the block end before the work does, as by
    Ctrl-C, that raises NotWanted. Nothing of the work goes on after the block.
    """
    ended = threading.Event()

    def check() -> None:
        if ended.is_set():
            raise NotWanted

    with ThreadPoolExecutor(1) as beside:
        try:
            yield beside.submit(work, check)
        finally:
            ended.set()
