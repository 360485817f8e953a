"""A result as a flat table: nothing is lost, and nothing of it is a formula."""

import csv
import io
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.jobs import client_job
from fanfold.jobs._any_job import AnyJob
from fanfold.runs.csv_export import as_csv
from lambda_src.job import names

SPLITS = ";\t\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫"
SKIPPED = " '\"\u00a0\u3000\u200b\ufeff\x00"
WORD = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from(SPLITS + SIGNS + SKIPPED), max_size=20
)
COUNT = st.integers(0, 10**15)


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet might take it for one: it may skip white space, quotes, what does not show."""
    text = unicodedata.normalize("NFKC", cell)
    shown = next((char for char in text if not char.isspace() and char.isprintable() and char != '"'), "")
    return shown in tuple("=+-@")


def rows(job: str, summary: dict[str, Any]) -> list[list[str]]:
    """What a spreadsheet reads."""
    return list(csv.reader(io.StringIO(as_csv(job, summary).decode(), newline="")))


@given(st.lists(st.tuples(WORD, COUNT), max_size=10))
def test_every_word_is_a_row_and_none_a_formula(words: list[tuple[str, int]]) -> None:
    top = [{"word": word, "count": count} for word, count in words]
    header, *read = rows("top_words", {"top_words": {"10": [], "3": top}})
    assert header == ["length", "rank", "word", "count"]
    assert [(row[0], row[1], row[3]) for row in read] == [
        ("3", str(rank), str(count)) for rank, (_, count) in enumerate(words, 1)
    ]
    for row, (word, _) in zip(read, words, strict=True):
        assert not any(map(is_formula, re.split(f"[{SPLITS}]", row[2])))
        assert row[2].replace("'", "") == word.replace("'", "")


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_what_would_be_a_formula_is_text(text: str) -> None:
    best = {"1": [{"target": text, "predictors": [text], "r_squared": 0.5}]}
    found = rows("column_permutations", {"best": best})[1]
    assert found[:3] + found[5:] == ["1", "1", "0.5", "", ""]
    assert all(cell.startswith("'") and cell.replace("'", "") == text.replace("'", "") for cell in found[3:5])


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("/a;=1+cmd", "/a;'=1+cmd"),
        ("/a;b=1", "/a;b=1"),
        ("/a; \u00a0=1", "/a;' \u00a0=1"),
        ('/a;"=1', "/a;'\"=1"),
        (";;@x", ";;'@x"),
        ("/a\t=1", "/a\t'=1"),
        ("/a\r\n-1", "/a\r\n'-1"),
        (" =1", "' =1"),
        ('"=1', "'\"=1"),
        ("\ufeff\u200b＝1", "'\ufeff\u200b＝1"),
        ("﹦1", "'﹦1"),
        ("/a=1-2+3@4,-5", "/a=1-2+3@4,-5"),
    ],
)
def test_no_piece_of_a_cell_is_a_formula(text: str, harmless: str) -> None:
    """Where spreadsheets split a row at semicolons or tabs, the quotes around a cell count for nothing."""
    found = as_csv("top_words", {"top_words": {"3": [{"word": text, "count": 1}]}}).decode()
    assert next(csv.reader(io.StringIO(found.split("\n", 1)[1], newline="")))[2] == harmless
    assert not any(map(is_formula, re.split(f"[{SPLITS}]", found.split("\n", 1)[1].removesuffix("\n"))))


def test_numbers_are_numbers() -> None:
    """Also those that begin with a minus."""
    best = {"1": [{"target": "y", "predictors": ["x"], "r_squared": -0.5}]}
    assert rows("column_permutations", {"best": best})[1][2] == "-0.5"


def test_an_hour_has_a_row_for_each_figure() -> None:
    hour = {
        "requests": 3,
        "bytes_sent": 70,
        "status": {"404": 1, "200": 2},
        "top_paths": [{"path": "/a,b", "count": 2}],
        "top_paths_5xx": [],
    }
    assert rows("access_log", {"hours": {"13": hour}})[1:] == [
        ["13", "requests", "", "3"],
        ["13", "bytes_sent", "", "70"],
        ["13", "status", "200", "2"],
        ["13", "status", "404", "1"],
        ["13", "top_paths", "/a,b", "2"],
    ]


def test_any_other_job_without_tables_has_a_row_for_each_value() -> None:
    assert rows("mine", {"lines": 3, "of": [1, None], "done": True, "what": "=x"}) == [
        ["name", "value"],
        ["lines", "3"],
        ["of", "[1,null]"],
        ["done", "true"],
        ["what", "'=x"],
    ]


def test_no_name_of_a_field_is_a_formula() -> None:
    assert rows("mine", {"top": [{"=x": 1}]}) == [["'=x"], ["1"]]


def test_every_job_has_rows_of_its_own() -> None:
    assert not any(isinstance(getattr(client_job(job).rows, "__self__", None), AnyJob) for job in names())
