"""One table in many dialects: the same numbers, or none. See tests/field/25-csv-dialects."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fanfold.testing import Objects, run_job
from lambda_src.errors import FanfoldError, TableUnusable
from lambda_src.job import load

FIELD = Path(__file__).parents[1] / "field" / "25-csv-dialects"


def answer_of(file: str, cuts: Iterable[int] = ()) -> dict[str, Any]:
    return run_job(load("column_permutations"), Objects([(FIELD / file).read_bytes()]), cuts)


def best_of(answer: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """R squared of choices such as ``a ~ b + y``, by the number of predictors."""
    return {
        size: {f"{one['target']} ~ {' + '.join(one['predictors'])}": one["r_squared"] for one in best}
        for size, best in answer["best"].items()
        if best
    }


def expected_best() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for line in (FIELD / "expected.txt").read_text().splitlines():
        if heading := re.match(r"(\d) predictor", line):
            size = found.setdefault(heading[1], {})
        elif choice := re.match(r"  (0\.\d{9})  (.*)", line):
            size[choice[2]] = float(choice[1])
    return found


@pytest.mark.parametrize(
    "file",
    [
        "bom.csv",
        "quoted.csv",
        "crlf.csv",
        "blanks.csv",
        "tab.tsv",
        "bar.csv",
        "sep-line.csv",
        "bom-sep-line.csv",
        "unquoted-row-names.csv",
        "line-breaks.csv",
    ],
)
@pytest.mark.parametrize("cuts", [[], range(5, 200, 5)])
def test_a_dialect_is_read_as_the_same_numbers(file: str, cuts: Iterable[int]) -> None:
    answer = answer_of(file, cuts)
    found = {
        size: {choice.replace(" ", ""): figure for choice, figure in best.items()}
        for size, best in best_of(answer).items()
    }
    assert found == {
        size: {choice.replace(" ", ""): figure for choice, figure in best.items()}
        for size, best in expected_best().items()
    }
    assert answer["rows_used"] == 5


@pytest.mark.parametrize(
    ("file", "column", "reason"),
    [
        ("minus.csv", "a", "a number with a minus sign that is not ASCII: 1 of 5 cells"),
        ("thousands.csv", "y", "a number with separators of thousands: 5 of 5 cells"),
        ("thousands-blank.csv", "y", "a number with separators of thousands: 5 of 5 cells"),
        ("thousands-semicolon.csv", "y", "a number with separators of thousands: 5 of 5 cells"),
        ("overflow.csv", "y", "a number too large for a 64-bit float: 1 of 5 cells"),
    ],
)
def test_a_column_of_other_numbers_is_left_out_and_named(file: str, column: str, reason: str) -> None:
    answer = answer_of(file)
    (left_out,) = answer["columns_left_out"]
    assert left_out["column"] == column
    assert left_out["reason"].startswith(reason)
    others = {"a", "b", "y"} - {column}
    expected = expected_best()["1"]
    assert best_of(answer) == {"1": {name: expected[name] for name in expected if set(name[::4]) == others}}


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("trailing-comma.csv", "Row 2 has 4 cells, the header 3, separated by commas"),
        ("trailing-comma-header.csv", "Column 4 has no name"),
        ("write-table.csv", "name the first column if it holds row names"),
        ("ragged.csv", "Row 4 has 2 cells, the header 3, separated by commas"),
        ("cr-only.csv", "carriage return without a line feed"),
        ("comment.csv", "separated by commas, semicolons, tabs or vertical bars; it names 1"),
        ("comment-below.csv", "Row 4 has 1 cell, the header 3, separated by commas"),
        ("decimals-or-thousands.csv", "Column 'y' has numbers such as 1,234, separated by semicolons"),
        ("both-marks.csv", "Column 'a' has decimal commas and decimal points"),
        ("carets.csv", "It looks separated by carets"),
        ("sep-caret.csv", "The first line names the separator '^'"),
    ],
)
def test_a_table_is_never_read_as_other_numbers(file: str, named: str) -> None:
    with pytest.raises(TableUnusable, match=re.escape(named)) as refused:
        answer_of(file)
    assert isinstance(refused.value, FanfoldError)
    assert "\n" not in str(refused.value)
