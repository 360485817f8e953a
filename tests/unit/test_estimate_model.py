"""The model of a run on AWS: laws that hold whatever its figures are, and that the docs say what it says."""

import heapq
import math
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.model import TABLES, TOP_WORDS, replaced
from benchmarks.model import table as benchmarks_table
from benchmarks.what_if import (
    COUNTER_FIGURES,
    MAP_FIGURES,
    TRANSITIONS,
    Kind,
    Machine,
    counters,
    state_machine,
)
from fanfold.estimate import model as module
from fanfold.estimate.model import Given, Modelled, curve, model, plan
from fanfold.estimate.workload import Stored
from fanfold.format import MIB
from lambda_src import job
from lambda_src.counts import c_counts
from lambda_src.fields import MAX_CONCURRENCY
from lambda_src.figures import BYTE_BY_BYTE, UNKNOWN, Figures, values_of
from lambda_src.input.compression import RESERVE_S, STEP_BYTES
from lambda_src.input.compression import WINDOW_BYTES as ARCHIVE_WINDOW_BYTES
from lambda_src.input.formats import Format
from lambda_src.input.objects import AHEAD_THREADS
from lambda_src.input.ownership import WINDOW_BYTES
from lambda_src.job import MAX_LINES_BYTES
from lambda_src.jobs.grep.frames import PIECE_BYTES
from lambda_src.jobs.top_words import JOB, words
from lambda_src.run.figures import ENGINE, figures_of
from lambda_src.run.model import Blocks, RunModel, even_blocks, passes
from lambda_src.run.plan import Wanted
from lambda_src.run.prices import ITEMS, PRICES, REFERENCE, athena_dollars, dollars
from lambda_src.run.reduce_shard import READS_AT_ONCE
from lambda_src.run.reduce_stage import INLINE_BYTES
from lambda_src.settings import ONE_VCPU_MB
from lambda_src.store.complete import OBJECT_BYTES

PERFORMANCE = Path(__file__).parents[2] / "docs" / "performance.md"
GB = 10**9
OF = values_of(TOP_WORDS)

sizes = st.integers(0, 10 * GB)
blocks = st.integers(MIB, 64 * MIB)
lambdas = st.integers(1, MAX_CONCURRENCY)
shards = st.sampled_from([None, 1, 8, 64])
temperatures = st.booleans()
workloads = st.sampled_from(
    [TOP_WORDS, figures_of(job.load("access_log")), benchmarks_table(80, 1_000, 500_000)]
)


def with_values(**values: float) -> Figures:
    return {**TOP_WORDS, **{name: TOP_WORDS[name]._replace(value=value) for name, value in values.items()}}


def run(
    units: int,
    at_once: int = 250,
    *,
    cold: bool = True,
    block_units: int | None = None,
    by_key: int | None = None,
    figures: Figures = TOP_WORDS,
    objects: list[Stored] | tuple[Stored, ...] = (),
) -> Modelled:
    """One run in blocks of that size, or as planned; reducers by part, or ``by_key``, so many."""
    what = Given(units, figures, ("part", "key"), objects)
    wanted = Wanted(block_units, "key", by_key) if by_key else Wanted(block_units, "part")
    return model(what, plan(what, at_once, wanted), at_once, cold=cold)


def test_every_figure_says_where_it_is_from() -> None:
    tables = benchmarks_table(80, 1_000, 500_000)
    of_jobs = [
        *(figures_of(job.load(name)) for name in job.names()),
        *(figures_of(job.load("access_log"), {"by": by}) for by in ("hour", "path", "day")),
        figures_of(job.load("access_log"), {"by": "path", "order": "p95"}),
        *(figures_of(job.load("grep"), {"pattern": "a", "count": count}) for count in (True, False)),
        *(
            figures_of(job.load("top_words"), {"words": "unicode", "markup": way})
            for way in ("none", "mediawiki")
        ),
    ]
    for figures in (ENGINE, UNKNOWN, MAP_FIGURES, COUNTER_FIGURES, tables, *of_jobs):
        for figure in figures.values():
            assert figure.kind in ("measured", "published", "assumed", "code")
            assert figure.what


