"""What the client makes of a run's record."""

import io
import time
from collections.abc import Callable
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from fanfold.account.connection import Aws, Stopped
from fanfold.errors import RunError
from fanfold.runs import run as runs
from fanfold.runs.progress import Progress
from fanfold.runs.run import Run, start
from lambda_src.aws.dynamodb import DynamoDbError
from lambda_src.errors import AccessDenied, FanfoldError, Transient
from lambda_src.jobs.top_words import JOB
from lambda_src.store.results import ResultsTable, RunTable
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import PartReport
from lambda_src.wire.requests import ParseFileRequest

REQUEST = ParseFileRequest(key="k", run_id="run")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "POLL_S", 0.01)


@pytest.fixture
def results(table: Any) -> ResultsTable:
    """A run at work."""
    run = ResultsTable(table, "run", JOB)
    run.claim(
        RunRecord(run_id="run", owner="me", lease_until=time.time() + 60, started_at=1.0, key="k"), None
    )
    return run


def aws_of(table: Any, client: Any = None) -> Aws:
    """An account with that table."""
    aws: Any = SimpleNamespace(
        table=lambda _: table, client=client, stopped=lambda: None, options=" --profile=me"
    )
    account: Aws = aws
    return account


def follow(table: Any, run_id: str = "run", seen: Any = lambda _: None) -> Any:
    aws = aws_of(table)
    deployment: Any = SimpleNamespace(stack="Fanfold", own=None, jobs=("top_words",), table="results")
    return Run(aws, deployment, run_id).follow(seen).summary


def read(table: Any) -> Any:
    deployment: Any = SimpleNamespace(stack="Fanfold", own=None, jobs=("top_words",), table="results")
    return Run(aws_of(table), deployment, "run").read()


def ended(results: ResultsTable, lengths: int, status: Any, error: str = "") -> None:
    for length in range(1, lengths + 1):
        results.put_parts([PartReport(str(length), 1, 0, {"words": 0, "top_words": []})], "me")
    record = RunRecord(
        run_id="run", owner="me", started_at=1.0, status=status, error=error, blocks=1, blocks_done=1
    )
    record.stage = "done"
    results.end_run(record)


