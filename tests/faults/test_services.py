"""S3 and Lambda on a bad day."""

import random

import msgspec
import pytest

from lambda_src.settings import DEFAULT_JOB
from tests.e2e.roles import Role
from tests.faults.cases import CASES
from tests.faults.faulty import Faulty, each_job, of_jobs
from tests.faults.proxy import INTERNAL, SLOW_DOWN, THROTTLED, Answer, Call, Cut, Fault, Reset, Stall, often

S3_FAULTS: dict[str, Fault] = {
    "503 Slow Down": SLOW_DOWN,
    "500": INTERNAL,
    "connection reset": Reset(),
    "truncated body": Cut(),
    "5 s stall": Stall(5.0),
}
SHORT = {(name, 20) for name in S3_FAULTS if name != "5 s stall"} | {("5 s stall", 1)}


def is_s3(call: Call) -> bool:
    return call.service == "s3"


@pytest.mark.parametrize(
    ("name", "percent"),
    [
        pytest.param(name, percent, marks=[] if (name, percent) in SHORT else pytest.mark.long)
        for name in S3_FAULTS
        for percent in (1, 5, 20)
    ],
)
def test_s3_faults_lose_nothing(faulty: Faulty, name: str, percent: int) -> None:
    fault: Fault = S3_FAULTS[name]
    matches = (lambda call: call.method == "GET" and is_s3(call)) if isinstance(fault, Cut) else is_s3
    faulty.proxy.decide = often(percent / 100, fault, matches)
    faulty.must_be_exact(f"S3: {name} on {percent} % of requests", faulty.event())
    assert faulty.proxy.injected


@each_job
def test_throttled_invokes_lose_nothing(faulty: Faulty) -> None:
    faulty.proxy.decide = often(0.2, THROTTLED, lambda call: call.service == "lambda")
    faulty.must_be_exact("Lambda: 429 on 20 % of invokes", faulty.event())
    assert faulty.proxy.injected


def test_conflicting_transactions_lose_nothing(faulty: Faulty) -> None:
    """The real DynamoDB refuses a write while another transaction is at work on the same item."""
    prefix = "com.amazonaws.dynamodb.v20120810#"
    conflict = {"__type": f"{prefix}TransactionConflictException", "message": "Transaction is ongoing"}
    cancelled = {
        "__type": f"{prefix}TransactionCanceledException",
        "message": "Transaction cancelled",
        "CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}],
    }
    refusals = {
        "PutItem": Answer(400, msgspec.json.encode(conflict), {}),
        "TransactWriteItems": Answer(400, msgspec.json.encode(cancelled), {}),
    }
    generator = random.Random(1)
    faulty.proxy.decide = lambda call: refusals.get(call.target) if generator.random() < 0.3 else None
    faulty.must_be_exact("DynamoDB: conflict on 30 % of writes", faulty.event())
    assert faulty.proxy.injected


@of_jobs(*sorted(CASES.keys() - {DEFAULT_JOB}))
def test_slow_s3_loses_nothing_of_other_jobs(faulty: Faulty) -> None:
    faulty.proxy.decide = often(0.2, SLOW_DOWN, is_s3)
    faulty.must_be_exact("S3: 503 Slow Down on 20 % of requests", faulty.event())
    assert faulty.proxy.injected


@pytest.mark.parametrize("room", [10, 3])
def test_a_small_account_is_only_slower(faulty: Faulty, room: int) -> None:
    faulty.proxy.room = room
    faulty.must_be_exact(f"Lambda: room for {room} at once", faulty.event(max_concurrency=250))
    assert faulty.proxy.injected


@pytest.mark.long
def test_room_for_two_is_enough(faulty: Faulty) -> None:
    """parse_file and one more: it then calls the reducers itself, and needs the grant for that."""
    faulty.proxy.room = 2
    faulty.must_be_exact("Lambda: room for 2 at once", faulty.event(max_concurrency=250))
    with Role(faulty.stack, "ParseFile").without("lambda:InvokeFunction", "GetOccurrences"):
        faulty.must_fail("Room for 2 without the grant for it", faulty.event(), "AccessDenied")
