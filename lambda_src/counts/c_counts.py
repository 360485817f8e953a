"""Sums of counts in C, through ``ctypes``."""

import ctypes
import functools
import weakref
from collections.abc import Iterator, Mapping, Sequence
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_uint8, c_uint64, c_void_p
from typing import Any

import msgspec

from lambda_src.counts import library
from lambda_src.counts.c_lines import CLines, CShards, c_shards
from lambda_src.counts.table import EVERY_KEY, KINDS, Limits, Rows, RowsAdded, Summed, Takes
from lambda_src.job import Line, Shards
from lambda_src.sorted_rows import SortedRows

KEYS_BYTES = 636_000_000
TEXT_BYTES = 400_000_000
"""What a reducer holds: 12 million keys of one column and 33 bytes."""


def limits(columns: int) -> Limits:
    """``KEYS_BYTES`` as keys: an entry has 24 bytes, 8 for each column, and 21 in slots."""
    return Limits(KEYS_BYTES // (45 + 8 * columns), TEXT_BYTES)


_KEPT_BYTES = 32 << 20
"""Memory that has summed this much of lines is kept for the next shard: with many keys, touching fresh pages
costs more than counting into them. Larger memory is freed."""

_kept: dict[tuple[int, bytes], int] = {}
"""At most one handle, by the parts and the kinds of columns that it was opened with."""

_pointer, _size = c_void_p, c_size_t
_FUNCTIONS: library.Functions = {
    "counts_open": (_pointer, [c_char_p, _size, _size, c_char_p]),
    "counts_close": (None, [_pointer]),
    "counts_begin": (
        None,
        [_pointer, _size, _size, c_uint64, c_uint64, POINTER(CShards), c_uint64],
    ),
    "counts_add": (c_int, [_pointer, _size, _size, c_char_p, _size, POINTER(_size)]),
    "counts_add_rows": (
        c_int,
        [_pointer, _size, c_char_p, _size, c_uint8, _size, _size, _size, POINTER(_size)],
    ),
    "counts_other_rows": (_pointer, [_pointer, POINTER(_size)]),
    "counts_held": (_size, [_pointer, POINTER(_size)]),
    "counts_write": (c_int, [_pointer, POINTER(CShards)]),
    "counts_lines": (None, [_pointer, POINTER(_pointer), POINTER(_size), POINTER(c_int64)]),
    "counts_drop_line": (None, [_pointer, _size]),
    "counts_sort": (None, [_pointer, _size]),
    "counts_rows": (
        c_int,
        [_pointer, _size, _size, POINTER(_size), POINTER(_pointer), POINTER(_size), POINTER(c_int64)],
    ),
    "counts_totals": (c_int, [_pointer, _size, POINTER(c_int64), POINTER(_size)]),
    "counts_best": (c_int, [_pointer, _size, _size, _size, POINTER(_pointer), POINTER(_size)]),
    "counts_best_of_all": (
        c_int,
        [_pointer, _size, _size, _size, _size, POINTER(_pointer), POINTER(_size)],
    ),
    "counts_names": (c_int, [_pointer, _size, POINTER(_pointer), POINTER(_size)]),
}
"""What each function of counts.c returns and takes."""


@functools.cache
def _c() -> ctypes.CDLL:
    """The functions of counts.c. Raises OSError."""
    return library.load(library.COUNTS, _FUNCTIONS)


class Table:
    """``table.Table``."""

    def __init__(
        self, parts: int, kinds: Sequence[str], takes: Takes = EVERY_KEY, has_inner: bool = False
    ) -> None:
        self._parts, self._columns, self._has_inner = parts, len(kinds), has_inner
        self._kept_as = parts, bytes(map(KINDS.index, kinds))
        handle = _kept.pop(self._kept_as, None)
        if handle is None:
            opened = _c().counts_open(library.SECRET, parts, len(kinds), self._kept_as[1])
            handle = library.opened(opened)
        self._handle = handle
        self._close = weakref.finalize(self, _c().counts_close, handle)
        shards = takes.shards or Shards("key", 1, "")
        _c().counts_begin(
            handle,
            *(takes.limits or limits(len(kinds))),
            takes.number,
            takes.passes,
            byref(c_shards(shards, has_inner)),
            takes.shard,
        )
        self._bytes = 0

    def add(self, data: bytes, first: int, parts: int) -> None:
        failed_at = c_size_t()
        status = _c().counts_add(self._handle, first, parts, data, len(data), byref(failed_at))
        library.check(status, failed_at.value)
        self._bytes += len(data)

    def add_rows(self, part: int, rows: Rows, at: int, limits: Limits) -> RowsAdded:
        next_at = c_size_t(at)
        text, separator = rows.text, ord(rows.separator)
        status = _c().counts_add_rows(
            self._handle, part, text, len(text), separator, rows.decimals, *limits, byref(next_at)
        )
        library.check(status)
        self._bytes += next_at.value - at
        size = c_size_t()
        others = _c().counts_other_rows(self._handle, byref(size))
        left = ctypes.string_at(others, size.value - 1).split(b"\n") if size else []
        return RowsAdded(next_at.value, left)

    def is_full(self, limits: Limits) -> bool:
        text_bytes = c_size_t()
        keys = _c().counts_held(self._handle, byref(text_bytes))
        return bool(keys >= limits.keys or text_bytes.value >= limits.text_bytes)

    def write(self, shards: Shards) -> None:
        self._write(shards)

    def _write(self, shards: Shards) -> CLines:
        library.check(_c().counts_write(self._handle, byref(c_shards(shards, self._has_inner))))
        lines = CLines.room_for(shards, self._parts)
        _c().counts_lines(self._handle, *lines)
        lines.check(shards, self._parts)
        return lines

    def lines(self, shards: Shards) -> list[Line]:
        lines, drop = self._write(shards), functools.partial(_c().counts_drop_line, self._handle)
        copied = lines.copied(shards, self._parts, drop)
        self._keep()
        return copied

    def rows(self, part: int, most_bytes: int) -> Iterator[SortedRows]:
        _c().counts_sort(self._handle, part)
        next_key, rows, size, observed = c_size_t(), c_void_p(), c_size_t(), c_int64()
        while True:
            before = next_key.value
            status = _c().counts_rows(
                self._handle,
                part,
                most_bytes,
                byref(next_key),
                byref(rows),
                byref(size),
                byref(observed),
            )
            library.check(status)
            if not size.value:
                return
            data = ctypes.string_at(rows, size.value)
            yield SortedRows(data, next_key.value - before, observed.value)

    def summed(self, parts: range, columns: Sequence[int], top: int) -> list[Summed]:
        found = [self._part(part, columns, top) for part in parts]
        self._keep()
        return found

    def best_of_all(self, parts: range, column: int, top: int) -> Mapping[str, Sequence[int]]:
        return self._keys(_c().counts_best_of_all, parts.start, len(parts), column, top)

    def _keys(self, function: Any, *arguments: int) -> Mapping[str, Sequence[int]]:
        found = self._json(function, *arguments) or {}
        return {key: [counts] for key, counts in found.items()} if self._columns == 1 else found

    def _part(self, part: int, columns: Sequence[int], top: int) -> Summed:
        totals, keys = (c_int64 * self._columns)(), c_size_t()
        library.check(_c().counts_totals(self._handle, part, totals, byref(keys)))
        names = self._json(_c().counts_names, part) or []
        best = [self._keys(_c().counts_best, part, column, top) for column in columns]
        return Summed(totals[:] if keys.value else [], dict(zip(names[::2], names[1::2], strict=True)), best)

    def _json(self, function: Any, *arguments: int) -> Any:
        """The JSON that ``function`` gives, or None."""
        json, size = c_void_p(), c_size_t()
        library.check(function(self._handle, *arguments, byref(json), byref(size)))
        return msgspec.json.decode(ctypes.string_at(json, size.value)) if size else None

    def _keep(self) -> None:
        """Keep the memory for another table, unless there is much of it."""
        if not _kept and self._bytes <= _KEPT_BYTES:
            self._close.detach()
            _kept[self._kept_as] = self._handle
        del self._handle  # another table may have it now