def test_figures_of_the_code_are_the_codes_own() -> None:
    of = {name: figure.value for name, figure in TOP_WORDS.items() if figure.kind == "code"}
    assert of == {
        **{name: figure.value for name, figure in BYTE_BY_BYTE.items()},
        "parts": len(JOB.parts),
        "distinct": c_counts.limits(1).keys,
        "block_distinct": round(MAX_LINES_BYTES / TOP_WORDS["entry"].value),
        "block_counts": words.SPILL_WORDS,
        "reads_at_once": READS_AT_ONCE,
        "window": WINDOW_BYTES,
        "archive_window": ARCHIVE_WINDOW_BYTES,
        "payload": INLINE_BYTES,
        "memory": ONE_VCPU_MB,
        "warmed": 1,
        "archive_step": STEP_BYTES,
        "reserve": RESERVE_S,
        "ahead": AHEAD_THREADS,
        "keep_object": OBJECT_BYTES,
        "piece": PIECE_BYTES,
        "kms_input": 0,
        "kms_blobs": 0,
    }


@settings(deadline=None)
@given(
    figures=workloads,
    units=sizes,
    more=st.integers(0, GB),
    block_units=blocks,
    by_key=shards,
    at_once=lambdas,
    cold=temperatures,
)
def test_more_units_never_take_less(
    *,
    figures: Figures,
    units: int,
    more: int,
    block_units: int,
    by_key: int | None,
    at_once: int,
    cold: bool,
) -> None:
    one, other = (
        run(size, at_once, cold=cold, block_units=block_units, by_key=by_key, figures=figures)
        for size in (units, units + more)
    )
    # With more words, a reducer notices a little earlier that they do not fit.
    assert other.seconds >= one.seconds * (1 - 1e-3)
    assert other.dollars >= one.dollars * (1 - 1e-3)


@settings(deadline=None)
@given(workloads, sizes, blocks, lambdas, temperatures)
def test_dollars_add_up(figures: Figures, units: int, block_units: int, at_once: int, cold: bool) -> None:
    found = run(units, at_once, cold=cold, block_units=block_units, figures=figures)
    assert math.isclose(found.dollars, sum(found.dollars_by_item.values()))
    assert tuple(found.dollars_by_item) == ITEMS
    prices = PRICES[REFERENCE, "arm64"]
    for stage in found.stages:
        assert stage.dollars == dollars(stage.used, prices)
        assert all(amount >= 0 for amount in stage.used.values())
    assert math.isclose(found.seconds, sum(stage.seconds for stage in found.stages))


def test_dollars_are_those_of_the_prices() -> None:
    doubled = type(PRICES[REFERENCE, "arm64"])(*(2 * price for price in PRICES[REFERENCE, "arm64"]))
    chosen = plan(Given(GB, TOP_WORDS, ("part",)), 250)
    once, twice = (
        model(Given(GB, TOP_WORDS, ("part",), prices=prices), chosen, 250, cold=True)
        for prices in (PRICES[REFERENCE, "arm64"], doubled)
    )
    assert math.isclose(twice.dollars, 2 * once.dollars)
    assert twice.seconds == once.seconds


@settings(deadline=None)
@given(workloads, sizes, blocks, lambdas)
def test_cold_takes_no_less_than_warm(figures: Figures, units: int, block_units: int, at_once: int) -> None:
    cold, warm = (
        run(units, at_once, cold=cold, block_units=block_units, figures=figures) for cold in (True, False)
    )
    for one, other in zip(cold.stages, warm.stages, strict=True):
        assert one.seconds >= other.seconds
        assert one.used["gb_s"] >= other.used["gb_s"]


@settings(deadline=None)
@given(sizes, blocks, lambdas, lambdas)
def test_more_lambdas_are_never_slower_when_warm(units: int, block_units: int, one: int, other: int) -> None:
    slow, fast = (
        run(units, at_once, cold=False, block_units=block_units, by_key=1).seconds
        for at_once in sorted((one, other))
    )
    connections_s = MAX_CONCURRENCY * OF["connect_call"]  # each Lambda's first call opens one
    assert fast <= slow + connections_s


@settings(deadline=None)
@given(st.integers(len(JOB.parts), 1000), blocks, lambdas, lambdas)
def test_beyond_the_blocks_more_lambdas_change_nothing(
    count: int, block_units: int, some: int, others: int
) -> None:
    one, other = (run(count * block_units, count + more, block_units=block_units) for more in (some, others))
    assert (one.seconds, one.dollars) == (other.seconds, other.dollars)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 3000), st.integers(1, MAX_CONCURRENCY), temperatures, st.floats(0.1, 20))
