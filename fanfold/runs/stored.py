"""Files that a run stored about itself."""

from typing import Any, TypeVar

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from fanfold.account.connection import Aws, explain
from fanfold.errors import RunError

T = TypeVar("T")


def read_stored(aws: Aws, bucket: str, key: str, kind: type[T]) -> T | None:
    """The file ``key``, or None if it no longer exists. Raises RunError."""
    place = f"s3://{bucket}/{key}"
    try:
        stored: Any = aws.client("s3").get_object(Bucket=bucket, Key=key)
        body: bytes = stored["Body"].read()
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise RunError(f"{place} cannot be read: {explain(error)}") from error
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or of another shape
        raise RunError(
            f"{place} cannot be read: {error}. It is damaged, or a newer version of Fanfold wrote it."
        ) from error
