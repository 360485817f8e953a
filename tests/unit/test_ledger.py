"""The ledger of a run: every call is charged once, whatever its outcome."""

import math
from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.errors import AccessDenied, FanOutFailed
from lambda_src.fan_out.map_reduce import Ended
from lambda_src.run.ledger import LOG_BYTES, Ledger, Watch, charged
from lambda_src.run.prices import ITEMS, dollars, prices_of
from lambda_src.telemetry.calls import Call, Trace, Usage
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import AllPartsReport, LogResultsReport

NOTHING = Usage(1024, 0.0, 0.0, 0.0, 0.0, {})

USAGES = st.builds(
    Usage,
    memory_mb=st.sampled_from([884, 1769]),
    init_ms=st.floats(0, 500).map(lambda ms: round(ms, 1)),
    handler_ms=st.floats(0, 900_000).map(lambda ms: round(ms, 3)),
    fetch_ms=st.just(0.0),
    store_ms=st.just(0.0),
    requests=st.dictionaries(
        st.sampled_from([*ITEMS[1:-1], "table_writes"]), st.integers(0, 1000).map(float)
    ),
)
CALLS = st.builds(
    Call,
    function=st.sampled_from(["parse_block", "get_occurrences"]),
    task=st.just("block 1"),
    attempt=st.integers(1, 5),
    queued_at=st.just(1000.0),
    started_at=st.just(1000.0),
    ended_at=st.floats(1000, 1900),
    outcome=st.sampled_from(["done", "late", "throttled", "failed", "given_up"]),
    error=st.just(""),
    usage=st.none() | USAGES,
)


def ledger_of(record: RunRecord, traces: list[Trace]) -> Ledger:
    """A ledger whose trace is the last of ``traces``."""
    return Ledger(record, lambda: NOTHING, lambda: traces[-1] if traces else None, traces.append)


def charge_of(calls: list[Call]) -> dict[str, float]:
    """The oracle: what AWS would bill for these calls and for parse_file, as far as it is known."""
    bill = defaultdict(float, invocations=1.0, log_gb=float(LOG_BYTES))
    for call in calls:
        if call.usage:
            billed_ms = math.ceil(call.usage.init_ms + call.usage.handler_ms)
            bill["gb_s"] += call.usage.memory_mb * billed_ms
            for item in set(ITEMS) - {"invocations"}:
                bill[item] += call.usage.requests.get(item, 0.0)
        if call.usage or call.outcome != "throttled":
            bill["invocations"] += 1
            bill["log_gb"] += LOG_BYTES
    bill["gb_s"] /= 1024 * 1000
    bill["log_gb"] /= 1e9
    return bill


@given(st.lists(CALLS, max_size=30), st.integers(0, 30))
def test_a_call_is_charged_once_over_any_number_of_invocations(calls: list[Call], cut: int) -> None:
    traces: list[Trace] = []
    first = RunRecord(run_id="run", started_at=0.0)
    ledger = ledger_of(first, traces)
    for call in calls[:cut]:
        ledger.keep(call)
    ledger.show()
    ledger.show()  # any number of times
    ledger.close()
    second = RunRecord(
        run_id="run",
        started_at=0.0,
        used=first.used,
        calls=first.calls,
        dollars_estimated=first.dollars_estimated,
    )
    ledger = ledger_of(second, traces)
    for call in calls[cut:]:
        ledger.keep(call)
    ledger.close()
    ledger.close()  # after a hand-over that failed, say

    stored = [call for call in traces[-1].calls if call.function != "parse_file"]
    assert stored == calls
    own = [call for call in traces[-1].calls if call.function == "parse_file"]
    assert [(call.task, call.attempt) for call in own] == [("invocation 1", 1), ("invocation 2", 2)]

    bill = charge_of(calls)
    bill["invocations"] += 1
    bill["log_gb"] += LOG_BYTES / 1e9
    unknown = [call for call in calls if call.usage is None and call.outcome != "throttled"]
    measured_gb_s = bill["gb_s"]
    assert second.used["gb_s"] >= measured_gb_s - 1e-6
    if not unknown:
        assert second.used["gb_s"] == pytest.approx(measured_gb_s, abs=1e-6)
    for item in set(ITEMS) - {"gb_s"}:
        assert second.used[item] == pytest.approx(bill[item], abs=1e-8)

    prices = prices_of("", second.prices.split(", ")[1]).prices
    assert second.dollars == pytest.approx(dollars(second.used, prices), abs=1e-12)
    unmeasured = prices.log_gb * bill["log_gb"] + prices.invocations * len(unknown)
    if not unknown:
        assert second.dollars_estimated == pytest.approx(unmeasured, abs=1e-9)
    assert second.dollars_estimated <= sum(second.dollars.values()) + 1e-9
    outcomes = Counter(call.outcome for call in calls)
    assert second.calls == {
        "running": 0,
        "at_most": 0,
        "slow": 0,
        "done": outcomes["done"],
        "tried_again": outcomes["failed"],
        "throttled": outcomes["throttled"],
        "copies": outcomes["late"],
    }


