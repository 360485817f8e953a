"""The answer of a call that has done its work gets lost: the table holds what it would have said."""

import threading
from typing import Any

from tests.faults.faulty import Faulty
from tests.faults.proxy import Call, Cut, Fault, Tamper


def calls_of(faulty: Faulty, function: str) -> int:
    return sum(map(faulty.is_function(function), faulty.proxy.calls))


def must_be_exact(faulty: Faulty, name: str, fault: Fault, reducers: int = 20, **more: Any) -> None:
    """With ``fault`` on every answer of ``get_all_occurrences``, which is not called again."""

    def decide(call: Call) -> Fault | None:
        return fault if faulty.is_function("get_all_occurrences")(call) else None

    faulty.proxy.decide = decide
    faulty.must_be_exact(f"get_all_occurrences: {name}", faulty.event(**more))
    assert calls_of(faulty, "get_all_occurrences") == 1
    # A straggler's second copy is no repetition.
    assert reducers <= calls_of(faulty, "get_occurrences") < 2 * reducers


def test_an_answer_that_is_cut_costs_nothing(faulty: Faulty) -> None:
    must_be_exact(faulty, "answer cut", Cut())


def test_an_answer_by_key_that_is_cut_costs_the_reducers_again(faulty: Faulty) -> None:
    """Only they know what each shard arrived at."""
    must_be_exact(faulty, "answer by key cut", Cut(), 2 * 3, shard_by="key", shards=3)


def test_an_answer_that_never_comes_is_not_waited_for(faulty: Faulty) -> None:
    """As when a connection was dropped that had been idle for minutes: neither end is told."""
    over = threading.Event()
    waited_for = threading.Event()

    def hold(answer: bytes) -> bytes:
        if not over.wait(60):
            waited_for.set()
        return answer

    try:
        must_be_exact(faulty, "answer lost without a sign", Tamper(hold))
        assert not waited_for.is_set()
    finally:
        over.set()
