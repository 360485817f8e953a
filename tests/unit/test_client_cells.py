"""A result as a flat table: nothing is lost, and nothing of it is a formula."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.cells import FORMULA, ROWS, as_csv
from lambda_src.job import names

WORD = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
COUNT = st.integers(0, 10**15)


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
        assert not row[2].startswith(FORMULA)
        assert row[2] in (word, f"'{word}")


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_what_would_be_a_formula_is_text(text: str) -> None:
    best = {"1": [{"target": text, "predictors": [text], "r_squared": 0.5}]}
    assert rows("column_permutations", {"best": best})[1] == ["1", "1", "0.5", f"'{text}", f"'{text}", "", ""]


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


def test_any_other_job_has_a_row_for_each_value() -> None:
    assert rows("mine", {"lines": 3, "by": {"a/b": [1, None]}, "what": "=x"}) == [
        ["pointer", "value"],
        ["/lines", "3"],
        ["/by/a~1b/0", "1"],
        ["/by/a~1b/1", ""],
        ["/what", "'=x"],
    ]


def test_every_job_has_rows_of_its_own() -> None:
    assert set(ROWS) == set(names())
