"""The report of a run as one HTML file: what it is made of, fetched."""

import importlib.metadata
from typing import Any, TypeVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from client import runs
from client.aws import Aws, sentence
from client.deployment import Deployment
from client.page import LibraryMissing, page
from client.report import ReportError
from lambda_src import job
from lambda_src.messages import Manifest, Trace, summarize
from lambda_src.settings import RUNS_PREFIX

T = TypeVar("T")


def html_report(aws: Aws, deployment: Deployment, run_id: str) -> bytes:
    """All there is to know of a run that has ended, in UTF-8. Raises RunError, ReportError."""
    record, parts = runs.record_and_parts(aws, deployment, run_id)
    if record.status == "RUNNING" and not runs.has_died(record):
        watch = runs.command("watch", aws, deployment, run_id)
        raise runs.RunError(f"The run {run_id} has not ended. To wait for it: {watch}")
    trace = _stored(aws, deployment, run_id, "trace", Trace)
    manifest = _stored(aws, deployment, run_id, "manifest", Manifest)
    summary = summarize(job.load(deployment.job), record, parts)
    version = importlib.metadata.version("fanfold")
    try:
        return page(
            deployment.job,
            record,
            summary,
            trace,
            parts=parts,
            manifest=manifest,
            version=version,
            options=aws.options,
        ).encode()
    except LibraryMissing as error:
        raise ReportError(str(error)) from error


def _stored(aws: Aws, deployment: Deployment, run_id: str, name: str, kind: type[T]) -> T | None:
    """What the run noted of itself, if it is still there."""
    key = f"{RUNS_PREFIX}{run_id}/{name}.json"
    try:
        stored: Any = aws.client("s3").get_object(Bucket=deployment.bucket, Key=key)
        return msgspec.json.decode(stored["Body"].read(), type=kind)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise runs.RunError(f"s3://{deployment.bucket}/{key} cannot be read: {sentence(error)}") from error
    except BotoCoreError as error:
        raise runs.RunError(f"s3://{deployment.bucket}/{key} cannot be read: {sentence(error)}") from error
    except msgspec.DecodeError as error:
        raise runs.RunError(
            f"s3://{deployment.bucket}/{key} is of another version of Fanfold: {error}"
        ) from error
