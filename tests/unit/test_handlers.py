"""Whatever a handler is sent, only our own named errors come out. And what a handler imports."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fanfold.checkout import ROOT
from fanfold.testing.texts import ANY_BYTES, ANY_JSON
from lambda_src import job
from lambda_src.errors import FanfoldError, InvalidRequest
from lambda_src.fields import FUNCTIONS
from lambda_src.handlers import (
    get_all_occurrences,
    get_occurrences,
    log_results,
    parse_block,
    parse_file,
)
from lambda_src.input.addresses import Portion
from lambda_src.input.blocks import split
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Owned, Span
from lambda_src.jobs.top_words import JOB
from lambda_src.jobs.top_words.tokens import TOKENS
from lambda_src.run.map_block import map_block
from lambda_src.settings import ParseFileSettings
from lambda_src.store.blobs import header_bytes
from lambda_src.wire.codec import decode_event, to_plain
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import BlockReport
from lambda_src.wire.requests import (
    GetAllOccurrencesRequest,
    GetOccurrencesRequest,
    LogResultsRequest,
    ParseBlockRequest,
    WarmRequest,
)
from lambda_src.wire.source import Source
from tests import oracle
from tests.contexts import sent_context
from tests.recorded import JOBS, recorded

SETTINGS = ParseFileSettings(
    ("top_words", "access_log"),
    "Fanfold",
    "amazonaws.com",
    "own",
    "own",
    "table",
    "f1",
    "f2",
    "f3",
    "f4",
    "off",
)
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000)
WORKERS = {
    parse_block: ParseBlockRequest,
    get_all_occurrences: GetAllOccurrencesRequest,
    get_occurrences: GetOccurrencesRequest,
    log_results: LogResultsRequest,
}

# Events that are nearly right reach deeper than arbitrary ones.
NAMES = st.sampled_from(
    [
        "key",
        "bucket",
        "run_id",
        "block_bytes",
        "max_concurrency",
        "part",
        "source",
        "start",
        "end",
        "block",
        "owner",
        "handed_over_by",
        "job",
        "warm",
    ]
)
NEARLY = st.dictionaries(NAMES, ANY_JSON | st.sampled_from(["input/x", "run", 1, 20, 21, 0, -1]), max_size=7)


def is_valid(event: object, kind: type[Any]) -> bool:
    try:
        decode_event(event, kind)
    except FanfoldError:
        return False
    return True


@pytest.fixture
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that lead to no AWS: a closed port."""
    for name in ("BUCKET", "SOURCE_BUCKET", "TABLE"):
        monkeypatch.setenv(f"FANFOLD_{name}", name.lower())
    for name in ("PARSE_BLOCK", "GET_ALL_OCCURRENCES", "GET_OCCURRENCES", "LOG_RESULTS"):
        monkeypatch.setenv(f"FANFOLD_{name}_FUNCTION", name.lower())
    monkeypatch.setenv("FANFOLD_URL_SUFFIX", "amazonaws.com")
    monkeypatch.setenv("FANFOLD_JOBS", "top_words,access_log")
    monkeypatch.setenv("FANFOLD_STACK", "Fanfold")
    monkeypatch.setenv("FANFOLD_METRICS", "off")
    monkeypatch.setenv("FANFOLD_REQUESTER_PAYS", "off")
    monkeypatch.setenv("FANFOLD_KEEP_INTERMEDIATES_DAYS", "1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@pytest.mark.parametrize("worker", WORKERS, ids=lambda worker: worker.__name__.rpartition(".")[2])
@pytest.mark.usefixtures("_nowhere")
def test_workers_answer_a_named_failure_to_any_event(worker: Any) -> None:
    @given(ANY_JSON | NEARLY)
    @settings(max_examples=500)
    def check(event: object) -> None:
        assume(not is_valid(event, WORKERS[worker]))
        answer = worker.handler(event, CONTEXT)
        assert answer["outcome"] == "failure"
        assert answer["error"] == "CodeChanged"

    check()


SENT = sent_context(JOB)
OTHER_RULES = {
    parse_block: ParseBlockRequest(
        "run", Source("b", "k", "etag", 9), 0, 0, 9, Portion((), None), "other", SENT
    ),
    get_all_occurrences: GetAllOccurrencesRequest("run", "owner", 250, "other", SENT),
    get_occurrences: GetOccurrencesRequest("run", "owner", 5, "other", SENT),
    log_results: LogResultsRequest(RunRecord(run_id="run", job="top_words", started_at=0.0, rules="other")),
}


@pytest.mark.parametrize("worker", WORKERS, ids=lambda worker: worker.__name__.rpartition(".")[2])
@pytest.mark.usefixtures("_nowhere")
def test_workers_refuse_a_run_of_other_rules(worker: Any) -> None:
    """Before anything else: nothing here leads to AWS."""
    answer = worker.handler(to_plain(OTHER_RULES[worker]), CONTEXT)
    assert answer["error"] == "RulesChanged"
    assert f"The run has the rules 'other', but this function has {JOB.rules!r}" in answer["message"]


@pytest.mark.parametrize("worker", [worker for worker in WORKERS if worker is not log_results])
@pytest.mark.parametrize(
    "change",
    [
        lambda event: event.pop("rules"),
        lambda event: event.pop("context"),  # which versions without shards did not send
        lambda event: event.update(newer=1),
        lambda event: event.clear(),
    ],
)
@pytest.mark.usefixtures("_nowhere")
def test_workers_refuse_requests_of_another_version(worker: Any, change: Callable[[Any], Any]) -> None:
    event = {**to_plain(OTHER_RULES[worker])}
    change(event)
    answer = worker.handler(event, CONTEXT)
    assert answer["error"] == "CodeChanged"
    assert "the stack was deployed" in answer["message"]


@pytest.mark.parametrize("worker", [worker for worker in WORKERS if worker is not log_results])
@pytest.mark.parametrize("name", JOBS)
@pytest.mark.usefixtures("_nowhere")
def test_workers_refuse_what_an_older_version_sent(
    monkeypatch: pytest.MonkeyPatch, worker: Any, name: str
) -> None:
    monkeypatch.setenv("FANFOLD_JOBS", name)
    for message in recorded(name, "bucket").messages[worker.__name__.rpartition(".")[2]]:
        assert worker.handler(message["request"], CONTEXT)["error"] == "CodeChanged"


@pytest.mark.usefixtures("_nowhere")
def test_the_entry_point_raises_a_named_error_to_any_event(monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[str] = []

    class Table:
        def __init__(self, _table: object, run_id: str, *_: object) -> None:
            self.run_id = run_id

        def get_run(self) -> None:
            """No run has such an id."""

        def put_new_run(self, record: Any) -> None:
            records.append(record.error)

        def end_released_run(self, _released_by: str, error: Exception) -> None:
            records.append(f"{type(error).__name__}: {error}")

    monkeypatch.setattr(parse_file, "RunTable", Table)
    monkeypatch.setattr(parse_file, "ResultsTable", Table)
    monkeypatch.setattr(parse_file, "open_table", lambda *_: None)
    monkeypatch.setattr(parse_file, "_ports", lambda *_: None)
    monkeypatch.setattr(
        parse_file, "execute", lambda *_: (_ for _ in ()).throw(FanfoldError("a valid request"))
    )

    @given(ANY_JSON | NEARLY)
    @settings(max_examples=500)
    def check(event: object) -> None:
        before = len(records)
        with pytest.raises(FanfoldError) as caught:
            parse_file.handler(event, CONTEXT)
        assert type(caught.value).__module__ == "lambda_src.errors"
        if "a valid request" not in str(caught.value):
            assert len(records) == before + 1
            assert records[-1].startswith(("InvalidRequest: ", "CodeChanged: "))

    check()


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"key": "input/x", "newer": 1}, "CodeChanged: A function does not know a request of another one"),
        ({"prefix": "elsewhere/"}, "InvalidRequest: prefix: the inputs in own begin with input/"),
    ],
)
def test_a_hand_over_to_another_version_ends_the_run(event: dict[str, Any], error: str) -> None:
    ended: list[tuple[str, str]] = []

    def end_released_run(released_by: str, why: Exception) -> None:
        ended.append((released_by, f"{type(why).__name__}: {why}"))

    run: Any = SimpleNamespace(run_id="run", end_released_run=end_released_run)
    with pytest.raises(FanfoldError):
        parse_file._request({**event, "run_id": "run", "handed_over_by": "owner"}, run, SETTINGS)
    ((owner, why),) = ended
    assert owner == "owner"
    assert why.startswith(error)


