"""The deployed stack behind the proxy, and the table of what came of each fault."""

import contextlib
import os
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


def age_s(process: Path) -> float:
    """How long a process has run, from its folder in /proc."""
    started_at_ticks = int((process / "stat").read_text().rpartition(")")[2].split()[19])
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    return uptime_s - started_at_ticks / os.sysconf("SC_CLK_TCK")


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

    def workers(self, function: str, older_than_s: float = 0.0) -> list[int]:
        """The processes of a function, at work or waiting for it."""
        name = getattr(self.stack.deployment, function)
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # gone meanwhile
                started = f"/ministack-lambda-{name}-" in str((process / "cwd").readlink())
                if started and age_s(process) >= older_than_s:
                    found.append(int(process.name))
        return found

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
