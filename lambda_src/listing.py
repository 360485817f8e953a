"""Which objects there are under a prefix. boto3 lists them, for obstore would leave out empty ones and change
some keys in silence."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambda_src import meter
from lambda_src.addresses import MAX_OBJECTS, Listing, Placed, place
from lambda_src.errors import AccessDenied, InvalidRequest, SourceNotFound, Throttled, Transient
from lambda_src.messages import Source
from lambda_src.s3 import path_of

_OTHER_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}


def open_client() -> Any:
    """An S3 client that tries a request up to five times, with backoff."""
    config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
    return boto3.client("s3", config=config)


def pin_prefix(client: Any, bucket: str, prefix: str) -> tuple[Source, Listing]:
    """All objects under ``prefix`` as one input. Raises as ``list_prefix``."""
    listing = Listing(list_prefix(client, bucket, prefix))
    objects = listing.addresses
    return Source(bucket, None, listing.digest(), objects.end, prefix, len(objects)), listing


def list_prefix(client: Any, bucket: str, prefix: str) -> list[Placed]:
    """All objects under ``prefix`` as they are now, pinned and end to end in the order of their keys.

    Raises SourceNotFound if there is none, InvalidRequest (more than ``MAX_OBJECTS``, or a key that cannot be
    read exactly, unless its object is empty, as folder markers are), AccessDenied, Throttled, Transient.
    """
    with _translated(bucket, prefix):
        placed = place(islice(_pinned(client, bucket, prefix), MAX_OBJECTS + 1))
    if not placed:
        raise SourceNotFound(
            f"No object begins with s3://{bucket}/{prefix}: check bucket and prefix, or upload one."
        )
    return placed


def _pinned(client: Any, bucket: str, prefix: str) -> Iterator[tuple[str, int, str]]:
    """The key, size and ETag of each object, page by page."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        meter.count("s3_puts")  # which cost as much as a LIST
        for entry in page.get("Contents", ()):
            if entry["Size"]:
                path_of(entry["Key"])
            yield entry["Key"], entry["Size"], entry["ETag"]


@contextmanager
def _translated(bucket: str, prefix: str) -> Iterator[None]:
    name = f"s3://{bucket}/{prefix}"
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code == "NoSuchBucket":
            raise SourceNotFound(f"s3://{bucket} does not exist: check the bucket, or create it.") from error
        if code in _OTHER_REGION or status == 301:
            raise InvalidRequest(
                f"bucket: {bucket} is in another region than this deployment: deploy to the bucket's region, "
                "or copy the objects to a bucket here."
            ) from error
        if status == 403:
            raise AccessDenied(f"{code} by S3 when {name} was listed: {message}") from error
        if status in (429, 503):
            raise Throttled(f"S3 throttled the listing of {name}: {message}") from error
        raise Transient(f"S3 did not list {name}: {code}: {message}") from error
    except BotoCoreError as error:
        raise Transient(f"The connection to S3 failed when {name} was listed: {error}") from error
