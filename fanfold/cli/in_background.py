"""Work in a thread, while the main thread waits for something else."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Abandoned(Exception):
    """The block has ended, so the work must stop."""


@contextmanager
def in_background(work: Callable[[Callable[[], None]], T]) -> Iterator[Future[T]]:
    """Do ``work`` in a thread while the block runs; the block gets a future of the result.

    ``work`` gets a function that it must call regularly: it raises Abandoned if the block ended first, for
    example by Ctrl-C. No work continues after the block.
    """
    ended = threading.Event()

    def check() -> None:
        if ended.is_set():
            raise Abandoned

    with ThreadPoolExecutor(1) as thread:
        try:
            yield thread.submit(work, check)
        finally:
            ended.set()
