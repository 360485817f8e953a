"""What is stored is damaged, or a newer version wrote it: one sentence names the run; others are shown."""

import copy
import io
import json
import re
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from fanfold.account import choice as account
from fanfold.account.choice import Account
from fanfold.cli import app as commands
from fanfold.cli import output as report
from fanfold.cli.runs_table import show_runs
from fanfold.errors import AccountError, ReportError, RunError
from fanfold.local_aws import state as local_stack
from fanfold.runs import run as runs
from fanfold.runs.csv_export import as_csv
from fanfold.runs.history import past_runs
from fanfold.runs.result import as_json, json_text
from fanfold.runs.run import Run
from lambda_src.aws.dynamodb import to_attribute
from lambda_src.job import load, names
from tests.fake_runs import fake_run

RUN = "damaged"
RUNS = {job: fake_run(job, blocks=3) for job in names()}


class FakeAws:
    """The table and the bucket of one job's deployment, as boto3's clients and ours see them."""

    endpoint_url = None
    is_local = False
    options = ""

    def __init__(self, job: str) -> None:
        run = RUNS[job]
        self.job, self.parts = load(job), load(job).parts
        record = msgspec.structs.replace(run.record, run_id=RUN, owner="me")
        key = {"run_id": to_attribute(RUN)}
        items = {
            "run": record,
            **{
                f"{self.job.part}#{part.part.rjust(max(map(len, self.parts)), '0')}": part
                for part in run.parts
            },
        }
        self.items = {
            name: {
                **{field: to_attribute(value) for field, value in msgspec.to_builtins(content).items()},
                **key,
                "item": to_attribute(name),
            }
            for name, content in items.items()
        }
        good = copy.deepcopy(self.items["run"])
        self.good = {**good, "run_id": to_attribute("good"), "started_at": to_attribute(1.0)}
        self.stored = {
            f"runs/{RUN}/trace.json": msgspec.json.encode(run.trace),
            f"runs/{RUN}/manifest.json": msgspec.json.encode(run.manifest),
        }
        self.deployment: Any = SimpleNamespace(
            stack="Fanfold", own=None, jobs=(job,), table="table", bucket="bucket", source_bucket="bucket"
        )

    def stopped(self) -> None:
        return None

    def table(self, name: str) -> Any:
        return SimpleNamespace(name=name, call=self._call)

    def _call(self, operation: str, request: Any) -> Any:
        if operation == "GetItem":
            item = self.items["run"] if request["Key"]["run_id"]["S"] == RUN else None
            return {"Item": item} if item else {}
        if operation == "Query":
            items = [item for name, item in self.items.items() if name != "run"]
            return {"Items": items, "Count": len(items)}
        return {}

    def dynamodb(self) -> Any:
        found = [self.items["run"], self.good]
        keys = [{"run_id": to_attribute(name), "item": to_attribute("run")} for name in (RUN, "good")]
        pages = SimpleNamespace(paginate=lambda **_: [{"Items": keys}])
        return SimpleNamespace(
            get_paginator=lambda _: pages,
            batch_get_item=lambda **_: {"Responses": {"table": found}, "UnprocessedKeys": {}},
        )

    def client(self, _service: str) -> Any:
        return SimpleNamespace(get_object=lambda Bucket, Key: {"Body": io.BytesIO(self.stored[Key])})  # noqa: N803


def ways(aws: FakeAws) -> list[Any]:
    """All that a person may ask of a run."""
    deployment: Any = aws.deployment
    of: Any = aws

    def shown() -> None:
        ended = Run(of, deployment, RUN).read()
        console = Console(file=io.StringIO())
        with runs.legible(RUN):  # as the commands do
            report.show(console, deployment.jobs[0], ended.summary, {})
            as_csv(deployment.jobs[0], ended.summary)
            json_text(as_json(deployment.jobs[0], ended.summary, {}))
        report.show_dollars(console, ended.record)

    return [
        shown,
        lambda: Run(of, deployment, RUN).follow(),
        lambda: Run(of, deployment, RUN).html(),
        lambda: Run(of, deployment, RUN).cancel(),
        lambda: Run(of, deployment, RUN).request_to_resume(),
        lambda: runs.find_run(of, [deployment], RUN),
    ]


def check(aws: FakeAws) -> None:
    """Each way ends well or in one sentence that names the run, and the list has the other run."""
    told: list[str] = []
    for way in ways(aws):
        try:
            way()
        except (RunError, ReportError) as error:
            told.append(str(error))
    for sentence in told:
        assert RUN in sentence
        assert not re.search(r"ValidationError|KeyError|RecordUnreadable|\n", sentence)
    of: Any = aws
    found = past_runs(of, [aws.deployment], 50)
    listed = [run.record.run_id for run in found.runs]
    assert "good" in listed
    assert listed.count(RUN) + len(found.unreadable) == 1
    assert all(RUN in one.text for one in found.unreadable)
    for console in (Console(file=io.StringIO()), Console(file=io.StringIO(), force_terminal=True, width=80)):
        show_runs(console, found.runs)


JUNK_VALUES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**37), 10**37)
    | st.text(max_size=5)
    | st.floats(-1e125, 1e125),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
JUNK = JUNK_VALUES.map(to_attribute) | st.sampled_from(
    [{"B": b"\xff"}, {"SS": ["a"]}, {"NS": ["1"]}, {"BS": [b"x"]}, {"N": "1E+125"}, {"N": "-9"}]
)


