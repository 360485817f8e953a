"""The results table in DynamoDB: the run records and the results of each part.

The partition key is ``run_id``, the sort key ``item``: ``run`` for the run record, and ``length#01`` to
``length#20`` for the results of a job whose parts are lengths. Every write is conditional on the run's owner.
"""

import os
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgspec

from lambda_src.aws.dynamodb import THROTTLES, DynamoDbError, Table, from_attribute, to_attribute
from lambda_src.aws.endpoint import Unreachable
from lambda_src.errors import (
    AccessDenied,
    FanfoldError,
    RecordUnreadable,
    RunCancelled,
    RunConflict,
    Throttled,
    Transient,
)
from lambda_src.job import Job
from lambda_src.store.keys import RUN_ITEM, part_item, part_items
from lambda_src.telemetry.calls import FAILURE_BYTES, cut
from lambda_src.wire.record import RunRecord, Status
from lambda_src.wire.reports import PartReport

WRITES_AT_ONCE = 99
"""A transaction has at most 100 actions, one of which checks the owner."""

WRITE_BYTES = 1_000_000
"""Results of more JSON than this are not written together: a transaction has at most 4 MB, and an item may
take more than its JSON."""

CONFLICT_ATTEMPTS = 8
CONFLICT_BACKOFF_S = 0.05
CONFLICT_S = 3.0
"""DynamoDB refuses a write to an item while a transaction uses it, which takes milliseconds. It throttles a
transaction in the same way. The last attempt begins within ``CONFLICT_S``: two consecutive writes must fit
into a lease, because the second renews the first."""

TRANSACTION_THROTTLES = {"ProvisionedThroughputExceeded", "RequestLimitExceeded", "ThrottlingError"}
"""The reasons of a cancelled transaction that mean a throttle."""

NEW = "attribute_not_exists(run_id)"
RELEASED = "(#status = :running AND released = :yes)"
ABANDONED = "(#status = :running AND lease_until < :now)"
"""The lease has expired: the owner has died, or nobody took over a released run."""


