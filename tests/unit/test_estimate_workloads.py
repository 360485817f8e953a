"""What each job has to do: its figures are whole, its units are those of the job itself."""

import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fanfold.demo.table import write_table
from fanfold.errors import NotModelled, SourceError
from fanfold.estimate.contents import modelled
from fanfold.estimate.table import Estimate, as_json, estimate, show
from fanfold.format import size_text
from fanfold.runs.source import Local, local
from lambda_src.counts import c_counts, counts_job
from lambda_src.counts.figures import COUNTING
from lambda_src.figures import UNKNOWN, values_of
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import MAX_LINES_BYTES, load, names
from lambda_src.jobs.access_log.asked import COLUMNS
from lambda_src.jobs.access_log.figures import ASKED, FIGURES, PATH_BYTES
from lambda_src.jobs.access_log.scan import ENTRY_BYTES, MOST_HELD_BYTES
from lambda_src.jobs.grep import JOB
from lambda_src.run.figures import ENGINE
from lambda_src.run.plan import NO_LARGER
from lambda_src.run.prices import REFERENCE
from lambda_src.settings import ACCOUNT_QUOTA


@pytest.fixture
def table(tmp_path: Path) -> Local:
    write_table(tmp_path / "table.csv", seed=1)
    return local(tmp_path / "table.csv")


GB = 1_000_000_000
FORMAT = '$remote_addr [$time_local] "$request" $status "$http_user_agent"'
SLOWER: list[tuple[str, dict[str, Any]]] = [
    *(("access_log", {"by": by, "format": FORMAT}) for by in ("path", "client", "day", "agent")),
    ("access_log", {"format": FORMAT}),
    ("top_words", {"words": "unicode"}),
    ("grep", {"pattern": ""}),
    ("grep", {"pattern": "a", "invert": True}),
]


def estimated(job: str, options: dict[str, Any]) -> Estimate:
    """Of 100 GB."""
    given = load(job).plain_options(options)
    return estimate(modelled(job)(100 * GB, given), 100 * GB, 1000, "us-east-1")


@pytest.mark.parametrize(("job", "options"), SLOWER)
def test_slow_options_take_longer_and_cost_more(job: str, options: dict[str, Any]) -> None:
    default = estimated(job, {"pattern": "a"} if job == "grep" else {}).cold
    slower = estimated(job, options).cold
    assert slower.dollars > 1.1 * default.dollars
    few_keys = options.get("by") in ("day", "agent")  # there is next to nothing to sum
    assert few_keys or slower.seconds > 1.03 * default.seconds


def test_a_pattern_that_is_slow_at_worst_is_estimated_in_the_blocks_of_its_run() -> None:
    pattern = "(a|b){500}c"
    found = estimated("grep", {"pattern": pattern})
    largest = int(JOB.largest_block(JOB.read_options({"pattern": pattern})))
    assert (found.cold.block_units, found.plan.block_because) == (largest, NO_LARGER)
    assert estimated("grep", {"pattern": "abc"}).cold.block_units > largest


@pytest.mark.parametrize(
    ("job", "options"),
    [
        *(("top_words", options) for options in ({"top": 5}, {"case": "keep"}, {"markup": "mediawiki"})),
        *(("access_log", options) for options in ({"by": "hour", "status": "5xx"}, {"format": "auto"})),
    ],
)
def test_options_that_the_network_outweighs_change_next_to_nothing(job: str, options: dict[str, Any]) -> None:
    assert estimated(job, options).cold.seconds == pytest.approx(estimated(job, {}).cold.seconds, rel=0.2)


