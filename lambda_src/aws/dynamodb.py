"""Requests of the functions to one DynamoDB table, as its API reference writes them."""

import math
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from lambda_src.aws.endpoint import Endpoint, Unreachable, open_endpoint
from lambda_src.telemetry import meter

TIMEOUT_S = 2.0
MAX_ATTEMPTS = 6
BACKOFF_S = 0.05
MAX_BACKOFF_S = 2.0
CALL_S = 9.0
"""DynamoDB answers in milliseconds. A slower request is repeated on a new connection with twice the time,
because opening a connection takes longer. All attempts of a call take ``CALL_S`` at most: a lease must be
renewed before it expires."""

THROTTLES = {"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"}
"""Error codes that are worth a retry."""

READS = {"GetItem", "Query"}


class DynamoDbError(Exception):
    """DynamoDB rejected a request. ``reasons`` are the codes of the actions for which a transaction was
    cancelled."""

    def __init__(self, status: int, code: str, message: str, reasons: frozenset[str] = frozenset()) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message, self.reasons = status, code, message, reasons


class Table(Protocol):
    """The table ``name``."""

    name: str

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to ``operation``, such as ``PutItem``. ``request`` names the table where the operation
        requires it. Temporary errors are retried a few times. Raises DynamoDbError, Unreachable."""


class EndpointTable:
    """The table ``name`` at ``endpoint``."""

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        self._endpoint = endpoint
        self.name = name

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """As ``Table.call``."""
        ends_at = time.monotonic() + CALL_S
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                timeout_s = min(TIMEOUT_S * 2 ** (attempt - 1), ends_at - time.monotonic())
                return self._call_once(operation, request, timeout_s)
            except (DynamoDbError, Unreachable) as error:
                backoff_s = random.uniform(0.0, min(MAX_BACKOFF_S, BACKOFF_S * 2**attempt))  # noqa: S311 - no secret
                late = attempt == MAX_ATTEMPTS or time.monotonic() + backoff_s >= ends_at
                if late or not _is_temporary(error):
                    raise
                time.sleep(backoff_s)
        raise AssertionError("the last attempt returns or raises")

    def _call_once(self, operation: str, request: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        response = self._endpoint.post(
            "/",
            {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"DynamoDB_20120810.{operation}"},
            msgspec.json.encode({**request, "ReturnConsumedCapacity": "TOTAL"}),
            timeout_s=timeout_s,
        )
        try:
            answer = msgspec.json.decode(response.body, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise Unreachable(f"the answer, status {response.status}, is not JSON: {error}") from error
        if response.status < 300:
            kind = "read" if operation in READS else "write"
            meter.count(f"table_{kind}s")
            meter.count(f"table_{kind}_units", _units(answer.get("ConsumedCapacity", ())))
            return answer
        code = str(answer.get("__type", f"status {response.status}")).split("#")[-1]
        message = str(answer.get("message") or answer.get("Message") or "no reason given")
        raise DynamoDbError(response.status, code, message, reasons_of(answer))


def open_table(name: str, url_suffix: str) -> EndpointTable:
    """The table ``name``, at the domain ``url_suffix`` of the partition."""
    return EndpointTable(open_endpoint("dynamodb", url_suffix), name)


def reasons_of(answer: Mapping[str, Any]) -> frozenset[str]:
    """Why a transaction was cancelled."""
    codes = (reason.get("Code") for reason in answer.get("CancellationReasons") or ())
    return frozenset(code for code in codes if code and code.upper() != "NONE")


def to_attribute(value: Any) -> dict[str, Any]:
    """A JSON value as a DynamoDB attribute. Raises ValueError for NaN and infinity.

    >>> to_attribute({"words": 2, "of": ["a", None]})
    {'M': {'words': {'N': '2'}, 'of': {'L': [{'S': 'a'}, {'NULL': True}]}}}
    """
    attribute: dict[str, Any]
    match value:
        case None:
            attribute = {"NULL": True}
        case bool():
            attribute = {"BOOL": value}
        case str():
            attribute = {"S": value}
        case int() | float() if math.isfinite(value):
            attribute = {"N": repr(value)}
        case list():
            attribute = {"L": [to_attribute(entry) for entry in value]}
        case dict():
            attribute = {"M": {key: to_attribute(entry) for key, entry in value.items()}}
        case _:
            raise ValueError(f"DynamoDB has no type for {value!r}.")
    return attribute


def from_attribute(attribute: Mapping[str, Any]) -> Any:
    """The inverse of ``to_attribute``. A whole float comes back as an int: DynamoDB has one kind of
    number."""
    ((kind, value),) = attribute.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return _number(value)
        case "L":
            return [from_attribute(entry) for entry in value]
        case "M":
            return {key: from_attribute(entry) for key, entry in value.items()}
    return value


def _units(consumed: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> float:
    """The capacity units that a request, or all parts of a transaction, consumed."""
    each = [consumed] if isinstance(consumed, Mapping) else consumed
    return sum(float(part.get("CapacityUnits", 0.0)) for part in each)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        number = float(text)
        return int(number) if number.is_integer() else number


def _is_temporary(error: DynamoDbError | Unreachable) -> bool:
    return isinstance(error, Unreachable) or error.status >= 500 or error.code in THROTTLES
