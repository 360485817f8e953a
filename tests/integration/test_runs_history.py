"""Past runs as the tables hold them, and what may be deleted of them."""

import io
import re
import time
from datetime import UTC, datetime
from itertools import chain
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from fanfold.account.connection import Aws
from fanfold.account.deployment import Deployment
from fanfold.cli import terminal
from fanfold.cli.clean import clean_up
from fanfold.cli.runs_table import show_runs
from fanfold.errors import AccountError, ConfirmationRequired, RunError, SourceError
from fanfold.estimate.contents import contents_in_s3
from fanfold.runs import history, intermediates
from fanfold.runs import run as runs
from fanfold.runs.history import past_runs
from fanfold.runs.inputs import checked
from fanfold.runs.run import Run
from fanfold.runs.source import Object, Objects, check_in_s3
from lambda_src.jobs.top_words import JOB
from lambda_src.store.results import ResultsTable
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import PartReport, Section
from tests.integration.conftest import BUCKET, TABLE

DAY_S = 86_400.0


@pytest.fixture
def aws(endpoint: str) -> Aws:
    return Aws(boto3.Session(), endpoint, options=" --local")


@pytest.fixture
def deployment() -> Deployment:
    """With an input bucket of its own."""
    of: Any = SimpleNamespace(
        stack="Fanfold", own=None, jobs=("top_words",), table=TABLE, bucket=BUCKET, source_bucket=BUCKET
    )
    found: Deployment = of
    return found


def claim(table: Any, run_id: str, **fields: Any) -> RunRecord:
    """A run at work, or as ``fields`` say."""
    told = {"started_at": 1e9, "lease_until": time.time() + 60, "owner": "me", **fields}
    record = RunRecord(run_id=run_id, **told)
    ResultsTable(table, run_id, JOB).claim(record, None)
    return record


def shown(found: Any, width: int | None = None) -> list[str]:
    """As a terminal of that width shows them, or as a pipe gets them."""
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=bool(width), color_system=None, _environ={})
    show_runs(console, found, time.gmtime)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_runs_are_listed_newest_first_with_what_they_took(
    table: Any, aws: Aws, deployment: Deployment
) -> None:
    """However many parts lie between them in the table."""
    for place in range(3):
        claim(table, f"run-{place}", started_at=1e9 + place, bucket="b", key=f"input/{place}", bytes=10**9)
        results = ResultsTable(table, f"run-{place}", JOB)
        for length in range(1, 21):
            results.put_parts([PartReport(str(length), 1, 0, {"words": 0, "top_words": []})], "me")
    done = claim(
        table,
        "done",
        started_at=1e9 + 9,
        etag='"e"',
        status="SUCCEEDED",
        finished_at=1e9 + 12.34,
        dollars={"gb_s": 0.004, "s3_puts": 0.0012},
        failures=["never read"],
    )
    found = past_runs(aws, [deployment], 50).runs
    assert [run.record.run_id for run in found] == ["done", "run-2", "run-1", "run-0"]
    assert found[0].record.dollars == done.dollars
    header, first, *_, last = shown(found)
    assert header.split("\t") == ["Run", "Job", "Status", "Size", "Seconds", "Dollars", "Began", "Input"]
    assert first.split("\t")[:7] == [
        *("done", "top_words", "SUCCEEDED", "0 B", "3.3", "0.0052", "2001-09-09 01:46"),
    ]
    assert last.split("\t")[-1] == "s3://b/input/0"


