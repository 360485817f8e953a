"""What a page says of a run's calls, against simple oracles."""

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.report.page import timeline as module
from fanfold.report.page.timeline import (
    BEGINNINGS,
    at_once,
    lanes,
    percentile,
    stages,
    thinned,
    timeline_of,
)
from lambda_src.fan_out.outcomes import OUTCOMES
from lambda_src.telemetry.calls import Call, Trace, Usage
from tests.fake_runs import fake_run

TIMES = st.integers(0, 60).map(lambda tenths: tenths / 8)
MS = st.floats(0, 1e4)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    fetch_ms, store_ms, compute_ms = draw(MS), draw(MS), draw(MS)
    return Usage(1769, draw(MS), fetch_ms + store_ms + compute_ms, fetch_ms, store_ms, {"s3_gets": 2.0})


@st.composite
def calls(draw: st.DrawFn) -> Call:
    queued_at = draw(TIMES)
    started_at = queued_at + draw(TIMES)
    ended_at = started_at + draw(TIMES)
    return Call(
        draw(st.sampled_from(["parse_file", "parse_block", "get_occurrences"])),
        draw(st.sampled_from(["block 0", "block 1", "block 17", "length 3", "the run"])),
        draw(st.integers(1, 3)),
        queued_at,
        started_at,
        ended_at,
        draw(st.sampled_from(OUTCOMES)),
        draw(st.sampled_from(["", "Crashed: it was killed"])),
        draw(st.none() | usages()),
    )


RUNS = st.lists(calls(), max_size=30)


@given(calls())
def test_the_stages_of_a_call_are_what_it_took(call: Call) -> None:
    spent = stages(call)
    assert min(spent) >= 0
    took_s = call.ended_at - call.started_at
    told_s = (call.usage.init_ms + call.usage.handler_ms) / 1000 if call.usage else 0.0
    assert sum(spent[1:]) == pytest.approx(max(took_s, told_s))
    assert spent.queued == call.started_at - call.queued_at


@given(st.lists(st.integers(0, 99), min_size=1), st.integers(1, 100))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(values: list[int], percent: int) -> None:
    enough = [
        value
        for value in values
        if Fraction(sum(other <= value for other in values), len(values)) >= Fraction(percent, 100)
    ]
    assert percentile(sorted(values), percent) == min(enough)


@given(RUNS)
def test_no_two_calls_share_a_lane_at_once_and_there_are_no_more_lanes_than_it_takes(run: list[Call]) -> None:
    in_order = sorted(run, key=lambda call: call.started_at)
    where = lanes(in_order)
    for number, call in enumerate(in_order):
        for other in range(number):
            before = in_order[other]
            overlap = before.ended_at > call.started_at and before.started_at < call.ended_at
            assert not (where[other] == where[number] and overlap)
    most = max(
        (
            sum(
                a.started_at <= b.started_at and (a.ended_at > b.started_at or a is b)
                for a in in_order[: i + 1]
            )
            for i, b in enumerate(in_order)
        ),
        default=0,
    )
    assert max(where, default=-1) + 1 <= most


SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda ends: (min(ends), max(ends))))


@given(SPANS)
def test_how_many_are_at_work_at_once(spans: list[tuple[float, float]]) -> None:
    steps = at_once(spans)
    for moment in range(41):
        at_work = sum(start <= moment < end for start, end in spans)
        assert at_work == next((number for time, number in reversed(steps) if time <= moment), 0)


@given(SPANS, st.integers(1, 60))
def test_a_thinned_curve_loses_no_peak(spans: list[tuple[float, float]], points: int) -> None:
    curve = thinned(at_once(spans), 40.0, points)
    assert len(curve) == points
    for number, most in enumerate(curve):
        start, end = Fraction(40 * number, points), Fraction(40 * (number + 1), points)
        moments = [start, *(Fraction(edge) for span in spans for edge in span if start < edge < end)]
        expected = max(sum(a <= moment < b for a, b in spans) for moment in moments)
        assert most == expected


@given(RUNS)
def test_a_page_holds_every_call_of_a_run_as_it_was(run: list[Call]) -> None:
    found = timeline_of(Trace("run", run), 250)
    columns, names = found.data["calls"], found.data
    assert found.shown == found.calls == len(run) == len(columns["task"])
    at, told = 0, []
    for row in range(len(run)):
        at += columns["after"][row]
        number = columns["number"][row]
        error = columns["error"][row]
        task = names["tasks"][columns["task"][row]] + (f" {number}" if number >= 0 else "")
        told.append((
            names["functions"][columns["function"][row]], task, columns["attempt"][row],
            OUTCOMES[columns["outcome"][row]], names["errors"][error] if error >= 0 else "",
            columns["init"][row] >= 0, round(at / 1e4 + found.data["start"], 3), columns["took"][row],
        ))  # fmt: skip
    assert sorted(told) == sorted(
        (
            call.function, call.task, call.attempt, call.outcome, call.error, call.usage is not None,
            round(call.started_at, 3), round((call.ended_at - call.started_at) * 1e4),
        )
        for call in run
    )  # fmt: skip


