"""Inputs in S3: whether a deployment reads them, what they contain, and the request to run a job on them."""

from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from fanfold.account.connection import Aws, explain, paying
from fanfold.account.deployment import Deployment, deploy_command, settings_of
from fanfold.errors import RunError
from fanfold.estimate.contents import Contents, contents_in_s3, with_key_of
from fanfold.estimate.workload import Workload
from fanfold.job_code import load
from fanfold.runs.source import S3, Object, Objects, Source, check_in_s3
from fanfold.runs.upload import Folder, Input
from lambda_src.errors import InvalidRequest
from lambda_src.fields import MOST_REUSE_DAYS
from lambda_src.run import reuse
from lambda_src.store.keys import INPUT_PREFIX
from lambda_src.wire.requests import ParseFileRequest


def checked(aws: Aws, deployment: Deployment, source: Object | Objects) -> Object | Objects:
    """``source``, after checking that it exists and that ``deployment`` reads it. Raises RunError,
    SourceError."""
    if source.bucket != deployment.source_bucket:
        raise RunError(
            f"This deployment reads from the bucket {deployment.source_bucket}, not from {source.bucket}. "
            "Name a local file to upload it, or deploy again to read from that bucket: "
            f"{deploy_command({**settings_of(deployment.own), 'source_bucket': source.bucket})}"
        )
    name = source.key if isinstance(source, Object) else source.prefix
    if source.bucket == deployment.bucket and not name.startswith(INPUT_PREFIX):
        raise RunError(
            f"In this bucket only {INPUT_PREFIX} holds inputs: name a key under "
            f"{S3}{source.bucket}/{INPUT_PREFIX}, or write that to read all of them."
        )
    try:
        check_in_s3(_reader(aws, source, deployment), source)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("AccessDenied", "403"):
            raise RunError(f"{S3}{source.bucket} cannot be read: {explain(error)}") from error
        # The deployment may have permissions that this person lacks.
    except BotoCoreError as error:
        raise RunError(f"{S3}{source.bucket} cannot be read: {explain(error)}") from error
    return source


def check_reuse(job: str, source: Source, days: int | None) -> None:
    """Raise RunError unless a run of ``job`` on ``source`` can reuse what those of the last ``days`` have
    mapped."""
    if days is None:
        return
    if not isinstance(source, Objects):
        raise RunError(
            "reuse_days (--reuse-days) is for a prefix of S3 that grows, such as s3://bucket/logs/; a folder "
            "of this machine gets another prefix whenever a file of it changes."
        )
    if not 1 <= days <= MOST_REUSE_DAYS:
        raise RunError(f"reuse_days: {days} is not a number of days from 1 to {MOST_REUSE_DAYS}.")
    try:
        reuse.check(load(job), source.prefix)
    except InvalidRequest as error:
        raise RunError(str(error)) from None


def contents(aws: Aws, source: Object | Objects, deployment: Deployment | None) -> Contents:
    """What ``source`` contains, as ``deployment`` (if any) reads it. Raises RunError, SourceError."""
    try:
        return contents_in_s3(_reader(aws, source, deployment), source)
    except (BotoCoreError, ClientError) as error:
        raise RunError(f"{S3}{source.bucket} cannot be read: {explain(error)}") from error


def _reader(aws: Aws, source: Object | Objects, deployment: Deployment | None) -> Any:
    """A client that pays for reads of ``source`` if ``deployment`` does."""
    client = aws.client("s3")
    if deployment and deployment.requester_pays == "on" and deployment.source_bucket == source.bucket:
        return paying(client)
    return client


def with_key(aws: Aws, deployment: Deployment, workload: Workload) -> Workload:
    """``workload`` with the requests to KMS for the deployment's bucket, if it has a key. Raises RunError."""
    try:
        return with_key_of(workload, aws.client("s3"), deployment.bucket)
    except (BotoCoreError, ClientError) as error:
        raise RunError(
            f"The encryption of {S3}{deployment.bucket} cannot be read: {explain(error)}"
        ) from error


def request_for(stored: Input | Folder | Object | Objects, request: ParseFileRequest) -> ParseFileRequest:
    """``request`` for that input: an upload in its version, or an object or prefix as it is when the run
    begins."""
    match stored:
        case Input():
            return msgspec.structs.replace(request, key=stored.key, etag=stored.etag)
        case Object():
            return msgspec.structs.replace(request, key=stored.key)
        case Folder() | Objects():
            return msgspec.structs.replace(request, prefix=stored.prefix)
