"""What each job has to do: its figures are whole, its units are those of the job itself."""

import pkgutil
from pathlib import Path

import pytest

from client import workloads
from client.generated_table import write_table
from client.model import ENGINE, FIGURES
from client.source import Local, SourceError, local
from client.workload import NotModelled, modelled
from client.workloads import access_log, column_permutations
from lambda_src.inputs import input_of_bytes
from lambda_src.job import load
from lambda_src.jobs import access_log as log_job
from lambda_src.jobs.column_permutations import MAX_BYTES

PATH_BYTES = 25
TEXT_BYTES = 50
"""Of a Python text beside its characters."""


@pytest.fixture
def table(tmp_path: Path) -> Local:
    write_table(tmp_path / "table.csv", seed=1)
    return local(tmp_path / "table.csv")


@pytest.mark.parametrize("job", sorted(module.name for module in pkgutil.iter_modules(workloads.__path__)))
def test_every_job_is_modelled_whole(job: str, table: Local) -> None:
    found = modelled(job)(table)
    assert set(ENGINE) | set(found.figures) == set(FIGURES)
    assert not set(ENGINE) & set(found.figures)
    assert found.figures["parts"].value == len(load(job).parts)
    assert found.unit == load(job).unit
    assert found.about.startswith(job)


def test_a_table_has_the_choices_and_blocks_that_the_job_measures(table: Local) -> None:
    found = modelled("column_permutations")(table)
    measured = load("column_permutations").measure(input_of_bytes([table.path.read_bytes()]))
    assert (found.units, found.block_units) == (measured.units, measured.block_units)
    assert found.figures["whole"].value == table.bytes


@pytest.mark.parametrize("rows", [1, 10, 100_000])
def test_rows_are_about_as_many_as_there_are(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "table.csv"
    path.write_text('a,"b, or\nc'.replace("\n", " ") + '",d\n' + "1.5,-22,3\n4,5,66\n" * rows)
    columns, about = column_permutations._shape(path, path.stat().st_size)
    assert columns == 3
    assert about == pytest.approx(2 * rows, rel=0.01)


def test_a_size_says_nothing_of_columns() -> None:
    with pytest.raises(NotModelled, match=r"^What column_permutations takes .*: name the table as a file"):
        modelled("column_permutations")(10**9)


@pytest.mark.parametrize(
    "text", [b"one\n1\n", b"a,b", b"\xff,b\n1,2\n", b"\x1f\x8b\x08a,b\n", b'"a,b\n1,2\n', b"\n1,2\n"]
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(text)
    with pytest.raises(SourceError, match=r"does not begin with a CSV header"):
        modelled("column_permutations")(local(path))


def test_what_the_job_would_refuse_is_refused(tmp_path: Path, table: Local) -> None:
    with pytest.raises(SourceError, match="is a folder; column_permutations reads one table: name a file"):
        modelled("column_permutations")(local(tmp_path))
    with pytest.raises(SourceError, match=r"has 200 MB; column_permutations reads at most 200 MB"):
        modelled("column_permutations")(table._replace(bytes=MAX_BYTES + 1))


def test_bounds_of_the_log_job_are_the_codes_own() -> None:
    entry_bytes = log_job.ENTRY_BYTES + TEXT_BYTES + PATH_BYTES
    block_entry_bytes = log_job.ENTRY_BYTES + log_job.BYTES_PER_PATH_BYTE * PATH_BYTES
    of = {name: figure.value for name, figure in access_log.FIGURES.items()}
    assert of["distinct"] == log_job.MAX_SUMMED_PATHS_BYTES // entry_bytes
    assert of["block_distinct"] == log_job.MAX_BLOCK_PATHS_BYTES // block_entry_bytes


def test_a_job_that_brings_no_figures_says_what_to_do_instead() -> None:
    with pytest.raises(
        NotModelled, match=r"^There are no measurements for mine, .*: run it on a part of the "
    ):
        modelled("mine")