RARE = st.lists(
    calls().map(lambda call: msgspec.structs.replace(call, outcome="done", attempt=1)), max_size=20
)


@given(
    st.tuples(RARE, st.lists(calls(), max_size=4)).map(lambda both: [*both[0], *both[1]]), st.integers(4, 12)
)
def test_of_too_many_calls_those_that_went_wrong_are_kept_first(run: list[Call], most: int) -> None:
    most_notable = 4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_CALLS", most)
        patch.setattr(module, "MOST_NOTABLE", most_notable)
        found = timeline_of(Trace("run", run), 250)
    assert found.shown == min(len(run), most)
    notable = found.faults_in_all
    columns = found.data["calls"]
    kept = sum(
        outcome > 0 or attempt > 1 or flags > 0
        for outcome, attempt, flags in zip(
            columns["outcome"], columns["attempt"], columns["flags"], strict=True
        )
    )
    assert kept >= min(notable, most_notable)
    assert found.calls == len(run)
    assert sum(found.counts[outcome] for outcome in OUTCOMES) == len(run)
    assert sum(found.counts[beginning] for beginning in BEGINNINGS) == len(run)


def test_a_table_of_the_curve_keeps_the_peak() -> None:
    found = timeline_of(fake_run(blocks=400, concurrency=50).trace, 50)
    rows = found.curve()
    assert len(rows) == module.MOST_SLICES
    assert max(running for _, running, _ in rows) == found.peak


def _call(number: int, seconds: float, *, at: float = 0.0, cold: bool = False, task: str = "") -> Call:
    usage = Usage(1769, 200.0 if cold else 0.0, 50.0, 10.0, 5.0, {})
    return Call("parse_block", task or f"block {number}", 1, 0.0, at, at + seconds, "done", "", usage)


def test_a_straggler_is_one_among_its_siblings() -> None:
    warm = [_call(number, 0.2) for number in range(20)]
    cold = [_call(number + 20, 0.8, cold=True) for number in range(20)]
    others = [
        msgspec.structs.replace(_call(number, number**2), function="parse_file") for number in range(1, 20)
    ]
    found = timeline_of(Trace("run", [*warm, *cold, *others, _call(40, 0.7), _call(41, 2.5, cold=True)]), 250)
    assert [(fault.task, fault.marks) for fault in found.faults] == [
        ("block 40", ["straggler"]),
        ("block 41", ["straggler"]),
    ]


def test_a_few_cold_calls_are_no_stragglers_among_warm_ones() -> None:
    warm = [_call(number, 0.2) for number in range(20)]
    cold = [_call(number + 20, 5.0, cold=True) for number in range(4)]
    assert timeline_of(Trace("run", [*warm, *cold]), 250).faults == []


def test_a_second_copy_starts_while_the_first_is_under_way() -> None:
    run = [_call(1, 3.0), _call(1, 0.5, at=2.0), _call(2, 1.0), _call(2, 1.0, at=1.5)]
    found = timeline_of(Trace("run", run), 250)
    assert [(fault.task, fault.at_s, fault.marks) for fault in found.faults] == [
        ("block 1", 2.0, ["second copy"])
    ]


def test_what_went_wrong_is_reported_where_it_happened() -> None:
    run = fake_run(blocks=2_000, concurrency=100)
    found = timeline_of(run.trace, 100)
    assert found.faults_in_all > 50
    calls = sorted(run.trace.calls, key=lambda call: (call.started_at, call.queued_at))
    began_at = min(call.queued_at for call in calls)
    for fault in found.faults:
        call = calls[fault.number]
        assert (fault.task, fault.error, fault.attempt) == (call.task, call.error, call.attempt)
        assert fault.at_s == call.started_at - began_at


def test_percentiles_leave_coordinators_and_calls_without_an_answer_out() -> None:
    found = timeline_of(fake_run().trace, 250)
    by_name = {function.name: function for function in found.functions}
    assert by_name["parse_file"].stages == []
    assert by_name["parse_block"].whole.calls == sum(
        call.function == "parse_block" and call.usage is not None for call in fake_run().trace.calls
    )
    assert by_name["parse_block"].requests["s3_gets"] == 4 * by_name["parse_block"].whole.calls
    assert [stage.name for stage in by_name["parse_block"].stages] == list(module.STAGE_NAMES.values())
