"""The input object in S3: its identity and ranged reads of exactly that object."""

import obstore
from obstore.store import S3Store

from lambda_src.errors import SourceNotText, Transient
from lambda_src.messages import Source
from lambda_src.s3 import translated

_FORMATS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"PAR1": "Parquet",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\x00\x00\xfe\xff": "UTF-32",
}
"""What the first bytes of a file that is not UTF-8 text give away."""


def pin(objects: S3Store, bucket: str, key: str) -> Source:
    """The object as it is now: its size and ETag, with a look at its first bytes.

    Raises SourceNotFound, AccessDenied, SourceNotText (compressed, Parquet, UTF-16), InvalidRequest (a key
    that cannot be addressed), Transient.
    """
    with translated(bucket, key) as path:
        meta = obstore.head(objects, path)
    source = Source(bucket, key, meta["e_tag"] or "", meta["size"], meta["version"])
    if source.bytes:
        first_bytes = read(objects, source, 0, min(16, source.bytes))
        for magic, name in _FORMATS.items():
            if first_bytes.startswith(magic):
                raise SourceNotText(
                    f"s3://{bucket}/{key} is {name}, not UTF-8 text: unpack or convert it, then upload that."
                )
    return source


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
