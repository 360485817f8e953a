"""The model of a run on AWS: laws that hold whatever its figures are, and that the docs say what it says."""

import math
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.model import TABLES, replaced
from benchmarks.what_if import (
    BEFORE,
    CHANGES,
    MAP_FIGURES,
    TRANSITIONS,
    WITHOUT_BYTECODE,
    distributed_map,
    gains,
    halved_by,
)
from fanfold.estimate import model as module
from fanfold.estimate.model import ENGINE, FIGURES, curve, model, suggest
from fanfold.estimate.workload import BYTE_BY_BYTE, Figures, Stored
from fanfold.format import MIB
from fanfold.jobs import access_log, column_permutations
from lambda_src.fields import MAX_CONCURRENCY
from lambda_src.input.blocks import fitting_block_bytes
from lambda_src.input.compression import RESERVE_S, STEP_BYTES, WINDOW_BYTES
from lambda_src.input.objects import AHEAD_THREADS
from lambda_src.job import MAX_LINES_BYTES
from lambda_src.jobs.top_words import JOB, c_kernel
from lambda_src.map_reduce import FIRST_WINDOW, Window
from lambda_src.run.prices import ITEMS, PRICES, REFERENCE, athena_dollars, dollars
from lambda_src.run.reduce_part import READS_AT_ONCE
from lambda_src.settings import ONE_VCPU_MB

PERFORMANCE = Path(__file__).parents[2] / "docs" / "performance.md"
GB = 10**9

sizes = st.integers(0, 10 * GB)
blocks = st.integers(MIB, 64 * MIB)
lambdas = st.integers(1, MAX_CONCURRENCY)
temperatures = st.booleans()
workloads = st.sampled_from(
    [
        FIGURES,
        {**ENGINE, **access_log.FIGURES},
        {**ENGINE, **column_permutations.figures_of(80, 1_000, 500_000)},
    ]
)


def with_values(**values: float) -> Figures:
    return {**FIGURES, **{name: FIGURES[name]._replace(value=value) for name, value in values.items()}}


def test_every_figure_says_where_it_is_from() -> None:
    tables = column_permutations.figures_of(80, 1_000, 500_000)
    for figures in (FIGURES, WITHOUT_BYTECODE, BEFORE, MAP_FIGURES, access_log.FIGURES, tables):
        for figure in figures.values():
            assert figure.kind in ("measured", "published", "assumed", "code")
            assert figure.what


def test_figures_of_the_code_are_the_codes_own() -> None:
    of = {name: figure.value for name, figure in FIGURES.items() if figure.kind == "code"}
    assert of == {
        **{name: figure.value for name, figure in BYTE_BY_BYTE.items()},
        "parts": len(JOB.parts),
        "distinct": c_kernel.KERNEL.most_words,
        "block_distinct": round(MAX_LINES_BYTES / FIGURES["entry"].value),
        "first_window": FIRST_WINDOW,
        "reads_at_once": READS_AT_ONCE,
        "window": WINDOW_BYTES,
        "memory": ONE_VCPU_MB,
        "warmed": 1,
        "archive_step": STEP_BYTES,
        "reserve": RESERVE_S,
        "ahead": AHEAD_THREADS,
        "kms_input": 0,
        "kms_blobs": 0,
    }


@settings(deadline=None)
@given(
    figures=workloads,
    units=sizes,
    more=st.integers(0, GB),
    block_units=blocks,
    at_once=lambdas,
    cold=temperatures,
)
def test_more_units_never_take_less(
    *, figures: Figures, units: int, more: int, block_units: int, at_once: int, cold: bool
) -> None:
    one = model(units, at_once, cold=cold, block_units=block_units, figures=figures)
    other = model(units + more, at_once, cold=cold, block_units=block_units, figures=figures)
    assert other.seconds >= one.seconds * (1 - 1e-9)
    assert other.dollars >= one.dollars * (1 - 1e-9)


@settings(deadline=None)
@given(workloads, sizes, blocks, lambdas, temperatures)
def test_dollars_add_up(figures: Figures, units: int, block_units: int, at_once: int, cold: bool) -> None:
    run = model(units, at_once, cold=cold, block_units=block_units, figures=figures)
    assert math.isclose(run.dollars, sum(run.dollars_by_item.values()))
    assert tuple(run.dollars_by_item) == ITEMS
    prices = PRICES[REFERENCE, "arm64"]
    for stage in run.stages:
        assert stage.dollars == dollars(stage.used, prices)
        assert all(amount >= 0 for amount in stage.used.values())
    assert math.isclose(run.seconds, sum(stage.seconds for stage in run.stages))


