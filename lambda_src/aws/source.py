"""Input objects in S3: their identity, and ranged reads of exactly these objects."""

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

import obstore
from obstore.store import S3Store

from lambda_src.aws.s3 import check_key, obstore_sends, translated
from lambda_src.errors import AccessDenied, FanfoldError, SourceNotFound, Transient
from lambda_src.input.addresses import Addresses, Listing, Placed
from lambda_src.input.formats import Readable, no_end
from lambda_src.input.objects import ObjectsInput
from lambda_src.input.ownership import PIN_BYTES, format_of
from lambda_src.telemetry import meter
from lambda_src.wire.source import Source, name_of

if TYPE_CHECKING:
    from obstore import GetOptions

    from lambda_src.aws.own_requests import OwnRequests

CHUNK_BYTES = 256 << 10
"""What arrives is handed on in chunks of this much, so that counting finds it in the processor's cache."""


def pin(objects: S3Store, bucket: str, key: str, version: str | None = None) -> tuple[Source, Listing]:
    """The object as it is now, or its ``version``: its size, ETag and version, and its format, detected by
    its first bytes.

    Raises SourceNotFound, AccessDenied, SourceUnreadable (it is archived), SourceNotText (zip, Parquet,
    UTF-16 and the like, also inside of gzip and xz; zstd that cannot be unpacked), ArchiveDamaged,
    ArchiveTooLarge, InvalidRequest (no object can have that key), SourceChanged (the version is gone),
    Transient.
    """
    check_key(key)
    try:
        size, etag, found = _head(objects, bucket, key, version)
    except FanfoldError as error:
        if version or not isinstance(error, SourceNotFound):
            # The answer to GET says why; an answer to HEAD has no body.
            next(_get(objects, bucket, key, (0, 1), {"version": version} if version else {}), None)
        raise
    one = Placed(0, key, size, etag)

    def read_one(start: int, end: int) -> Iterator[bytes]:
        return read(objects, bucket, one, start, end, version=found)

    stored = Readable(name_of(bucket, key, None), size, read_one)
    first = (0, min(PIN_BYTES, size))
    try:
        first_bytes = stored.read(*first)
    except AccessDenied:
        if version or not found:
            raise
        # The bucket's owner does not allow reads by version, so only the ETag identifies it.
        found = None
        first_bytes = stored.read(*first)
    placed = one._replace(format=format_of(stored, first_bytes))
    return Source(bucket, key, etag, size, version_id=found), Listing([placed])


def input_of(
    objects: S3Store,
    source: Source,
    addresses: Addresses,
    remaining_s: Callable[[], float] = no_end,
    *,
    left_out: Collection[int] = (),
    skip_bad: bool = False,
) -> ObjectsInput:
    """``source`` as the input of a job. ``addresses`` are all of its objects, or those that a block touches;
    ``remaining_s`` tells how much time the function has left. Otherwise as ``ObjectsInput``."""

    def read_object(one: Placed, start: int, end: int) -> Iterator[bytes]:
        return read(objects, source.bucket, one, start, end, version=source.version_id)

    return ObjectsInput(
        addresses,
        read_object,
        size_bytes=source.bytes,
        objects=source.objects,
        remaining_s=remaining_s,
        left_out=left_out,
        skip_bad=skip_bad,
    )


def read(
    objects: S3Store, bucket: str, one: Placed, start: int, end: int, *, version: str | None = None
) -> Iterator[bytes]:
    """Bytes ``[start, end)`` of the pinned object, which must lie in it, in chunks, as they arrive. If the
    bucket is versioned and the ``version`` is known, they can be read even after the object was replaced.

    Raises SourceChanged, SourceNotFound, AccessDenied, SourceUnreadable, Transient.
    """
    wanted: GetOptions = {"if_match": one.etag}
    if version:
        wanted["version"] = version
    asked_from, position = -1, start
    while asked_from < position < end:
        asked_from = position
        try:
            for chunk in _get(objects, bucket, one.key, (position, end), wanted):
                position += len(chunk)
                if position > end:
                    break
                yield chunk
        except Transient:
            if position == asked_from:
                raise
    if position != end:
        raise Transient(
            f"S3 answered {position - start} bytes for the bytes {start} to {end} of "
            f"{name_of(bucket, one.key, None)}."
        )


def _head(objects: S3Store, bucket: str, key: str, version: str | None) -> tuple[int, str, str | None]:
    """Size, ETag and version."""
    meter.count("s3_gets")
    if not obstore_sends(key):
        return _own_requests(objects).head(key, version)
    options: GetOptions = {"head": True}
    if version:
        options["version"] = version
    with translated(bucket, key):
        meta = obstore.get(objects, key, options=options).meta
    return meta["size"], meta["e_tag"] or "", meta["version"]


def _get(
    objects: S3Store, bucket: str, key: str, span: tuple[int, int], wanted: "GetOptions"
) -> Iterator[bytes]:
    """Bytes of the object that is ``wanted``, in chunks."""
    meter.count("s3_gets")
    if not obstore_sends(key):
        with meter.stage("fetch"):
            body = _own_requests(objects).get(key, span, wanted.get("if_match"), wanted.get("version"))
        yield body
        return
    options: GetOptions = {**wanted, "range": span}
    with meter.stage("fetch"), translated(bucket, key):
        chunks = iter(obstore.get(objects, key, options=options).stream(CHUNK_BYTES))
    while True:
        with meter.stage("fetch"), translated(bucket, key):
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


def _own_requests(objects: S3Store) -> "OwnRequests":
    from lambda_src.aws.own_requests import OwnRequests  # noqa: PLC0415 - only such keys need it

    return OwnRequests(objects)