def test_the_fan_out_takes_what_a_simulation_of_it_does(
    number: int, at_once: int, cold: bool, each_s: float
) -> None:
    """Calls one after the other, as far as there is room; each takes an environment that is idle, or a new
    one."""
    of = values_of(with_values(requests_burst=1e9))
    model_of = RunModel(Blocks(number, 1, each_s, number * each_s, 1, number, number), at_once, of, cold=cold)
    start_s = (of["environment"] + of["init"] + of["imports_map"] + of["imports_job"] + of["connect"]) * cold
    ends: list[float] = []
    now = free_at = 0.0
    for begun in range(number):
        if len(ends) == at_once:
            now = heapq.heappop(ends)
        free_at = max(free_at, now) + of["invoke"] + (of["connect_call"] if begun < at_once else 0)
        heapq.heappush(ends, free_at + (start_s if begun < at_once else 0) + of["overhead"] + each_s)
    assert model_of._fan_out_s() == pytest.approx(max(ends), rel=0.12, abs=0.05)


@pytest.mark.parametrize("by_key", [None, 16])
@pytest.mark.parametrize("cold", [True, False])
@pytest.mark.parametrize("units", [GB, 100 * GB])
def test_what_is_better_for_a_run_never_makes_it_slower(units: int, cold: bool, by_key: int | None) -> None:
    before = run(units, cold=cold, block_units=64 * MIB, by_key=by_key)
    for name, factor in {
        **dict.fromkeys(("network", "count", "reduce", "gets", "puts", "partitions", "scaling", "arm"), 2.0),
        **dict.fromkeys(("get", "get_p99", "put", "put_p99", "environment", "init_p99", "invoke"), 0.5),
        **dict.fromkeys(("connect_call", "read", "overhead", "largest_part", "merge", "report"), 0.5),
    }.items():
        better = with_values(**{name: TOP_WORDS[name].value * factor})
        after = run(units, cold=cold, block_units=64 * MIB, by_key=by_key, figures=better)
        assert after.seconds <= before.seconds * (1 + 1e-9), name


@pytest.mark.parametrize(("budget", "rate"), [(100, 300), (300, 1200)])
def test_a_burst_of_bandwidth_makes_a_run_faster_and_cheaper(budget: float, rate: float) -> None:
    faster = with_values(burst_budget=budget, burst_network=rate)
    plain, burst = (run(GB, block_units=64 * MIB, figures=figures) for figures in (TOP_WORDS, faster))
    assert burst.seconds < plain.seconds
    assert burst.dollars < plain.dollars


@pytest.mark.parametrize("name", ["get_p99", "put_p99", "init_p99"])
def test_what_is_slowest_of_a_hundred_makes_a_run_slower(name: str) -> None:
    slower = with_values(**{name: 1.0})
    for by_key in (None, 8):
        one, other = (
            run(GB, block_units=16 * MIB, by_key=by_key, figures=figures) for figures in (TOP_WORDS, slower)
        )
        assert other.seconds > one.seconds


@pytest.mark.parametrize(
    ("name", "value", "least_s"),
    [("whole", 1e8, 2.4), ("prepare", 1.0, 0.9), ("measure", 1.0, 0.9)],  # parse_file reads the whole, too
)
@pytest.mark.parametrize("cold", [True, False])
def test_what_a_block_does_besides_its_units_takes_time_and_is_paid_for(
    name: str, value: float, least_s: float, cold: bool
) -> None:
    more = with_values(**{name: value})
    plain, heavy = (
        run(GB, cold=cold, block_units=16 * MIB, figures=figures) for figures in (TOP_WORDS, more)
    )
    assert heavy.seconds > plain.seconds + least_s
    assert heavy.dollars > plain.dollars


def test_packages_of_a_job_are_imported_when_it_is_cold() -> None:
    more = with_values(imports_job=1.0)
    for cold, least_s in ((True, 1.9), (False, 0.0)):  # by parse_file, then by every parse_block
        plain, heavy = (
            run(GB, cold=cold, block_units=16 * MIB, figures=figures) for figures in (TOP_WORDS, more)
        )
        assert (heavy.seconds > plain.seconds + least_s) == cold


@pytest.mark.parametrize("size", [0, 1, 262_144, 262_145, 8 * MIB - 262_144, 8 * MIB, 100 * MIB])
def test_an_archive_is_read_in_growing_steps(size: int) -> None:
    gets, left, step = 0, size, STEP_BYTES
    while left > 0:
        gets, left, step = gets + 1, left - step, min(2 * step, round(OF["archive_window"]))
    assert module._growing_gets(size, OF) == gets