class RunTable:
    """The items of one run in ``table``, whatever its job is. A record of a version with one stack per job
    does not name it: then it is ``default_job``."""

    def __init__(self, table: Table, run_id: str, default_job: str = "") -> None:
        self._table = table
        self._default_job = default_job
        self.run_id = run_id

    def claim(self, record: RunRecord, found: RunRecord | None) -> None:
        """Store the record of a new owner in place of ``found``, the record that was read.

        Raises RunConflict if another invocation owns the run, or has claimed it since; AccessDenied and
        Transient, as every method here does.
        """
        if found is None:
            self._claim(record, NEW)
        else:
            self._claim(
                record,
                "#owner = :found AND cancel_requested = :asked "
                f"AND (#status IN (:failed, :cancelled) OR {ABANDONED})",
                found=found.owner,
                asked=found.cancel_requested,
                failed="FAILED",
                cancelled="CANCELLED",
                running="RUNNING",
                now=time.time(),
            )

    def take_over(self, record: RunRecord, released_by: str) -> None:
        """Store the record of a new owner of a run that the owner ``released_by`` handed over. This does not
        depend on clocks. Raises RunConflict if the run is not released, or somebody else took it over."""
        self._claim(record, f"#owner = :found AND {RELEASED}", found=released_by, running="RUNNING", yes=True)

    def _claim(self, record: RunRecord, free: str, **values: Any) -> None:
        try:
            self._put(RUN_ITEM, record, free, **values)
        except RunConflict:
            # A write without an answer is retried: the first attempt may have succeeded.
            now = self.get_run()
            if now is None or now.owner != record.owner:
                raise

    def put_run(self, record: RunRecord) -> None:
        """Store the record of a running run. Raises RunCancelled; RunConflict if it has another owner."""
        try:
            owned = "#owner = :owner AND cancel_requested = :no"
            self._put(RUN_ITEM, record, owned, owner=record.owner, no=False)
        except RunConflict:
            found = self.get_run()
            if found and found.owner == record.owner and found.cancel_requested:
                raise RunCancelled("The run was cancelled.") from None
            raise

    def end_run(self, record: RunRecord) -> None:
        """Store the record of a run that its owner ends. Raises RunConflict if it has another owner."""
        self._put(RUN_ITEM, record, "#owner = :owner", owner=record.owner)

    def request_cancel(self) -> Status:
        """Cancel the run. RUNNING means that its owner was asked to stop, and will; CANCELLED that it had no
        live owner, and is cancelled. Raises RunConflict if the run is not running."""
        for _ in range(CONFLICT_ATTEMPTS):
            found = self.get_run()
            if found is None or found.status != "RUNNING":
                break
            with suppress(RunConflict):  # its owner has changed since it was read
                if found.released or found.lease_until < time.time():
                    self._cancel_unowned(found)
                    return "CANCELLED"
                self._ask_to_stop()
                return "RUNNING"
        raise RunConflict(f"The run {self.run_id} is not running.")

    def _ask_to_stop(self) -> None:
        """The owner notices at its next write. A released run has no owner."""
        self._write(
            "UpdateItem",
            {
                "TableName": self._table.name,
                "Key": self._key(RUN_ITEM),
                "UpdateExpression": "SET cancel_requested = :yes",
                **_condition("#status = :running AND released <> :yes", running="RUNNING", yes=True),
            },
        )

    def _cancel_unowned(self, found: RunRecord) -> None:
        """End a run whose owner has died or released it. If that owner is alive after all, it finds that it
        does not own the run any more."""
        owner = found.owner
        found.owner = os.urandom(8).hex()
        found.fail(RunCancelled("The run was cancelled while no invocation was working on it."))
        self._claim(
            found,
            f"#owner = :found AND ({RELEASED} OR {ABANDONED})",
            found=owner,
            running="RUNNING",
            yes=True,
            now=time.time(),
        )
        with suppress(RunConflict):  # it has been resumed since
            self.delete_parts(found.owner)

    def end_released_run(self, released_by: str, error: FanfoldError) -> None:
        """End, with ``error``, the run that the owner ``released_by`` handed over, unless another invocation
        has taken it over."""
        found = self.get_run()
        if found:
            found.fail(error)
            with suppress(RunConflict):
                self.take_over(found, released_by)
                self.delete_parts(found.owner)

    def end_lease(self, found: RunRecord) -> None:
        """End the lease of the run that was ``found``. Raises RunConflict if it has another owner by now."""
        self._write(
            "UpdateItem",
            {
                "TableName": self._table.name,
                "Key": self._key(RUN_ITEM),
                "UpdateExpression": "SET lease_until = :never",
                **_condition(
                    "#status = :running AND #owner = :owner", running="RUNNING", owner=found.owner, never=0
                ),
            },
        )

    def put_new_run(self, record: RunRecord) -> None:
        """Store the record unless the run has one already."""
        with suppress(RunConflict):
            self._put(RUN_ITEM, record, NEW)

    def get_run(self) -> RunRecord | None:
        """The record, read consistently, or None. Raises RecordUnreadable."""
        item = self._run_item()
        return None if item is None else run_from_item(item, self.run_id, self._default_job)

    def _run_item(self) -> Mapping[str, Any] | None:
        request = {"TableName": self._table.name, "Key": self._key(RUN_ITEM), "ConsistentRead": True}
        with _translated(self._table.name):
            item: Mapping[str, Any] | None = self._table.call("GetItem", request).get("Item")
        return item

    def has_run(self) -> bool:
        """Whether the run has a record, readable or not."""
        return self._run_item() is not None

    def delete_parts(self, owner: str) -> None:
        """Delete the stored results. Raises RunConflict if the run has another owner than ``owner``."""
        # Whatever they are called: an earlier version of the job may have had other parts.
        pages = self._pages("run_id = :run", ProjectionExpression="run_id, #item")
        keys = [item for page in pages for item in page["Items"] if item["item"] != {"S": RUN_ITEM}]
        for first in range(0, len(keys), WRITES_AT_ONCE):
            deletes = [
                {"Delete": {"TableName": self._table.name, "Key": key}}
                for key in keys[first : first + WRITES_AT_ONCE]
            ]
            self._write_if(deletes, "#owner = :owner", owner=owner)

    def _pages(self, condition: str, *, part: str | None = None, **more: Any) -> Iterator[dict[str, Any]]:
        """The pages of a query for items of the run."""
        query = {
            "TableName": self._table.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {"#item": "item"},
            "ExpressionAttributeValues": _values(run=self.run_id, **({"part": part} if part else {})),
            "ConsistentRead": True,
            **more,
        }
        with _translated(self._table.name):
            while True:
                page = self._table.call("Query", query)
                yield page
                if not page.get("LastEvaluatedKey"):
                    return
                query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _put(self, item: str, content: msgspec.Struct, condition: str, **values: Any) -> None:
        self._write(
            "PutItem",
            {
                "TableName": self._table.name,
                "Item": self._item(item, content),
                **_condition(condition, **values),
            },
        )

    def _write_if(self, writes: list[dict[str, Any]], condition: str, **values: Any) -> None:
        """Do ``writes`` in one transaction, with a condition on the run's record."""
        check = {
            "TableName": self._table.name,
            "Key": self._key(RUN_ITEM),
            **_condition(condition, **values),
        }
        self._write("TransactWriteItems", {"TransactItems": [{"ConditionCheck": check}, *writes]})

    def _write(self, operation: str, request: Mapping[str, Any]) -> None:
        """Write, and retry while a transaction is throttled or conflicts: reducers check the record while its
        owner writes it."""
        gives_up_at = time.monotonic() + CONFLICT_S
        with _translated(self._table.name):
            for attempt in range(CONFLICT_ATTEMPTS):
                try:
                    self._table.call(operation, request)
                except DynamoDbError as error:
                    backoff_s = random.uniform(0.0, CONFLICT_BACKOFF_S * 2**attempt)  # noqa: S311 - no secret
                    late = attempt == CONFLICT_ATTEMPTS - 1 or time.monotonic() + backoff_s > gives_up_at
                    if late or not _passes(error):
                        raise
                    time.sleep(backoff_s)
                else:
                    return

    def _key(self, item: str) -> dict[str, Any]:
        return _values_of({"run_id": self.run_id, "item": item})

    def _item(self, item: str, content: msgspec.Struct) -> dict[str, Any]:
        plain = msgspec.to_builtins(content)
        return {**_values_of(plain), **self._key(item)}


