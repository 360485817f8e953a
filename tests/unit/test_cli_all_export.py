"""All rows of a run as files: nothing is lost or read as something else, whatever a key is."""

import csv
import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fanfold.cli.all_export import FORMATS, _are_plain, headings_of, write_all_rows, write_rows
from fanfold.cli.formats import Format
from fanfold.cli.output import STANDARD_OUTPUT, Output
from fanfold.runs.complete import Chunk, CompleteSums, Row
from fanfold.runs.csv_export import harmless
from lambda_src.job import Job
from lambda_src.sorted_rows import write_row
from tests.unit.test_complete_sums import COLUMNS, JOB
from tests.unit.test_csv_export import SIGNS, SKIPPED, SPLITS, is_formula

KEY = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from(SPLITS + SIGNS + SKIPPED + ',"'), max_size=8
)
KEYS = st.lists(st.tuples(KEY, st.integers(-9, 9)), max_size=20, unique_by=lambda pair: pair[0])


class Given(CompleteSums):
    """Rows of parts, in memory."""

    def __init__(self, rows: dict[str, Sequence[tuple[str, int]]], at_once: int = 3) -> None:
        super().__init__("a run", [], lambda *_: b"")
        self._rows, self._at_once = rows, at_once

    def parts(self) -> Iterator[tuple[str, Iterator[Chunk]]]:
        for part, rows in self._rows.items():
            ordered = sorted(write_row(key.encode(), (1, count, -count)) for key, count in rows)
            chunks = (ordered[at : at + self._at_once] for at in range(0, len(ordered), self._at_once))
            if ordered:
                yield part, chunks


def written(format_: Format, rows: CompleteSums, job: Job = JOB) -> bytes:
    file = io.BytesIO()
    write_rows(file, format_, job, rows)
    return file.getvalue()


@given(KEYS, KEYS, st.integers(1, 5))
def test_csv_has_each_row_and_no_formula(one: Any, other: Any, at_once: int) -> None:
    given_ = Given({"a": one, "3": other}, at_once)
    header, *rows = csv.reader(io.StringIO(written(Format.CSV, given_).decode(), newline=""))
    assert header == ["part", "key", *COLUMNS]
    wanted = [
        [part, str(harmless(key)), "1", str(count), str(-count)]
        for part, keys in (("a", one), ("3", other))
        for key, count in sorted(keys, key=lambda pair: pair[0].encode())
    ]
    assert rows == wanted
    for row in rows:
        assert not any(map(is_formula, re.split(f"[{SPLITS}]", row[1])))


def test_what_is_written_in_chunks_needs_no_other_care() -> None:
    """For every character in front of a sign, and for every one behind a letter."""
    plain = 0
    for code in (*range(0xD800), *range(0xE000, 0x10000)):
        for key in (f"{chr(code)}=1", f"a{chr(code)}=1"):
            if _are_plain([write_row(key.encode(), [1])]):
                plain += 1
                assert harmless(key) == key
                assert '"' not in key
    assert plain > 70_000


@given(KEYS)
def test_json_lines_have_each_row_as_it_is(keys: Any) -> None:
    lines = [msgspec.json.decode(line) for line in written(Format.JSONL, Given({"7": keys})).splitlines()]
    assert lines == [
        {"part": 7, "key": key, "count": 1, "bytes": count, "least": -count}
        for key, count in sorted(keys, key=lambda pair: pair[0].encode())
    ]


@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_parquet_has_each_row(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip(library)
    monkeypatch.setattr("fanfold.cli.all_export.check_parquet", lambda: module)
    monkeypatch.setattr("fanfold.cli.all_export.PARQUET_ROWS", 4)
    polars = pytest.importorskip("polars")
    for keys in ([(f"k{number}", number) for number in range(9)], []):
        found = polars.read_parquet(io.BytesIO(written(Format.PARQUET, Given({"7": keys}))))
        assert found.columns == ["part", "key", *COLUMNS]
        assert found.rows() == [("7", key, 1, count, -count) for key, count in keys]


def test_no_two_headings_are_the_same() -> None:
    assert JOB.complete
    same = JOB.complete._replace(columns=("part", "key", "key_", "n"))
    assert headings_of(replace(JOB, complete=same)) == ["part", "key", "part_", "key_", "key__", "n"]


def test_names_of_columns_may_have_any_characters() -> None:
    assert JOB.complete
    job = replace(JOB, complete=JOB.complete._replace(columns=("50%", '"b"\\', "%b é")))
    keys = [("plain", 1), ('quo"ted', 2)]
    for at_once in (1, 2):
        lines = written(Format.JSONL, Given({"7": keys}, at_once), job).splitlines()
        assert [msgspec.json.decode(line) for line in lines] == [
            {"part": 7, "key": key, "50%": 1, '"b"\\': count, "%b é": -count} for key, count in keys
        ]


def test_python_gets_rows_with_names() -> None:
    rows = Given({"7": [("b", 2), ("a", 1)]}).rows(("n", "of", "least"))
    assert list(rows) == [
        Row("7", "a", {"n": 1, "of": 1, "least": -1}),
        Row("7", "b", {"n": 1, "of": 2, "least": -2}),
    ]


class _Screen(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("format_", [one for one in FORMATS if one is not Format.PARQUET])
def test_a_terminal_gets_all_rows_without_control_characters(
    format_: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.BytesIO()
    screen = _Screen(shown, "utf-8")
    monkeypatch.setattr(sys, "stdout", screen)
    write_all_rows(Output(STANDARD_OUTPUT, format_), JOB, Given({"a": [("plain", 1), ("\x9b31m", 2)]}))
    assert b"plain" in shown.getvalue()
    assert "\x9b" not in shown.getvalue().decode()


def test_a_reader_may_leave_before_the_last_row(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        rows = Given({"a": [(str(n), n) for n in range(3000)]}, at_once=100)
        write_all_rows(Output(STANDARD_OUTPUT, Format.CSV), JOB, rows)
        assert os.fstat(writer).st_rdev == Path(os.devnull).stat().st_rdev