PACKED = 80_000_000
ONE_PIECE = Stored("one.xz", PACKED, "xz", 3.75, PACKED)
SHARED = Stored("shared.bz2", PACKED, "bzip2", 3.75, 250_000)


@pytest.mark.parametrize("how", ["gzip", "xz"])
def test_an_archive_that_cannot_be_split_bounds_the_time_whatever_the_blocks(how: Format) -> None:
    archive = ONE_PIECE._replace(format=how)
    unpack_s = PACKED / 1e6 / TOP_WORDS[f"unpack_{how}"].value
    runs = [
        *curve(Given(PACKED, TOP_WORDS, ("part",), [archive]), 250, cold=True),
        # Beside many small objects, it is the largest one that bounds the time.
        run(PACKED + GB, objects=[Stored("plain", GB), archive]),
    ]
    for found in runs:
        assert found.seconds > found.archive_s > unpack_s
        assert found.archive == archive
    assert run(PACKED, objects=[archive]).seconds > 1.6 * run(PACKED).seconds


def test_blocks_of_bzip2_are_shared_among_lambdas() -> None:
    many = run(PACKED, objects=[SHARED])
    assert 5 * many.seconds < PACKED / 1e6 / TOP_WORDS["unpack_bzip2"].value
    assert many.archive is None
    assert many.seconds > run(PACKED).seconds  # which has nothing to unpack


def test_an_archive_that_no_lambda_can_unpack_in_time_is_an_obstacle() -> None:
    large = ONE_PIECE._replace(bytes=9 * GB, unit_bytes=9 * GB)
    assert run(9 * GB, objects=[large]).obstacle.startswith("A Lambda would take 9 min ")
    assert not run(9 * GB, objects=[SHARED._replace(bytes=9 * GB)]).obstacle


@pytest.mark.parametrize("how", ["plain", "gzip", "bzip2"])
@pytest.mark.parametrize("each", [1, 1000, 3_000_000])
def test_every_object_takes_a_get_at_least(how: Format, each: int) -> None:
    objects = [Stored(f"{number}", each, how, 2.0, each) for number in range(5_000)]
    stages = {stage.name: stage.used for stage in run(5_000 * each, objects=objects).stages}
    assert stages["parse"]["s3_gets"] >= 5_000
    assert stages["parse"]["s3_puts"] > 5  # a LIST gives 1,000 names


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.builds(
            Stored,
            st.just("x"),
            st.integers(0, 10 * MIB),
            st.sampled_from(["plain", "gzip", "bzip2"]),
            st.just(1.0),
            st.integers(1000, 8 * MIB),
        ),
        min_size=2,
        max_size=9,
    ),
    blocks,
)
def test_blocks_have_all_the_text_of_the_objects_between_them(
    objects: list[Stored], block_units: int
) -> None:
    tasks = module.tasks_of(objects, block_units, OF)
    text_bytes = sum(one.bytes * one.ratio for one in objects)
    streams = [one.unit_bytes * one.ratio for one in objects if one.format == "bzip2"]
    assert text_bytes <= sum(task.text_bytes for task in tasks) + 1 <= text_bytes + sum(streams) + 2
    assert len(tasks) == -(-sum(one.bytes for one in objects) // block_units)


def test_kms_requests_are_paid_for_where_there_is_a_key() -> None:
    plain = run(GB)
    assert "kms_requests" not in plain.dollars_by_item
    parse, reduce = plain.stages[1].used, plain.stages[2].used
    for requests, figures in (
        (parse["s3_gets"], with_values(kms_input=1)),
        (parse["s3_puts"] + reduce["s3_gets"], with_values(kms_blobs=1)),
        (
            (parse["s3_gets"] + parse["s3_puts"] + reduce["s3_gets"]) / 100,
            with_values(kms_input=0.01, kms_blobs=0.01),
        ),
    ):
        found = run(GB, figures=figures)
        assert math.isclose(found.dollars_by_item["kms_requests"], requests * 0.03 / 10_000)
        assert found.seconds == plain.seconds


@pytest.mark.parametrize("units", [1, 10**6, GB, 10**12, 50 * 10**12])
def test_a_curve_has_a_run_for_each_size(units: int) -> None:
    found = [one.block_units for one in curve(Given(units, TOP_WORDS, ("part", "key")), 500, cold=True)]
    assert found
    assert all(larger == 2 * smaller for smaller, larger in pairwise(found))


def test_too_coarse_gains_nothing_and_too_fine_costs_more() -> None:
    runs = curve(Given(GB, TOP_WORDS, ("part", "key")), 250, cold=False)
    fastest = min(runs, key=lambda one: one.seconds)
    finest, coarsest = runs[0], runs[-1]
    assert finest.dollars > 2 * fastest.dollars
    assert coarsest.seconds > 2 * fastest.seconds


def test_a_run_that_cannot_succeed_says_why() -> None:
    roomy = with_values(distinct=1e9, block_distinct=2e6)
    assert not run(GB).obstacle
    assert "reducer" in run(10**13, block_units=64 * MIB).obstacle
    assert "distinct words" in run(10**12, block_units=2 * GB, figures=roomy).obstacle
    assert "A block" in run(10**12, block_units=30 * GB, figures=roomy).obstacle


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 10**13), st.integers(MIB, 1024 * MIB), st.integers(1, 256))
def test_reducers_get_a_range_of_every_blob_once(units: int, block_units: int, by_key: int) -> None:
    found = run(units, MAX_CONCURRENCY, block_units=block_units, by_key=by_key)
    used = {stage.name: stage.used for stage in found.stages}
    if found.passes == 1:
        ranges = found.blocks * by_key
        assert used["reduce"]["s3_gets"] in (ranges, ranges + by_key)  # those that read the manifest
    windows = even_blocks(units, found.block_units, MAX_CONCURRENCY, OF).gets
    assert used["parse"]["s3_gets"] == windows + 2