@pytest.mark.parametrize("job", names())
@settings(max_examples=60)
@given(st.data())
def test_any_field_of_any_item_may_hold_anything(job: str, data: st.DataObject) -> None:
    aws = FakeAws(job)
    item = aws.items[data.draw(st.sampled_from(sorted(aws.items)))]
    field = data.draw(st.sampled_from(sorted(set(item) - {"run_id", "item"})))
    if data.draw(st.booleans()):
        item[field] = data.draw(JUNK)
    else:
        del item[field]
    check(aws)


@pytest.mark.parametrize(
    ("field", "value"), [("stage", "combine"), ("status", "PAUSED"), ("started_at", 1e125), ("bytes", -1)]
)
def test_a_record_of_a_newer_version_is_named_and_skipped(field: str, value: Any) -> None:
    aws: Any = FakeAws("top_words")
    aws.items["run"][field] = to_attribute(value)
    for way in ways(aws)[:-1]:
        with pytest.raises(RunError, match=rf"^The record of the run {RUN} cannot be read: .*{field}"):
            way()
    check(aws)


def test_options_that_the_job_no_longer_has_are_one_sentence() -> None:
    aws: Any = FakeAws("top_words")
    aws.items["run"]["options"] = to_attribute({"gone": 1})
    for way in ways(aws)[:3]:
        with pytest.raises(
            RunError, match=rf"^The result of the run {RUN} cannot be shown \(options: .*'gone'"
        ):
            way()
    check(aws)


def test_a_part_that_holds_another_part_is_no_result() -> None:
    aws: Any = FakeAws("top_words")
    aws.items["length#03"]["part"] = to_attribute("4")
    with pytest.raises(RunError, match=rf"^The result length#03 of the run {RUN} cannot be read: "):
        Run(aws, aws.deployment, RUN).read()


@pytest.mark.parametrize("words", [["results", RUN], ["results", RUN, "--csv"], ["watch", RUN]])
def test_a_result_that_cannot_be_shown_is_one_sentence(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws: Any = FakeAws("top_words")
    aws.items["length#03"]["result"] = to_attribute({"words": 1, "top_words": [{"word": 7}]})
    monkeypatch.setattr(account, "open_account", lambda **_: Account(aws, {"Fanfold": aws.deployment}))
    assert commands.main(words) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"Error: The result of the run {RUN} cannot be shown (")


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON value where something stands: its container, and its key."""
    found = []
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        found += [(value, key), *_places(value[key])]
    return found


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_trace_costs_the_timeline_alone(data: st.DataObject) -> None:
    aws: Any = FakeAws("top_words")
    key = f"runs/{RUN}/trace.json"
    trace = json.loads(aws.stored[key])
    container, place = data.draw(st.sampled_from(_places({**trace, "calls": trace["calls"][:4]})))
    container[place] = data.draw(JUNK_VALUES)
    trace["calls"] = trace["calls"][:4]
    aws.stored[key] = json.dumps(trace).encode(errors="surrogatepass")
    assert b"The most frequent words by length" in Run(aws, aws.deployment, RUN).html()


BROKEN = [
    b"",
    b"\xff",
    b'"\xff"',
    b"[" * 100_000,
    b"null",
    b'{"run_id": "x", "calls": []',
    b'{"calls": 1e999}',
]


@pytest.mark.parametrize("stored", [*BROKEN, b'{"run_id": "x", "calls": [], "newer": 1}'])
def test_a_trace_that_cannot_be_read_is_said_to_be_there(stored: bytes) -> None:
    aws: Any = FakeAws("top_words")
    aws.stored[f"runs/{RUN}/trace.json"] = stored
    page = Run(aws, aws.deployment, RUN).html().decode()
    assert "The trace of this run cannot be read" in page
    assert "a trace is written when a run ends" not in page


@pytest.mark.parametrize("stored", BROKEN)
def test_a_damaged_manifest_is_one_sentence(stored: bytes) -> None:
    aws: Any = FakeAws("top_words")
    key = f"runs/{RUN}/manifest.json"
    aws.stored[key] = stored
    with pytest.raises(RunError, match=rf"^s3://bucket/{key} cannot be read: "):
        Run(aws, aws.deployment, RUN).html()


def test_runs_names_it_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws: Any = FakeAws("top_words")
    aws.items["run"]["stage"] = to_attribute("combine")
    monkeypatch.setattr(account, "open_account", lambda **_: Account(aws, {"Fanfold": aws.deployment}))
    assert commands.main(["runs"]) == 0
    told = capsys.readouterr()
    assert [line.split("\t")[0] for line in told.out.splitlines()[1:]] == ["good"]
    assert told.err.startswith(f"The record of the run {RUN} cannot be read: ")
    assert len(told.err.splitlines()) == 1


@pytest.mark.parametrize(
    "error", [AccountError("no"), KeyError("status"), OSError(5, "no"), RecursionError(), None]
)
def test_nothing_keeps_down_from_stopping(
    error: Exception | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws: Any = FakeAws("top_words")
    aws.items["run"]["status"] = to_attribute("PAUSED")

    def open_account(**_: Any) -> Account:
        if error:
            raise error
        return Account(aws, {"Fanfold": aws.deployment})

    monkeypatch.setattr(account, "open_account", open_account)
    stopped: list[bool] = []

    def stop(**_: Any) -> bool:
        stopped.append(True)
        return True

    monkeypatch.setattr(local_stack, "down", stop)
    assert commands.main(["down"]) == 0
    assert stopped
    told = capsys.readouterr()
    assert told.out.endswith("The local AWS is down.\n")
    assert "Traceback" not in told.err
