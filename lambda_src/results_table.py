"""The results table in DynamoDB: the run records and the top words.

Partition key ``run_id``, sort key ``item``: ``run`` is the run record, ``length#01`` to ``length#20`` hold
the top words. Every write is a plain idempotent put.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any

import boto3
import msgspec
from boto3.dynamodb.conditions import Attr, Key
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.errors import AccessDenied, FanfoldError, RunConflict, Throttled, Transient
from lambda_src.messages import LengthReport, RunRecord

RUN_ITEM = "run"


def open_table(name: str) -> Any:
    """The DynamoDB table ``name``; its client tries a request up to five times, with backoff."""
    config = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 5})
    return boto3.resource("dynamodb", config=config).Table(name)


class ResultsTable:
    """The items of one run in ``table`` (a boto3 Table)."""

    def __init__(self, table: Any, run_id: str) -> None:
        self._table = table
        self._run_id = run_id

    def put_run(self, record: RunRecord) -> None:
        """Store the run record. Raises AccessDenied, Transient, as every method here does."""
        self._put(RUN_ITEM, record)

    def put_new_run(self, record: RunRecord) -> None:
        """Store the run record unless the run has one already."""
        with suppress(RunConflict):
            self._put(RUN_ITEM, record, ConditionExpression=Attr("run_id").not_exists())

    def get_run(self) -> RunRecord | None:
        """The run record, read consistently, or None."""
        with _translated(self._table.name):
            key = {"run_id": self._run_id, "item": RUN_ITEM}
            item = self._table.get_item(Key=key, ConsistentRead=True).get("Item")
        return None if item is None else _from_item(item, RunRecord)

    def put_length(self, report: LengthReport) -> None:
        """Store the top words of one length."""
        self._put(_length_item(report.length), report)

    def get_lengths(self) -> list[LengthReport]:
        """The stored top words, by length."""
        with _translated(self._table.name):
            condition = Key("run_id").eq(self._run_id) & Key("item").begins_with("length#")
            # At most 20 items of well under 50 KB in all: one page.
            items = self._table.query(KeyConditionExpression=condition, ConsistentRead=True)["Items"]
        return [_from_item(item, LengthReport) for item in items]

    def delete_lengths(self, longest: int) -> None:
        """Delete the top words of length 1 to ``longest``, whether stored or not."""
        with _translated(self._table.name), self._table.batch_writer() as batch:
            for length in range(1, longest + 1):
                batch.delete_item(Key={"run_id": self._run_id, "item": _length_item(length)})

    def _put(self, item: str, content: msgspec.Struct, **condition: Any) -> None:
        with _translated(self._table.name):
            self._table.put_item(
                Item={**_to_item(content), "run_id": self._run_id, "item": item}, **condition
            )


def _length_item(length: int) -> str:
    return f"length#{length:02d}"


def _to_item(content: msgspec.Struct) -> dict[str, Any]:
    """DynamoDB knows no float, only Decimal."""
    item: dict[str, Any] = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode(
        msgspec.json.encode(content)
    )
    return item


def _from_item(item: Mapping[str, Any], kind: Any) -> Any:
    known = {field.encode_name for field in msgspec.structs.fields(kind)} | {"outcome"}
    return msgspec.convert(_without_decimals({k: v for k, v in item.items() if k in known}), kind)


def _without_decimals(value: Any) -> Any:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case dict():
            return {key: _without_decimals(entry) for key, entry in value.items()}
        case list():
            return [_without_decimals(entry) for entry in value]
        case _:
            return value


@contextmanager
def _translated(table: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code == "ConditionalCheckFailedException":
            raise RunConflict("The run's record is not in the state that this request needs.") from error
        if code in ("AccessDeniedException", "AccessDenied"):
            raise AccessDenied(f"{code} by DynamoDB for the table {table}: {message}") from error
        if code in ("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"):
            raise Throttled(f"DynamoDB throttled the table {table}: {message}") from error
        if status >= 500:
            raise Transient(f"DynamoDB answered {status} for the table {table}: {message}") from error
        raise FanfoldError(f"DynamoDB refused a request to the table {table}: {code}: {message}") from error
    except BotoCoreError as error:
        raise Transient(f"The connection to DynamoDB failed for the table {table}: {error}") from error