def test_runs_of_several_jobs_are_in_one_table(table: Any, aws: Aws, deployment: Deployment) -> None:
    for number, job in enumerate(["access_log", "", "access_log", "top_words"]):
        claim(table, f"run-{number}", job=job, started_at=1e9 + number)

    def of(job: str | None, limit: int = 9) -> list[tuple[str, str]]:
        found = past_runs(aws, [deployment], limit, job=job).runs
        return [(run.record.run_id[-1], run.record.job) for run in found]

    log, words = "access_log", "top_words"
    assert of(None) == [("3", words), ("2", log), ("1", words), ("0", log)]
    assert of(log) == [("2", log), ("0", log)]
    assert of(words, 1) == [("3", words)]
    assert Run(aws, deployment, "run-0").job == log


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_the_newest_are_listed_whatever_they_are_called(
    table: Any, aws: Aws, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """In as many reads as it takes, of every deployment."""
    monkeypatch.setattr(history, "READ_AT_ONCE", 2)
    for place, name in enumerate(["last", "aaa", "zzz", "20261125T101500Z-0a1b2c3d"]):
        claim(table, name, started_at=1e9 - place)
    found = past_runs(aws, [deployment, deployment], 2 * limit).runs
    listed = [run.record.run_id for run in found]
    assert listed == [name for name in ("last", "aaa", "zzz")[:limit] for _ in range(2)]


def test_what_dynamodb_leaves_out_is_asked_for_again(
    table: Any, aws: Aws, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in range(3):
        claim(table, f"run-{place}", started_at=1e9 - place)
    client = aws.client("dynamodb")
    ask = client.batch_get_item

    def one_at_once(RequestItems: Any) -> Any:  # noqa: N803 - as boto3 has it
        ((name, wanted),) = RequestItems.items()
        first, *rest = wanted["Keys"]
        answer = ask(RequestItems={name: {**wanted, "Keys": [first]}})
        return {**answer, "UnprocessedKeys": {name: {**wanted, "Keys": rest}} if rest else {}}

    monkeypatch.setattr(client, "batch_get_item", one_at_once)
    monkeypatch.setattr(Aws, "client", lambda *_: client)
    found = past_runs(aws, [deployment], 50).runs
    assert [run.record.run_id for run in found] == ["run-0", "run-1", "run-2"]


def test_a_table_without_an_index_is_to_be_deployed_again(
    aws: Aws, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB tells it from a table that is not there; the local stand-in for it does not."""

    def refuse(*_: object) -> None:
        told = {"Code": "ValidationException", "Message": "The table does not have the specified index: runs"}
        raise ClientError({"Error": told}, "Query")

    monkeypatch.setattr(history, "_newest", refuse)
    with pytest.raises(
        AccountError, match=r"^The table results has no index of its runs yet. .*: fanfold up$"
    ):
        past_runs(aws, [deployment], 50)


def test_a_run_whose_owner_has_died_is_not_called_running(
    table: Any, aws: Aws, deployment: Deployment
) -> None:
    claim(table, "dead", lease_until=time.time() - 3600)
    claim(table, "alive", started_at=2e9)
    assert [line.split("\t")[2] for line in shown(past_runs(aws, [deployment], 50).runs)[1:]] == [
        "RUNNING",
        "DIED",
    ]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_run_id_is_whole_at_every_width(table: Any, aws: Aws, deployment: Deployment, width: int) -> None:
    """And a hostile key steers no terminal and breaks no line."""
    run_id = "20261125T101500Z-0a1b2c3d"
    claim(table, run_id, bucket="b", key="input/\x1b]0;x\x07\t\n" + "x" * 300, status="SUCCEEDED")
    lines = shown(past_runs(aws, [deployment], 50).runs, width)
    assert len(lines) == 2
    assert lines[1].startswith(f"{run_id} ")
    assert max(map(len, lines)) <= width
    job, began = ["Job"] * (width > 80), ["Began"] * (width > 80)
    assert lines[0].split() == ["Run", *job, "Status", "Size", "Seconds", "Dollars", *began, "Input"]
    assert lines[1].endswith("xxxxxxxxxxxxx")
    assert not re.search(
        r"[\x00-\x1f]", "".join(lines) + "".join(shown(past_runs(aws, [deployment], 50).runs)[1].split("\t"))
    )


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"key": f"input/{'0a' * 16}/enwiki-latest.xml"}, "enwiki-latest.xml"),
        ({"key": None, "prefix": f"input/{'0a' * 16}/logs/"}, "logs/*"),
    ],
)
def test_at_80_columns_a_run_has_its_file_and_what_it_took(
    table: Any, aws: Aws, deployment: Deployment, source: Any, told: str
) -> None:
    run_id = "20261125T101500Z-0a1b2c3d"
    claim(
        table, run_id, bucket="fanfold-bucket", etag='"e"', bytes=10**9, status="SUCCEEDED",
        finished_at=1e9 + 12.34, dollars={"gb_s": 0.004}, **source,
    )  # fmt: skip
    lines = shown(past_runs(aws, [deployment], 50).runs, 80)
    assert lines[1].split() == [run_id, "SUCCEEDED", "1", "GB", "12.3", "0.0040", told]


def test_runs_of_one_status_are_found_behind_others(
    table: Any, aws: Aws, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "READ_AT_ONCE", 2)
    for place, status in enumerate(["SUCCEEDED"] * 5 + ["FAILED", "RUNNING", "FAILED", "FAILED"]):
        lease = {"lease_until": 1.0} if status == "RUNNING" else {}
        claim(table, f"run-{place}", started_at=1e9 - place, status=status, **lease)
    found = past_runs(aws, [deployment], 2, "FAILED").runs
    assert [run.record.run_id for run in found] == ["run-5", "run-7"]
    assert [run.record.run_id for run in past_runs(aws, [deployment], 2, "DIED").runs] == ["run-6"]


def test_a_table_that_is_gone_is_one_sentence(endpoint: str, aws: Aws, deployment: Deployment) -> None:
    with pytest.raises(AccountError, match=r"^The table results cannot be read: "):
        past_runs(aws, [deployment], 50)


KEYS = {
    "old": ["blobs/0a/old/000000.jsonl", "blobs/ff/old/000001.jsonl", "runs/old/manifest.json"],
    "new": ["blobs/0a/new/000000.jsonl"],
    "busy": ["blobs/0a/busy/000000.jsonl", "runs/busy/listing"],
}
KEPT = ["input/old/text.txt", "blobs/stray", "runs/stray", "elsewhere"]


@pytest.fixture
def stored(s3: Any, table: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs with their intermediates, and nothing of tests before; all but ``new`` stored theirs ten days
    ago."""
    while left := keys(s3):
        s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in left]})
    for key in [*chain.from_iterable(KEYS.values()), *KEPT]:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"12345")
    claim(table, "busy")
    claim(table, "old", status="SUCCEEDED")
    then = datetime.fromtimestamp(time.time() - 10 * DAY_S, UTC)
    add = intermediates._add

    def at_its_time(found: Any, run_id: str, entry: Any) -> None:
        add(found, run_id, {**entry, **({} if run_id == "new" else {"LastModified": then})})

    monkeypatch.setattr(intermediates, "_add", at_its_time)
    return s3