def test_a_millisecond_that_was_begun_is_billed() -> None:
    usage = Usage(1769, 82.4, 10.3, 0.0, 0.0, {"s3_gets": 2.0, "table_writes": 1.0, "invocations": 5.0})
    used, estimated = charged(Call("f", "t", 1, 0.0, 0.0, 9.0, "done", usage=usage), 1)
    assert used == {"gb_s": 1769 / 1024 * 0.093, "invocations": 1, "s3_gets": 2.0, "log_gb": 1e-6}
    assert estimated == {"log_gb": 1e-6}


def test_a_throttled_call_costs_nothing_and_a_worker_that_was_throttled_does() -> None:
    assert charged(Call("f", "t", 1, 0.0, 0.0, 9.0, "throttled"), 1024) == ({}, {})
    throttled_by_s3 = Call("f", "t", 1, 0.0, 0.0, 9.0, "throttled", usage=NOTHING)
    assert charged(throttled_by_s3, 1024)[0]["invocations"] == 1


def test_without_an_answer_the_function_s_own_memory_counts_if_it_is_known() -> None:
    record = RunRecord(run_id="run", started_at=0.0)
    ledger = ledger_of(record, [])
    lost = Call("log_results", "results", 1, 0.0, 0.0, 2.0, "failed")
    ledger.keep(lost)
    ledger.show()
    assert record.used["gb_s"] == 2.0  # with the memory of parse_file
    ledger.keep(Call("log_results", "results", 2, 0.0, 0.0, 2.0, "done", usage=Usage(512, 0, 0, 0, 0, {})))
    ledger.keep(lost)
    ledger.show()
    assert record.used["gb_s"] == 3.0


def ended(answer: Any, error: BaseException | None = None) -> Ended:
    outcome: Any = "done" if error is None else "failed"
    return Ended("task", 2, 5.0, 6.0, 7.5, outcome, answer, error)


def test_the_calls_that_a_call_made_are_in_the_trace_too() -> None:
    """Those of get_all_occurrences, whether it answers with a report or a failure."""
    inner = Call("get_occurrences", "length 3", 1, 1.0, 2.0, 3.0, "done", usage=NOTHING)
    failure = FanOutFailed("1 of 20 tasks failed.")
    failure.calls, failure.usage = [inner], NOTHING
    for call in (ended(AllPartsReport([], [inner], NOTHING)), ended(None, failure)):
        calls: list[Call] = []
        Watch("get_all_occurrences", str, calls.append).ended(call)
        assert calls[0] == inner
        assert (calls[1].function, calls[1].task, calls[1].usage) == ("get_all_occurrences", "task", NOTHING)


def test_times_are_those_of_the_day_and_errors_are_short() -> None:
    calls: list[Call] = []
    watch = Watch("parse_block", str, calls.append)
    watch.ended(ended(LogResultsReport(1)))
    watch.ended(ended(None, AccessDenied("x" * 10_000)))
    first, second = calls
    assert first.ended_at - first.started_at == pytest.approx(1.5, abs=1e-5)
    assert first.started_at - first.queued_at == pytest.approx(1.0, abs=1e-5)
    assert (first.attempt, first.outcome, first.error, first.usage) == (2, "done", "", None)
    assert second.error.startswith("AccessDenied: xxx")
    assert len(second.error) == 250


def test_a_trace_that_cannot_be_kept_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    record = RunRecord(run_id="run", started_at=0.0)

    def denied(_: Trace) -> None:
        raise AccessDenied("AccessDenied by S3")

    Ledger(record, lambda: NOTHING, lambda: None, denied).close()
    assert '"event":"trace_not_written","run_id":"run","error":"AccessDenied"' in capsys.readouterr().out
    assert record.used["invocations"] == 1
