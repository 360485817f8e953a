"""The results table through the real DynamoDB client."""

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lambda_src.aws import dynamodb
from lambda_src.aws.dynamodb import DynamoDbError
from lambda_src.aws.endpoint import Unreachable
from lambda_src.aws.http1 import Response
from lambda_src.errors import CodeChanged, FanfoldError, RunCancelled, RunConflict, Throttled, Transient
from lambda_src.fan_out.map_reduce import TICK_S
from lambda_src.jobs.top_words import JOB
from lambda_src.run.lease import HANDOVER_S, LEASE_S
from lambda_src.store import results as module
from lambda_src.store.results import ResultsTable, RunTable
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import PartReport


def test_a_record_comes_back_as_it_was(table: Any) -> None:
    results = ResultsTable(table, "run", JOB)
    assert results.get_run() is None
    record = RunRecord(
        run_id="run",
        started_at=1700000000.25,
        bytes=5 * 10**12,
        failures=["block 1: x"],
        seconds={"parse": 1.5, "log": 2.0},
        key="input/日本",
    )
    results.claim(record, None)
    assert results.get_run() == record
    assert ResultsTable(table, "another", JOB).get_run() is None
    by_default = RunTable(table, "run", "top_words").get_run()  # an earlier version has named no job
    assert by_default == replace(record, job="top_words")


def test_a_new_record_does_not_replace_an_old_one(table: Any) -> None:
    results = ResultsTable(table, "run", JOB)
    results.put_new_run(RunRecord(run_id="run", started_at=1.0))
    results.put_new_run(RunRecord(run_id="run", started_at=2.0))
    found = results.get_run()
    assert found is not None
    assert found.started_at == 1.0


REPORTS = [
    PartReport(part, 3, 9, {"words": 9, "top_words": [{"word": "w", "count": 9}]}) for part in JOB.parts
]


def test_parts_come_back_in_order_and_go_together(table: Any) -> None:
    results = ResultsTable(table, "run", JOB)
    results.claim(RunRecord(run_id="run", owner="me", started_at=1.0), None)
    for report in reversed(REPORTS):
        results.put_parts([report], "me")
    assert results.get_parts() == REPORTS
    results.delete_parts("me")
    assert results.get_parts() == []
    assert results.get_run() is not None
    results.delete_parts("me")