def test_dollars_are_those_of_the_prices() -> None:
    doubled = type(PRICES[REFERENCE, "arm64"])(*(2 * price for price in PRICES[REFERENCE, "arm64"]))
    once, twice = (
        model(GB, 250, cold=True, prices=prices) for prices in (PRICES[REFERENCE, "arm64"], doubled)
    )
    assert math.isclose(twice.dollars, 2 * once.dollars)
    assert twice.seconds == once.seconds


@settings(deadline=None)
@given(workloads, sizes, blocks, lambdas)
def test_cold_takes_no_less_than_warm(figures: Figures, units: int, block_units: int, at_once: int) -> None:
    cold, warm = (
        model(units, at_once, cold=cold, block_units=block_units, figures=figures) for cold in (True, False)
    )
    for one, other in zip(cold.stages, warm.stages, strict=True):
        assert one.seconds >= other.seconds
        assert one.used["gb_s"] >= other.used["gb_s"]


@settings(deadline=None)
@given(sizes, blocks, lambdas, lambdas)
def test_more_lambdas_are_never_slower_when_warm(units: int, block_units: int, one: int, other: int) -> None:
    slow, fast = (
        model(units, at_once, cold=False, block_units=block_units).seconds for at_once in sorted((one, other))
    )
    assert fast <= slow * (1 + 1e-9)


@settings(deadline=None)
@given(st.integers(len(JOB.parts), 1000), blocks, lambdas, lambdas)
def test_beyond_the_blocks_more_lambdas_change_nothing(
    count: int, block_units: int, some: int, others: int
) -> None:
    one, other = (
        model(count * block_units, count + more, cold=True, block_units=block_units)
        for more in (some, others)
    )
    assert (one.seconds, one.dollars) == (other.seconds, other.dollars)


@pytest.mark.parametrize("cold", [True, False])
@pytest.mark.parametrize("units", [GB, 100 * GB])
def test_what_is_better_for_a_run_never_makes_it_slower(units: int, cold: bool) -> None:
    run = model(units, 250, cold=cold)
    assert all(changed.seconds <= run.seconds * (1 + 1e-9) for _, changed in gains(run, ours=False))


@pytest.mark.parametrize("name", ["get_p99", "put_p99", "init_p99"])
def test_what_is_slowest_of_a_hundred_makes_a_run_slower(name: str) -> None:
    slower = with_values(**{name: 1.0})
    assert model(GB, 250, cold=True, figures=slower).seconds > model(GB, 250, cold=True).seconds


@pytest.mark.parametrize(
    ("name", "value", "least_s"),
    [("whole", 1e8, 2.4), ("prepare", 1.0, 0.9), ("measure", 1.0, 0.9)],  # parse_file reads the whole, too
)
@pytest.mark.parametrize("cold", [True, False])
def test_what_a_block_does_besides_its_units_takes_time_and_is_paid_for(
    name: str, value: float, least_s: float, cold: bool
) -> None:
    more = with_values(**{name: value})
    plain, heavy = (model(GB, 250, cold=cold, figures=figures) for figures in (FIGURES, more))
    assert heavy.seconds > plain.seconds + least_s
    assert heavy.dollars > plain.dollars


def test_packages_of_a_job_are_imported_when_it_is_cold() -> None:
    more = with_values(imports_job=1.0)
    for cold, least_s in ((True, 1.9), (False, 0.0)):  # by parse_file, then by every parse_block
        plain, heavy = (model(GB, 250, cold=cold, figures=figures) for figures in (FIGURES, more))
        assert (heavy.seconds > plain.seconds + least_s) == cold


def test_changes_name_figures() -> None:
    assert {name for change in CHANGES for name in change.factors} <= set(FIGURES)


def test_what_halves_a_run_halves_it() -> None:
    run = model(GB, 250, cold=False, block_units=MIB)
    changes, then = halved_by(run)
    assert changes
    assert then.seconds <= run.seconds / 2


def test_no_change_is_named_that_gains_nothing() -> None:
    figures = with_values(first_window=1000)
    run = model(1, 250, cold=False, figures=figures)
    assert halved_by(run, figures=figures) == ([], run)


