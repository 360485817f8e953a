"""The deployed stack behind the proxy, and the table of what came of each fault."""

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from lambda_src.messages import new_run_id
from tests import oracle
from tests.deployed import Stack
from tests.faults.proxy import Call, Proxy

KEY = "input/faults"
BLOCK_BYTES = 64 * 1024


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


class Row(NamedTuple):
    """One line of the table."""

    fault: str
    injected: int
    outcome: str
    lost: str
    twice: str


ROWS: list[Row] = []


class Faulty(NamedTuple):
    """The deployed stack with its proxy and one input of about twenty blocks."""

    stack: Stack
    proxy: Proxy
    text: bytes
    expected: Counter[str]

    def event(self, **more: Any) -> dict[str, Any]:
        """A request for a run of the input."""
        return {"key": KEY, "block_bytes": BLOCK_BYTES, "max_concurrency": 8, "run_id": new_run_id(), **more}

    def is_function(self, name: str) -> Callable[[Call], bool]:
        """Whether a call invokes the function of the output ``name``."""
        function = getattr(self.stack.deployment, name)
        return lambda call: call.service == "lambda" and call.target == function

    def must_be_exact(self, fault: str, event: dict[str, Any], expected: Counter[str] | None = None) -> None:
        """The run succeeds and nothing is lost or counted twice."""
        answer, failed = self.stack.invoke(event)
        self.check_exact(fault, answer, failed, expected)

    def check_exact(
        self, fault: str, answer: dict[str, Any], failed: bool, expected: Counter[str] | None = None
    ) -> None:
        """``answer`` is exact; a row of the table."""
        counts = self.expected if expected is None else expected
        if failed:
            ROWS.append(Row(fault, self.proxy.injected, "FAILED", "no answer", "no answer"))
            raise AssertionError(answer["errorMessage"])
        _, lengths = self.stack.results(answer["run_id"])
        found = {report.length: report.words for report in lengths}
        lost = twice = 0
        for length in range(1, 21):
            true = sum(count for word, count in counts.items() if len(word) == length)
            lost += max(true - found[length], 0)
            twice += max(found[length] - true, 0)
        ROWS.append(Row(fault, self.proxy.injected, answer["status"], str(lost), str(twice)))
        assert (lost, twice) == (0, 0)
        assert answer["top_words"] == oracle.top_words(counts)
        assert answer["longer_words"] == oracle.longer_words(counts)

    def must_fail(self, fault: str, event: dict[str, Any], *named: str, recorded: bool = True) -> None:
        """The run fails by name and leaves no top words."""
        answer, failed = self.stack.invoke(event)
        outcome = "FAILED" if failed else answer["status"]
        ROWS.append(Row(fault, self.proxy.injected, outcome, "no answer", "no answer"))
        assert failed, answer
        self.proxy.wait_until_idle()
        record, lengths = self.stack.results(event["run_id"])
        for text in named:
            assert text in answer["errorMessage"] or (record and text in record.error)
        assert lengths == []
        if recorded:
            assert record is not None
            assert record.status == "FAILED"
            assert record.error

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
        self.stack.aws.table(self.stack.deployment.table).update_item(
            Key={"run_id": run_id, "item": "run"},
            UpdateExpression="SET lease_until = :past",
            ExpressionAttributeValues={":past": 0},
        )

    def blobs(self, run_id: str) -> int:
        """How many blobs a run has."""
        pages = self.stack.aws.client("s3").get_paginator("list_objects_v2")
        return sum(
            f"/{run_id}/" in item["Key"]
            for page in pages.paginate(Bucket=self.stack.deployment.bucket, Prefix="blobs/")
            for item in page.get("Contents", [])
        )
