"""Runs that an older version stored are read as that version read them."""

import json
from types import SimpleNamespace
from typing import Any

import boto3
import msgspec
import pytest

from fanfold.account.connection import Aws
from fanfold.account.deployment import Deployment
from fanfold.cli.formats import Format
from fanfold.cli.output import STANDARD_OUTPUT, Output, as_file
from fanfold.runs import history
from fanfold.runs.csv_export import as_csv
from fanfold.runs.result import as_json
from fanfold.runs.run import Run
from lambda_src.telemetry.calls import Trace
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import AllPartsReport, BlockReport, LogResultsReport, Manifest, PartReport
from tests.integration.conftest import BUCKET, TABLE
from tests.recorded import JOBS, Recorded, recorded
from tests.unit.test_report_page import files_in


@pytest.fixture(params=JOBS)
def recording(request: pytest.FixtureRequest, endpoint: str, s3: Any, account_table: Any) -> Recorded:
    """That of a job: its run, and the unfinished one, are in the table and the bucket."""
    recording = recorded(request.param, BUCKET)
    table = boto3.client("dynamodb", endpoint_url=endpoint)
    for item in (*recording.items, *recording.unfinished["items"]):
        table.put_item(TableName=TABLE, Item=item)
    for key, body in {**recording.objects, **recording.unfinished["objects"]}.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode())
    return recording


@pytest.fixture
def aws(endpoint: str) -> Aws:
    return Aws(boto3.Session(), endpoint)


@pytest.fixture
def deployment(recording: Recorded) -> Deployment:
    of: Any = SimpleNamespace(
        stack="Fanfold", own=None, jobs=(recording.job,), table=TABLE, bucket=BUCKET, source_bucket=BUCKET
    )
    found: Deployment = of
    return found


def test_its_result_is_read_as_it_was(aws: Aws, deployment: Deployment, recording: Recorded) -> None:
    summary = Run(aws, deployment, recording.request["run_id"]).read().summary
    younger: dict[str, Any] = {"warnings": []}
    assert summary == {**recording.answer, **younger}
    assert as_json(recording.job, summary, {}) == {**recording.results_json, **younger}
    assert as_csv(recording.job, summary).decode() == recording.results_csv


def test_it_is_listed(aws: Aws, deployment: Deployment, recording: Recorded) -> None:
    listed = history.as_json(history.past_runs(aws, [deployment], 50))
    answer, request = recording.answer, recording.request
    assert [(run["run_id"], run["status"], run["error"]) for run in listed] == [
        (f"{request['run_id']}-unfinished", "FAILED", "AccessDenied: recorded"),
        (request["run_id"], "SUCCEEDED", None),
    ]
    source = request.get("key") or f"{request['prefix']}*"
    assert listed[1]["input"] == f"s3://{BUCKET}/{source}"
    assert (listed[1]["bytes"], listed[1]["dollars"]) == (answer["bytes"], answer["dollars"])


def test_its_report_has_its_timeline(aws: Aws, deployment: Deployment, recording: Recorded) -> None:
    run_id = recording.request["run_id"]
    calls = json.loads(recording.objects[f"runs/{run_id}/trace.json"])["calls"]
    page = Run(aws, deployment, run_id).html().decode()
    assert f"Timeline of {len(calls)} calls" in page
    assert '<p class="status succeeded">' in page
    assert f">{run_id}<" in page


def test_its_report_has_the_files_that_results_writes(
    aws: Aws, deployment: Deployment, recording: Recorded
) -> None:
    run = Run(aws, deployment, recording.request["run_id"])
    summary, found = run.read().summary, files_in(run.html().decode())
    for format_ in (Format.CSV, Format.JSON):
        written = as_file(Output(STANDARD_OUTPUT, format_), recording.job, summary, {})
        assert found[f"fanfold-{run.run_id}.{format_.value}"] == written


@pytest.mark.parametrize("job", JOBS)
def test_what_was_stored_and_sent_is_decoded(job: str) -> None:
    """By the types themselves, which refuse fields that they do not know."""
    recording = recorded(job, BUCKET)
    for key, body in recording.objects.items():
        if key.endswith("/manifest.json"):
            msgspec.json.decode(body, type=Manifest)
        elif key.endswith("/trace.json"):
            msgspec.json.decode(body, type=Trace)
    answers: dict[str, Any] = {
        "parse_block": BlockReport,
        "get_occurrences": PartReport,
        "get_all_occurrences": AllPartsReport,
        "log_results": LogResultsReport,
    }
    for function, kind in answers.items():
        for message in recording.messages[function]:
            msgspec.convert(message["answer"], kind)
    for message in recording.messages["log_results"]:
        msgspec.convert(message["request"]["record"], RunRecord)
