"""Results in a terminal."""

from typing import Any

import pytest
from rich.console import Console

from fanfold.jobs import client_job
from fanfold.testing import Objects, run_job
from lambda_src.job import load
from tests.fake_runs import fake_run


def shown(job: str, **changes: Any) -> str:
    console = Console(width=80)
    with console.capture() as captured:
        client_job(job).show(console, {**fake_run(job).summary, **changes})
    return " ".join(captured.get().split())


@pytest.mark.parametrize(
    ("lines", "malformed", "told"),
    [
        (2000, 2000, "2,000 lines in 1 object; 2,000 of them (100 %) are not log lines"),
        (2000, 1999, "1,999 of them (more than 99.9 %) are not log lines"),
        (1, 1, "1 line in 1 object; 1 of them (100 %) is not a log line"),
        (5000, 1, "1 of them (less than 0.1 %) is not a log line"),
        (5000, 0, "0 of them (0 %) are not log lines"),
    ],
)
def test_lines_that_are_none_are_counted(lines: int, malformed: int, told: str) -> None:
    assert told in shown("access_log", lines=lines, malformed_lines=malformed)


def test_logs_show_the_paths_of_all_hours() -> None:
    text = shown("access_log", top_paths=[{"path": "/a\x1b", "count": 7}])
    assert "Most frequent paths" in text
    assert "│/a\\x1b │ 7│" in text


def test_lengths_without_words_are_named_in_one_line() -> None:
    words = {"1": [{"word": "a", "count": 2500}], "2": [], "3": [{"word": "and", "count": 1}], "4": []}
    text = shown("top_words", top_words=words, words=2501, longer_words=0)
    assert "No words of length 2, 4" in text
    assert "2,501 words of 1 to 4 letters; 0 longer ones" in text
    assert "│ a 2,500" in text
    assert "│ 2 │" not in text
    assert "No words" not in shown("top_words")


def test_no_number_is_cut_at_80_columns() -> None:
    assert "…" not in shown("access_log")
    assert " GB │ " in shown("access_log")


def test_numbers_have_commas_in_terminals_and_nowhere_else() -> None:
    top = [{"host": "a", "requests": 338639, "seconds": 1234.5}]
    console = Console(width=80)
    with console.capture() as captured:
        client_job("mine").show(console, {"lines": 1234567, "top": top})
    text = " ".join(captured.get().split())
    assert "lines: 1,234,567" in text
    assert "338,639 │ 1,234.5" in text
    assert "361,680 of them answered with 5xx" in asked()
    assert list(client_job("mine").rows({"top": top}))[1] == ("a", 338639, 1234.5)


def asked() -> str:
    """The report's sentence on an hour with many errors."""
    found = {"requests": 1800000, "bytes_sent": 0, "status": {"500": 361680}, "top_paths": []}
    summary = {**fake_run("access_log").summary, "hours": {"0": found}, "top_paths": []}
    return client_job("access_log").draw(summary).sentence


def test_one_longer_word_is_one() -> None:
    assert "; 1 longer one " in shown("top_words", longer_words=1) + " "


@pytest.mark.parametrize(
    ("table", "options", "told"),
    [
        (
            b"a,b,c\n1,2,7\n2,4,7\n4,8,7\n",
            {},
            "columns are constant, or one quantity.",
        ),
        (b"a,b\n7,1\n7,1\n", {}, "targets are constant."),
        (
            b"a,b,c\n1,2,5\n2,4,3\n4,8,4\n",
            {"target": ["c"], "always": ["a"]},
            "columns are constant, or one quantity, or those in every model explain them.",
        ),
    ],
)
def test_a_sentence_stands_for_a_table_without_rows(table: bytes, options: dict[str, Any], told: str) -> None:
    job = load("column_permutations").with_options(options)
    answer = run_job(job, Objects([table], "plain"), options=options)
    text = shown("column_permutations", **answer, options=options)
    assert text.startswith(f"There is no model to show: {told}")
    assert "R squared" not in text


def test_one_row_is_one_row() -> None:
    text = shown("column_permutations", choices=2, rows_used=1, rows_left_out=1)
    assert "on 1 row; 1 row with a missing value was left out" in text
