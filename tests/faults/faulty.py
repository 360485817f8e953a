"""The deployed stack behind the proxy, and the table of how each fault ended."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lambda_src.job import Job, Shards, load
from lambda_src.settings import DEFAULT_JOB
from lambda_src.wire.requests import new_run_id
from tests.deployed import Stack
from tests.faults.cases import CASES, Case, Right
from tests.faults.proxy import Call, Fault, Hold, Proxy


def workers_of_group(group: int, function: str = "") -> list[int]:
    """The processes of a process group that work, or wait to, for a function; for any by default."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile
            at_work = f"/ministack-lambda-{function}" in str((process / "cwd").readlink())
            if at_work and os.getpgid(int(process.name)) == group:
                found.append(int(process.name))
    return found


def process_of_connection(port: int, processes: list[int]) -> int | None:
    """Which of the processes has the connection whose own end is ``port`` of loopback."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1] == f"0100007F:{port:04X}"}
    for process in processes:
        for entry in Path(f"/proc/{process}/fd").glob("*"):
            with contextlib.suppress(OSError):  # gone meanwhile
                if str(entry.readlink()) in sockets:
                    return process
    return None


def kill(process: int) -> None:
    """SIGKILL."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def of_jobs(*jobs: str) -> pytest.MarkDecorator:
    """For tests of what a fault does to these jobs. The engine does not know which job it runs: all but the
    default one, each of which must be deployed first, are slow."""
    rows = [job if job == DEFAULT_JOB else pytest.param(job, marks=pytest.mark.slow) for job in jobs]
    return pytest.mark.parametrize("faulty", rows, indirect=True)


each_job = of_jobs(*sorted(CASES))


FIRST_HELD = 5
"""The first block that ``Faulty.holding`` holds."""


class Row(NamedTuple):
    """One line of the table."""

    job: str
    fault: str
    injected: int
    outcome: str
    lost: str
    twice: str


ROW = "row of the table"
"""The name of the user property of a test's report that holds one."""

ROWS: list[Row] = []
"""Those of the test that runs now."""


class Faulty(NamedTuple):
    """The deployed stack of a job with its proxy and one input of about twenty blocks."""

    stack: Stack
    proxy: Proxy
    case: Case

    @property
    def job(self) -> Job:
        """The job that is deployed."""
        return load(self.stack.job)

    @property
    def shards(self) -> Shards:
        """Those of an ``event``: parts if the job can have that, else a single one."""
        return self.job.shards("run")

    def event(self, **more: Any) -> dict[str, Any]:
        """A request for a run of the input, with its ``shards`` unless there are ``more`` fields for that."""
        by = {"shard_by": self.shards.by} if self.job.sharded_by else {}
        return {**self.case.request, "max_concurrency": 8, "run_id": new_run_id(), **by, **more}

    def is_function(self, name: str) -> Callable[[Call], bool]:
        """Whether a call invokes the function of the output ``name``."""
        function = getattr(self.stack.deployment, name)
        return lambda call: call.service == "lambda" and call.target == function

    def must_be_exact(self, fault: str, event: dict[str, Any], right: Right | None = None) -> None:
        """The run succeeds and nothing is lost or counted twice."""
        answer, failed = self.stack.invoke(event)
        self.check_exact(fault, answer, failed, right)

    def check_exact(
        self, fault: str, answer: dict[str, Any], failed: bool, right: Right | None = None
    ) -> None:
        """``answer`` is exact; a row of the table."""
        right = right or self.case.right
        job = self.stack.job
        if failed:
            ROWS.append(Row(job, fault, self.proxy.injected, "FAILED", "no answer", "no answer"))
            raise AssertionError(answer["errorMessage"])
        _, parts = self.stack.results(answer["run_id"])
        found = {report.part: report.observations for report in parts}
        lost = sum(max(true - found[part], 0) for part, true in right.observations.items())
        twice = sum(max(found[part] - true, 0) for part, true in right.observations.items())
        ROWS.append(Row(job, fault, self.proxy.injected, answer["status"], str(lost), str(twice)))
        assert found.keys() == right.observations.keys()
        assert (lost, twice) == (0, 0)
        assert {name: answer[name] for name in right.answer} == right.answer

    def must_fail(self, fault: str, event: dict[str, Any], *named: str, recorded: bool = True) -> None:
        """The run fails by name and leaves no top words."""
        answer, failed = self.stack.invoke(event)
        outcome = "FAILED" if failed else answer["status"]
        job = self.stack.job
        ROWS.append(Row(job, fault, self.proxy.injected, outcome, "no answer", "no answer"))
        assert failed, answer
        self.proxy.wait_until_idle()
        record, parts = self.stack.results(event["run_id"])
        for text in named:
            assert text in answer["errorMessage"] or (record and text in record.error)
        assert parts == []
        if recorded:
            assert record is not None
            assert record.status == "FAILED"
            assert record.error

    @contextmanager
    def holding(self, until: Callable[[Call], bool] = lambda _: False) -> Iterator[threading.Event]:
        """Hold back what all blocks but the first ``FIRST_HELD`` store until a call matches, the event is
        set, or this ends: a run takes as long as a test needs, on any machine."""
        released = threading.Event()

        def decide(call: Call) -> Fault | None:
            if until(call):
                released.set()
            return Hold(released) if call.block is not None and call.block >= FIRST_HELD else None

        self.proxy.decide = decide
        try:
            yield released
        finally:
            released.set()

    def workers(self, function: str) -> list[int]:
        """The processes of a function, at work or waiting for it."""
        return workers_of_group(self.stack.local.process_id, getattr(self.stack.deployment, function))

    def start_afresh(self) -> None:
        """End all Lambdas at work, so that nothing of a test that failed is left to the next one."""
        for worker in workers_of_group(self.stack.local.process_id):
            kill(worker)
        self.proxy.reset()
        self.proxy.wait_until_idle()

    def let_lease_run_out(self, run_id: str) -> None:
        """As if half a minute had passed since a run's owner died."""
        self.stack.aws.client("dynamodb").update_item(
            TableName=self.stack.deployment.table,
            Key={"run_id": {"S": run_id}, "item": {"S": "run"}},
            UpdateExpression="SET lease_until = :past",
            ExpressionAttributeValues={":past": {"N": "0"}},
        )

    def blobs(self, run_id: str) -> int:
        """How many blobs a run has."""
        pages = self.stack.aws.client("s3").get_paginator("list_objects_v2")
        return sum(
            f"/{run_id}/" in item["Key"]
            for page in pages.paginate(Bucket=self.stack.deployment.bucket, Prefix="blobs/")
            for item in page.get("Contents", [])
        )