def test_fewer_passes_need_fewer_reads() -> None:
    assert passes(1, OF) == (1, 1.0)
    number, reads = passes(OF["distinct"] + 1, OF)
    assert number == 4
    assert math.isclose(reads, 5, rel_tol=1e-3)  # the first pass ends at the last word


@pytest.mark.parametrize("kind", ["inline", "standard", "express"])
def test_a_state_machine_pays_for_its_iterations(kind: Kind) -> None:
    def machine(units: int, kind: Kind) -> Machine:
        what = Given(units, TOP_WORDS, ("part",))
        return state_machine(what, plan(what, 250, Wanted(5 * MIB)), 250, kind, cold=False)

    one, other, standard = machine(GB, kind), machine(2 * GB, kind), machine(GB, "standard")
    dollars, more = (found.run.dollars_by_item[TRANSITIONS] for found in (one, other))
    assert more > dollars > 0
    assert one.run.dollars <= standard.run.dollars
    assert one.transitions <= standard.transitions
    assert not one.run.obstacle
    assert bool(machine(100 * GB, kind).run.obstacle) == (kind == "inline")


def test_counters_cost_a_write_for_each_word_or_for_each_distinct_word_of_a_block() -> None:
    what = Given(GB, TOP_WORDS, ("part",))
    chosen = plan(what, 250)
    each, distinct = (counters(what, chosen, each_word=each_word) for each_word in (True, False))
    assert each.writes > 10 * distinct.writes > 0
    assert each.dollars == pytest.approx(each.writes * PRICES[REFERENCE, "arm64"].table_write_units)
    assert distinct.table_s > 10 * run(GB).seconds
    assert each.item_s > each.table_s  # the most frequent word is one item


def test_athena_charges_for_ten_megabytes_at_least() -> None:
    prices = PRICES[REFERENCE, "arm64"]
    assert athena_dollars(1, prices) == athena_dollars(10**7, prices) < athena_dollars(10**7 + 1, prices)


def test_the_docs_say_what_the_model_says() -> None:
    text = PERFORMANCE.read_text()
    assert set(re.findall(r"<!-- model: (\w+) -->", text)) <= set(TABLES)
    assert replaced(text) == text, "Run: python -m benchmarks.model docs/performance.md"


def test_a_run_that_keeps_everything_takes_a_little_more_and_other_runs_nothing() -> None:
    asked = Given(GB, TOP_WORDS, JOB.sharded_by)
    planned = plan(asked, 950)
    without, keeping = (model(one, planned, 950, cold=True) for one in (asked, asked._replace(keeps=True)))
    reduce = [one.stages[2].used["s3_puts"] for one in (without, keeping)]
    assert (without.kept_bytes, reduce[0]) == (0, 0)
    assert 0 < keeping.kept_bytes < keeping.blob_bytes
    assert reduce[1] >= planned.shards
    assert without.seconds < keeping.seconds < 2 * without.seconds
    assert without.dollars < keeping.dollars < 2 * without.dollars
