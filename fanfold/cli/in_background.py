"""Work in a thread, while the main thread waits for something else."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Abandoned(Exception):
    """The block has ended, and the work with it."""


@contextmanager
def in_background(work: Callable[[Callable[[], None]], T]) -> Iterator[Future[T]]:
    """Do ``work`` in a thread while the block runs; the block gets a future of its result.

    ``work`` gets a function to call every now and then: if the block ends before the work does, as by
    Ctrl-C, that raises Abandoned. No work continues after the block.
    """
    ended = threading.Event()

    def check() -> None:
        if ended.is_set():
            raise Abandoned

    with ThreadPoolExecutor(1) as beside:
        try:
            yield beside.submit(work, check)
        finally:
            ended.set()
