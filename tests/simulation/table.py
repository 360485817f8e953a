"""A simulated DynamoDB: the conditional writes and transactions that the engine sends, as it sends them."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from lambda_src.aws.dynamodb import from_attribute
from lambda_src.aws.endpoint import Unreachable
from lambda_src.aws.http1 import Response
from tests.simulation.faults import Faults
from tests.simulation.world import World

GET_S, GET_P99_S = 0.004, 0.010
PUT_S, PUT_P99_S = 0.006, 0.013

Item = Mapping[str, Any]


class Write(NamedTuple):
    """An item that was written, or deleted (None), by the process ``about``."""

    at: float
    about: Any
    name: str
    before: Item | None
    after: Item | None


class SimulatedTable:
    """Stands in for ``aws.endpoint.Endpoint`` under ``aws.dynamodb.EndpointTable``."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world, self._faults = world, faults
        self.items: dict[tuple[str, str], Item] = {}
        self.writes: list[Write] = []
        self.requests = 0
        self._busy_until: dict[tuple[str, str], float] = {}  # with a transaction

    def post(self, path: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float) -> Response:
        """Carry out a request, which takes its time before and after."""
        world, operation = self._world, headers["x-amz-target"].partition(".")[2]
        self.requests += 1
        is_read = operation in ("GetItem", "Query")
        latency_s = self._faults.latency_s(*((GET_S, GET_P99_S) if is_read else (PUT_S, PUT_P99_S)))
        fault = self._faults.of_table(operation)
        if fault == "lost request":
            world.sleep(timeout_s)
            raise Unreachable("TimeoutError: timed out")
        if fault == "slow":
            latency_s += timeout_s
        if latency_s >= timeout_s:  # it is carried out although nobody waits for it
            about = world.current.about if world.current else None
            world.after(latency_s / 2, lambda: self._carry_out_late(operation, body, about))
            world.sleep(timeout_s)
            raise Unreachable("TimeoutError: timed out")
        world.sleep(latency_s / 2)
        if fault == "throttled":
            return _refusal(400, "ProvisionedThroughputExceededException", "Throughput exceeds the capacity")
        if fault == "server error":
            return _refusal(500, "InternalServerError", "The request could not be processed")
        response = self._carried_out(operation, body, world.current.about if world.current else None)
        world.sleep(latency_s / 2)
        if fault == "lost answer":
            raise Unreachable("RemoteDisconnected: Remote end closed connection without response")
        return response

    def _carry_out_late(self, operation: str, body: bytes, about: Any) -> None:
        self._carried_out(operation, body, about)

    def _carried_out(self, operation: str, body: bytes, about: Any) -> Response:
        request = msgspec.json.decode(body, type=dict[str, Any])
        answer = getattr(self, f"_{operation}")(request, about)
        return answer if isinstance(answer, Response) else _answer(answer)

    def _GetItem(self, request: Mapping[str, Any], _about: Any) -> dict[str, Any]:  # noqa: N802
        item = self.items.get(_key(request["Key"]))
        return {"ConsumedCapacity": {"CapacityUnits": 1.0}} | ({"Item": item} if item else {})

    def _Query(self, request: Mapping[str, Any], _about: Any) -> dict[str, Any]:  # noqa: N802
        values = request["ExpressionAttributeValues"]
        run, part = from_attribute(values[":run"]), from_attribute(values.get(":part", {"S": ""}))
        found = [
            item
            for (run_id, name), item in sorted(self.items.items())
            if run_id == run and name.startswith(part)
        ]
        answer: dict[str, Any] = {"Count": len(found), "ConsumedCapacity": {"CapacityUnits": 1.0}}
        if "ProjectionExpression" in request:
            found = [{name: item[name] for name in ("run_id", "item")} for item in found]
        return answer if request.get("Select") == "COUNT" else answer | {"Items": found}

    def _PutItem(self, request: Mapping[str, Any], about: Any) -> Any:  # noqa: N802
        key = _key(request["Item"])
        return self._if_free([key], lambda: self._put_item(key, request, about))

    def _put_item(self, key: tuple[str, str], request: Mapping[str, Any], about: Any) -> Any:
        if not _holds(request, self.items.get(key)):
            return _refusal(400, "ConditionalCheckFailedException", "The conditional request failed")
        self._write(key, request["Item"], about)
        return {"ConsumedCapacity": {"CapacityUnits": 2.0}}

    def _UpdateItem(self, request: Mapping[str, Any], about: Any) -> Any:  # noqa: N802
        key = _key(request["Key"])
        return self._if_free([key], lambda: self._update_item(key, request, about))

    def _update_item(self, key: tuple[str, str], request: Mapping[str, Any], about: Any) -> Any:
        found = self.items.get(key)
        if not _holds(request, found):
            return _refusal(400, "ConditionalCheckFailedException", "The conditional request failed")
        name, value = re.fullmatch(r"SET (\w+) = (:\w+)", request["UpdateExpression"]).groups()  # type: ignore[union-attr]
        self._write(key, {**(found or {}), name: request["ExpressionAttributeValues"][value]}, about)
        return {"ConsumedCapacity": {"CapacityUnits": 2.0}}

    def _TransactWriteItems(self, request: Mapping[str, Any], about: Any) -> Any:  # noqa: N802
        actions = [(kind, of) for action in request["TransactItems"] for kind, of in action.items()]
        keys = [_key(of["Item"] if kind == "Put" else of["Key"]) for kind, of in actions]

        def carry_out() -> Any:
            reasons = []
            for (_, of), key in zip(actions, keys, strict=True):
                holds = "ConditionExpression" not in of or _holds(of, self.items.get(key))
                reasons.append({"Code": "None" if holds else "ConditionalCheckFailed"})
            if any(reason["Code"] != "None" for reason in reasons):
                return _refusal(400, "TransactionCanceledException", "cancelled", reasons)
            for (kind, of), key in zip(actions, keys, strict=True):
                if kind != "ConditionCheck":
                    self._write(key, of["Item"] if kind == "Put" else None, about)
            busy_until = self._world.now + self._faults.busy_s()
            self._busy_until |= dict.fromkeys(keys, busy_until)
            return {"ConsumedCapacity": [{"CapacityUnits": 2.0} for _ in actions]}

        return self._if_free(keys, carry_out, [{"Code": "TransactionConflict"} for _ in actions])

    def _if_free(
        self,
        keys: list[tuple[str, str]],
        carry_out: Callable[[], Any],
        reasons: list[dict[str, str]] | None = None,
    ) -> Any:
        """A write to an item that a transaction is using is refused."""
        if any(self._busy_until.get(key, 0.0) > self._world.now for key in keys):
            if reasons is None:
                return _refusal(400, "TransactionConflictException", "Transaction is ongoing for the item")
            return _refusal(400, "TransactionCanceledException", "cancelled", reasons)
        return carry_out()

    def _write(self, key: tuple[str, str], item: Item | None, about: Any) -> None:
        self.writes.append(Write(self._world.now, about, key[1], self.items.get(key), item))
        if item is None:
            self.items.pop(key, None)
        else:
            self.items[key] = item


