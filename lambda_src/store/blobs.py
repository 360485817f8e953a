"""One blob per block in S3: a header line, then the line of each shard.

The line of a shard is read back with one ranged request, without the rest of the blob. Writing a block again
stores the same bytes under the same key, so copies of a task cannot harm each other.
"""

import io
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import GenericError
from obstore.store import S3Store

from lambda_src.aws.s3 import translated
from lambda_src.errors import AccessDenied, BlobDamaged, SourceNotFound
from lambda_src.store.digests import digest_of
from lambda_src.store.keys import (
    blob_key,
    complete_key,
    listing_key,
    manifest_key,
    piece_key,
    trace_key,
)
from lambda_src.telemetry import meter
from lambda_src.wire.reports import Range

if TYPE_CHECKING:
    from obstore import GetOptions

HEADER_STEP_BYTES = 1024
"""A header begins with its own size in eight digits, and is padded with spaces to a multiple of this. So one
read of this many bytes gets most headers, and two reads get any."""

CHUNK_BYTES = 1 << 20
"""Bodies are read in chunks of about this size."""

_DIGITS = 8

DELETED_AT_ONCE = 1000
"""S3's limit."""

DELETE_RESERVE_S = 100.0
"""A delete may take this long, including the client's retries."""


def header_bytes(content_bytes: int) -> int:
    """The padded size of a header of ``content_bytes``, including the digits and a newline.

    >>> header_bytes(1024 - 10), header_bytes(1024 - 9)
    (1024, 2048)
    """
    return -(-(content_bytes + _DIGITS + 2) // HEADER_STEP_BYTES) * HEADER_STEP_BYTES


class BlobStore:
    """The blobs, the pieces, the manifest, the listing, the trace and the complete sums of one run, in
    ``bucket``."""

    def __init__(self, objects: S3Store, bucket: str, run_id: str) -> None:
        self._objects = objects
        self._bucket = bucket
        self._run_id = run_id

    def key(self, block: int, variant: str = "") -> str:
        """The key of block ``block``, in this ``variant``."""
        return blob_key(self._run_id, block, variant)

    def put(self, block: int, header: bytes, size: int, lines: Sequence[bytes], *, variant: str = "") -> None:
        """Store ``header``, padded to ``size``, and ``lines``, with a newline behind each. Raises
        AccessDenied, Transient."""
        first = b"%0*d " % (_DIGITS, size) + header
        if header_bytes(len(header)) > size:
            raise ValueError(f"The header of block {block} has {len(header)} bytes: too many for {size}.")
        parts = [part for line in (first.ljust(size - 1), *lines) for part in (line, b"\n")]
        self._put(self.key(block, variant), parts)

    def get(self, found: Range) -> bytes:
        """The line at ``found``.

        Raises BlobDamaged if the blob is missing or too short, or the line has another digest; AccessDenied,
        Transient.
        """
        key, end = self.key(found.block, found.variant), found.start + found.size
        line = self._get(key, found.start, end)[0].getvalue() if found.size else b""
        if digest_of(line) != found.digest:
            raise BlobDamaged(
                f"s3://{self._bucket}/{key} was changed: its bytes {found.start:,} to {end:,} are not those "
                "that were written. Resume the run: it maps damaged blocks again."
            )
        return line

    def get_header(self, block: int, *, variant: str = "") -> tuple[bytes, int] | None:
        """The header of block ``block``, and the number of bytes after it, or None if there is no whole
        header. Raises AccessDenied, Transient."""
        size = HEADER_STEP_BYTES
        for _ in range(2):
            try:
                head, blob_bytes = self._get(self.key(block, variant), 0, size)
            except (BlobDamaged, AccessDenied):
                # Without the permission to list, S3 answers 403 for a missing object.
                return None
            header = head.getvalue()
            if not header[:_DIGITS].isdigit() or int(header[:_DIGITS]) < HEADER_STEP_BYTES:
                return None
            if int(header[:_DIGITS]) == size:
                return header[_DIGITS:], blob_bytes - size
            size = int(header[:_DIGITS])
        return None

    def put_piece(self, block: int, piece: int, data: bytes, *, variant: str = "") -> None:
        """Store a piece of a block. Raises AccessDenied, Transient."""
        self._put(piece_key(self._run_id, block, piece, variant), data)

    def delete(self, blobs: Iterable[tuple[int, str]], remaining_s: Callable[[], float]) -> None:
        """Delete ``blobs``, each a block's number and a variant, while there is time. Blobs that do not exist
        are fine. Raises AccessDenied, Throttled, Transient."""
        keys = [self.key(*blob) for blob in blobs]
        for first in range(0, len(keys), DELETED_AT_ONCE):
            if remaining_s() < DELETE_RESERVE_S:
                return
            with translated(self._bucket, keys[first]):
                obstore.delete(self._objects, keys[first : first + DELETED_AT_ONCE])

    def put_manifest(self, manifest: bytes) -> None:
        """Store the run's manifest. Raises AccessDenied, Transient."""
        self._put(manifest_key(self._run_id), manifest)

    def get_manifest(self) -> bytes:
        """The run's manifest. Raises BlobDamaged if it is missing, AccessDenied, Transient."""
        return self._get(manifest_key(self._run_id))[0].getvalue()

    def put_listing(self, listing: bytes) -> None:
        """Store the listing of the run's objects. Raises AccessDenied, Transient."""
        self._put(listing_key(self._run_id), listing)

    def get_listing(self, start: int, end: int) -> bytes:
        """Bytes ``[start, end)`` of the listing. Raises BlobDamaged if it is missing or too short,
        AccessDenied, Transient."""
        return self._get(listing_key(self._run_id), start, end)[0].getvalue()

    def put_family(self, key: str, family: bytes) -> None:
        """Store what a family of runs knows as ``key``. Raises AccessDenied, Transient."""
        self._put(key, family)

    def get_family(self, key: str) -> bytes | None:
        """What a family of runs knows, or None. Raises Transient."""
        try:
            return self._get(key)[0].getvalue()
        except (BlobDamaged, AccessDenied):  # see get_header
            return None

    def put_trace(self, trace: bytes) -> None:
        """Store the run's trace. Raises AccessDenied, Transient."""
        self._put(trace_key(self._run_id), trace)

    def get_trace(self) -> bytes | None:
        """The run's trace, or None. Raises Transient."""
        try:
            return self._get(trace_key(self._run_id))[0].getvalue()
        except (BlobDamaged, AccessDenied):  # see get_header
            return None

    def put_complete(self, name: str, body: Sequence[bytes]) -> None:
        """Store an object of complete sums. Raises AccessDenied, Transient."""
        self._put(complete_key(self._run_id, name), body)

    def _put(self, key: str, body: bytes | Sequence[bytes]) -> None:
        """Store ``body``, or its parts, in one request and without a copy."""
        with translated(self._bucket, key), meter.stage("store"):
            meter.count("s3_puts")
            obstore.put(self._objects, key, body, use_multipart=False)

    def _get(self, key: str, start: int = 0, end: int | None = None) -> tuple[io.BytesIO, int]:
        """Bytes ``[start, end)`` of an object, held in memory once, and the size of the object."""
        data = io.BytesIO()
        try:
            with translated(self._bucket, key), meter.stage("fetch"):
                try:
                    meter.count("s3_gets")
                    options: GetOptions = {} if end is None else {"range": (start, end)}
                    result = obstore.get(self._objects, key, options=options)
                    size = result.meta["size"]
                    for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
                        data.write(chunk)
                except GenericError:
                    # A range beyond the end of a truncated blob fails like any bad request: ask for the size.
                    if end is None:
                        raise
                    meter.count("s3_gets")
                    if (size := obstore.head(self._objects, key)["size"]) >= end:
                        raise
                    data = io.BytesIO()
        except SourceNotFound as error:
            raise BlobDamaged(f"s3://{self._bucket}/{key} is missing: resume the run.") from error
        if end is not None and data.tell() != end - start:
            raise BlobDamaged(f"s3://{self._bucket}/{key} ends before byte {end}: resume the run.")
        return data, size
