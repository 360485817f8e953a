"""The deployed stack, with the few things that tests do to it."""

from typing import Any, NamedTuple

import msgspec
from botocore.config import Config

from fanfold.account.connection import Aws
from fanfold.account.deployment import Deployment
from fanfold.local_aws.server import LocalAws
from lambda_src.job import load
from lambda_src.settings import DEFAULT_JOB
from lambda_src.store.results import ResultsTable
from lambda_src.telemetry.calls import Trace
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import Manifest, PartReport
from lambda_src.wire.requests import new_run_id


class Stack(NamedTuple):
    """The deployed stack, with the few things that tests do to it, by ``job`` if not by the default one."""

    local: LocalAws
    aws: Aws
    deployment: Deployment
    job: str = DEFAULT_JOB

    def put(self, key: str, data: bytes) -> str:
        """Store an input; its key."""
        self.aws.client("s3").put_object(Bucket=self.deployment.bucket, Key=key, Body=data)
        return key

    def invoke(self, event: object) -> tuple[dict[str, Any], bool]:
        """Invoke parse_file as the console does: the answer, and whether it failed."""
        if self.job != DEFAULT_JOB and isinstance(event, dict):
            event = {"job": self.job, **event}
        config = Config(read_timeout=900, retries={"total_max_attempts": 1})
        response = self.aws.client("lambda", config).invoke(
            FunctionName=self.deployment.parse_file, Payload=msgspec.json.encode(event)
        )
        return msgspec.json.decode(response["Payload"].read()), "FunctionError" in response

    def run(self, key: str | None = None, **request: Any) -> dict[str, Any]:
        """The summary of a run that must succeed."""
        answer, failed = self.invoke({**({"key": key} if key else {}), **request})
        assert not failed, answer
        return answer

    def fail(self, event: dict[str, Any]) -> tuple[str, str]:
        """The sentence of a run that must fail, and its run id; checks what it leaves behind."""
        run_id = event.get("run_id") or new_run_id()
        answer, failed = self.invoke({**event, "run_id": run_id})
        assert failed, answer
        record, parts = self.results(run_id)
        assert record is not None, answer
        assert record.status == "FAILED"
        assert parts == []
        return answer["errorMessage"], run_id

    def manifest(self, run_id: str) -> Manifest:
        """What the blocks of a run reported."""
        stored = self.aws.client("s3").get_object(
            Bucket=self.deployment.bucket, Key=f"runs/{run_id}/manifest.json"
        )
        return msgspec.json.decode(stored["Body"].read(), type=Manifest)

    def trace(self, run_id: str) -> Trace:
        """Every call of a run."""
        stored = self.aws.client("s3").get_object(
            Bucket=self.deployment.bucket, Key=f"runs/{run_id}/trace.json"
        )
        trace = msgspec.json.decode(stored["Body"].read(), type=Trace)
        record, _ = self.results(run_id)
        return Trace(trace.run_id, [*trace.calls, *(record.last_calls if record else ())])

    def results(self, run_id: str) -> tuple[RunRecord | None, list[PartReport]]:
        """What the results table holds of a run."""
        table = ResultsTable(self.aws.table(self.deployment.table), run_id, load(self.job))
        return table.get_run(), table.get_parts()
