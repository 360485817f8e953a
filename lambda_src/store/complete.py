"""Complete sums in S3: all that the reducers of a run have summed, in the order of part and key.

A reducer stores one object or several for each pass over its keys. In one, each part has a *section*: a
header, which has the size and the digest of each frame, and the frames, which are rows compressed by zlib.
The reducer's report names its sections, with the digests of their headers. So all that is read back is
verified before it is used.

Each attempt writes objects of its own. No report names what a late or second attempt stores.
"""

import os
import struct
import zlib
from collections.abc import Iterator

from lambda_src.sorted_rows import SortedRows
from lambda_src.store.blobs import BlobStore
from lambda_src.store.digests import DIGEST_BYTES, digest_of
from lambda_src.wire.reports import Section

OBJECT_BYTES = 32 << 20
"""An object is stored once it has this many bytes, and the next one begins: no more waits in memory."""

LEVEL = 1
"""The level of zlib. Higher ones take twice the time or more, to save a tenth."""

_FRAME = struct.Struct(f">I{DIGEST_BYTES}s")


class CompleteSums:
    """Stores the rows of one shard. Implements ``job.RowWriter``."""

    def __init__(self, blobs: BlobStore, shard: int) -> None:
        self._blobs = blobs
        self._name = f"{shard:04d}-{os.urandom(4).hex()}"
        self.start_over()

    def start_over(self) -> None:
        """Objects stored so far are replaced: more passes need at least as many."""
        self._sections: list[Section] = []
        self._objects = 0
        self._begin_object()

    def _begin_object(self) -> None:
        self._frames: dict[int, list[bytes]] = {}
        self._keys: dict[int, int] = {}
        self._observed: dict[int, int] = {}
        self._bytes = 0

    def begin_pass(self) -> None:
        self._store()

    def add(self, part: int, rows: SortedRows) -> None:
        if self._bytes >= OBJECT_BYTES:
            self._store()
        frame = zlib.compress(rows.data, LEVEL)
        self._frames.setdefault(part, []).append(frame)
        self._keys[part] = self._keys.get(part, 0) + rows.keys
        self._observed[part] = self._observed.get(part, 0) + rows.observed
        self._bytes += len(frame)

    def sections(self) -> list[Section]:
        """Store what is left; all sections. Raises AccessDenied, Transient."""
        self._store()
        return self._sections

    def _store(self) -> None:
        if not self._frames:
            return
        name = f"{self._name}-{self._objects:04d}"
        body: list[bytes] = []
        start = 0
        for part, frames in self._frames.items():
            header = b"".join(_FRAME.pack(len(frame), digest_of(frame)) for frame in frames)
            size = len(header) + sum(map(len, frames))
            self._sections.append(
                Section(
                    part,
                    name,
                    start,
                    size,
                    len(frames),
                    digest_of(header),
                    self._keys[part],
                    self._observed[part],
                )
            )
            body += [header, *frames]
            start += size
        self._blobs.put_complete(name, body)
        self._objects += 1
        self._begin_object()


def header_bytes(section: Section) -> int:
    """The size of a section's header."""
    return section.frames * _FRAME.size


def frames_of(header: bytes) -> Iterator[tuple[int, bytes]]:
    """The size and the digest of each frame."""
    yield from _FRAME.iter_unpack(header)
