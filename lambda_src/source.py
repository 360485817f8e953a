"""The input object in S3: its identity and ranged reads of exactly that object."""

import re

import obstore
from obstore.exceptions import GenericError
from obstore.store import S3Store

from lambda_src.errors import SourceNotText, Transient
from lambda_src.messages import Source
from lambda_src.s3 import translated

_FORMATS = {
    name: re.compile(pattern, re.DOTALL)
    for name, pattern in {
        "gzip": rb"\x1f\x8b\x08",
        # A block's magic number is all ASCII: only behind its checksum, in the high bits of a number of at
        # most 900,000, stands what no text has. An empty file ends at once.
        "bzip2": rb"BZh[1-9](1AY&SY.{4}[\x00-\x06]|\x17rE8P\x90)",
        "zip": rb"PK(\x03\x04|\x05\x06)",
        "zstd": rb"\x28\xb5\x2f\xfd",
        "xz": rb"\xfd7zXZ\x00",
        "UTF-32": rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff",
        "UTF-16": rb"\xff\xfe|\xfe\xff",
    }.items()
}
"""What a file begins with that is not UTF-8 text; enough of it to tell it from a text that begins alike."""

_PARQUET = b"PAR1"
"""What a Parquet file begins and ends with; before the end stands the footer's size, four bytes."""


def pin(objects: S3Store, bucket: str, key: str) -> Source:
    """The object as it is now: its size and ETag, with a look at its first bytes.

    Raises SourceNotFound, AccessDenied, SourceNotText (compressed, Parquet, UTF-16), InvalidRequest (a key
    that cannot be addressed), Transient.
    """
    with translated(bucket, key) as path:
        try:
            meta = obstore.head(objects, path)
        except GenericError:
            # The answer to HEAD has no body to tell the reason. That to GET has.
            obstore.get(objects, path, options={"range": (0, 1)})
            raise
    source = Source(bucket, key, meta["e_tag"] or "", meta["size"], meta["version"])
    if name := _format_of(objects, source):
        raise SourceNotText(
            f"s3://{bucket}/{key} is {name}, not UTF-8 text: unpack or convert it, then upload that."
        )
    return source


def _format_of(objects: S3Store, source: Source) -> str | None:
    """What ``source`` is, if it surely is no UTF-8 text."""
    if source.bytes == 0:
        return None
    first_bytes = read(objects, source, 0, min(16, source.bytes))
    if first_bytes.startswith(_PARQUET) and source.bytes >= 12:
        last_bytes = read(objects, source, source.bytes - 8, source.bytes)
        footer_bytes = int.from_bytes(last_bytes[:4], "little")
        if last_bytes.endswith(_PARQUET) and footer_bytes <= source.bytes - 12:
            return "Parquet"
    return next((name for name, pattern in _FORMATS.items() if pattern.match(first_bytes)), None)


def read(objects: S3Store, source: Source, start: int, end: int) -> bytes:
    """Bytes ``[start, end)``, which must lie in the object, if it still is the pinned one.

    Raises SourceChanged, SourceNotFound, AccessDenied, Transient.
    """
    with translated(source.bucket, source.key) as path:
        result = obstore.get(objects, path, options={"range": (start, end), "if_match": source.etag})
        data = result.bytes().to_bytes()
    if len(data) != end - start:
        raise Transient(
            f"S3 answered {len(data)} of the bytes {start} to {end} of s3://{source.bucket}/{source.key}."
        )
    return data
