"""What a person sees of a run in progress, at any width."""

import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from fanfold.cli.live import LINE_EVERY_S, Moment, Pace, as_line, as_picture, packed, shown
from fanfold.runs.progress import Progress
from lambda_src.wire.record import RunRecord

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def record(**fields: Any) -> RunRecord:
    started_at = fields.pop("started_at", 1e9)
    fields = {"bytes": 10**9, "units": 10**9, "blocks": 191, **fields}
    return RunRecord(run_id="run", started_at=started_at, **fields)


def half_done(**fields: Any) -> RunRecord:
    """In the middle, with everything there is to tell."""
    calls = {"running": 120, "at_most": 250, "done": 71, "tried_again": 3, "throttled": 2, "copies": 1}
    done = {"blocks_done": 71, "units_done": 371_700_000}
    told = {**done, "calls": calls, "dollars": {"gb_s": 0.0021}, **fields}
    return record(**told)


def drawn(moment: Moment, width: int, **options: Any) -> str:
    """As a terminal of that width gets it."""
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, _environ={}, **options)
    console.print(as_picture(moment, width))
    return file.getvalue()


def lines(moment: Moment, width: int) -> list[str]:
    return [line.rstrip() for line in drawn(moment, width, color_system=None).splitlines()]


def test_at_80_columns() -> None:
    first, second, *facts = lines(Moment(Progress(half_done(), 0, 20), 104_700_000, 65.0, "bytes"), 80)
    assert first.startswith("Blocks  ━━━")
    assert first.endswith(" 71/191  0:01:05")
    assert second.endswith(" 0/20")
    assert facts == [
        "Mapping blocks, 104.7 MB/s, about 6 s left, 120 of 250 Lambdas running,",
        "3 retries, 2 throttles, 1 second copy, 0.0021 dollars so far",
    ]


def test_at_200_columns_the_facts_are_one_line() -> None:
    assert len(lines(Moment(Progress(half_done(), 0, 20), 20.0, 65.0, "bytes"), 200)) == 3


@given(st.integers(60, 300), st.integers(0, 100_000), st.integers(0, 24), st.floats(0, 1e12), st.booleans())
def test_it_is_never_wider_than_the_terminal_nor_higher_than_five_lines(
    width: int, done: int, parts_done: int, pace: float, known: bool
) -> None:
    run = half_done(blocks_done=done if known else 0, stage="reduce" if parts_done else "parse")
    run.blocks = 100_000 if known else 0
    shown = lines(Moment(Progress(run, parts_done, 24), pace, 36_000.0, "bytes"), width)
    assert max(map(len, shown)) <= width
    assert len(shown) <= 5


def test_what_the_record_does_not_hold_is_left_out() -> None:
    """As in that of an older deployment."""
    assert lines(Moment(Progress(record(), 0, 20), 0.0, 1.0, "bytes"), 80)[2:] == ["Mapping blocks"]


@pytest.mark.parametrize("options", [{"color_system": "truecolor"}, {"no_color": True}])
def test_done_and_not_done_differ_with_and_without_colour(options: Any) -> None:
    half, whole = (
        drawn(Moment(Progress(record(blocks_done=done), 0, 20), 0.0, 1.0, "bytes"), 80, **options)
        for done in (90, 191)
    )
    assert half.replace("90/191", "191/191") != whole


def test_without_colour_there_is_none() -> None:
    text = drawn(Moment(Progress(half_done(), 3, 20), 1.0, 1.0, "bytes"), 80, no_color=True)
    assert not re.search(r"\x1b\[[0-9;]*(3|4|9|10)[0-9]m", text)


@given(st.lists(st.text("ab ", min_size=1, max_size=30), min_size=1), st.integers(10, 100))
def test_packing_loses_and_breaks_nothing(words: list[str], width: int) -> None:
    made = packed(words, width)
    assert " ".join(made) == ", ".join(words)
    assert all(len(line) <= width or len(line) <= 31 for line in made)


def test_the_pace_is_that_of_the_last_seconds() -> None:
    pace = Pace()
    assert pace.units_per_s() == 0.0
    for second in range(61):
        pace.note(float(second), 10 * min(second, 30) + max(0, second - 30))
    assert pace.units_per_s() == pytest.approx(1.0)


def test_what_a_resumed_run_finds_done_is_no_pace() -> None:
    pace = Pace()
    pace.note(0.0, 0)
    pace.note(1.0, 900, blocks_kept=45)
    assert pace.units_per_s() == 0.0
    pace.note(2.0, 910, blocks_kept=45)
    assert pace.units_per_s() == pytest.approx(10.0)


