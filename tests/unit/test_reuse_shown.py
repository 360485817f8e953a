"""How much a run has reused is shown wherever a run is, and only if it may reuse."""

import io
import json
import re
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from fanfold.cli import output
from fanfold.cli.runs_table import show_runs
from fanfold.errors import RunError
from fanfold.report.page import page
from fanfold.runs import history
from fanfold.runs.history import Past, PastRun
from fanfold.runs.inputs import check_reuse
from fanfold.runs.source import parse
from lambda_src.handlers.log_results import log_results
from lambda_src.job import load
from lambda_src.run.summary import summarize
from tests.fake_runs import FakeRun, fake_run

PLAIN = fake_run(blocks=10)
RECORD = replace(
    PLAIN.record, reuse_days=35, blocks_reused=9, bytes_reused=900_000_000, prefix="logs/", key=None
)
REUSING = PLAIN._replace(record=RECORD, summary=summarize(load("top_words"), RECORD, PLAIN.parts))


def printed(show: Any) -> str:
    console = Console(file=io.StringIO(), width=300)
    show(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def past(run: FakeRun) -> PastRun:
    deployment: Any = type("Deployment", (), {"job": "top_words"})
    return PastRun(deployment, run.record)


def test_a_result_says_how_much_is_reused() -> None:
    def shown(run: FakeRun) -> str:
        return printed(lambda console: output.show(console, "top_words", run.summary, {}))

    assert "Reused: 9 of 10 blocks, 900 MB of 1 GB" in shown(REUSING)
    assert "Reused" not in shown(PLAIN)


def test_runs_say_how_much_is_reused_if_one_may_reuse() -> None:
    def cells(*runs: FakeRun) -> list[str]:
        table = printed(lambda console: show_runs(console, [past(run) for run in runs]))
        return [line.split("\t")[-1] for line in table.splitlines()]

    assert cells(REUSING, PLAIN) == ["Reused", "900 MB", ""]
    assert cells(PLAIN)[0] == "Input"
    reusing, plain = history.as_json(Past([past(REUSING), past(PLAIN)], []))
    assert (reusing["reuse_days"], reusing["blocks_reused"], reusing["bytes_reused"]) == (35, 9, 900_000_000)
    assert not {"reuse_days", "blocks_reused", "bytes_reused"} & plain.keys()


def test_it_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    log_results(load("top_words"), RECORD, PLAIN.parts)
    logged = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (logged["reuse_days"], logged["blocks_reused"], logged["bytes_reused"]) == (35, 9, 900_000_000)


def test_a_report_says_how_much_is_reused_and_no_secret() -> None:
    def drawn(run: FakeRun) -> str:
        record = replace(run.record, reuse_secret="s3cr3t")  # noqa: S106 - which must not be seen
        text = page("top_words", record, run.summary, run.trace, parts=run.parts, manifest=run.manifest)
        return re.sub("<[^>]*>", "", text)

    assert "9 of 10 blocks, 900 MB, mapped by runs of the last 35 days" in drawn(REUSING)
    assert "mapped by runs of the last" not in drawn(PLAIN)
    assert "s3cr3t" not in drawn(REUSING)


@pytest.mark.parametrize(
    ("source", "job", "days", "said"),
    [
        ("s3://bucket/key", "top_words", 7, r"reuse_days \(--reuse-days\) is for a prefix of S3 that grows"),
        ("s3://bucket/logs/", "top_words", 401, "reuse_days: 401 is not a number of days from 1 to 400"),
        ("s3://bucket/logs/", "grep", 7, "what this job finds belongs to a single run"),
    ],
)
def test_what_cannot_be_reused_is_refused_before_anything_is_uploaded(
    source: str, job: str, days: int, said: str
) -> None:
    with pytest.raises(RunError, match=said):
        check_reuse(job, parse(source), days)
    check_reuse(job, parse(source), None)
