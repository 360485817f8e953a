"""The lines of counts.h, as C has them, in Python."""

import ctypes
from collections.abc import Callable
from ctypes import c_int, c_int64, c_size_t, c_uint64, c_void_p
from typing import Any, NamedTuple

from lambda_src.counts.table import by_shard, sizes_by_shard
from lambda_src.job import Line, Shards, check_lines, secret_of


class CShards(ctypes.Structure):
    """``Shards`` of counts.h."""

    _fields_ = (("secret", c_uint64 * 4), ("count", c_uint64), ("by_part", c_int), ("has_inner", c_int))


def c_shards(shards: Shards, has_inner: bool = False) -> CShards:
    """``shards`` for C, of keys that may have inner ones. Their hash is only worked out where it matters."""
    needs_hash = shards.by == "key" and shards.count > 1
    secret = secret_of(shards.run_id) if needs_hash else (0, 0, 0, 0)
    return CShards((c_uint64 * 4)(*secret), shards.count, shards.by == "part", has_inner)


class CLines(NamedTuple):
    """Lines by shard and part in the memory of C: where they are, their sizes, and what they observed."""

    lines: Any
    sizes: Any
    observed: Any

    @classmethod
    def room_for(cls, shards: Shards, parts: int) -> "CLines":
        """Buffers for what C returns about them."""
        count = parts if shards.by == "part" else parts * shards.count
        return cls((c_void_p * count)(), (c_size_t * count)(), (c_int64 * count)())

    def check(self, shards: Shards, parts: int) -> None:
        """Raise TooManyDistinct if they are too long."""
        check_lines(sizes_by_shard(shards, parts, self.sizes[:]))

    def copied(self, shards: Shards, parts: int, drop: Callable[[int], object] | None) -> list[Line]:
        """The lines of shards. ``drop`` gives back the memory of one that was copied."""
        copies = []
        for number, (line, size) in enumerate(zip(self.lines, self.sizes, strict=True)):
            copies.append(ctypes.string_at(line, size) if size else b"")
            if drop:
                drop(number)
        return by_shard(shards, parts, copies, self.observed[:])