def _key(of: Item) -> tuple[str, str]:
    return of["run_id"]["S"], of["item"]["S"]


def _answer(answer: Mapping[str, Any]) -> Response:
    return Response(200, {}, msgspec.json.encode(answer))


def _refusal(status: int, code: str, message: str, reasons: list[dict[str, str]] | None = None) -> Response:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    return Response(
        status, {}, msgspec.json.encode(body | ({"CancellationReasons": reasons} if reasons else {}))
    )


# Conditions: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html

_TOKEN = re.compile(r"\s*(<>|<=|>=|[()<>=,]|[#:]?\w+)")


def _holds(request: Mapping[str, Any], item: Item | None) -> bool:
    """Whether the condition of ``request`` is true of ``item``.

    >>> values = {":a": {"N": "1"}, ":b": {"N": "2"}}
    >>> condition = "attribute_not_exists(x) AND (y = :b OR y IN (:a, :b)) AND z < :b"
    >>> request = {"ConditionExpression": condition, "ExpressionAttributeValues": values}
    >>> [_holds(request, {"y": {"N": y}, "z": {"N": z}}) for y, z in ("11", "21", "31", "22")]
    [True, True, False, False]
    >>> _holds(request, None)
    False
    """
    names = request.get("ExpressionAttributeNames", {})
    values = {
        name: from_attribute(value) for name, value in request.get("ExpressionAttributeValues", {}).items()
    }
    tokens = _TOKEN.findall(request["ConditionExpression"])
    return _Condition(tokens, names, values, item or {}).either()


class _Condition:
    """Evaluates a condition while it reads it."""

    def __init__(
        self, tokens: list[str], names: Mapping[str, str], values: Mapping[str, Any], item: Item
    ) -> None:
        self._tokens, self._names, self._values, self._item = tokens[::-1], names, values, item

    def either(self) -> bool:
        """One of several, with OR between."""
        holds = self._all()
        while self._tokens and self._tokens[-1] == "OR":
            self._tokens.pop()
            holds = self._all() or holds
        return holds

    def _all(self) -> bool:
        holds = self._one()
        while self._tokens and self._tokens[-1] == "AND":
            self._tokens.pop()
            holds = self._one() and holds
        return holds

    def _one(self) -> bool:
        first = self._tokens.pop()
        if first == "(":
            holds = self.either()
            self._tokens.pop()
            return holds
        if first == "attribute_not_exists":
            _, name, _ = self._tokens.pop(), self._tokens.pop(), self._tokens.pop()
            return self._names.get(name, name) not in self._item
        found = self._item.get(self._names.get(first, first))
        value = None if found is None else from_attribute(found)
        operator = self._tokens.pop()
        if operator == "IN":
            self._tokens.pop()
            wanted = []
            while True:
                wanted.append(self._values[self._tokens.pop()])
                if self._tokens.pop() == ")":
                    return value in wanted
        other = self._values[self._tokens.pop()]
        if operator == "=":
            return bool(value == other)
        if operator == "<>":
            return bool(value != other)
        assert operator == "<", operator
        return value is not None and bool(value < other)
