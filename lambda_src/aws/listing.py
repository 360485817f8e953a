"""The objects under a prefix. boto3 lists them: obstore would silently leave out empty objects and change
some keys."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.aws.s3 import ARCHIVED, Refusal
from lambda_src.errors import SourceNotFound, SourceUnreadable, Transient, one_line
from lambda_src.input.addresses import Listing, Placed, place
from lambda_src.input.names import MAX_OBJECTS, NAMES_SHOWN, is_stray, named
from lambda_src.telemetry import meter
from lambda_src.wire.record import RunWarning
from lambda_src.wire.requests import Pinned
from lambda_src.wire.source import Source, name_of

ARCHIVES = {"GLACIER", "DEEP_ARCHIVE"}
"""Storage classes of objects that have to be restored before they can be read."""


def open_client() -> Any:
    """An S3 client that tries a request up to five times, with backoff."""
    config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
    return boto3.client("s3", config=config)


def pin_prefix(
    client: Any,
    bucket: str,
    prefix: str,
    *,
    include_hidden: bool = False,
    skip_bad: bool = False,
    requester_pays: bool = False,
) -> Pinned:
    """All objects under ``prefix`` as one input, without stray names unless ``include_hidden``. With
    ``skip_bad``, archived objects are left out. Raises the same errors as ``list_prefix``.

    A listing names no versions: an object that is replaced while the run reads it fails the run.
    """
    strays = _Strays(prefix, include_hidden)
    archived: dict[str, str] | None = {} if skip_bad else None
    placed = list_prefix(client, bucket, prefix, strays, archived=archived, requester_pays=requester_pays)
    listing = Listing(placed)
    left_out = {one.address: archived[one.key] for one in placed if archived and one.key in archived}
    objects = listing.addresses
    source = Source(bucket, None, listing.digest(), objects.end, prefix, len(objects))
    return Pinned(source, listing, strays.warnings(), left_out)


class _Strays:
    """The objects under ``prefix`` that are skipped for their names."""

    def __init__(self, prefix: str, include_hidden: bool) -> None:
        self._prefix = prefix
        self._include = include_hidden
        self._names: list[str] = []
        self._count = 0
        self.bytes = 0

    def skip(self, key: str, size: int) -> bool:
        """Whether to skip the object ``key``; counts it."""
        if self._include or not is_stray(key, self._prefix, size):
            return False
        self._names = [*self._names, key][:NAMES_SHOWN]
        self._count += 1
        self.bytes += size
        return True

    def named(self) -> str:
        """The first of them, for a sentence."""
        return named([key.removeprefix(self._prefix) for key in self._names], self._count)

    def warnings(self) -> list[RunWarning]:
        """The warning about them, if there are any."""
        if not self._count:
            return []
        return [
            RunWarning(
                "skipped_names",
                f"Skipped {self._count:,} object{'' if self._count == 1 else 's'} under {self._prefix}, for "
                f"names that begin with '.' or '_', and leftovers of editors, are not input: {self.named()}. "
                "To read them too: include_hidden (--include-hidden).",
                key=self._names[0],
                count=self._count,
            )
        ]


def list_prefix(
    client: Any,
    bucket: str,
    prefix: str,
    strays: "_Strays | None" = None,
    *,
    archived: dict[str, str] | None = None,
    requester_pays: bool = False,
) -> list[Placed]:
    """All objects under ``prefix`` except ``strays``, pinned and placed end to end in the order of their
    keys. The list is empty if all objects are stray and empty. ``archived`` gets the keys of archived
    objects, each with the reason why S3 does not serve it.

    Raises SourceNotFound if there is none, InvalidRequest (more than ``MAX_OBJECTS``), SourceUnreadable (one
    is archived, and there is no ``archived``), AccessDenied, Throttled, Transient.
    """
    strays = strays or _Strays(prefix, include_hidden=True)
    with _translated(bucket, prefix):
        pages = _pages(client, bucket, prefix, requester_pays=requester_pays)
        placed = place(islice(_pinned(pages, bucket, strays, archived), MAX_OBJECTS + 1))
    if not placed and strays.bytes:
        raise SourceNotFound(
            f"All objects under s3://{bucket}/{one_line(prefix)} have names that are skipped, such as "
            f"{strays.named()}: to read them: include_hidden (--include-hidden)."
        )
    if not placed and not strays.named():
        raise SourceNotFound(
            f"No object begins with s3://{bucket}/{one_line(prefix)}: check bucket and prefix, or upload one."
        )
    return placed


def is_archived(entry: Mapping[str, Any]) -> bool:
    """Whether S3 lists an object that it would not serve now. A restored object has an expiry date.

    >>> [is_archived({"StorageClass": name}) for name in ("STANDARD", "GLACIER_IR", "DEEP_ARCHIVE")]
    [False, False, True]
    >>> is_archived({"StorageClass": "GLACIER", "RestoreStatus": {"IsRestoreInProgress": True}})
    True
    """
    restored = "RestoreExpiryDate" in entry.get("RestoreStatus", {})
    return entry.get("StorageClass") in ARCHIVES and not restored


def _pages(client: Any, bucket: str, prefix: str, *, requester_pays: bool) -> Iterable[Mapping[str, Any]]:
    payer = {"RequestPayer": "requester"} if requester_pays else {}
    pages: Iterable[Mapping[str, Any]] = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, OptionalObjectAttributes=["RestoreStatus"], **payer
    )
    return pages


def _pinned(
    pages: Iterable[Mapping[str, Any]], bucket: str, strays: _Strays, archived: dict[str, str] | None
) -> Iterator[tuple[str, int, str]]:
    """The key, size and ETag of each object, page by page."""
    for page in pages:
        meter.count("s3_puts")  # a LIST costs as much as a PUT
        for entry in page.get("Contents", ()):
            if strays.skip(entry["Key"], entry["Size"]):
                continue
            if entry["Size"] and is_archived(entry):
                name = name_of(bucket, entry["Key"], None)
                why = f"S3 does not serve {name} ({entry['StorageClass']}): {ARCHIVED}"
                if archived is None:
                    raise SourceUnreadable(why)
                archived[entry["Key"]] = why
            yield entry["Key"], entry["Size"], entry["ETag"]


@contextmanager
def _translated(bucket: str, prefix: str) -> Iterator[None]:
    name = name_of(bucket, None, prefix)
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code == "NoSuchBucket":
            raise SourceNotFound(f"s3://{bucket} does not exist: check the bucket, or create it.") from error
        raise Refusal(status, code, message).error(bucket, name) from error
    except BotoCoreError as error:
        raise Transient(
            f"The connection to S3 failed when s3://{bucket}/{one_line(prefix)} was listed: {error}"
        ) from error
