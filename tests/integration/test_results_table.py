"""The results table through the real DynamoDB client."""

from typing import Any

import pytest

from lambda_src.errors import FanfoldError
from lambda_src.messages import LengthReport, RunRecord, TopWord
from lambda_src.results_table import ResultsTable


def test_a_record_comes_back_as_it_was(table: Any) -> None:
    results = ResultsTable(table, "run")
    assert results.get_run() is None
    record = RunRecord(
        run_id="run",
        started_at=1700000000.25,
        bytes=5 * 10**12,
        failures=["block 1: x"],
        seconds={"parse": 1.5, "log": 2.0},
        key="input/日本",
    )
    results.put_run(record)
    assert results.get_run() == record
    assert ResultsTable(table, "another").get_run() is None


def test_a_new_record_does_not_replace_an_old_one(table: Any) -> None:
    results = ResultsTable(table, "run")
    results.put_new_run(RunRecord(run_id="run", started_at=1.0))
    results.put_new_run(RunRecord(run_id="run", started_at=2.0))
    found = results.get_run()
    assert found is not None
    assert found.started_at == 1.0


def test_lengths_come_back_in_order_and_go_together(table: Any) -> None:
    results = ResultsTable(table, "run")
    reports = [LengthReport(length, 3, 9, [TopWord("w" * length, 9)]) for length in range(1, 21)]
    results.put_run(RunRecord(run_id="run", started_at=1.0))
    for report in reversed(reports):
        results.put_length(report)
    assert results.get_lengths() == reports
    results.delete_lengths(20)
    assert results.get_lengths() == []
    assert results.get_run() is not None
    results.delete_lengths(20)


def test_top_words_are_plain_in_the_console(table: Any) -> None:
    ResultsTable(table, "run").put_length(LengthReport(2, 3, 9, [TopWord("of", 9)]))
    item = table.get_item(Key={"run_id": "run", "item": "length#02"})["Item"]
    assert item["top_words"] == [{"word": "of", "count": 9}]


def test_a_missing_table_is_named(endpoint: str) -> None:
    from lambda_src.results_table import open_table

    with pytest.raises(FanfoldError, match="the table nowhere: ResourceNotFoundException"):
        ResultsTable(open_table("nowhere"), "run").get_run()