def keys(s3: Any) -> set[str]:
    return {entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])}


def cleaned(aws: Aws, deployment: Deployment, *run_ids: str, **options: Any) -> str:
    file = io.StringIO()
    given = {"days": 7.0, "dry_run": False, "yes": True, **options}
    clean_up(Console(file=file, width=80), aws, [deployment], run_ids, **{"job": None, **given})
    return file.getvalue()


def test_what_is_old_goes_and_nothing_else(stored: Any, aws: Aws, deployment: Deployment) -> None:
    before = keys(stored)
    told = cleaned(aws, deployment)
    assert before - keys(stored) == set(KEYS["old"])
    assert told.splitlines() == [
        "busy is still running, skipped.",
        "old: 3 objects, 15 B",
        "3 objects were deleted.",
    ]


def test_complete_sums_stay_with_their_result_unless_they_are_named(
    stored: Any, table: Any, aws: Aws, deployment: Deployment
) -> None:
    section = Section(0, "0000-aaaaaaaa-0000", 0, 5, 1, b"digest", 1, 1)
    kept, stray = "results/kept/0000-aaaaaaaa-0000", "results/kept/0000-bbbbbbbb-0000"
    of_failed = "results/failed/0000-cccccccc-0000"
    for key in (kept, stray, of_failed, "results/busy/x"):
        stored.put_object(Bucket=BUCKET, Key=key, Body=b"12345")
    claim(table, "kept", owner="me")
    results = ResultsTable(table, "kept", JOB)
    results.put_parts([PartReport("1", 1, 1, {}, complete=[section])], "me")
    record = results.get_run()
    assert record
    record.status = "SUCCEEDED"
    results.end_run(record)
    claim(table, "failed", status="FAILED")
    before = keys(stored)
    cleaned(aws, deployment)
    assert before - keys(stored) == {stray, of_failed, *KEYS["old"]}
    cleaned(aws, deployment, "kept")
    assert kept in keys(stored)
    cleaned(aws, deployment, "kept", results=True)
    assert kept not in keys(stored)
    assert "results/busy/x" in keys(stored)