class ResultsTable(RunTable):
    """The items of one run of ``job``."""

    def __init__(self, table: Table, run_id: str, job: Job, default_job: str = "") -> None:
        super().__init__(table, run_id, default_job)
        self._job = job

    def put_parts(self, reports: Sequence[PartReport], owner: str) -> None:
        """Store the results of parts, if ``owner`` still owns the run. Raises RunConflict: a late reducer
        must not add results to a run that has failed or was cancelled."""
        for some in _batches(reports):
            puts = [
                {"Put": {"TableName": self._table.name, "Item": self._item(self._part_item(one.part), one)}}
                for one in some
            ]
            self._write_if(puts, "#status = :running AND #owner = :owner", running="RUNNING", owner=owner)

    def get_parts(self) -> list[PartReport]:
        """The stored results, in the job's order of parts. Raises RecordUnreadable."""
        reports = [self._report(item) for page in self._part_pages() for item in page["Items"]]
        return sorted(reports, key=lambda report: self._job.parts.index(report.part))

    def _report(self, item: Mapping[str, Any]) -> PartReport:
        name = str(from_attribute(item["item"]))
        what = f"result {name} of the run {self.run_id}"
        report: PartReport = _from_item(item, PartReport, what)
        if report.part not in self._job.parts or self._part_item(report.part) != name:
            raise _unreadable(what, f"it is of another {self._job.part}")
        return report

    def count_parts(self) -> int:
        """How many results are stored, without reading them."""
        return sum(page["Count"] for page in self._part_pages(Select="COUNT"))

    def _part_pages(self, **more: Any) -> Iterator[dict[str, Any]]:
        of_parts = "run_id = :run AND begins_with(#item, :part)"
        return self._pages(of_parts, part=part_items(self._job.part), **more)

    def _part_item(self, part: str) -> str:
        return part_item(self._job.part, part, self._job.parts)


