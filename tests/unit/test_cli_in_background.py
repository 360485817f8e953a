"""Work beside a block ends with it."""

import threading
from collections.abc import Callable

import pytest

from fanfold.cli.in_background import in_background


def test_the_block_gets_the_result_or_the_error() -> None:
    with in_background(lambda _: 3) as three:
        assert three.result() == 3
    with in_background(lambda _: int("three")) as failing, pytest.raises(ValueError, match="three"):
        failing.result()


@pytest.mark.parametrize("end", [KeyboardInterrupt, None])
def test_when_the_block_ends_the_work_does(end: type[BaseException] | None) -> None:
    begun = threading.Event()
    workers: list[threading.Thread] = []

    def work(check: Callable[[], None]) -> None:
        workers.append(threading.current_thread())
        while True:
            check()
            begun.set()

    def block() -> None:
        with in_background(work):
            begun.wait()
            if end:
                raise end

    if end:
        with pytest.raises(end):
            block()
    else:
        block()
    (worker,) = workers
    assert not worker.is_alive()
