"""The results table in DynamoDB: the run records and the results of each part.

Partition key ``run_id``, sort key ``item``: ``run`` is the run record; ``length#01`` to ``length#20``, say,
hold the results of a job whose parts are lengths. Every write is on a condition on the run's owner.
"""

import os
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from functools import cache
from typing import Any

import boto3
import msgspec
from boto3.dynamodb.conditions import Attr, ConditionBase, Key
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.errors import AccessDenied, FanfoldError, RunCancelled, RunConflict, Throttled, Transient
from lambda_src.job import Job
from lambda_src.messages import PartReport, RunRecord, Status

RUN_ITEM = "run"

DELETES_AT_ONCE = 99
"""A transaction holds 100 actions, and one of them checks the owner."""

CONFLICT_ATTEMPTS = 8
CONFLICT_BACKOFF_S = 0.05
"""DynamoDB refuses a write to an item on which a transaction is at work; transactions take milliseconds. It
throttles a transaction in the same way, and botocore, which tries again what is throttled otherwise, does not
look into a transaction's reasons."""

THROTTLES = {"ProvisionedThroughputExceeded", "RequestLimitExceeded", "ThrottlingError"}
"""Among the reasons for which a transaction is cancelled."""


def open_table(name: str) -> Any:
    """The DynamoDB table ``name``; its client tries a request up to five times, with backoff. To make one
    takes 54 ms: a process that is warm has it already."""
    return _open_once(name, os.environ.get("AWS_ENDPOINT_URL", ""))


@cache
def _open_once(name: str, _endpoint: str) -> Any:
    config = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 5})
    return boto3.resource("dynamodb", config=config).Table(name)


