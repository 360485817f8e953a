"""A result of any job as tables: nothing is lost, and lists of objects with the same fields are rows."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from fanfold.jobs import any_job
from fanfold.jobs._any_job import MOST_ROWS
from fanfold.jobs._headline import filled, names_in, parted
from fanfold.jobs._tables import find
from fanfold.jobs._terminal import MOST_ROWS as MOST_SHOWN
from fanfold.report.figures import Table
from fanfold.runs.csv_export import as_csv
from fanfold.safe_text import visible
from fanfold.testing import LawBroken, check_job
from lambda_src.counts import Add, Shown, counts_job
from lambda_src.job import Job

LEVELS = {
    "run_id": "r",
    "bytes": 90,
    "objects": 1,
    "results": {
        "ERROR": {"lines": 3, "top": [{"key": "full", "lines": 2}, {"key": "gone", "lines": 1}]},
        "INFO": {"lines": 0, "top": []},
    },
}
"""What a counting job that states nothing about its result answers."""

NAME = st.text(max_size=8)


def levels(**shown: Any) -> Job:
    return counts_job(
        rules="1",
        part="level",
        parts=("ERROR", "INFO"),
        columns=("lines",),
        count=count,
        shown=Shown(**shown),
    )


def count(text: bytes, add: Add) -> None:
    for line in text.decode(errors="replace").splitlines():
        add("ERROR", line)


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAME, inner, max_size=4),
    max_leaves=15,
)


def leaves(value: Any) -> list[str]:
    """Every value that is not a list or an object, also of JSON inside a cell, in no order."""
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in leaves(inner)]
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return leaves(json.loads(value))
        except ValueError:
            pass
    return [] if value is None else [repr(value)]


@settings(max_examples=50)
@given(st.dictionaries(NAME, VALUE, max_size=3))
def test_no_value_is_lost(fields: dict[str, Any]) -> None:
    values, tables = find(fields)
    found = leaves([*values.values(), *(row for _, table in tables for row in table.rows)])
    for leaf in leaves(fields):
        assert leaf in found
        found.remove(leaf)


@settings(max_examples=50)
@given(st.dictionaries(NAME, VALUE, max_size=3))
def test_every_row_has_a_cell_for_each_heading(fields: dict[str, Any]) -> None:
    for _, table in find(fields).tables:
        assert len(set(table.headings)) == len(table.headings)
        assert all(len(row) == len(table.headings) for row in table.rows)
    header, *rows = any_job("mine").rows(fields)
    assert all(len(row) == len(header) for row in rows)


@settings(max_examples=30)
@given(st.lists(st.fixed_dictionaries({"host": st.text(), "n": st.integers()}), min_size=1, max_size=3))
def test_a_list_of_objects_is_a_table(hosts: list[dict[str, Any]]) -> None:
    header, *rows = any_job("mine").rows({"bytes": 7, "top": hosts})
    assert header == tuple(hosts[0])
    assert [dict(zip(header, row, strict=True)) for row in rows] == hosts


@pytest.mark.parametrize(
    ("value", "tables"),
    [
        ({"a": {"n": 1}, "b": {"n": 2, "m": 3}}, [("X", ["x", "n", "m"], [["a", 1, None], ["b", 2, 3]])]),
        ({"10": [{"n": 1}], "9": [{"n": 2}], "8": []}, [("X", ["x", "n"], [["9", 2], ["10", 1]])]),
        ({"a": {"x": 1}}, [("X", ["x_", "x"], [["a", 1]])]),
        ({"200": 5, "404": 1}, [("X", ["name", "value"], [["200", 5], ["404", 1]])]),
        (
            [{"n": 1, "of": [{"m": 2}, {"m": 3}]}],
            [("X", ["n"], [[1]]), ("Of by row", ["row", "m"], [[1, 2], [1, 3]])],
        ),
        (
            {"y": {"1": {"n": 1}}, "z": {"1": {"n": 2}}},
            [("X by x", ["x", "x_", "n"], [["y", "1", 1], ["z", "1", 2]])],
        ),
        ([], [("X", [], [])]),
        ([{"names": ["a", "b"]}], [("X", ["names"], [['["a","b"]']])]),
    ],
)
def test_shapes(value: Any, tables: list[Any]) -> None:
    found = [(table.title, table.headings, table.rows) for _, table in find({"x": value}).tables]
    assert found == tables


def test_parts_are_named_as_the_job_names_them() -> None:
    tables = [table for _, table in find(LEVELS, "level", ("INFO", "ERROR", "DEBUG")).tables]
    assert [(table.title, table.headings) for table in tables] == [
        ("Results by level", ["level", "lines"]),
        ("Top by level", ["level", "key", "lines"]),
    ]


def test_several_tables_of_an_unknown_job_are_one_file() -> None:
    assert list(csv.reader(io.StringIO(as_csv("mine", LEVELS).decode()))) == [
        ["table", "results", "lines", "key"],
        ["Results", "ERROR", "3", ""],
        ["Results", "INFO", "0", ""],
        ["Top by results", "ERROR", "2", "full"],
        ["Top by results", "ERROR", "1", "gone"],
    ]


def test_three_lines_of_an_author_choose() -> None:
    job = any_job("levels", levels(title="Messages by level", headline="{lines:,} lines", tables=["top"]))
    assert next(job.rows(LEVELS)) == ("level", "key", "lines")
    drawn = job.draw(LEVELS)
    assert (drawn.question, drawn.number, drawn.counted) == ("Messages by level", 3, "lines")
    assert [figure.title for figure in drawn.figures] == ["Top by level", "Results by level"]
    *_, values = job.draw({**LEVELS, "hosts": 2}).figures
    assert values[:3] == ("Single values", ["What", "Value"], [["bytes", 90], ["objects", 1], ["hosts", 2]])


def test_a_counting_job_has_a_headline_without_an_author() -> None:
    assert any_job("levels", levels()).draw(LEVELS)[:3] == ("Levels", 3, "lines")
    assert levels(title="Mine").shown == Shown("Mine", "{lines:,} lines")


def test_a_headline_may_be_a_text() -> None:
    job = any_job("levels", levels(headline="{host} has {lines:,} of {share:.1%} {nothing}"))
    drawn = job.draw({**LEVELS, "host": "<b>", "share": 0.25})
    assert (drawn.number, drawn.counted) == ("<b> has 3 of 25.0% {nothing}", "")


HEADLINE = st.text(max_size=12) | st.text("{}:,.1f%!_[]n", max_size=12) | st.just("{n:,.9f}")


@given(HEADLINE, st.dictionaries(st.sampled_from(["n", "_", "f"]), VALUE | st.just(10**400), max_size=3))
def test_any_headline_and_any_answer_are_a_text(headline: str, summary: dict[str, Any]) -> None:
    number, rest = parted(headline, summary, [])
    assert isinstance(filled(headline, summary, []), str)
    assert isinstance(rest, str)
    if not any(isinstance(summary.get(name), str | int | float) for name in names_in(headline)):
        assert (number, rest) == (headline, "")


def test_a_headline_looks_into_nothing() -> None:
    headline = "{n.__class__} {n!r} {n[0]} {} {0} {n:>99999999} {{n:99}}"
    assert filled(headline, {"n": 1, "0": "x"}, []) == headline.replace("{0}", "x")


@pytest.mark.parametrize(
    ("shown", "law"),
    [({"headline": "{hosts} hosts"}, "there is no hosts"), ({"tables": ["top", "tops"]}, "in a field tops")],
)
def test_what_is_shown_first_is_in_the_answer(shown: dict[str, Any], law: str) -> None:
    with pytest.raises(LawBroken, match=law):
        check_job(levels(**shown), {"a": b"x"}, 1)
    check_job(levels(headline="{lines:,} lines", tables=["top"]), {"a": b"x"}, 1)


def test_a_terminal_shows_title_and_headline_first() -> None:
    console = Console(file=io.StringIO(), width=80, markup=False, highlight=False)
    job = levels(title="A\x1b[2J", headline="{lines:,} lines of {objects}")
    any_job("mine", job).show(console, LEVELS)
    assert console.file.getvalue().startswith("A\\x1b[2J\n3 lines of 1\nbytes: 90\n\n")  # type: ignore[attr-defined]


def test_a_report_has_a_title_a_headline_and_tables_without_an_author() -> None:
    drawn = any_job("slow_hosts").draw({**LEVELS, "requests": 7, "malformed": 2})
    assert (drawn.question, drawn.number, drawn.counted) == ("Slow hosts", 7, "requests")
    assert any_job("slow_hosts").heading == "Slow hosts · {name}"
    assert drawn.sentence == "malformed: 2; 2 rows of Results; 2 rows of Top by results"
    assert any_job("levels").draw(LEVELS).number == 2
    many = {"top": [{"n": n} for n in range(MOST_ROWS + 1)]}
    (table,) = any_job("many").draw(many).figures
    assert isinstance(table, Table)
    assert table.bars is None
    falling = {"top": [{"host": "a", "rank": place, "n": 9 - place} for place in range(3)]}
    (ranked,) = any_job("many").draw(falling).figures
    assert isinstance(ranked, Table)
    assert ranked.bars is None, "the first column of numbers does not fall"
    falling = {"top": [{"host": "a", "n": 9 - place, "rank": place} for place in range(3)]}
    (ranked,) = any_job("many").draw(falling).figures
    assert isinstance(ranked, Table)
    assert ranked.bars == 1
    assert (len(table.rows), table.note) == (MOST_ROWS, f"The first {MOST_ROWS} of {MOST_ROWS + 1} rows.")


def shown(summary: dict[str, Any], width: int) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    any_job("mine").show(console, summary)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


@settings(max_examples=30)
@given(st.lists(st.lists(st.text(max_size=30), min_size=6, max_size=6), min_size=1, max_size=3))
@pytest.mark.parametrize("width", [20, 60, 200])
def test_a_terminal_shows_every_character_and_obeys_none(width: int, cells: list[list[str]]) -> None:
    text = shown({"top": [dict(zip("abcdef", row, strict=True)) for row in cells]}, width)
    assert all(line == visible(line) for line in text.split("\n"))
    assert "…" not in text or any("…" in cell for row in cells for cell in row)


def test_a_table_fits_the_terminal() -> None:
    rows = {"top": [{f"column_{n}": "x" * 30 for n in range(9)}]}
    assert all(len(line) <= 100 for line in shown(rows, 100).split("\n"))
    assert "column 8: xxx" in shown(rows, 60)
    assert "┃" in shown(rows, 160)


def test_a_long_table_says_what_it_leaves_out() -> None:
    text = shown({"top": [{"n": n} for n in range(MOST_SHOWN + 2)]}, 80)
    assert "2 more rows; `fanfold results RUN_ID -o result.json` writes all." in text