def test_a_run_is_followed_to_its_end(table: Any, results: ResultsTable) -> None:
    """Also while it is handed over and has no owner."""
    handed_over = RunRecord(
        run_id="run", owner="me", lease_until=time.time() - 50, released=True, started_at=1.0
    )
    results.put_run(handed_over)
    seen: list[Progress] = []

    def see(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 2:
            ended(results, 20, "SUCCEEDED")

    assert follow(table, seen=see)["status"] == "SUCCEEDED"
    assert (seen[-1].record.blocks_done, seen[-1].parts_done, seen[-1].parts) == (1, 20, 20)


def test_an_answer_that_is_not_whole_is_none(table: Any, results: ResultsTable) -> None:
    ended(results, 19, "SUCCEEDED")
    with pytest.raises(RunError, match="holds 19 of 20 lengths"):
        follow(table)


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_a_run_that_ended_otherwise_is_reported(table: Any, results: ResultsTable, status: str) -> None:
    ended(results, 0, status, "SourceChanged: it was replaced")
    with pytest.raises(RunError, match=r"^it was replaced \(run run\)$"):
        follow(table)


@pytest.mark.parametrize(("released", "late_s"), [(False, 11), (True, 61)])
def test_a_run_that_died_is_reported_with_how_to_resume_it(
    table: Any, results: ResultsTable, released: bool, late_s: float
) -> None:
    """One that was handed over is given time to begin again."""
    results.put_run(
        RunRecord(
            run_id="run",
            owner="me",
            lease_until=time.time() - late_s,
            released=released,
            started_at=1.0,
            key="k",
        )
    )
    with pytest.raises(RunError, match=r"has died: .* To resume it: fanfold resume --profile=me run$"):
        read(table)
    with pytest.raises(RunError, match=r"To resume it: fanfold resume --profile=me run$"):
        follow(table)


def test_no_such_run_is_reported(table: Any) -> None:
    with pytest.raises(RunError, match="There is no run nothing"):
        follow(table, "nothing")


class Lambda:
    """Has ``begin`` do what an invocation does, and returns what it gives if the caller waits for that."""

    def __init__(self, begin: Callable[[], Any] = lambda: None) -> None:
        self.begin = begin
        self.invoked: list[str] = []
        self.waits_s: list[float] = []

    def client(self, _: str, config: Any) -> Any:
        self.waits_s.append(config.read_timeout)
        return self

    def invoke(self, **call: Any) -> dict[str, Any]:
        is_event = "InvocationType" in call
        asked = msgspec.json.decode(call["Payload"], type=ParseFileRequest)
        assert asked == msgspec.structs.replace(REQUEST, must_be_new=is_event)  # for it may come twice
        self.invoked.append(call.get("InvocationType", "RequestResponse"))
        answer = self.begin()
        if is_event:
            return {"StatusCode": 202}
        error = {"FunctionError": "Unhandled"} if "errorMessage" in answer else {}
        return {"Payload": io.BytesIO(msgspec.json.encode(answer)), **error}


def ask(table: Any, functions: Lambda) -> dict[str, Any]:
    aws = aws_of(table, functions.client)
    deployment: Any = SimpleNamespace(
        stack="Fanfold", own=None, jobs=("top_words",), table="results", parse_file="parse_file"
    )
    return start(aws, deployment, REQUEST).follow().summary


def claim(table: Any, owner: str, key: str = "k") -> ResultsTable:
    results = ResultsTable(table, "run", JOB)
    now = time.time()
    results.claim(
        RunRecord(run_id="run", owner=owner, lease_until=now + 60, started_at=now, key=key), results.get_run()
    )
    return results


def finish(table: Any, owner: str, status: Any = "SUCCEEDED", error: str = "") -> None:
    results = claim(table, owner)
    if status == "SUCCEEDED":
        for length in range(1, 21):
            results.put_parts([PartReport(str(length), 1, 0, {"words": 0, "top_words": []})], owner)
    results.end_run(
        RunRecord(run_id="run", owner=owner, started_at=2.0, status=status, error=error, stage="done")
    )


def test_a_new_run_is_asked_for_and_followed(table: Any) -> None:
    """No connection is held until the end."""
    functions = Lambda(lambda: finish(table, "new"))
    assert ask(table, functions)["status"] == "SUCCEEDED"
    assert functions.invoked == ["Event"]
    assert max(functions.waits_s) <= 60


def test_a_new_run_that_is_refused_is_reported_from_its_record(table: Any) -> None:
    def refuse() -> None:
        record = RunRecord(run_id="run", started_at=1.0)
        record.fail(AccessDenied("not there"))
        ResultsTable(table, "run", JOB).put_new_run(record)

    with pytest.raises(RunError, match=r"^not there \(run run\)$"):
        ask(table, Lambda(refuse))


def test_a_run_that_lambda_does_not_begin_is_reported(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "BEGIN_TIMEOUT_S", 0.05)
    with pytest.raises(
        RunError,
        match=r"accepted the run run, but has not started it .* fanfold watch --profile=me run$",
    ):
        ask(table, Lambda())


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_the_end_of_a_resumed_run_is_the_new_one(table: Any, status: str) -> None:
    """Its old record still tells how it ended before when Lambda has not begun."""
    finish(table, "old", status, "old: failure")
    looks = 0
    call = table.call

    def begin_at_the_third_look(operation: str, request: Any) -> Any:
        nonlocal looks
        looks += operation == "GetItem"
        if looks == 3:
            table.call = call
            finish(table, "new")
        return call(operation, request)

    def at_work() -> None:
        table.call = begin_at_the_third_look
        raise ReadTimeoutError(endpoint_url="https://lambda")

    functions = Lambda(at_work)
    assert ask(table, functions)["status"] == "SUCCEEDED"
    assert functions.invoked == ["RequestResponse"]
    assert max(functions.waits_s) <= 10


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "CANCELLED"])
def test_why_a_run_id_is_refused_is_reported(table: Any, status: str) -> None:
    """It leaves no trace in the record, which is another run's."""
    finish(table, "old", status, "old: failure")
    refusal = {"errorMessage": "run_id: it is the run of s3://b/other (run run)"}
    with pytest.raises(RunError, match=r"^run_id: it is the run of s3://b/other \(run run\)$"):
        ask(table, Lambda(lambda: refusal))