@given(st.integers(1, 2000), st.integers(1, MAX_CONCURRENCY))
def test_a_fan_out_grows_as_the_engines_window_does(tasks: int, at_once: int) -> None:
    """Calls of a second each, without anything else, take as many seconds as the window has rounds."""
    of = {name: figure.value for name, figure in with_values(invoke=0, overhead=0).items()}
    seconds, environments = module._fan_out([1.0] * tasks, at_once, 0.0, of)
    assert environments == 0
    window, left, rounds = Window(at_once), tasks, 0
    while left > 0:
        begun = min(window.size, left)
        for _ in range(begun):
            window.succeeded()
        left -= begun
        rounds += 1
    assert seconds == rounds


def test_a_fan_out_waits_for_its_caller_and_for_environments() -> None:
    of = {name: figure.value for name, figure in with_values(invoke=1, overhead=0, first_window=10).items()}
    assert module._fan_out([5.0] * 10, 10, 0.0, of) == (15.0, 0)  # the last call begins after ten seconds
    of = {**of, "invoke": 0, "burst": 4, "scaling": 2}
    assert module._fan_out([5.0] * 10, 10, 1.0, of) == (9.0, 10)  # six more, two a second
    of = {**of, "requests_burst": 4, "requests": 1}
    assert module._fan_out([5.0] * 10, 10, 0.0, of) == (10.0, 0)  # the last but four wait a second each


@pytest.mark.parametrize("size", [0, 1, 262_144, 262_145, 8 * MIB - 262_144, 8 * MIB, 30 * MIB])
def test_an_archive_is_read_in_growing_steps(size: int) -> None:
    of = {name: figure.value for name, figure in FIGURES.items()}
    gets, left, step = 0, size, STEP_BYTES
    while left > 0:
        gets, left, step = gets + 1, left - step, min(2 * step, WINDOW_BYTES)
    assert module._growing_gets(size, of) == gets


PACKED = 80_000_000
ONE_STREAM = Stored("one.bz2", PACKED, "bzip2", 3.75, PACKED)
MANY_STREAMS = ONE_STREAM._replace(stream_bytes=250_000)


@pytest.mark.parametrize("how", ["gzip", "bzip2", "xz"])
def test_an_archive_that_cannot_be_split_bounds_the_time_whatever_the_blocks(how: str) -> None:
    archive = ONE_STREAM._replace(format=how)
    unpack_s = PACKED / 1e6 / FIGURES[f"unpack_{how}"].value
    runs = [
        *curve(PACKED, 250, cold=True, objects=[archive]),
        # Beside many small objects, it is the largest one that bounds the time.
        model(PACKED + GB, 250, cold=True, objects=[Stored("plain", GB), archive]),
    ]
    for run in runs:
        assert run.seconds > run.archive_s > unpack_s
        assert run.archive == archive
    assert (
        model(PACKED, 250, cold=True, objects=[archive]).seconds > 2 * model(PACKED, 250, cold=True).seconds
    )


def test_streams_of_bzip2_are_shared_among_lambdas() -> None:
    one, many = (model(PACKED, 250, cold=True, objects=[how]) for how in (ONE_STREAM, MANY_STREAMS))
    assert one.seconds > 5 * many.seconds
    assert many.archive is None
    assert many.seconds > model(PACKED, 250, cold=True).seconds  # which has nothing to unpack


def test_an_archive_that_no_lambda_can_unpack_in_time_is_an_obstacle() -> None:
    large = ONE_STREAM._replace(bytes=2 * GB, stream_bytes=2 * GB)
    run = model(2 * GB, 250, cold=True, objects=[large])
    assert run.obstacle.startswith("A Lambda would take 10 min ")
    assert not model(2 * GB, 250, cold=True, objects=[large._replace(stream_bytes=250_000)]).obstacle


