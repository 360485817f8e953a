"""What a run asks of AWS: requests and bytes by kind, and their list price.

A proxy between the Lambdas and the local AWS counts, in runs that nobody times. Bytes are those of bodies.
The units of DynamoDB are worked out from what is sent and answered, which is a little more than the items.
"""

import math
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from benchmarks.end_to_end import OWN, Deployed, deployed
from fanfold.local_aws.server import LocalAws
from fanfold.runs.upload import upload
from lambda_src.run.prices import PRICES, REFERENCE, Prices, dollars
from tests.faults.proxy import Call, Tamper, proxy

ARCHITECTURE = "arm64"
WRITE_UNIT_BYTES, READ_UNIT_BYTES = 1024, 4096


class Passed(NamedTuple):
    """A request of a Lambda, and how many bytes its answer has."""

    call: Call
    answered_bytes: int


class Kind(Struct, frozen=True):
    """All requests of one kind. ``item`` is what is paid for, ``units`` how much of it."""

    kind: str
    requests: int
    sent_bytes: int
    answered_bytes: int
    item: str
    units: float
    dollars: float


class Counts(Struct, frozen=True):
    """What one run of ``blocks`` blocks asked for; ``recorded`` is what its own record says of that, where it
    does, by items."""

    run: str
    blocks: int
    kinds: list[Kind]
    recorded: dict[str, float]

    def counted(self) -> dict[str, float]:
        """The units of each item."""
        items = dict.fromkeys((kind.item for kind in self.kinds), 0.0)
        for kind in self.kinds:
            items[kind.item] += kind.units
        return items


def measure(text: Path) -> list[Counts]:
    """The requests of each of our warm runs."""
    with tempfile.TemporaryDirectory(dir=text.parent) as name, proxy(Path(name, "proxy")) as between:
        authority = str(between.authority)
        lambdas = {
            "AWS_ENDPOINT_URL": between.endpoint,
            "AWS_CA_BUNDLE": authority,
            "SSL_CERT_FILE": authority,
        }

        def forward(local: LocalAws) -> None:
            between.forward_to(local.environment["AWS_ENDPOINT_URL"], local.environment["AWS_CA_BUNDLE"])

        with deployed(Path(name), forward, **lambdas) as stack:
            key = upload(stack.aws, stack.deployment.bucket, text).key
            stack.run(key)  # a cold run may start second copies of tasks that take long
            counts = []
            for run, request in OWN.items():
                between.wait_until_idle()
                between.reset()
                passed: list[Passed] = []
                between.decide = lambda call, passed=passed: Tamper(partial(_noted, passed, call))  # type: ignore[misc]
                answer = stack.run(key, **request)
                between.wait_until_idle()
                recorded = _recorded(stack, answer["run_id"])
                counts.append(Counts(run, answer["blocks"], kinds_of(passed), recorded))
            return counts


def kinds_of(passed: Iterable[Passed]) -> list[Kind]:
    """Requests by kind, with the one invocation that a person makes."""
    prices = PRICES[REFERENCE, ARCHITECTURE]
    by_kind: dict[str, list[Passed]] = {}
    for one in passed:
        by_kind.setdefault(kind_of(one.call), []).append(one)
    kinds = [_kind(kind, of_kind, prices) for kind, of_kind in sorted(by_kind.items())]
    asked = Kind("Lambda Invoke, by a person", 1, 0, 0, "invocations", 1, prices.invocations)
    return [asked, *kinds]


def kind_of(call: Call) -> str:
    """What a person would call it.

    >>> kind_of(Call("s3", "GET", "", "", 0, b""))
    'S3 LIST'
    """
    match call.service:
        case "lambda":
            return "Lambda Invoke"
        case "dynamodb":
            return f"DynamoDB {call.target}"
    return f"S3 {call.method if call.target else 'LIST'}"


def _noted(passed: list[Passed], call: Call, answer: bytes) -> bytes:
    passed.append(Passed(call, len(answer)))
    return answer


def _kind(kind: str, passed: list[Passed], prices: Prices) -> Kind:
    item, units_of = _ITEMS[kind.partition(" ")[0]](passed[0].call)
    units = sum(map(units_of, passed))
    sent, answered = (sum(len(one.call.body) for one in passed), sum(one.answered_bytes for one in passed))
    return Kind(kind, len(passed), sent, answered, item, units, dollars({item: units}, prices)[item])


Units = Callable[[Passed], float]


def _of_s3(call: Call) -> tuple[str, Units]:
    reads = call.target and call.method in ("GET", "HEAD")
    return "s3_gets" if reads else "s3_puts", lambda _: 1


def _of_lambda(_call: Call) -> tuple[str, Units]:
    return "invocations", lambda _: 1


def _of_dynamodb(call: Call) -> tuple[str, Units]:
    reads = call.target in ("GetItem", "Query")
    return ("table_read_units", _read_units) if reads else ("table_write_units", _write_units)


_ITEMS = {"S3": _of_s3, "Lambda": _of_lambda, "DynamoDB": _of_dynamodb}


def _read_units(passed: Passed) -> float:
    """Half of it where the newest state was not asked for."""
    request = msgspec.json.decode(passed.call.body)
    share = 1 if request.get("ConsistentRead") else 0.5
    return share * max(1, math.ceil(passed.answered_bytes / READ_UNIT_BYTES))


def _write_units(passed: Passed) -> float:
    """One for each KB of an item; a transaction takes two, also for what it only checks."""
    request = msgspec.json.decode(passed.call.body)
    actions: list[Any] = request.get("TransactItems", [])
    return sum(2 * _kib(msgspec.json.encode(action)) for action in actions) or _kib(passed.call.body)


def _kib(data: bytes) -> int:
    return math.ceil(len(data) / WRITE_UNIT_BYTES)


def _recorded(stack: Deployed, run_id: str) -> dict[str, float]:
    table = stack.aws.client("dynamodb")
    key = {"run_id": {"S": run_id}, "item": {"S": "run"}}
    record = table.get_item(TableName=stack.deployment.table, Key=key)["Item"]
    return {item: float(amount["N"]) for item, amount in record.get("used", {}).get("M", {}).items()}
