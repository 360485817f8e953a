"""Input objects in S3: their identity, and ranged reads of exactly these objects."""

from collections.abc import Callable

import obstore
from obstore.exceptions import GenericError
from obstore.store import S3Store

from lambda_src import meter
from lambda_src.addresses import Addresses, Listing, Placed
from lambda_src.errors import Transient
from lambda_src.formats import FIRST_BYTES, Readable, no_end, tell
from lambda_src.inputs import ObjectsInput
from lambda_src.messages import Source
from lambda_src.s3 import translated


def pin(objects: S3Store, bucket: str, key: str) -> tuple[Source, Listing]:
    """The object as it is now: its size and ETag, and by a look at its first bytes, whether it is compressed.

    Raises SourceNotFound, AccessDenied, SourceNotText (zip, Parquet, UTF-16, zstd that cannot be unpacked),
    InvalidRequest (a key that cannot be addressed), Transient.
    """
    with translated(bucket, key) as path:
        try:
            meter.count("s3_gets")
            meta = obstore.head(objects, path)
        except GenericError:
            # The answer to HEAD has no body to tell the reason. That to GET has.
            meter.count("s3_gets")
            obstore.get(objects, path, options={"range": (0, 1)})
            raise
    size, etag = meta["size"], meta["e_tag"] or ""
    one = Placed(0, key, size, etag)

    def read_one(start: int, end: int) -> bytes:
        return read(objects, bucket, one, start, end)

    first_bytes = read_one(0, min(FIRST_BYTES, size)) if size else b""
    one = one._replace(how=tell(Readable(f"s3://{bucket}/{key}", size, read_one), first_bytes))
    return Source(bucket, key, etag, size, version_id=meta["version"]), Listing([one])


def input_of(
    objects: S3Store, source: Source, addresses: Addresses, remaining_s: Callable[[], float] = no_end
) -> ObjectsInput:
    """``source`` as the input of a job. ``addresses`` are all of its objects, or those that a block touches;
    ``remaining_s`` tells how much time the function has left."""

    def read_object(one: Placed, start: int, end: int) -> bytes:
        return read(objects, source.bucket, one, start, end)

    return ObjectsInput(
        addresses,
        read_object,
        size_bytes=source.bytes,
        objects=source.objects,
        remaining_s=remaining_s,
    )


def read(objects: S3Store, bucket: str, one: Placed, start: int, end: int) -> bytes:
    """Bytes ``[start, end)``, which must lie in the object, if it still is the pinned one.

    Raises SourceChanged, SourceNotFound, AccessDenied, Transient.
    """
    with translated(bucket, one.key) as path, meter.stage("fetch"):
        meter.count("s3_gets")
        result = obstore.get(objects, path, options={"range": (start, end), "if_match": one.etag})
        data = result.bytes().to_bytes()
    if len(data) != end - start:
        raise Transient(f"S3 answered {len(data)} of the bytes {start} to {end} of s3://{bucket}/{one.key}.")
    return data
