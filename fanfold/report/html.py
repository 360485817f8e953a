"""Fetches what the report of a run is made of, and writes it as one HTML file."""

import importlib.metadata
from typing import Any, NamedTuple

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from fanfold.account.connection import explain
from fanfold.cli.output import ReportError
from fanfold.report.page import LibraryMissing, page
from fanfold.runs.run import Run, RunError, has_died, legible
from lambda_src import job
from lambda_src.run.summary import summarize
from lambda_src.store.keys import manifest_key, trace_key
from lambda_src.telemetry.calls import Trace
from lambda_src.wire.reports import Manifest


class Stored(NamedTuple):
    """A file that a run wrote about itself: where it is, and its bytes if it still exists."""

    place: str
    body: bytes | None

    def decoded(self, kind: Any) -> Any:
        """Raises RunError."""
        try:
            return None if self.body is None else msgspec.json.decode(self.body, type=kind)
        except (ValueError, RecursionError) as error:  # not UTF-8, no JSON, or of another shape
            raise RunError(
                f"{self.place} cannot be read: {error}. It is damaged, or a newer version of Fanfold wrote "
                "it."
            ) from error


def html_report(run: Run) -> bytes:
    """The report of a run that has ended, in UTF-8. Raises RunError, ReportError."""
    record, parts = run.record_and_parts()
    if record.status == "RUNNING" and not has_died(record):
        raise RunError(f"The run {run.run_id} has not ended. To wait for it: {run.command('watch')}")
    manifest = _stored(run, manifest_key(run.run_id)).decoded(Manifest)
    trace, trace_error = None, ""
    try:
        trace = _stored(run, trace_key(run.run_id)).decoded(Trace)
    except RunError as error:  # the report has enough to say without a timeline
        trace_error = str(error)
    version = importlib.metadata.version("fanfold")
    try:
        with legible(run.run_id):
            return page(
                run.job,
                record,
                summarize(job.load(run.job), record, parts),
                trace,
                trace_error=trace_error,
                parts=parts,
                manifest=manifest,
                version=version,
                options=run.aws.options,
            ).encode()
    except LibraryMissing as error:
        raise ReportError(str(error)) from error


def _stored(run: Run, key: str) -> Stored:
    bucket = run.deployment.bucket
    place = f"s3://{bucket}/{key}"
    try:
        stored: Any = run.aws.client("s3").get_object(Bucket=bucket, Key=key)
        return Stored(place, stored["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return Stored(place, None)
        raise RunError(f"{place} cannot be read: {explain(error)}") from error
    except BotoCoreError as error:
        raise RunError(f"{place} cannot be read: {explain(error)}") from error