@pytest.mark.parametrize(("days", "deleted"), [(1, [(7, "")]), (2, []), (30, [])])
def test_blobs_that_are_to_be_kept_are_not_deleted(days: int, deleted: list[tuple[int, str]]) -> None:
    asked: list[tuple[int, str]] = []
    blobs: Any = SimpleNamespace(delete=lambda stored, _: asked.extend(stored))
    kept = replace(SETTINGS, keep_intermediates_days=days)
    report = BlockReport(7, Owned(0, 1), 1024, [], [], {})
    parse_file._Blobs(JOB, blobs, kept, lambda: 900.0).delete([report])
    assert asked == deleted


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({}, "key, prefix: name one of them"),
        ({"key": "input/a", "prefix": "input/"}, "key, prefix: name one of them"),
        ({"prefix": "runs/"}, "prefix: the inputs in own begin with input/, 'runs/' does not"),
        ({"prefix": ""}, "prefix: the inputs in own begin with input/, '' does not"),
        ({"key": "runs/x"}, "key: the inputs in own begin with input/"),
        ({"key": "input/x", "bucket": "other"}, "bucket: this deployment reads from own only"),
        ({"key": "input/x", "shards": 0}, "The request is not valid: .*shards"),
    ],
)
def test_what_may_not_be_read_is_refused(event: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        parse_file._decoded(event, SETTINGS)


@pytest.mark.parametrize(
    ("named", "found", "chosen"),
    [
        ({}, None, "top_words"),  # the first of those that are deployed
        ({"job": "access_log"}, None, "access_log"),
        ({"run_id": "run"}, "access_log", "access_log"),  # a run that is resumed keeps its own
        ({"run_id": "run", "handed_over_by": "owner"}, "access_log", "access_log"),
        ({"run_id": "run"}, None, "top_words"),
    ],
)
def test_a_request_is_for_one_job(named: dict[str, Any], found: str | None, chosen: str) -> None:
    record = RunRecord(run_id="run", job=found, started_at=0.0) if found else None
    run: Any = SimpleNamespace(run_id="run", get_run=lambda: record)
    request, deployed = parse_file._request({"key": "input/x", **named}, run, SETTINGS)
    assert request.job == chosen
    assert deployed is job.load(chosen)


@pytest.mark.parametrize(
    ("name", "error", "noted"),
    [
        ("acces_log", "did you mean access_log? Its jobs are top_words, access_log.", "acces_log"),
        ("column_permutations", "its jobs are top_words, access_log.", "column_permutations"),
        ("../secret", "its jobs are top_words, access_log.", ""),
    ],
)
def test_a_job_that_is_not_deployed_is_refused(name: str, error: str, noted: str) -> None:
    records: list[RunRecord] = []
    run: Any = SimpleNamespace(run_id="run", put_new_run=records.append)
    with pytest.raises(InvalidRequest) as refused:
        parse_file._request({"key": "input/x", "job": name}, run, SETTINGS)
    assert str(refused.value) == f"job: this stack has no job {name!r}: {error}"
    (record,) = records
    assert (record.status, record.error_code, record.job) == ("FAILED", "InvalidRequest", noted)


@pytest.mark.parametrize("worker", WORKERS, ids=lambda worker: worker.__name__.rpartition(".")[2])
@pytest.mark.usefixtures("_nowhere")
def test_workers_refuse_a_job_that_is_not_deployed(worker: Any) -> None:
    event = to_plain(OTHER_RULES[worker])
    (event["record"] if worker is log_results else event["context"])["job"] = "column_permutations"
    answer = worker.handler(event, CONTEXT)
    assert answer["error"] == "InvalidRequest"
    assert answer["message"].startswith("job: this stack has no job 'column_permutations': ")


@pytest.mark.parametrize("worker", [worker for worker in WORKERS if worker is not parse_block])
@pytest.mark.usefixtures("_nowhere")
def test_warming_loads_the_job_of_the_run(monkeypatch: pytest.MonkeyPatch, worker: Any) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(job, "load", loaded.append)
    answer = worker.handler(to_plain(WarmRequest("access_log")), CONTEXT)
    assert answer["outcome"] == "done"
    assert loaded == ["access_log"]


class Column(msgspec.Struct, frozen=True):
    """Options of which one is required."""

    column: str


@pytest.mark.parametrize(
    ("event", "has_run", "message"),
    [
        ({"options": {"column": "a"}}, False, None),
        ({"options": {"tops": 5}}, True, "options: this job has no option 'tops'"),
        ({}, False, "options: column is missing: it takes"),
        ({}, True, None),
        ({"handed_over_by": "owner"}, True, None),
    ],
)
def test_options_are_required_of_a_new_run_only(
    monkeypatch: pytest.MonkeyPatch, event: dict[str, Any], has_run: bool, message: str | None
) -> None:
    ended: list[Any] = []
    run: Any = SimpleNamespace(
        run_id="run",
        get_run=lambda: None,
        has_run=lambda: has_run,
        put_new_run=ended.append,
        end_released_run=ended.append,
    )
    monkeypatch.setattr(job, "load", lambda _: replace(JOB, options=Column, for_options=None))
    expected = pytest.raises(InvalidRequest, match=message) if message else nullcontext()
    with expected:
        parse_file._request({"key": "input/x", "run_id": "run", **event}, run, SETTINGS)
    assert len(ended) == bool(message)


class Blobs:
    """Takes blobs and forgets them."""

    def put(self, block: int, header: bytes, size: int, lines: list[bytes], variant: str) -> None:
        assert header_bytes(len(header)) <= size


@given(ANY_BYTES, st.integers(1, 300))
@settings(max_examples=1000)
def test_any_bytes_are_parsed(data: bytes, block_bytes: int) -> None:
    source = Source("b" * 63, "k" * 1024, '"' + "e" * 64 + '"', len(data))
    given_input = input_of_bytes([data], "plain")
    words = 0
    for block in split(len(data), block_bytes):
        request = ParseBlockRequest("r" * 64, source, *block, Portion((), None), JOB.rules, SENT)
        report = map_block(JOB, request, given_input, Blobs())  # type: ignore[arg-type]
        assert report.block == block.number
        words += sum(report.observations) + report.extras["longer_words"]
        # The span is what the block owns.
        span = Span(block.start, block.end)
        assert given_input.feed(span, TOKENS, lambda *_: None) == report.owned
    assert words == oracle.count_words(data).total()


def test_each_callee_is_waited_for_as_long_as_it_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not one as long as the slowest of all."""
    # What a driver makes of a task.
    monkeypatch.setattr(parse_file, "Invocations", lambda _functions, of, _answer, **_: of)
    monkeypatch.setattr(parse_file, "open_bucket", lambda *_, **__: None)
    settings = ParseFileSettings(
        ("top_words",),
        "Fanfold",
        "amazonaws.com",
        "own",
        "own",
        "table",
        "block",
        "all",
        "part",
        "log",
        "off",
    )
    run: Any = SimpleNamespace(run_id="r")
    functions: Any = parse_file._ports(JOB, "access_log", run, settings, 900.0).functions
    names = ("parse_block", "get_all_occurrences", "get_occurrences", "log_results")
    invocations = [getattr(functions, name)(None) for name in names]
    waited = {invocation.function: invocation.timeout_s for invocation in invocations}
    assert waited == {"block": 300, "all": 840, "part": 600, "log": 60}
    assert functions.warm("get_occurrences") == ("part", WarmRequest("access_log"), 600)


FOR_OTHERS = {"boto3", "botocore", "email", "http.client", "isal", "numpy", "pkgutil", "re2", "regex"}
FOR_FAN_OUTS = {"asyncio", "concurrent.futures", "logging"}


@pytest.mark.parametrize("handler", sorted({*FUNCTIONS, "announce_runs"}))
def test_a_cold_start_imports_only_what_the_function_needs(handler: str) -> None:
    program = f"""
import gc, sys, lambda_src.handlers
before = gc.get_stats()
import lambda_src.handlers.{handler}
assert gc.isenabled()
assert [of["collections"] for of in gc.get_stats()] == [of["collections"] for of in before]
import lambda_src.job
if "{handler}" != "announce_runs":
    lambda_src.job.load("top_words")
print(*sys.modules)
"""
    run = [sys.executable, "-c", program]
    imported = set(subprocess.check_output(run, text=True, cwd=ROOT).split())
    others = {f"lambda_src.jobs.{name}" for name in job.names() if name != "top_words"}
    unneeded = FOR_OTHERS if handler in ("parse_file", "get_all_occurrences") else FOR_OTHERS | FOR_FAN_OUTS
    assert not imported & (unneeded | others)