class ResultsTable:
    """The items of one run of ``job`` in ``table`` (a boto3 Table)."""

    def __init__(self, table: Any, run_id: str, job: Job) -> None:
        self._table = table
        self._job = job
        self.run_id = run_id

    def claim(self, record: RunRecord, found: RunRecord | None) -> None:
        """Store the record of a new owner in place of ``found``, the record as it was read.

        Raises RunConflict if another invocation works on the run, or has begun to since; AccessDenied,
        Transient, as every method here does.
        """
        if found is None:
            self._claim(record, Attr("run_id").not_exists())
        else:
            at_rest = Attr("status").is_in(["FAILED", "CANCELLED"])
            as_read = Attr("owner").eq(found.owner) & Attr("cancel_requested").eq(found.cancel_requested)
            self._claim(record, as_read & (at_rest | _abandoned()))

    def take_over(self, record: RunRecord, released_by: str) -> None:
        """Store the record of a new owner of the run that the owner ``released_by`` has handed over. That is
        a state of the record and needs no clock. Raises RunConflict if it is not, or not any more."""
        self._claim(record, _released() & Attr("owner").eq(released_by))

    def _claim(self, record: RunRecord, free: ConditionBase) -> None:
        try:
            self._put(RUN_ITEM, record, ConditionExpression=free)
        except RunConflict:
            # The client tries again when an answer gets lost: the first try may have been the one that won.
            now = self.get_run()
            if now is None or now.owner != record.owner:
                raise

    def put_run(self, record: RunRecord) -> None:
        """Store the record of a run at work. Raises RunCancelled; RunConflict if it has another owner."""
        try:
            at_work = Attr("owner").eq(record.owner) & Attr("cancel_requested").eq(False)
            self._put(RUN_ITEM, record, ConditionExpression=at_work)
        except RunConflict:
            found = self.get_run()
            if found and found.owner == record.owner and found.cancel_requested:
                raise RunCancelled("The run was cancelled.") from None
            raise

    def end_run(self, record: RunRecord) -> None:
        """Store the record of a run that its owner lets go of. Raises RunConflict if it has another owner."""
        self._put(RUN_ITEM, record, ConditionExpression=Attr("owner").eq(record.owner))

    def request_cancel(self) -> Status:
        """Cancel the run. RUNNING means that its owner was asked to stop and will; CANCELLED, that nobody was
        at work on it, and it is cancelled. Raises RunConflict if the run is not running."""
        for _ in range(CONFLICT_ATTEMPTS):
            found = self.get_run()
            if found is None or found.status != "RUNNING":
                break
            with suppress(RunConflict):  # or it has changed hands since it was read
                if found.released or found.lease_until < time.time():
                    self._cancel_unowned(found)
                    return "CANCELLED"
                self._ask_to_stop()
                return "RUNNING"
        raise RunConflict(f"There is no run {self.run_id} at work.")

    def _ask_to_stop(self) -> None:
        """The owner hears it at its next write. A run that is released has none to hear it."""
        self._write(
            lambda: self._table.update_item(
                Key={"run_id": self.run_id, "item": RUN_ITEM},
                UpdateExpression="SET cancel_requested = :true",
                ConditionExpression=Attr("status").eq("RUNNING") & Attr("released").ne(True),
                ExpressionAttributeValues={":true": True},
            )
        )

    def _cancel_unowned(self, found: RunRecord) -> None:
        """End the run as it was read, in place of an owner that has died or released it. Should that one come
        to life after all, it finds that the run is not its own."""
        unowned = Attr("owner").eq(found.owner) & (_released() | _abandoned())
        found.owner = secrets.token_hex(8)
        found.fail(RunCancelled("The run was cancelled when nobody was at work on it."))
        self._claim(found, unowned)
        with suppress(RunConflict):  # or it was resumed since
            self.delete_parts(found.owner)

    def put_new_run(self, record: RunRecord) -> None:
        """Store the run record unless the run has one already."""
        with suppress(RunConflict):
            self._put(RUN_ITEM, record, ConditionExpression=Attr("run_id").not_exists())

    def get_run(self) -> RunRecord | None:
        """The run record, read consistently, or None."""
        with _translated(self._table.name):
            key = {"run_id": self.run_id, "item": RUN_ITEM}
            item = self._table.get_item(Key=key, ConsistentRead=True).get("Item")
        return None if item is None else _from_item(item, RunRecord)

    def put_part(self, report: PartReport, owner: str) -> None:
        """Store the result of one part, if the run is still at work for ``owner``. Raises RunConflict: a
        reducer that comes late leaves nothing with a run that has failed or been cancelled."""
        item = self._item(self._part_item(report.part), report)
        self._write_if(
            "#status = :status AND #owner = :owner",
            {"#status": "status", "#owner": "owner"},
            {":status": "RUNNING", ":owner": owner},
            [{"Put": {"TableName": self._table.name, "Item": item}}],
        )

    def get_parts(self) -> list[PartReport]:
        """The stored results, in the job's order of parts."""
        query = {
            "KeyConditionExpression": Key("run_id").eq(self.run_id)
            & Key("item").begins_with(f"{self._job.part}#"),
            "ConsistentRead": True,
        }
        items: list[Mapping[str, Any]] = []
        with _translated(self._table.name):
            while True:
                page = self._table.query(**query)
                items += page["Items"]
                if "LastEvaluatedKey" not in page:
                    break
                query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        reports = [_from_item(item, PartReport) for item in items]
        return sorted(reports, key=lambda report: self._job.parts.index(report.part))

    def delete_parts(self, owner: str) -> None:
        """Delete the stored results. Raises RunConflict if the run has another owner than ``owner``."""
        stored = [report.part for report in self.get_parts()]
        for first in range(0, len(stored), DELETES_AT_ONCE):
            keys = [
                {"run_id": self.run_id, "item": self._part_item(part)}
                for part in stored[first : first + DELETES_AT_ONCE]
            ]
            self._write_if(
                "#owner = :owner",
                {"#owner": "owner"},
                {":owner": owner},
                [{"Delete": {"TableName": self._table.name, "Key": key}} for key in keys],
            )

    def _put(self, item: str, content: msgspec.Struct, **condition: Any) -> None:
        self._write(lambda: self._table.put_item(Item=self._item(item, content), **condition))

    def _write_if(
        self, condition: str, names: dict[str, str], values: dict[str, str], writes: list[dict[str, Any]]
    ) -> None:
        """``writes`` in one transaction, on a condition on the run's record."""
        check = {
            "TableName": self._table.name,
            "Key": {"run_id": self.run_id, "item": RUN_ITEM},
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
        self._write(
            lambda: self._table.meta.client.transact_write_items(
                TransactItems=[{"ConditionCheck": check}, *writes]
            )
        )

    def _write(self, write: Callable[[], object]) -> None:
        """Write, and again while a transaction is throttled or in the way: reducers check the record that its
        owner puts."""
        with _translated(self._table.name):
            for attempt in range(CONFLICT_ATTEMPTS):
                try:
                    write()
                except ClientError as error:
                    if not _passes(error) or attempt == CONFLICT_ATTEMPTS - 1:
                        raise
                    time.sleep(random.uniform(0.0, CONFLICT_BACKOFF_S * 2**attempt))  # noqa: S311 - no secret
                else:
                    return

    def _part_item(self, part: str) -> str:
        """Padded, so that items sort as parts that are numbers do."""
        return f"{self._job.part}#{part.rjust(max(map(len, self._job.parts)), '0')}"

    def _item(self, item: str, content: msgspec.Struct) -> dict[str, Any]:
        return {**_to_item(content), "run_id": self.run_id, "item": item}


def _released() -> ConditionBase:
    return Attr("status").eq("RUNNING") & Attr("released").eq(True)


def _abandoned() -> ConditionBase:
    """Its owner has not renewed its lease: it has died, or nobody has taken over what it released."""
    return Attr("status").eq("RUNNING") & Attr("lease_until").lt(Decimal(str(time.time())))


def _to_item(content: msgspec.Struct) -> dict[str, Any]:
    """DynamoDB knows no float, only Decimal."""
    item: dict[str, Any] = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode(
        msgspec.json.encode(content)
    )
    return item


def _from_item(item: Mapping[str, Any], kind: Any) -> Any:
    known = {field.encode_name for field in msgspec.structs.fields(kind)} | {"outcome"}
    return msgspec.convert(without_decimals({k: v for k, v in item.items() if k in known}), kind)


def without_decimals(value: Any) -> Any:
    """``value`` as boto3 reads it from DynamoDB, with numbers as JSON has them."""
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case dict():
            return {key: without_decimals(entry) for key, entry in value.items()}
        case list():
            return [without_decimals(entry) for entry in value]
        case _:
            return value


@contextmanager
def _translated(table: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code == "ConditionalCheckFailedException" or _check_failed(error):
            raise RunConflict("The run has ended, or another invocation works on it.") from error
        if _reasons(error) & THROTTLES:
            raise Throttled(f"DynamoDB throttled the table {table}: {message}") from error
        if code.startswith("Transaction"):
            raise Transient(f"DynamoDB could not write to the table {table} now: {message}") from error
        if code in ("AccessDeniedException", "AccessDenied"):
            raise AccessDenied(f"{code} by DynamoDB for the table {table}: {message}") from error
        if code in ("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"):
            raise Throttled(f"DynamoDB throttled the table {table}: {message}") from error
        if status >= 500:
            raise Transient(f"DynamoDB answered {status} for the table {table}: {message}") from error
        raise FanfoldError(f"DynamoDB refused a request to the table {table}: {code}: {message}") from error
    except BotoCoreError as error:
        raise Transient(f"The connection to DynamoDB failed for the table {table}: {error}") from error


def _check_failed(error: ClientError) -> bool:
    """Whether a transaction was refused for its condition."""
    return "ConditionalCheckFailed" in _reasons(error)


def _passes(error: ClientError) -> bool:
    """Whether a write was refused only for another transaction at work on the same item, or for throttles."""
    if error.response["Error"]["Code"] == "TransactionConflictException":
        return True
    return bool(_reasons(error)) and _reasons(error) <= THROTTLES | {"TransactionConflict"}


def _reasons(error: ClientError) -> set[str]:
    """Why a transaction was cancelled; an action that was not at fault has the reason None."""
    codes = {reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])}
    return codes - {"None", "NONE"}
