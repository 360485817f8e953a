"""The Python API, with what it promises to notebooks and pipelines."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

import fanfold
from fanfold.account.choice import Account
from fanfold.account.connection import Aws
from fanfold.errors import ExpectedError, RunError
from fanfold.runs import history
from fanfold.runs.app import App
from fanfold.runs.run import Run
from lambda_src.jobs.top_words import JOB
from lambda_src.store.results import ResultsTable
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import PartReport


def test_the_import_is_light() -> None:
    code = "import sys, fanfold; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"boto3", "botocore", "rich", "typer", "msgspec"} & set(done.stdout.split())


def test_the_local_aws_has_no_profile_and_no_region() -> None:
    with pytest.raises(ValueError, match="leave out profile and region"):
        fanfold.connect(local=True, region="eu-west-1")


@pytest.fixture
def app(table: Any) -> App:
    session = SimpleNamespace(region_name="eu-west-1", profile_name="default")
    aws: Any = SimpleNamespace(
        table=lambda _: table, session=session, stopped=lambda: None, options="", name=Aws(session).name
    )
    deployment: Any = SimpleNamespace(stack="Fanfold", own=None, jobs=("top_words",), table="results")
    return App(Account(aws, {"Fanfold": deployment}))


@pytest.fixture
def run(app: App, table: Any) -> Run:
    """A run that is still running."""
    record = RunRecord(run_id="run", owner="me", lease_until=9e9, started_at=1.0, key="k")
    ResultsTable(table, "run", JOB).claim(record, None)
    return app.get("run")


def end(table: Any, status: Any = "SUCCEEDED") -> None:
    results = ResultsTable(table, "run", JOB)
    for length in range(1, 21):
        top = [{"word": "denmark", "count": 2}, {"word": "francis", "count": 1}] if length == 7 else []
        results.put_parts([PartReport(str(length), 1, 0, {"words": 3 * bool(top), "top_words": top})], "me")
    record = RunRecord(run_id="run", owner="me", started_at=1.0, status=status, error="no", stage="done")
    results.end_run(record)


def test_a_run_that_has_succeeded_gives_its_result_and_flat_rows(run: Run, table: Any) -> None:
    assert run.status == "RUNNING"
    with pytest.raises(RunError, match="has no result yet"):
        _ = run.result
    end(table)
    assert run.wait() is run
    assert run.status == "SUCCEEDED"
    assert run.result["run_id"] == "run"
    assert run.result["top_words"]["7"][0] == {"word": "denmark", "count": 2}
    assert run.rows() == [
        {"length": 7, "rank": 1, "word": "denmark", "count": 2},
        {"length": 7, "rank": 2, "word": "francis", "count": 1},
    ]
    assert run.rows("top_words")[1] == {"length": "7", "word": "francis", "count": 1}
    with pytest.raises(RunError, match=r"no table 'top': its tables are top_words\."):
        run.rows("top")


def test_a_run_that_failed_raises_why(run: Run, table: Any) -> None:
    end(table, "FAILED")
    for ask in (run.wait, run.rows, lambda: run.result):
        with pytest.raises(ExpectedError, match="no"):
            ask()


def test_cancelling_gives_the_record(run: Run) -> None:
    assert run.cancel().cancel_requested


def test_an_unknown_run_is_an_expected_error(app: App) -> None:
    with pytest.raises(ExpectedError, match="There is no run nothing in Fanfold"):
        app.get("nothing")


def test_runs_are_handles_and_unreadable_ones_a_warning(
    app: App, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = history.Past(
        [history.PastRun(run.deployment, run.record())],
        [history.Unreadable(run.deployment, "bad", "The record of the run bad is damaged.")],
    )
    monkeypatch.setattr("fanfold.runs.app.past_runs", lambda *_: past)
    with pytest.warns(UserWarning, match="run bad is damaged"):
        (found,) = app.runs()
    assert repr(found) == "<Run run of top_words>"


def test_an_estimate_is_that_of_the_command(app: App) -> None:
    found = app.estimate(10**9)
    assert (found["job"], found["bytes"]) == ("top_words", 10**9)