def _batches(reports: Sequence[PartReport]) -> Iterator[list[PartReport]]:
    """``reports`` in groups that fit into a transaction each."""
    batch: list[PartReport] = []
    batch_bytes = 0
    for report in reports:
        report_bytes = len(msgspec.json.encode(report))
        if batch and (len(batch) == WRITES_AT_ONCE or batch_bytes + report_bytes > WRITE_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(report)
        batch_bytes += report_bytes
    if batch:
        yield batch


def run_from_item(item: Mapping[str, Any], run_id: str, default_job: str = "") -> RunRecord:
    """The record of the run ``run_id`` from an item of the table, of ``default_job`` if it names no job.
    Raises RecordUnreadable."""
    record: RunRecord = _from_item(item, RunRecord, f"record of the run {run_id}")
    record.job = record.job or default_job
    return record


def _from_item(item: Mapping[str, Any], kind: Any, what: str) -> Any:
    """An item of the table as a Struct ``kind``. Fields that the item lacks have their defaults."""
    known = {field.encode_name for field in msgspec.structs.fields(kind)} | {"outcome"}
    try:
        plain = {name: from_attribute(value) for name, value in item.items() if name in known}
        return msgspec.convert(plain, kind)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise _unreadable(what, str(error)) from error


def _unreadable(what: str, why: str) -> RecordUnreadable:
    reason = cut(" ".join(why.split()), FAILURE_BYTES)
    return RecordUnreadable(
        f"The {what} cannot be read: {reason}. It is damaged, or a newer version of Fanfold wrote it."
    )


def _values_of(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: to_attribute(value) for name, value in values.items()}


def _values(**values: Any) -> dict[str, Any]:
    """The values of an expression."""
    return {f":{name}": to_attribute(value) for name, value in values.items()}


def _condition(expression: str, **values: Any) -> dict[str, Any]:
    """The condition of a write. DynamoDB reserves the names that have a ``#``."""
    names = set(re.findall(r"#(\w+)", expression))
    return {
        "ConditionExpression": expression,
        **({"ExpressionAttributeNames": {f"#{name}": name for name in names}} if names else {}),
        **({"ExpressionAttributeValues": _values(**values)} if values else {}),
    }


@contextmanager
def _translated(table: str) -> Iterator[None]:
    try:
        yield
    except DynamoDbError as error:
        raise _as_ours(error, table) from error
    except Unreachable as error:
        raise Transient(f"The connection to DynamoDB failed for the table {table}: {error}") from error


def _as_ours(error: DynamoDbError, table: str) -> FanfoldError:
    code, message = error.code, error.message
    if code == "ConditionalCheckFailedException" or "ConditionalCheckFailed" in error.reasons:
        return RunConflict("The run has ended, or another invocation works on it.")
    if code in THROTTLES or error.reasons & TRANSACTION_THROTTLES:
        return Throttled(f"DynamoDB throttled the table {table}: {message}")
    if code.startswith("Transaction"):
        return Transient(f"DynamoDB could not write to the table {table} now: {message}")
    if code in ("AccessDeniedException", "AccessDenied"):
        return AccessDenied(f"{code} by DynamoDB for the table {table}: {message}")
    if error.status >= 500:
        return Transient(f"DynamoDB answered {error.status} for the table {table}: {message}")
    return FanfoldError(f"DynamoDB refused a request to the table {table}: {code}: {message}")


def _passes(error: DynamoDbError) -> bool:
    """Whether a write failed only because of another transaction on the same item, or throttles."""
    if error.code == "TransactionConflictException":
        return True
    return bool(error.reasons) and error.reasons <= TRANSACTION_THROTTLES | {"TransactionConflict"}