@pytest.mark.parametrize("how", ["plain", "gzip", "bzip2"])
@pytest.mark.parametrize("each", [1, 1000, 3_000_000])
def test_every_object_takes_a_get_at_least(how: str, each: int) -> None:
    objects = [Stored(f"{number}", each, how, 2.0, each) for number in range(5_000)]
    stages = {stage.name: stage.used for stage in model(5_000 * each, 250, cold=True, objects=objects).stages}
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
    of = {name: figure.value for name, figure in FIGURES.items()}
    tasks = module._tasks(objects, block_units, of)
    text_bytes = sum(one.bytes * one.ratio for one in objects)
    streams = [one.stream_bytes * one.ratio for one in objects if one.format == "bzip2"]
    assert text_bytes <= sum(task.text_bytes for task in tasks) + 1 <= text_bytes + sum(streams) + 2
    assert len(tasks) == -(-sum(one.bytes for one in objects) // block_units)


def test_kms_requests_are_paid_for_where_there_is_a_key() -> None:
    plain = model(GB, 250, cold=True)
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
        run = model(GB, 250, cold=True, figures=figures)
        assert math.isclose(run.dollars_by_item["kms_requests"], requests * 0.03 / 10_000)
        assert run.seconds == plain.seconds


@pytest.mark.parametrize("units", [1, 10**6, GB, 10**12, 50 * 10**12])
def test_a_curve_has_a_run_for_each_size(units: int) -> None:
    found = [run.block_units for run in curve(units, 500, cold=True)]
    assert found
    assert all(larger == 2 * smaller for smaller, larger in pairwise(found))


def test_too_coarse_gains_nothing_and_too_fine_costs_more() -> None:
    runs = curve(GB, 250, cold=False)
    fastest = min(runs, key=lambda run: run.seconds)
    finest, coarsest = runs[0], runs[-1]
    assert finest.dollars > 2 * fastest.dollars
    assert coarsest.seconds > 2 * fastest.seconds


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 100 * GB), st.integers(0, 5000), temperatures)
def test_a_suggestion_can_be_asked_for_and_is_about_the_fastest(units: int, quota: int, cold: bool) -> None:
    found = suggest(units, quota, cold=cold)
    assert 1 <= found.max_concurrency <= MAX_CONCURRENCY
    assert found.max_concurrency <= max(quota - module.ORCHESTRATORS, 1)
    assert found.modelled in found.curve
    possible = [run for run in found.curve if not run.obstacle]
    assert all(found.modelled.seconds <= module.ABOUT * run.seconds for run in possible)
    assert found.default.block_units == fitting_block_bytes(units, found.default.concurrency)
    assert found.reason.endswith(".")


def test_a_reason_compares_with_no_run_that_cannot_succeed() -> None:
    figures = {**FIGURES, "block_distinct": FIGURES["block_distinct"]._replace(value=100_000)}
    found = suggest(10 * GB, 1000, figures=figures)
    coarser = next(run for run in found.curve if run.block_units == 2 * found.block_units)
    assert coarser.obstacle
    assert "larger ones (16 MiB) cannot succeed. " in found.reason


def test_a_run_that_cannot_succeed_says_why() -> None:
    roomy = with_values(distinct=1e9, block_distinct=2e6)
    assert not model(GB, 250, cold=True).obstacle
    assert "reducer" in model(10**13, 250, cold=True, block_units=64 * MIB).obstacle
    assert "distinct words" in model(10**12, 250, cold=True, block_units=2 * GB, figures=roomy).obstacle
    assert "A block" in model(10**12, 250, cold=True, block_units=30 * GB, figures=roomy).obstacle


def test_fewer_passes_need_fewer_reads() -> None:
    of = {name: figure.value for name, figure in FIGURES.items()}
    assert module._passes(1, of) == (1, 1.0)
    passes, reads = module._passes(of["distinct"] + 1, of)
    assert passes == 4
    assert math.isclose(reads, 5, rel_tol=1e-3)  # the first pass ends at the last word


@pytest.mark.parametrize("express", [True, False])
def test_a_distributed_map_pays_for_its_children(express: bool) -> None:
    one, other = (
        distributed_map(size, 250, cold=False, express=express, block_units=5 * MIB) for size in (GB, 2 * GB)
    )
    assert other.dollars_by_item[TRANSITIONS] > one.dollars_by_item[TRANSITIONS] > 0
    standard = distributed_map(GB, 250, cold=False, express=False, block_units=5 * MIB)
    assert one.dollars <= standard.dollars
    assert one.seconds <= standard.seconds


def test_athena_charges_for_ten_megabytes_at_least() -> None:
    prices = PRICES[REFERENCE, "arm64"]
    assert athena_dollars(1, prices) == athena_dollars(10**7, prices) < athena_dollars(10**7 + 1, prices)


def test_the_docs_say_what_the_model_says() -> None:
    text = PERFORMANCE.read_text()
    assert set(re.findall(r"<!-- model: (\w+) -->", text)) == set(TABLES)
    assert replaced(text) == text, "Run: python -m benchmarks.model docs/performance.md"
