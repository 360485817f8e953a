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


class StoredObjects:
    """The objects of a bucket whose keys begin with ``prefix``."""

    def __init__(self, aws: Aws, bucket: str, prefix: str) -> None:
        self._client, self._bucket, self._prefix = aws.client("s3"), bucket, prefix

    def get(self, name: str, start: int, end: int) -> bytes:
        """Bytes ``[start, end)`` of an object, or fewer where it ends. Raises RunError."""
        key = self._prefix + name
        try:
            stored: Any = self._client.get_object(
                Bucket=self._bucket, Key=key, Range=f"bytes={start}-{end - 1}"
            )
            body: bytes = stored["Body"].read()
        except (BotoCoreError, ClientError) as error:
            place = f"s3://{self._bucket}/{key}"
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            if code in ("NoSuchKey", "404"):
                raise RunError(
                    f"{place} is missing: the complete sums of the run were deleted. Start a new run with "
                    "--all."
                ) from error
            if code == "InvalidRange":
                return b""
            raise RunError(f"{place} cannot be read: {explain(error)}") from error
        return body