def test_a_run_that_ends_while_it_is_looked_at_keeps_its_complete_sums(
    stored: Any, table: Any, aws: Aws, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums = "results/busy/0000-aaaaaaaa-0000"
    stored.put_object(Bucket=BUCKET, Key=sums, Body=b"12345")
    results, add = ResultsTable(table, "busy", JOB), intermediates._add

    def ends(found: Any, run_id: str, entry: Any) -> None:
        record = results.get_run() if entry["Key"] == "runs/busy/listing" else None
        if record:
            record.status = "SUCCEEDED"
            results.end_run(record)
        add(found, run_id, entry)

    monkeypatch.setattr(intermediates, "_add", ends)
    before = keys(stored)
    cleaned(aws, deployment, "busy")
    assert before - keys(stored) == set(KEYS["busy"])


def test_what_is_of_another_job_stays(stored: Any, aws: Aws, deployment: Deployment) -> None:
    before = keys(stored)
    assert cleaned(aws, deployment, job="access_log") == "There is nothing to delete.\n"
    cleaned(aws, deployment, job="top_words")
    assert before - keys(stored) == set(KEYS["old"])


def test_a_run_that_has_kept_only_its_result_says_so(table: Any, aws: Aws, deployment: Deployment) -> None:
    claim(table, "plain", status="SUCCEEDED")
    with pytest.raises(RunError, match=r"^The run plain has kept no more than its result\. .* with --all\.$"):
        Run(aws, deployment, "plain").all_rows()


def test_what_is_named_goes_unless_it_is_at_work(stored: Any, aws: Aws, deployment: Deployment) -> None:
    before = keys(stored)
    told = cleaned(aws, deployment, "new", "busy", "nowhere")
    assert before - keys(stored) == set(KEYS["new"])
    assert told.splitlines()[0] == "There are no intermediates of nowhere."


def test_a_record_that_cannot_be_read_keeps_nothing_else(
    stored: Any, table: Any, aws: Aws, deployment: Deployment
) -> None:
    """Whether someone works on that run, nobody knows."""
    ResultsTable(table, "new", JOB).claim(RunRecord(run_id="new", started_at=1.0), None)
    aws.client("dynamodb").update_item(
        TableName=TABLE,
        Key={"run_id": {"S": "new"}, "item": {"S": "run"}},
        UpdateExpression="SET stage = :newer",
        ExpressionAttributeValues={":newer": {"S": "combine"}},
    )
    before = keys(stored)
    told = cleaned(aws, deployment, "new", "old")
    assert before - keys(stored) == set(KEYS["old"])
    assert "The record of the run new cannot be read: " in told
    assert "newer version of Fanfold wrote it. Skipped." in told


def test_a_run_id_of_two_jobs_is_not_cleaned(stored: Any, aws: Aws, deployment: Deployment) -> None:
    before = keys(stored)
    other: Any = SimpleNamespace(
        stack="Fanfold-access-log", own="access_log", jobs=("access_log",), table=TABLE, bucket=BUCKET
    )
    with pytest.raises(RunError, match=r"^There are runs old in Fanfold and Fanfold-access-log\. Say which "):
        clean_up(
            Console(file=io.StringIO()),
            aws,
            [deployment, other],
            ["old"],
            7.0,
            job=None,
            dry_run=False,
            yes=True,
        )
    assert keys(stored) == before


def test_a_dry_run_deletes_nothing(stored: Any, aws: Aws, deployment: Deployment) -> None:
    before = keys(stored)
    assert cleaned(aws, deployment, dry_run=True).endswith("3 objects of 1 run would be deleted.\n")
    assert keys(stored) == before


@pytest.mark.parametrize("answer", ["y", "Yes ", "", "n"])
def test_it_asks_first(
    stored: Any, aws: Aws, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    before = keys(stored)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(terminal, "ask", lambda _: answer)
    cleaned(aws, deployment, yes=False)
    assert (keys(stored) != before) == answer.lower().startswith("y")


def test_where_nobody_can_be_asked_nothing_is_done(
    stored: Any, aws: Aws, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(stored)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    with pytest.raises(ConfirmationRequired, match="Not a terminal: pass --yes or --dry-run"):
        cleaned(aws, deployment, yes=False)
    assert keys(stored) == before


def test_a_run_that_is_resumed_meanwhile_keeps_its_blobs(
    stored: Any, table: Any, aws: Aws, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the question and the answer a person may take minutes."""
    before = keys(stored)
    table_of_old = ResultsTable(table, "old", JOB)

    def resumed(_: str) -> str:
        record = table_of_old.get_run()
        assert record
        record.status, record.lease_until = "RUNNING", time.time() + 60
        table_of_old.end_run(record)
        return "y"

    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(terminal, "ask", resumed)
    assert cleaned(aws, deployment, yes=False).endswith("0 objects were deleted.\n")
    assert keys(stored) == before


def test_a_run_that_waits_to_be_taken_over_is_at_work(table: Any) -> None:
    released = RunRecord(run_id="run", started_at=1.0, released=True, lease_until=1.0)
    assert intermediates.is_running(released)
    assert not intermediates.is_running(RunRecord(run_id="run", started_at=1.0, lease_until=1.0))
    assert not intermediates.is_running(None)


@pytest.fixture
def inputs(s3: Any) -> Any:
    """Keys that are much like each other."""
    put = {"input/text.txt": b"12345", "input/empty": b"", "input/logs/1": b"1", "input/logs/2": b"12"}
    put |= {"input/star": b"1", "input/star*": b"123", "input/star**": b"1234"}
    for key, body in put.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    yield s3
    for key in put:
        s3.delete_object(Bucket=BUCKET, Key=key)


@pytest.mark.parametrize(
    ("source", "size"),
    [
        (Object(BUCKET, "input/text.txt"), 5),
        (Objects(BUCKET, "input/logs/"), 3),
        (Objects(BUCKET, "input/l"), 3),
        (Object(BUCKET, "input/star*"), 3),
    ],
)
def test_what_is_there_has_its_size(inputs: Any, source: Object | Objects, size: int) -> None:
    assert contents_in_s3(inputs, source).bytes == size


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (Object(BUCKET, "input/texd.txt"), r"did you mean s3://bucket/input/text\.txt\?$"),
        (Object(BUCKET, "input/nothing like it"), "check the spelling"),
        (Object(BUCKET, "input/tex"), "There is no object s3://bucket/input/tex: "),
        (
            Object(BUCKET, "input/logs"),
            r"some under s3://bucket/input/logs/: add the slash to read them all",
        ),
        (Objects(BUCKET, "input/log/"), "check the spelling of the prefix"),
        (Objects(BUCKET, "input/star"), r"to read that one, write s3://bucket/input/star\*\*; "),
    ],
)
def test_what_is_not_there_or_two_things_is_one_sentence(
    inputs: Any, source: Object | Objects, sentence: str
) -> None:
    with pytest.raises(SourceError, match=sentence):
        check_in_s3(inputs, source)


def test_another_bucket_than_the_deployment_s_is_refused_with_what_to_do(
    aws: Aws, deployment: Deployment
) -> None:
    with pytest.raises(RunError, match=r"reads from the bucket bucket, not from mine\. .*source_bucket=mine"):
        checked(aws, deployment, Object("mine", "key"))
    with pytest.raises(RunError, match=f"only input/ holds inputs: .* s3://{BUCKET}/input/, or write that"):
        checked(aws, deployment, Object(BUCKET, "runs/x"))


def test_a_run_is_found_in_whichever_job_s_table_it_is(
    table: Any, aws: Aws, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: Any = SimpleNamespace(stack="Fanfold-gone", own="gone", jobs=("gone",), table="another")
    exists = Run.exists
    claim(table, "here")
    monkeypatch.setattr(Run, "exists", lambda run: run.deployment != gone and exists(run))
    assert runs.find_run(aws, [gone, deployment], "here").job == "top_words"
    other: Any = SimpleNamespace(
        stack="Fanfold-access-log", own="access_log", jobs=("access_log",), table=TABLE
    )
    with pytest.raises(
        RunError,
        match=r"^There are runs here of access_log and of top_words\. Say which: "
        r"--job=access_log or --job=top_words\.$",
    ):
        runs.find_run(aws, [other, gone, deployment], "here")
    assert runs.find_run(aws, [deployment, other], "here", "access_log").deployment is other
    for job, told in ((None, ""), ("access_log", " of the job access_log")):
        with pytest.raises(
            RunError,
            match=rf"no run gone{told} in Fanfold or Fanfold-access-log\. .*: fanfold runs --local$",
        ):
            runs.find_run(aws, [deployment, other], "gone", job)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"status": "SUCCEEDED"}, "has finished. Its result: fanfold results --local run"),
        ({"etag": '"e"'}, "is still running. To watch it: fanfold watch --local run"),
        (
            {"status": "FAILED", "error": "InvalidRequest: no."},
            r"never began, so there is nothing to resume: no\. Start a new run",
        ),
    ],
)
def test_what_cannot_be_resumed_is_reported(
    table: Any, aws: Aws, deployment: Deployment, fields: Any, sentence: str
) -> None:
    claim(table, "run", **fields)
    with pytest.raises(RunError, match=sentence):
        Run(aws, deployment, "run").request_to_resume()


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "RUNNING"])
def test_to_resume_is_to_ask_for_the_same(table: Any, aws: Aws, deployment: Deployment, status: Any) -> None:
    """A run that is called RUNNING may have died."""
    fields = {"prefix": "input/logs/", "etag": '"e"', "max_concurrency": 7, "lease_until": time.time() - 1}
    claim(table, "run", status=status, **fields)
    request = Run(aws, deployment, "run").request_to_resume()
    assert (request.key, request.prefix, request.max_concurrency) == (None, "input/logs/", 7)
    assert (request.run_id, request.block_bytes, request.etag) == ("run", None, None)


def test_a_run_that_is_given_up_can_be_resumed_at_once(table: Any, aws: Aws, deployment: Deployment) -> None:
    """And one that has another owner meanwhile is left alone."""
    found = claim(table, "run", etag='"e"', key="input/k")
    with pytest.raises(RunError, match="still running"):
        Run(aws, deployment, "run").request_to_resume()
    Run(aws, deployment, "run").give_up(RunRecord(run_id="run", started_at=1.0, owner="another"))
    with pytest.raises(RunError, match="still running"):
        Run(aws, deployment, "run").request_to_resume()
    Run(aws, deployment, "run").give_up(found)
    assert Run(aws, deployment, "run").request_to_resume().key == "input/k"
    again = RunRecord(run_id="run", started_at=1.0, owner="new", lease_until=time.time() + 60)
    ResultsTable(table, "run", JOB).claim(again, ResultsTable(table, "run", JOB).get_run())
