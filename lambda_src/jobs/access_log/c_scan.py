"""The scanner in C, through ``ctypes``."""

import ctypes
import functools
import weakref
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_void_p

from lambda_src.counts import library
from lambda_src.counts.c_lines import CLines, CShards, c_shards
from lambda_src.job import Line, Shards
from lambda_src.jobs.access_log.formats import MALFORMED_LINES, Noticed, format_of
from lambda_src.jobs.access_log.scan import LIBRARY, MOST_HELD_BYTES, PARTS

_MOST_STRANGE = 4096


class _Noticed(ctypes.Structure):
    """``Noticed`` of scan.c."""

    _fields_ = (
        ("scanned", c_size_t),
        ("lines", c_size_t),
        ("malformed", c_size_t),
        ("first_malformed", c_size_t),
        ("strange_lines", c_size_t),
        ("strange", c_size_t * (2 * _MOST_STRANGE)),
    )


_FUNCTIONS: library.Functions = {
    "scan_open": (c_void_p, [c_char_p, POINTER(CShards), c_size_t]),
    "scan_add": (c_int, [c_void_p, c_char_p, c_size_t, POINTER(_Noticed)]),
    "scan_written": (c_size_t, [c_void_p]),
    "scan_finish": (c_int, [c_void_p]),
    "scan_lines": (None, [c_void_p, POINTER(c_void_p), POINTER(c_size_t), POINTER(c_int64)]),
    "scan_drop_line": (None, [c_void_p, c_size_t]),
    "scan_close": (None, [c_void_p]),
}
"""What each function of scan.c returns and takes."""


@functools.cache
def _c() -> ctypes.CDLL:
    """The functions of scan.c. Raises OSError."""
    return library.load(LIBRARY, _FUNCTIONS)


class Scan:
    """``scan.Scan``."""

    def __init__(self, shards: Shards) -> None:
        self._shards, self._written = shards, 0
        opened = _c().scan_open(library.SECRET, byref(c_shards(shards)), MOST_HELD_BYTES)
        self._handle = library.opened(opened)
        self._close = weakref.finalize(self, _c().scan_close, self._handle)
        self._noticed = _Noticed()

    def add(self, chunk: bytes, start: int, end: int) -> Noticed:
        noticed, found = Noticed(), self._noticed
        found.scanned = start
        while found.scanned < end:
            library.check(_c().scan_add(self._handle, chunk, end, byref(found)))
            if found.malformed:
                noticed.first.setdefault(MALFORMED_LINES, found.first_malformed)
                strange = found.strange[: 2 * found.strange_lines]
                for line, line_end in zip(strange[::2], strange[1::2], strict=True):
                    if code := format_of(chunk, line, line_end):
                        noticed.formats[code] += 1
                        noticed.first.setdefault(code, line)
            noticed.lines += found.lines
            noticed.malformed += found.malformed
        if self._written < (written := _c().scan_written(self._handle)):
            self._written = written
            self._lines().check(self._shards, len(PARTS))
        return noticed

    def lines(self) -> Sequence[Line]:
        library.check(_c().scan_finish(self._handle))
        lines, handle = self._lines(), self._handle
        lines.check(self._shards, len(PARTS))
        return lines.copied(self._shards, len(PARTS), lambda number: _c().scan_drop_line(handle, number))

    def _lines(self) -> CLines:
        lines = CLines.room_for(self._shards, len(PARTS))
        _c().scan_lines(self._handle, *lines)
        return lines
