"""What the blocks of a run kept beside its result, in S3."""

from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from fanfold.account.connection import explain
from fanfold.errors import RunError
from fanfold.lines.pieces import READS_AT_ONCE, Get
from fanfold.runs.run import Run
from fanfold.runs.stored import read_stored
from lambda_src.store.keys import manifest_key
from lambda_src.wire.reports import Manifest


def manifest_of(run: Run) -> Manifest:
    """The manifest of a run that has succeeded. Raises RunError."""
    manifest = read_stored(run.aws, run.deployment.bucket, manifest_key(run.run_id), Manifest)
    if manifest is None:
        raise RunError(f"The manifest of the run {run.run_id} has expired: start a new run.")
    return manifest


def reader_of(run: Run) -> Get:
    """Reads what was kept, by several threads at once. It raises RunError."""
    client = run.aws.client("s3", Config(max_pool_connections=READS_AT_ONCE))
    bucket = run.deployment.bucket

    def get(key: str) -> bytes:
        try:
            stored: Any = client.get_object(Bucket=bucket, Key=key)
            body: bytes = stored["Body"].read()
        except (BotoCoreError, ClientError) as error:
            raise RunError(f"s3://{bucket}/{key} cannot be read: {explain(error)}") from error
        return body

    return get