@pytest.mark.parametrize(
    ("options", "stored"),
    [
        ({"pattern": "a"}, GB),
        ({"pattern": "a", "before": 2, "after": 2}, 5 * GB),
        ({"pattern": "a", "before": 1000}, 100 * GB),
        ({"pattern": ""}, 100 * GB),
        ({"pattern": "", "invert": True}, GB),
        ({"pattern": "a", "invert": True}, 100 * GB),
        ({"pattern": "a", "invert": True, "count": True}, GB // 10_000),
    ],
)
def test_what_grep_finds_is_stored_and_paid_for(options: dict[str, Any], stored: int) -> None:
    found = estimated("grep", options)
    (parse,) = (stage for stage in found.cold.stages if stage.name == "parse")
    puts = max(found.cold.blocks, stored // ENGINE["piece"].value)
    assert found.cold.pieces_bytes == pytest.approx(stored)
    assert puts <= parse.used["s3_puts"] - found.cold.blocks - 1 <= puts + found.cold.blocks
    told = as_json("grep", found)["pieces"]
    assert told["bytes"] == stored
    assert told["dollars_a_week"] == pytest.approx(stored / 2**30 * 0.023 * 7 / 30)
    console = Console(file=io.StringIO(), width=200)
    show(console, found)
    sentence = f"Stored beside the result: {size_text(stored)} ("
    assert sentence in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("job", names())
def test_every_job_is_modelled_whole(job: str, table: Local) -> None:
    found = modelled(job)(table, None)
    assert set(found.figures) == {*ENGINE, *UNKNOWN, "parts"}
    assert found.figures["parts"].value == len(load(job).parts)
    assert found.unit == load(job).unit
    assert found.about.startswith(job)


def test_a_table_has_the_choices_and_reducers_of_its_run(table: Local) -> None:
    job = load("column_permutations")
    for options, choices in ((None, "6,579,120"), ({"target": ["one_a"], "most": 2}, "3,160")):
        found = modelled("column_permutations")(table, options)
        measured = job.measure(input_of_bytes([table.path.read_bytes()]))
        measured = job.prepare(measured, job.read_options(options or {}))
        assert (found.units, found.figures["shares"].value) == (measured.units, measured.shards)
        assert f"on 80 columns, {choices} choices" in found.about
    with pytest.raises(SourceError, match="has no column 'one'"):
        modelled("column_permutations")(table, {"target": ["one"]})


def test_a_compressed_table_is_read_as_the_run_reads_it(table: Local) -> None:
    plain = modelled("column_permutations")(table, None)
    packed = table.path.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(table.path.read_bytes()))
    found = modelled("column_permutations")(local(packed), None)
    assert (found.about, found.figures) == (plain.about, plain.figures)
    assert found.units == packed.stat().st_size


def test_a_size_says_nothing_of_columns() -> None:
    with pytest.raises(NotModelled, match=r"^What column_permutations takes .*: name the table as a file"):
        modelled("column_permutations")(10**9, None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"one\n1\n", "must name at least 2 columns"),
        (b"\xff,b\n1,2\n", "not UTF-8"),
        (b"\x1f\x8b\x08a,b\n", "is cut"),
        (b'"a,b\n1,2\n', "not a CSV row"),
        (b"a,b\n1,two\n3,4\n", "at least 2 columns of numbers"),
        (b"PK\x03\x04" + bytes(100), "is zip"),
    ],
)
def test_what_the_job_refuses_is_refused(tmp_path: Path, text: bytes, sentence: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(text)
    with pytest.raises(SourceError, match=f"(?i)cannot read {path}: .*{sentence}"):
        modelled("column_permutations")(local(path), None)


def test_bounds_of_the_log_job_are_the_codes_own() -> None:
    of = values_of(FIGURES)
    assert of["block_counts"] == MOST_HELD_BYTES // (ENTRY_BYTES + PATH_BYTES)
    assert of["distinct"] == c_counts.limits(columns=2).keys // 1_000_000 * 1_000_000
    assert of["block_distinct"] == MAX_LINES_BYTES / of["entry"]
    asked = values_of(ASKED)
    assert asked["distinct"] == c_counts.limits(len(COLUMNS)).keys // 1_000_000 * 1_000_000
    assert asked["block_distinct"] == MAX_LINES_BYTES / asked["entry"]
    held = ENTRY_BYTES + 8 * (len(COLUMNS) - 1) + PATH_BYTES
    assert asked["block_counts"] == MOST_HELD_BYTES // held


def test_a_counting_job_is_planned_as_its_sums_are() -> None:
    assert COUNTING["distinct"].value == c_counts.limits(5).keys // 1_000_000 * 1_000_000
    counted = counts_job(part="all", parts=["all"], rules="test", count=lambda *_: None)
    assert counted.figures == COUNTING


def test_a_job_that_brings_no_figures_says_what_to_do_instead() -> None:
    with pytest.raises(
        NotModelled, match=r"^There are no measurements for mine, .*: run it on a part of the "
    ):
        modelled("mine")


@pytest.mark.parametrize("options", [{"by": "path"}, {"by": "client"}, {"by": "agent"}], ids=str)
def test_logs_that_c_does_not_read_take_about_four_times_the_dollars(options: dict[str, Any]) -> None:
    """As estimates and the page of recipes say."""
    in_c, given = (
        estimate(modelled("access_log")(100 * GB, each), 100 * GB, ACCOUNT_QUOTA, REFERENCE)
        for each in (options, {**options, "format": FORMAT})
    )
    assert 3 < given.cold.dollars / in_c.cold.dollars < 5
    assert "about four times the dollars" in in_c.workload.about
    assert "the format that is given" in given.workload.about