def piped(records: list[tuple[float, RunRecord]]) -> list[str]:
    """What is written where no terminal is, if the run is looked at at these times."""
    file, now = io.StringIO(), 0.0
    with shown(Console(file=file, width=80), "bytes", lambda: now) as show:
        for at, run in records:
            now = at
            show(Progress(run, 5, 20))
    assert not CONTROL.search(file.getvalue())
    return file.getvalue().splitlines()


def test_a_pipe_gets_a_line_now_and_then_and_at_each_stage() -> None:
    looks = [(second / 2, half_done(blocks_done=second)) for second in range(100)]
    told = piped([*looks, (50.0, half_done(stage="reduce")), (50.5, half_done(stage="done"))])
    assert len(told) == 50 / LINE_EVERY_S + 2
    assert "Mapping blocks: 0/191 blocks" in told[0]
    assert "Reducing parts: 5/20 parts" in told[-2]
    assert ", 120 of 250 Lambdas running, 3 retries, 2 throttles" in told[3]


def test_the_end_is_reported_without_what_no_longer_runs() -> None:
    told = as_line(Moment(Progress(half_done(stage="done"), 20, 20), 0.0, 61.0, "bytes"))
    assert told == "0:01:01 Done, 3 retries, 2 throttles, 1 second copy, 0.0021 dollars so far"


def test_parts_that_nobody_counts_are_not_shown() -> None:
    """As on this machine."""
    moments = [Moment(Progress(record(stage=one), 0, 0), 0.0, 1.0, "bytes") for one in ("reduce", "done")]
    assert [as_line(moment) for moment in moments] == ["0:00:01 Reducing parts", "0:00:01 Done"]
    assert not [line for moment in moments for line in lines(moment, 80) if line.startswith("Parts")]


@pytest.mark.parametrize(
    ("by", "shards", "says"),
    [
        ("key", 16, "Reducing by key: 0/20 parts, 16 reducers"),
        ("part", 20, "Reducing parts: 0/20 parts, 20 reducers"),
        ("key", 1, "Reducing by key: 0/20 parts, 1 reducer"),
        (None, 0, "Reducing parts: 0/20 parts, 1 of 1 Lambdas running"),
    ],
)
def test_reducers_are_reported_while_one_call_waits_for_them(by: Any, shards: int, says: str) -> None:
    run = half_done(stage="reduce", shard_by=by, shards=shards, calls={"running": 1, "at_most": 1})
    told = as_line(Moment(Progress(run, 0, 20), 1.0, 1.0, "bytes"))
    assert told == f"0:00:01 {says}, 0 retries, 0 throttles, 0.0021 dollars so far"
    if by == "key":
        assert lines(Moment(Progress(run, 0, 20), 1.0, 1.0, "bytes"), 80)[2].startswith("Reducing by key, ")


def test_a_line_says_units_that_are_no_bytes_by_their_name() -> None:
    run = half_done(units=191_000)
    assert "20,000 choices/s" in as_line(Moment(Progress(run, 0, 3), 20_000.0, 1.0, "choices"))


def time_left(units_per_s: float, **fields: Any) -> str:
    told = as_line(Moment(Progress(half_done(**fields), 0, 20), units_per_s, 1.0, "bytes")).split(", ")[1:]
    return ", ".join(words for words in told if "left" in words or words.endswith(("block", "blocks")))


def test_the_time_left_is_that_of_the_work_left_and_not_of_the_blocks() -> None:
    """A single archive is the work of one block; the 63 others were done in a moment, and "about 0 s"
    was said to be left for the 110 s that it took."""
    work = {"blocks": 64, "blocks_done": 63, "units": 300_000_000}
    alone = {"running": 1, "at_most": 250, "slow": 1}
    assert time_left(0.0, **work, units_done=0, calls=alone) == "waiting for 1 block"
    assert time_left(1e8, **work, units_done=200_000_000, calls=alone) == "waiting for 1 block"
    assert time_left(0.0, **work, units_done=0, calls={"running": 1}) == ""
    assert time_left(1e6, **work, units_done=200_000_000, calls={"running": 9}) == "about 100 s left"
    assert time_left(1e6, **work, units_done=0, calls={"slow": 2}) == "2 slow blocks"


@given(st.floats(0, 1e12), st.integers(0, 10**9), st.integers(0, 250), st.integers(0, 250))
def test_it_is_never_called_nothing_while_something_runs(
    units_per_s: float, units_done: int, running: int, slow: int
) -> None:
    told = time_left(units_per_s, units_done=units_done, calls={"running": running, "slow": slow})
    assert not told.startswith("about 0 ")


def test_a_clock_that_is_ahead_does_no_harm() -> None:
    told = piped([(0.0, half_done(started_at=9e12))])
    assert told[0].startswith("0:00:00 ")
