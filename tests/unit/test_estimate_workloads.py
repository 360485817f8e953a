"""What each job has to do: its figures are whole, its units are those of the job itself."""

import gzip
from pathlib import Path

import pytest

from fanfold.demo.table import write_table
from fanfold.errors import NotModelled, SourceError
from fanfold.estimate.contents import modelled
from fanfold.jobs import column_permutations
from fanfold.runs.source import Local, local
from lambda_src.counts import c_counts, counts_job
from lambda_src.counts.figures import COUNTING
from lambda_src.figures import UNKNOWN
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import MAX_LINES_BYTES, load, names
from lambda_src.jobs.access_log.figures import PATH_BYTES
from lambda_src.jobs.access_log.scan import ENTRY_BYTES, MOST_HELD_BYTES
from lambda_src.run.figures import ENGINE


@pytest.fixture
def table(tmp_path: Path) -> Local:
    write_table(tmp_path / "table.csv", seed=1)
    return local(tmp_path / "table.csv")


@pytest.mark.parametrize("job", names())
def test_every_job_is_modelled_whole(job: str, table: Local) -> None:
    found = modelled(job)(table)
    assert set(found.figures) == {*ENGINE, *UNKNOWN, "parts"}
    assert not set(ENGINE) & set(load(job).figures)
    assert found.figures["parts"].value == len(load(job).parts)
    assert found.unit == load(job).unit
    assert found.about.startswith(job)


def test_a_table_has_the_choices_and_blocks_that_the_job_measures(table: Local) -> None:
    found = modelled("column_permutations")(table)
    measured = load("column_permutations").measure(input_of_bytes([table.path.read_bytes()]))
    assert (found.units, found.block_units) == (measured.units, measured.block_units)
    assert found.figures["whole"].value == table.bytes


def test_a_compressed_table_is_read_as_the_run_reads_it(table: Local) -> None:
    plain = modelled("column_permutations")(table)
    packed = table.path.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(table.path.read_bytes()))
    found = modelled("column_permutations")(local(packed))
    assert (found.about, found.units, found.block_units) == (plain.about, plain.units, plain.block_units)
    assert found.figures["prepare"] == plain.figures["prepare"]  # which depends on the text
    assert found.figures["whole"].value == packed.stat().st_size


def test_a_size_says_nothing_of_columns() -> None:
    with pytest.raises(NotModelled, match=r"^What column_permutations takes .*: name the table as a file"):
        modelled("column_permutations")(10**9)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"one\n1\n", "must name at least 2 columns"),
        (b"a,b", "at least 2 rows"),
        (b"\xff,b\n1,2\n", "not UTF-8"),
        (b"\x1f\x8b\x08a,b\n", "is cut"),
        (b'"a,b\n1,2\n', "not a CSV row"),
        (b"a,b\n1,two\n3,4\n", "row 2"),
        (b"a,b\n" + b"1,2\n" * 100_001, "more than 100,000 rows"),
        (b"PK\x03\x04" + bytes(100), "is zip"),
    ],
)
def test_what_the_job_refuses_is_refused(tmp_path: Path, text: bytes, sentence: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(text)
    with pytest.raises(SourceError, match=f"(?i)cannot read {path}: .*{sentence}"):
        modelled("column_permutations")(local(path))


def test_a_folder_and_a_table_that_is_too_large_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, table: Local
) -> None:
    with pytest.raises(SourceError, match="is a folder; column_permutations reads one table: name a file"):
        modelled("column_permutations")(local(tmp_path))
    monkeypatch.setattr(column_permutations, "MAX_BYTES", table.bytes - 1)
    with pytest.raises(SourceError, match=r"more than the .* bytes that this job reads"):
        modelled("column_permutations")(table)


def test_bounds_of_the_log_job_are_the_codes_own() -> None:
    of = {name: figure.value for name, figure in load("access_log").figures.items()}
    assert of["block_counts"] == MOST_HELD_BYTES // (ENTRY_BYTES + PATH_BYTES)
    assert of["distinct"] == c_counts.limits(columns=2).keys // 1_000_000 * 1_000_000
    assert of["block_distinct"] == MAX_LINES_BYTES / of["entry"]


def test_a_counting_job_is_planned_as_its_sums_are() -> None:
    assert COUNTING["distinct"].value == c_counts.limits(5).keys // 1_000_000 * 1_000_000
    counted = counts_job(part="all", parts=["all"], rules="test", count=lambda *_: None)
    assert counted.figures == COUNTING


def test_a_job_that_brings_no_figures_says_what_to_do_instead() -> None:
    with pytest.raises(
        NotModelled, match=r"^There are no measurements for mine, .*: run it on a part of the "
    ):
        modelled("mine")
