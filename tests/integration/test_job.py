"""What the client makes of a run's record."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from client import job
from lambda_src.messages import LengthReport, RunRecord
from lambda_src.results_table import ResultsTable


@pytest.fixture
def results(table: Any) -> ResultsTable:
    """A run at work."""
    run = ResultsTable(table, "run")
    run.claim(
        RunRecord(run_id="run", owner="me", lease_until=time.time() + 60, started_at=1.0, key="k"), None
    )
    return run


def follow(table: Any, run_id: str = "run", seen: Any = lambda _: None) -> Any:
    aws: Any = SimpleNamespace(table=lambda _: table)
    deployment: Any = SimpleNamespace(table="results")
    return job.follow(aws, deployment, run_id, seen)


def ended(results: ResultsTable, lengths: int, status: Any, error: str = "") -> None:
    for length in range(1, lengths + 1):
        results.put_length(LengthReport(length, 1, 0, []), "me")
    record = RunRecord(
        run_id="run", owner="me", started_at=1.0, status=status, error=error, blocks=1, blocks_done=1
    )
    record.stage = "done"
    results.end_run(record)


def test_a_run_is_followed_to_its_end(table: Any, results: ResultsTable) -> None:
    """Also while it is handed over and has no owner."""
    handed_over = RunRecord(run_id="run", owner="me", lease_until=time.time() - 5, started_at=1.0)
    results.put_run(handed_over)
    seen: list[job.Progress] = []

    def see(progress: job.Progress) -> None:
        seen.append(progress)
        if len(seen) == 2:
            ended(results, 20, "SUCCEEDED")

    assert follow(table, seen=see).status == "SUCCEEDED"
    assert seen[-1] == job.Progress(blocks_done=1, blocks=1, lengths_done=20)


def test_an_answer_that_is_not_whole_is_none(table: Any, results: ResultsTable) -> None:
    ended(results, 19, "SUCCEEDED")
    with pytest.raises(job.JobError, match="holds 19 of 20 lengths"):
        follow(table)


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_a_run_that_ended_otherwise_is_told(table: Any, results: ResultsTable, status: str) -> None:
    ended(results, 0, status, "SourceChanged: it was replaced")
    with pytest.raises(job.JobError, match=r"^SourceChanged: it was replaced \(run run\)$"):
        follow(table)


def test_a_run_that_died_is_told_with_how_to_resume_it(table: Any, results: ResultsTable) -> None:
    results.put_run(
        RunRecord(run_id="run", owner="me", lease_until=time.time() - 61, started_at=1.0, key="k")
    )
    with pytest.raises(job.JobError, match="python -m client run --key 'k' --run-id run"):
        follow(table)


def test_no_such_run_is_told(table: Any) -> None:
    with pytest.raises(job.JobError, match="There is no run nothing"):
        follow(table, "nothing")
