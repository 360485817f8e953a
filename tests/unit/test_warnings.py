"""A warning of a run reaches a program, a person at a terminal and a reader of the report."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fanfold.account.connection import Aws
from fanfold.cli import app as commands
from fanfold.cli import output as report
from fanfold.cli import runs as run_commands
from fanfold.cli import watch
from fanfold.cli.progress import Stages
from fanfold.cli.terminal import Terminal
from fanfold.report.page import page
from fanfold.runs.run import Ended, Run
from fanfold.runs.source import parse
from fanfold.runs.upload import Folder
from lambda_src.handlers.log_results import log_results
from lambda_src.job import load
from lambda_src.run.summary import summarize
from lambda_src.wire.codec import encode
from lambda_src.wire.record import WARNINGS, RunRecord, RunWarning
from tests.fake_runs import FakeRun, fake_run

BAD = RunWarning("invalid_utf8", "3 of 9 bytes of <b>x\x1b[2J</b> are not UTF-8.", "x", 4, 3)
AS_DATA = {"code": BAD.code, "message": BAD.message, "key": "x", "offset": 4, "count": 3}
ON_A_TERMINAL = "Warning: 3 of 9 bytes of <b>x\\x1b[2J</b> are not UTF-8.\n"


@pytest.fixture
def warned() -> FakeRun:
    run = fake_run("access_log")
    run.record.warn(BAD)
    return run._replace(summary=summarize(load(run.job), run.record, run.parts))


def test_an_answer_always_has_them() -> None:
    record = RunRecord(run_id="run", started_at=1.0)
    assert summarize(load("top_words"), record, [])["warnings"] == []
    record.warn(BAD)
    record.warn(BAD)
    assert summarize(load("top_words"), record, [])["warnings"] == [AS_DATA]


def test_a_record_holds_a_bounded_number_and_counts_the_rest() -> None:
    record = RunRecord(run_id="run", started_at=1.0)
    for number in range(WARNINGS + 7):
        record.warn(RunWarning("x", "é" * 10_000, "k" * 1024, number))
    assert len(record.warnings) == WARNINGS
    assert record.warnings[-1] == RunWarning("more_warnings", "There are 8 more warnings.", count=8)
    assert len(encode(record)) < 110_000


def test_they_are_logged(warned: FakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    log_results(load(warned.job), warned.record, warned.parts)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["warnings"] == [AS_DATA]


def test_results_that_are_gone_are_not_summarized(
    warned: FakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    """An invocation of log_results that its caller has given up may come too late: the next owner of the run
    has deleted them by then."""
    logged = log_results(load(warned.job), warned.record, warned.parts[1:])
    assert logged.parts == len(warned.parts) - 1
    assert capsys.readouterr().out == ""


def test_they_are_at_the_top_of_the_report_as_text(warned: FakeRun) -> None:
    drawn = page(warned.job, warned.record, warned.summary, warned.trace)
    assert "<b>x" not in drawn
    assert "3 of 9 bytes of &lt;b&gt;x" in drawn.partition('<dl class="tiles">')[0]
    assert "Warning:" not in page(warned.job, fake_run().record, warned.summary, warned.trace)


@pytest.mark.parametrize("output", [None, report.Output(report.STANDARD_OUTPUT)])
def test_the_end_of_a_run_tells_them_on_standard_error(
    warned: FakeRun, output: report.Output | None, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment: Any = SimpleNamespace(stack="Fanfold", own=None, jobs=(warned.job,))
    stages = Stages(Terminal(to_errors=True), Terminal())
    ended = Ended(warned.record, dict(warned.summary))
    watch.finish(Run(Aws(None), deployment, "run", warned.job), ended, stages, output)
    shown = capsys.readouterr()
    assert ON_A_TERMINAL in shown.err
    assert "Warning:" not in shown.out
    if output:
        assert json.loads(shown.out)["warnings"] == [AS_DATA]


def test_what_only_this_machine_knows_is_reported_too(
    warned: FakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.log", "_SUCCESS"):
        (tmp_path / name).write_text("words")
    meant: Any = parse(str(tmp_path))
    monkeypatch.setattr(watch, "upload_folder", lambda *_: Folder("input/x/", 1))
    deployment: Any = SimpleNamespace(stack="Fanfold", own=None, jobs=(warned.job,))
    stages = Stages(Terminal(to_errors=True), Terminal())
    watch.upload_shown(stages, Aws(None), "bucket", meant)
    assert "Warning:" in capsys.readouterr().err
    ended = Ended(warned.record, dict(warned.summary))
    run = Run(Aws(None), deployment, "run", warned.job)
    watch.finish(run, ended, stages, report.Output(report.STANDARD_OUTPUT))
    warnings = json.loads(capsys.readouterr().out)["warnings"]
    assert [warning["code"] for warning in warnings] == ["skipped_names", BAD.code]


@pytest.mark.parametrize("options", [[], ["--json"], ["--csv"]])
def test_results_tell_them_on_standard_error(
    warned: FakeRun,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    deployment: Any = SimpleNamespace(stack="Fanfold", own=None, jobs=(warned.job,))
    monkeypatch.setattr(run_commands, "open_run", lambda *_: Run(Aws(None), deployment, "run", warned.job))
    monkeypatch.setattr(Run, "read", lambda *_: Ended(warned.record, dict(warned.summary)))
    assert commands.main(["results", "run", *options]) == 0
    shown = capsys.readouterr()
    assert shown.err == ON_A_TERMINAL
    assert "Warning:" not in shown.out