def test_why_a_resumed_run_fails_at_once_is_reported_without_names_of_errors(table: Any) -> None:
    finish(table, "old", "FAILED", "old: failure")
    failure = {"errorMessage": "1 of 9 tasks failed. block 0: SourceNotText: It is binary. (run run)"}
    with pytest.raises(RunError, match=r"^1 of 9 tasks failed\. block 0: It is binary\. \(run run\)$"):
        ask(table, Lambda(lambda: failure))


def test_a_finished_run_answers_again(table: Any) -> None:
    finish(table, "old")
    assert ask(table, Lambda(lambda: {"status": "SUCCEEDED"}))["status"] == "SUCCEEDED"


def test_a_run_of_another_key_under_the_same_id_is_not_taken_for_the_own(table: Any) -> None:
    with pytest.raises(RunError, match="Someone else has just started the run run, of s3:///theirs"):
        ask(table, Lambda(lambda: claim(table, "other", "theirs")))


def test_what_lambda_refuses_is_reported(table: Any) -> None:
    def refuse() -> None:
        raise ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "full"}}, "Invoke")

    with pytest.raises(RunError, match=r"^The function parse_file cannot be invoked: .*full"):
        ask(table, Lambda(refuse))


def test_a_table_out_of_reach_for_a_moment_is_no_end(
    table: Any, results: ResultsTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(results, 20, "SUCCEEDED")
    record = results.get_run()
    assert record
    record.job = "top_words"
    answers = chain([Transient("lost"), Transient("lost again")], repeat(record))

    def get_run(_: RunTable) -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(RunTable, "get_run", get_run)
    assert follow(table)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("fault", [AccessDenied("no"), Transient("lost")])
def test_a_table_out_of_reach_is_reported(
    table: Any, results: ResultsTable, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def get_run(_: RunTable) -> Any:
        raise fault

    monkeypatch.setattr(RunTable, "get_run", get_run)
    monkeypatch.setattr(runs, "LOST_SIGHT_S", 0.0)
    with pytest.raises(RunError, match=f"The run run cannot be watched: {fault}"):
        follow(table)


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        (Stopped("It has died.", data_kept=False), r"^The run run has stopped\. It has died\.$"),
        (
            Stopped("It was stopped.", data_kept=True),
            r"^The run run .* stopped\. To resume the run: fanfold up, then fanfold resume --profile=me run$",
        ),
    ],
)
def test_a_local_aws_that_has_gone_is_reported_at_once(
    table: Any, results: ResultsTable, monkeypatch: pytest.MonkeyPatch, gone: Stopped, told: str
) -> None:
    """It does not come back by itself, as a service does."""
    looks: list[ResultsTable] = []

    def get_run(looked: ResultsTable) -> Any:
        looks.append(looked)
        raise Transient("The connection to DynamoDB failed")

    monkeypatch.setattr(RunTable, "get_run", get_run)
    died: Any = aws_of(table)
    died.stopped = lambda: gone
    deployment: Any = SimpleNamespace(stack="Fanfold", own=None, jobs=("top_words",), table="results")
    with pytest.raises(RunError, match=told):
        Run(died, deployment, "run").follow()
    assert len(looks) == 1


def test_an_expired_login_is_reported_as_one(
    table: Any, results: ResultsTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_run(_: RunTable) -> Any:
        raise FanfoldError("DynamoDB refused a request.") from DynamoDbError(
            400, "ExpiredTokenException", "It is."
        )

    monkeypatch.setattr(RunTable, "get_run", get_run)
    with pytest.raises(RunError, match=r"^The run run cannot be watched: .* expired: log in again"):
        follow(table)


def test_cancelling_gives_the_record_as_it_then_is(table: Any, results: ResultsTable) -> None:
    aws = aws_of(table)
    deployment: Any = SimpleNamespace(stack="Fanfold", own=None, jobs=("top_words",), table="results")
    record = Run(aws, deployment, "run").cancel()
    assert (record.status, record.cancel_requested) == ("RUNNING", True)
    ended(results, 0, "FAILED")
    with pytest.raises(RunError, match=r"^The run run has already ended: FAILED\.$"):
        Run(aws, deployment, "run").cancel()