def test_more_parts_than_a_transaction_or_a_page_holds(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction holds 100 actions and 4 MB."""
    call, sizes = table.call, []
    # On a busy machine, the simulated table takes seconds for such a transaction.
    monkeypatch.setattr(dynamodb, "TIMEOUT_S", 100.0)
    monkeypatch.setattr(dynamodb, "CALL_S", 200.0)

    def noting(operation: str, request: Any) -> Any:
        if operation == "TransactWriteItems" and any("Put" in item for item in request["TransactItems"]):
            sizes.append((len(request["TransactItems"]), len(json.dumps(request))))
        return call(operation, request)

    monkeypatch.setattr(table, "call", noting)
    job = replace(JOB, part="slot", parts=[str(number) for number in range(250)])
    results = ResultsTable(table, "run", job)
    results.claim(RunRecord(run_id="run", owner="me", started_at=1.0), None)
    reports = [PartReport(part, 1, 1, {"text": "x" * 150 * int(part)}) for part in job.parts]
    results.put_parts(reports, "me")
    assert max(actions for actions, _ in sizes) == 100
    assert all(size < 2_000_000 for _, size in sizes)
    assert 4 <= len(sizes) < 20
    assert results.get_parts() == reports
    results.delete_parts("me")
    assert results.get_parts() == []


def test_another_owner_deletes_nothing(table: Any) -> None:
    results = ResultsTable(table, "run", JOB)
    results.claim(RunRecord(run_id="run", owner="me", started_at=1.0), None)
    results.put_parts([REPORTS[0]], "me")
    with pytest.raises(RunConflict):
        results.delete_parts("another")
    assert results.get_parts() == REPORTS[:1]


def refusal(code: str, *reasons: str) -> DynamoDbError:
    return DynamoDbError(400, code, "refused", frozenset(reasons))


CANCELED = "TransactionCanceledException"


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (refusal("TransactionConflictException"), Transient),
        (refusal(CANCELED, "TransactionConflict"), Transient),
        (refusal(CANCELED, "ThrottlingError"), Throttled),
        (refusal(CANCELED, "ProvisionedThroughputExceeded"), Throttled),
        (refusal(CANCELED, "RequestLimitExceeded"), Throttled),
        (refusal(CANCELED, "TransactionConflict", "ThrottlingError"), Throttled),
    ],
)
def test_a_transaction_in_the_way_or_throttled_is_waited_out(
    table: Any, monkeypatch: pytest.MonkeyPatch, error: DynamoDbError, becomes: type[FanfoldError]
) -> None:
    """DynamoDB refuses writes to an item on which another transaction is at work."""
    monkeypatch.setattr(module, "CONFLICT_BACKOFF_S", 0.0)
    refusals = iter(range(module.CONFLICT_ATTEMPTS - 1))

    call = table.call

    def refused_at_first(operation: str, request: Any) -> Any:
        if operation == "PutItem" and next(refusals, None) is not None:
            raise error
        return call(operation, request)

    results = ResultsTable(table, "run", JOB)
    results.claim(RunRecord(run_id="run", owner="me", started_at=1.0), None)
    monkeypatch.setattr(table, "call", refused_at_first)
    results.put_run(RunRecord(run_id="run", owner="me", started_at=1.0))
    assert next(refusals, None) is None

    refusals = iter(range(1000))
    with pytest.raises(becomes, match="the table results") as caught:
        results.put_run(RunRecord(run_id="run", owner="me", started_at=1.0))
    assert type(caught.value) is becomes
    assert next(refusals) == module.CONFLICT_ATTEMPTS


@pytest.mark.parametrize(
    ("reasons", "becomes"),
    [
        (("ConditionalCheckFailed", "ThrottlingError"), RunConflict),
        (("ConditionalCheckFailed", "TransactionConflict"), RunConflict),
        (("ValidationError", "TransactionConflict"), FanfoldError),
    ],
)
def test_a_transaction_that_would_be_refused_again_is_not_tried_again(
    table: Any, monkeypatch: pytest.MonkeyPatch, reasons: tuple[str, ...], becomes: type[FanfoldError]
) -> None:
    attempts = 0

    def refused(_operation: str, _request: Any) -> None:
        nonlocal attempts
        attempts += 1
        raise refusal(CANCELED, *reasons)

    monkeypatch.setattr(table, "call", refused)
    with pytest.raises(becomes):
        ResultsTable(table, "run", JOB).put_parts([REPORTS[0]], "me")
    assert attempts == 1


def test_a_claim_whose_answer_got_lost_is_a_claim(table: Any) -> None:
    """The client tries again by itself, and then finds the run claimed: by itself."""
    results = ResultsTable(table, "run", JOB)
    record = RunRecord(run_id="run", owner="me", lease_until=time.time() + 60, started_at=1.0)
    results.claim(record, None)
    results.claim(record, None)


def test_a_claim_does_not_pass_over_a_cancel(table: Any) -> None:
    results = ResultsTable(table, "run", JOB)
    record = RunRecord(run_id="run", owner="me", lease_until=0.0, started_at=1.0)
    results.claim(record, None)
    results.request_cancel()
    with pytest.raises(RunConflict):
        results.claim(RunRecord(run_id="run", owner="another", started_at=1.0), record)


def test_top_words_are_plain_in_the_console(table: Any, account_table: Any) -> None:
    results = ResultsTable(table, "run", JOB)
    results.claim(RunRecord(run_id="run", owner="me", started_at=1.0), None)
    results.put_parts([PartReport("2", 3, 9, {"top_words": [{"word": "of", "count": 9}]})], "me")
    item = account_table.get_item(Key={"run_id": "run", "item": "length#02"})["Item"]
    assert item["result"]["top_words"] == [{"word": "of", "count": 9}]


def test_top_words_that_come_late_are_refused(table: Any) -> None:
    results = ResultsTable(table, "run", JOB)
    with pytest.raises(RunConflict):
        results.put_parts([REPORTS[0]], "me")
    record = RunRecord(run_id="run", owner="me", started_at=1.0)
    results.claim(record, None)
    with pytest.raises(RunConflict):
        results.put_parts([REPORTS[0]], "another")
    for status in ("FAILED", "CANCELLED", "SUCCEEDED"):
        record.status = status
        results.end_run(record)
        with pytest.raises(RunConflict):
            results.put_parts([REPORTS[0]], "me")
    assert results.get_parts() == []


def test_a_run_has_one_owner(table: Any) -> None:
    results = ResultsTable(table, "run", JOB)
    first = RunRecord(run_id="run", owner="first", lease_until=time.time() + 60, started_at=1.0)
    second = RunRecord(run_id="run", owner="second", lease_until=time.time() + 60, started_at=1.0)
    results.claim(first, None)
    for found in (None, first):
        with pytest.raises(RunConflict):
            results.claim(second, found)
    first.lease_until = time.time() - 1
    results.put_run(first)
    results.claim(second, first)
    for write in (results.put_run, results.end_run):
        with pytest.raises(RunConflict):
            write(first)
    # Who read the record before another took it over is too late.
    second.status = "FAILED"
    results.end_run(second)
    with pytest.raises(RunConflict):
        results.claim(RunRecord(run_id="run", owner="third", started_at=1.0), first)
    second.status = "SUCCEEDED"
    results.end_run(second)
    with pytest.raises(RunConflict):
        results.claim(RunRecord(run_id="run", owner="third", started_at=1.0), second)


def test_a_cancelled_run_s_owner_learns_of_it(table: Any) -> None:
    results = ResultsTable(table, "run", JOB)
    with pytest.raises(RunConflict):
        results.request_cancel()
    record = RunRecord(run_id="run", owner="me", lease_until=time.time() + 60, started_at=1.0)
    results.claim(record, None)
    results.put_run(record)
    assert results.request_cancel() == "RUNNING"
    with pytest.raises(RunCancelled):
        results.put_run(record)
    record.status = "CANCELLED"
    results.end_run(record)
    with pytest.raises(RunConflict):
        results.request_cancel()
    results.claim(RunRecord(run_id="run", owner="another", started_at=1.0), record)


def test_a_released_run_is_for_the_one_that_was_named(table: Any) -> None:
    """Whatever the clocks say."""
    results = ResultsTable(table, "run", JOB)

    def record(owner: str) -> RunRecord:
        return RunRecord(run_id="run", owner=owner, lease_until=time.time() + 60, started_at=1.0)

    with pytest.raises(RunConflict):
        results.take_over(record("second"), "first")
    first = record("first")
    results.claim(first, None)
    with pytest.raises(RunConflict):
        results.take_over(record("second"), "first")  # still running
    first.released = True
    results.put_run(first)
    with pytest.raises(RunConflict):
        results.claim(record("person"), first)
    with pytest.raises(RunConflict):
        results.take_over(record("second"), "another")
    second = record("second")
    results.take_over(second, "first")
    results.take_over(second, "first")  # the client tries again when an answer gets lost
    for owner in ("first", "second"):
        with pytest.raises(RunConflict):
            results.take_over(record("third"), owner)
    with pytest.raises(RunConflict):
        results.put_run(first)
    for status in ("FAILED", "CANCELLED", "SUCCEEDED"):
        second.status, second.released = status, True
        results.end_run(second)
        with pytest.raises(RunConflict):
            results.take_over(record("third"), "second")


def test_a_hand_over_that_cannot_go_on_ends_the_run_unless_it_was_taken(table: Any) -> None:
    results = ResultsTable(table, "run", JOB)
    first = RunRecord(run_id="run", owner="first", lease_until=time.time() + 60, started_at=1.0, etag="etag")
    results.end_released_run("first", CodeChanged("another version"))
    assert results.get_run() is None
    results.claim(first, None)
    results.put_parts([REPORTS[0]], "first")
    results.end_released_run("first", CodeChanged("another version"))
    assert results.get_run() == first  # still running
    first.released = True
    results.put_run(first)
    results.end_released_run("first", CodeChanged("another version"))
    found = results.get_run()
    assert found is not None
    assert (found.status, found.error, found.etag) == ("FAILED", "CodeChanged: another version", "etag")
    assert results.get_parts() == []


@pytest.mark.parametrize("released", [True, False])
def test_a_run_that_nobody_works_on_is_cancelled_at_once(table: Any, released: bool) -> None:
    results = ResultsTable(table, "run", JOB)
    lease_until = time.time() + (60 if released else -1)
    dead = RunRecord(run_id="run", owner="dead", lease_until=lease_until, started_at=1.0, etag="etag")
    results.claim(dead, None)
    results.put_parts([REPORTS[0]], "dead")
    dead.released = released
    results.put_run(dead)

    assert results.request_cancel() == "CANCELLED"
    found = results.get_run()
    assert found is not None
    assert (found.status, found.etag, found.released) == ("CANCELLED", "etag", False)
    assert found.error == "RunCancelled: The run was cancelled while no invocation was working on it."
    assert found.finished_at
    assert results.get_parts() == []
    with pytest.raises(RunConflict, match="The run run is not running"):
        results.request_cancel()
    # Should it live after all, or what it handed over come late: the run is not theirs any more.
    for write in (results.put_run, results.end_run):
        with pytest.raises(RunConflict):
            write(dead)
    with pytest.raises(RunConflict):
        results.take_over(RunRecord(run_id="run", owner="late", started_at=1.0), "dead")
    results.claim(RunRecord(run_id="run", owner="another", started_at=1.0), found)


@pytest.mark.parametrize("dead", [True, False])
def test_a_cancel_asks_who_has_taken_over_meanwhile(
    table: Any, monkeypatch: pytest.MonkeyPatch, dead: bool
) -> None:
    """Between reading the record and writing to it."""
    results = ResultsTable(table, "run", JOB)
    first = RunRecord(run_id="run", owner="first", lease_until=time.time() - 1, started_at=1.0)
    second = RunRecord(run_id="run", owner="second", lease_until=time.time() + 60, started_at=1.0)
    if not dead:
        first.released, first.lease_until = True, time.time() + 60
    results.claim(first, None)
    read = results.get_run
    reads = 0

    def read_and_be_late() -> RunRecord | None:
        nonlocal reads
        found = read()
        reads += 1
        if reads == 1:
            results.claim(second, first) if dead else results.take_over(second, "first")
        return found

    monkeypatch.setattr(results, "get_run", read_and_be_late)
    assert results.request_cancel() == "RUNNING"
    with pytest.raises(RunCancelled):
        results.put_run(second)


def test_a_cancel_is_not_lost_between_two_owners(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner releases the run between the cancel's reading and its writing."""
    results = ResultsTable(table, "run", JOB)
    first = RunRecord(run_id="run", owner="first", lease_until=time.time() + 60, started_at=1.0)
    results.claim(first, None)
    read = results.get_run
    released = False

    def read_and_be_late() -> RunRecord | None:
        nonlocal released
        found = read()
        if not released:
            first.released = released = True
            results.put_run(first)
        return found

    monkeypatch.setattr(results, "get_run", read_and_be_late)
    assert results.request_cancel() == "CANCELLED"
    with pytest.raises(RunConflict):
        results.take_over(RunRecord(run_id="run", owner="second", started_at=1.0), "first")


def test_a_missing_table_is_named(endpoint: str) -> None:
    from lambda_src.aws.dynamodb import open_table

    with pytest.raises(FanfoldError, match="the table nowhere: ResourceNotFoundException"):
        ResultsTable(open_table("nowhere", "amazonaws.com"), "run", JOB).get_run()


class SlowTable:
    """An endpoint of which each request takes the time and has the end that a test draws."""

    def __init__(self, draw: Callable[[], tuple[float, str]]) -> None:
        self.now, self._draw = 0.0, draw

    def post(self, _path: str, _headers: object, _body: bytes, *, timeout_s: float) -> Response:
        share, outcome = self._draw()
        self.now += share * timeout_s
        if outcome == "none":
            raise Unreachable("timed out")
        return Response(400, {}, b'{"__type": "%s"}' % outcome.encode())

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(st.data())
def test_two_writes_that_follow_each_other_fit_into_a_lease(data: st.DataObject) -> None:
    """Else a second owner could claim a run whose first one lives, and whose table is slow."""
    outcomes = st.sampled_from(["none", "TransactionConflictException", "ThrottlingException"])
    draws = st.tuples(st.sampled_from([0.0, 0.1, 1.0]), outcomes)
    slow = SlowTable(lambda: data.draw(draws))
    clock = SimpleNamespace(monotonic=lambda: slow.now, sleep=slow.sleep, time=time.time)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "time", clock)
        patch.setattr(dynamodb, "time", clock)
        patch.setattr("random.uniform", lambda _low, high: high)
        results = ResultsTable(dynamodb.EndpointTable(slow, "results"), "run", JOB)  # type: ignore[arg-type]
        with pytest.raises(FanfoldError):
            results.put_run(RunRecord(run_id="run", owner="me", started_at=1.0))
    assert 2 * slow.now + TICK_S <= LEASE_S


def test_a_table_is_not_waited_for_longer_than_its_owner_has() -> None:
    slow = SlowTable(lambda: (1.0, "none"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dynamodb, "time", SimpleNamespace(monotonic=lambda: slow.now, sleep=slow.sleep))
        patch.setattr("random.uniform", lambda _low, high: high)
        with pytest.raises(Transient, match="The connection to DynamoDB failed for the table results"):
            ResultsTable(dynamodb.EndpointTable(slow, "results"), "run", JOB).get_run()  # type: ignore[arg-type]
    assert 8.0 <= slow.now <= LEASE_S / 3
    assert slow.now < HANDOVER_S
