"""The plan of a run: what it chooses, for any input, and what it never does."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src import job
from lambda_src.errors import InvalidRequest
from lambda_src.fields import MAX_CONCURRENCY
from lambda_src.figures import UNKNOWN, values_of
from lambda_src.input.blocks import LARGEST_BYTES, LEAST_BLOCKS, MAX_BLOCKS, SMALLEST_BYTES
from lambda_src.job import ShardBy
from lambda_src.run import plan as module
from lambda_src.run.figures import ENGINE, figures_of
from lambda_src.run.model import RunModel, even_blocks
from lambda_src.run.plan import (
    ABOUT,
    BY_JOB,
    BY_PART_ABOUT,
    BY_PART_DOLLARS,
    BY_REQUEST,
    Plan,
    Wanted,
    check,
    choose,
)
from lambda_src.settings import GET_OCCURRENCES_TIMEOUT_S, PARSE_BLOCK_TIMEOUT_S

GB, TB = 10**9, 10**12
WORDS = values_of(figures_of(job.load("top_words")))
LOGS = values_of(figures_of(job.load("access_log")))
OTHERS = values_of({**ENGINE, **UNKNOWN, "parts": UNKNOWN["reads"]._replace(value=3)})
BOTH: tuple[ShardBy, ...] = ("part", "key")

sizes = st.integers(0, 60 * TB) | st.integers(0, 10 * GB)
lambdas = st.integers(1, MAX_CONCURRENCY)
ways = st.sampled_from([(), ("part",), ("key",), BOTH])
figures = st.sampled_from([WORDS, LOGS, OTHERS])


def run_of(plan: Plan, units: int, concurrency: int, of: Any) -> RunModel:
    """The model of the run, after its last stage."""
    run = RunModel(even_blocks(units, plan.block_units, concurrency, of), concurrency, of, cold=True)
    run.parse()
    run.reduce(plan.shard_by, plan.shards)
    return run


@settings(deadline=None)
@given(sizes, lambdas, figures, ways)
def test_a_plan_respects_every_limit(units: int, concurrency: int, of: Any, by: Sequence[ShardBy]) -> None:
    plan = choose(units, concurrency, of, by)
    assert -(-units // plan.block_units) <= MAX_BLOCKS
    assert plan.block_units <= max(LARGEST_BYTES, -(-units // MAX_BLOCKS))
    if units > SMALLEST_BYTES * LEAST_BLOCKS:
        assert -(-units // plan.block_units) >= LEAST_BLOCKS
    assert (plan.shard_by, plan.shards) == ("key", 1) if not by else plan.shard_by in by
    assert plan.shard_by == "key" or plan.shards == of["parts"]
    run = run_of(plan, units, concurrency, of)
    if plan.fits:
        assert run.blocks.slowest_s <= PARSE_BLOCK_TIMEOUT_S
        assert run.largest_s <= GET_OCCURRENCES_TIMEOUT_S
        assert run.block_distinct <= of["block_counts"]


@settings(deadline=None)
@given(st.integers(1, 10 * TB), st.integers(20, MAX_CONCURRENCY), figures, ways)
def test_no_other_plan_is_much_faster_or_as_fast_and_cheaper(
    units: int, concurrency: int, of: Any, by: Sequence[ShardBy]
) -> None:
    plan = choose(units, concurrency, of, by)
    for blocks in (16, 40, 64, 100, 250, 950, 1900, 10_000):
        size = max(-(-units // blocks), SMALLEST_BYTES, -(-units // MAX_BLOCKS))
        for way in (Wanted(size, "part"), Wanted(size, "key", 8), Wanted(size, "key", 32)):
            if way.shard_by in by and size <= LARGEST_BYTES and blocks >= LEAST_BLOCKS:
                other = choose(units, concurrency, of, by, way)
                if other.fits and plan.fits and other.dollars <= 2 * plan.dollars:
                    # Sizes between those that are considered may be a little better.
                    assert plan.seconds <= BY_PART_ABOUT * 1.03 * other.seconds


@settings(deadline=None)
@given(st.integers(1, 10 * TB), lambdas, figures)
def test_it_is_the_cheapest_of_those_about_as_fast_as_the_fastest(
    units: int, concurrency: int, of: Any
) -> None:
    seen: list[Plan] = []
    with pytest.MonkeyPatch.context() as patch:
        best = module._best

        def watched(found: Sequence[Plan], most_dollars: float) -> Plan:
            seen.extend(found)
            return best(found, most_dollars)

        patch.setattr(module, "_best", watched)
        plan = choose(units, concurrency, of, BOTH)
    fitting = [one for one in seen if one.fits] or seen
    least = min(one.dollars for one in fitting)
    possible = [one for one in fitting if one.dollars <= max(2 * least, 2.5 * units / TB)]
    fastest_s = min(one.seconds for one in possible)
    cheapest = min(one.dollars for one in possible if one.seconds <= ABOUT * fastest_s)
    if plan.shard_by == "key":
        assert plan.seconds <= ABOUT * fastest_s
        assert plan.dollars == cheapest
    else:
        assert plan.seconds <= BY_PART_ABOUT * fastest_s
        assert plan.dollars <= cheapest + BY_PART_DOLLARS
        assert plan.shards <= concurrency


@settings(deadline=None)
@given(
    st.integers(1, 10 * TB),
    lambdas,
    st.none() | st.integers(1, 10 * GB),
    st.sampled_from([(None, None), ("part", None), ("key", None), ("key", 7), (None, 7), ("part", 20)]),
)
def test_a_request_is_followed_and_the_rest_planned(
    units: int, concurrency: int, block_units: int | None, reducers: tuple[ShardBy | None, int | None]
) -> None:
    by, shards = reducers
    plan = choose(units, concurrency, WORDS, BOTH, Wanted(block_units, by, shards))
    if block_units:
        assert plan.block_units == max(block_units, -(-units // MAX_BLOCKS))
        assert plan.block_because == "requested"
    if by:
        assert plan.shard_by == by
    if shards:
        assert plan.shards == shards
    if by or shards:
        assert plan.shards_because == "requested"


@pytest.mark.parametrize(
    ("sharded_by", "wanted", "because"),
    [
        (("share",), Wanted(), BY_JOB),
        (("share",), Wanted(shard_by="share"), BY_JOB),
        (("share",), Wanted(shards=7, shards_because=BY_JOB), BY_JOB),
        (("share",), Wanted(shards=7), BY_REQUEST),
        (BOTH, Wanted(shards=7, shards_because=BY_JOB), BY_JOB),
        (BOTH, Wanted(shards=7), BY_REQUEST),
        (("key",), Wanted(), "as the job always does"),
    ],
)
def test_a_plan_says_who_chose_the_reducers(
    sharded_by: tuple[ShardBy, ...], wanted: Wanted, because: str
) -> None:
    assert choose(GB, 100, {**WORDS, "shards": 7.0}, sharded_by, wanted).shards_because == because


def test_a_plan_says_who_chose_the_blocks() -> None:
    wanted = Wanted(10 * 1024**2, block_because=BY_JOB)
    assert choose(GB, 100, WORDS, BOTH, wanted).block_because == BY_JOB
    assert choose(GB, 100, WORDS, BOTH).block_because == "planned for 100 Lambdas at once"


@pytest.mark.parametrize("of", [WORDS, LOGS])
def test_a_larger_input_never_takes_less(of: Any) -> None:
    seconds, dollars = 0.0, 0.0
    for exponent in range(60, 134):
        plan = choose(round(10 ** (exponent / 10)), MAX_CONCURRENCY, of, BOTH)
        if not plan.fits:
            break
        # The cheapest of those about as fast may be a little slower than that of a smaller input; and where
        # a little more speed is dear, one input may pay for it and the next one not.
        assert plan.seconds >= seconds / BY_PART_ABOUT
        assert plan.dollars >= dollars / 2
        seconds, dollars = plan.seconds, plan.dollars


def test_reducers_are_by_part_up_to_about_a_gigabyte() -> None:
    found = [choose(size, MAX_CONCURRENCY, WORDS, BOTH).shard_by for size in (10**7, 10**8, GB, 2 * GB, TB)]
    assert found == ["part", "part", "part", "key", "key"]
    assert choose(10**8, 4, WORDS, BOTH).shard_by == "key"  # twenty do not run at once


def test_two_cores_get_few_large_blocks() -> None:
    assert -(-GB // choose(GB, 4, WORDS, BOTH).block_units) == 16


@pytest.mark.parametrize("stored_as", ["gzip", "xz", "zstd"])
def test_an_archive_that_cannot_be_split_is_one_block(stored_as: Any) -> None:
    assert choose(GB, 250, WORDS, BOTH, stored_as=stored_as).block_units == GB
    assert choose(GB, 250, WORDS, BOTH, stored_as=stored_as, objects=2).block_units < GB


def test_blocks_that_must_be_unpacked_are_smaller() -> None:
    plain, packed = (choose(100 * GB, 250, WORDS, BOTH, stored_as=how) for how in ("plain", "bzip2"))
    assert packed.block_units < plain.block_units
    assert packed.fits


def test_a_block_counts_no_more_than_it_holds_at_once() -> None:
    few = WORDS | {"block_counts": 100_000.0}
    assert (
        choose(TB, MAX_CONCURRENCY, few, BOTH).block_units
        < choose(TB, MAX_CONCURRENCY, WORDS, BOTH).block_units / 4
    )


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []

    def counted(name: str, method: Any) -> Any:
        def call(*given: Any) -> Any:
            made.append(name)
            return method(*given)

        return call

    for name in ("parse", "reduce"):
        monkeypatch.setattr(RunModel, name, counted(name, getattr(RunModel, name)))
    return made


@pytest.mark.parametrize("units", [10**6, GB, TB, 50 * TB])
def test_a_plan_is_made_by_few_evaluations(units: int, evaluations: list[str]) -> None:
    """About 5 microseconds each: parse_file waits for them."""
    choose(units, MAX_CONCURRENCY, WORDS, BOTH)
    assert evaluations.count("parse") <= 30
    assert evaluations.count("reduce") <= 400


@pytest.mark.parametrize(
    ("wanted", "by", "message"),
    [
        (
            Wanted(shard_by="key"),
            ("part",),
            "shard_by: this job has no reducers by key, its reducers are by part.",
        ),
        (Wanted(shard_by="part"), (), "shard_by: this job has no reducers by part, it has one reducer."),
        (Wanted(shards=2), (), "shards: there are always 1 here"),
        (Wanted(shards=2), ("part",), "shards: there are always 20 here"),
        (Wanted(shards=2, shard_by="part"), BOTH, "shards: there are always 20 here"),
    ],
)
def test_reducers_that_a_job_cannot_have_are_refused(
    wanted: Wanted, by: Sequence[ShardBy], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        check(wanted, by, 20)


@pytest.mark.parametrize(
    ("wanted", "by"),
    [
        (Wanted(), ()),
        (Wanted(shards=1), ()),
        (Wanted(shards=20), ("part",)),
        (Wanted(shards=20, shard_by="part"), BOTH),
        (Wanted(shards=3), BOTH),
        (Wanted(shards=3, shard_by="key"), ("key",)),
    ],
)
def test_reducers_that_a_job_can_have_are_not(wanted: Wanted, by: Sequence[ShardBy]) -> None:
    check(wanted, by, 20)
