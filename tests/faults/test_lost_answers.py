"""The answer of a call that has done its work gets lost: the table holds what it would have said."""

import threading

from tests.faults.faulty import Faulty
from tests.faults.proxy import Call, Cut, Fault, Tamper


def calls_of(faulty: Faulty, function: str) -> int:
    return sum(map(faulty.is_function(function), faulty.proxy.calls))


def must_be_exact(faulty: Faulty, name: str, fault: Fault) -> None:
    """With ``fault`` on every answer of ``get_all_occurrences``, which is not called again."""

    def decide(call: Call) -> Fault | None:
        return fault if faulty.is_function("get_all_occurrences")(call) else None

    faulty.proxy.decide = decide
    faulty.must_be_exact(f"get_all_occurrences: {name}", faulty.event())
    assert calls_of(faulty, "get_all_occurrences") == 1
    # A straggler's second copy is no repetition.
    assert 20 <= calls_of(faulty, "get_occurrences") < 40


def test_an_answer_that_is_cut_costs_nothing(faulty: Faulty) -> None:
    must_be_exact(faulty, "answer cut", Cut())


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
