"""One blob a block in S3: a header line, then one line a partition of the block's result.

A partition is read back with one ranged request, without the rest of the blob. Keys
start with a hash, so that a run's blobs spread over S3's own partitions. Writing a block again puts the same
bytes under the same key: copies of a task cannot hurt each other.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import GenericError
from obstore.store import S3Store

from lambda_src.errors import AccessDenied, BlobDamaged, SourceNotFound
from lambda_src.s3 import translated
from lambda_src.settings import BLOBS_PREFIX, RUNS_PREFIX

if TYPE_CHECKING:
    from obstore import GetOptions

HEADER_BYTES = 1024
"""Size of line 0, padded with spaces: what a blob holds is known from its first ``HEADER_BYTES``."""


class BlobStore:
    """The blobs and the manifest of one run, in ``bucket``."""

    def __init__(self, objects: S3Store, bucket: str, run_id: str) -> None:
        self._objects = objects
        self._bucket = bucket
        self._run_id = run_id

    def key(self, block: int) -> str:
        """The key of block ``block``."""
        spread = hashlib.sha256(f"{self._run_id}/{block}".encode()).hexdigest()[:8]
        return f"{BLOBS_PREFIX}{spread}/{self._run_id}/{block:06d}.jsonl"

    def put(self, block: int, header: bytes, lines: Sequence[bytes]) -> None:
        """Store ``lines``, each ending in a newline, behind ``header`` (one line of JSON, at most
        ``HEADER_BYTES - 1`` bytes). Raises AccessDenied, Transient."""
        if len(header) >= HEADER_BYTES:
            raise ValueError(f"The header of block {block} has {len(header)} bytes, {HEADER_BYTES - 1} fit.")
        self._put(self.key(block), b"".join([header.ljust(HEADER_BYTES - 1), b"\n", *lines]))

    def get(self, partition: int, block: int, line_bytes: Sequence[int]) -> bytes:
        """Line ``partition`` (from 1) of block ``block``, whose lines have the sizes ``line_bytes``.

        Raises BlobDamaged if the blob is missing or too short, AccessDenied, Transient.
        """
        start = HEADER_BYTES + sum(line_bytes[: partition - 1])
        line = self._get(self.key(block), start, start + line_bytes[partition - 1])
        if not line.endswith(b"\n"):
            raise BlobDamaged(f"s3://{self._bucket}/{self.key(block)} does not hold line {partition}.")
        return line

    def get_header(self, block: int) -> tuple[bytes, int] | None:
        """Line 0 of block ``block`` and the bytes of the lines after it, or None where there is no whole
        header. Raises AccessDenied, Transient."""
        key = self.key(block)
        try:
            with translated(self._bucket, key) as path:
                result = obstore.get(self._objects, path, options={"range": (0, HEADER_BYTES)})
                blob_bytes, header = result.meta["size"], result.bytes().to_bytes()
        except (SourceNotFound, AccessDenied):
            # Without the permission to list, S3 answers for a missing object as for a forbidden one.
            return None
        return (header, blob_bytes - HEADER_BYTES) if len(header) == HEADER_BYTES else None

    def put_manifest(self, manifest: bytes) -> None:
        """Store the run's manifest. Raises AccessDenied, Transient."""
        self._put(self._manifest_key(), manifest)

    def get_manifest(self) -> bytes:
        """The run's manifest. Raises BlobDamaged if it is missing, AccessDenied, Transient."""
        return self._get(self._manifest_key())

    def _manifest_key(self) -> str:
        return f"{RUNS_PREFIX}{self._run_id}/manifest.json"

    def _put(self, key: str, body: bytes) -> None:
        with translated(self._bucket, key) as path:
            obstore.put(self._objects, path, body, use_multipart=False)

    def _get(self, key: str, start: int = 0, end: int | None = None) -> bytes:
        try:
            with translated(self._bucket, key) as path:
                try:
                    options: GetOptions = {} if end is None else {"range": (start, end)}
                    data = obstore.get(self._objects, path, options=options).bytes().to_bytes()
                except GenericError:
                    # A range behind the end of a cut blob looks like any refused request: ask for the size.
                    if end is None or obstore.head(self._objects, path)["size"] >= end:
                        raise
                    data = b""
        except SourceNotFound as error:
            raise BlobDamaged(f"s3://{self._bucket}/{key} is missing: start the run again.") from error
        if end is not None and len(data) != end - start:
            raise BlobDamaged(f"s3://{self._bucket}/{key} ends before byte {end}: start the run again.")
        return data
