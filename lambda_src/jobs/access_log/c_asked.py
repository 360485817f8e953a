"""What ``asked`` counts, in C, through ``ctypes``. Most lines are read there, too."""

import ctypes
import functools
import ipaddress
import weakref
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from typing import get_args

from lambda_src.counts import library
from lambda_src.counts.c_lines import CLines, CShards, c_shards
from lambda_src.job import Line, Shards
from lambda_src.jobs.access_log.options import PERCENTILES, By, Options
from lambda_src.jobs.access_log.scan import ASKED_LIBRARY, MOST_HELD_BYTES, PARTS
from lambda_src.jobs.access_log.times import minute_of

_KINDS = [
    f"{kind}{host}{time}"
    for time in ("", " with request time")
    for host in ("", " with virtual host")
    for kind in ("common", "combined")
]
_FORMATS = (*_KINDS, "alb", "elb", "s3", "cloudfront")
"""Those that C reads, in the order of its numbers."""

_NO_TIME = -1
_ALL, _NAMED, _OF_NETWORK, _OF_OTHER_NETWORK = range(4)


class _Text(ctypes.Structure):
    _fields_ = (("at", c_char_p), ("bytes", c_size_t))


class _Options(ctypes.Structure):
    """``Options`` of asked.c."""

    _fields_ = (
        ("reads", c_int),
        ("by", c_int),
        ("wants_times", c_int),
        ("clients", c_int),
        ("network", c_uint32),
        ("mask", c_uint32),
        ("from_", c_int64),
        ("to", c_int64),
        ("status", _Text),
        ("method", _Text),
        ("host", _Text),
        ("path", _Text),
        ("client", _Text),
    )


class _Found(ctypes.Structure):
    """``Found`` of asked.c."""

    _fields_ = (("read", c_size_t), ("lines", c_size_t), ("strange", c_size_t))


_FUNCTIONS: library.Functions = {
    "asked_open": (c_void_p, [c_char_p, POINTER(CShards), c_size_t, POINTER(_Options)]),
    "asked_count": (c_int, [c_void_p, c_size_t, c_int, c_char_p, c_size_t, c_int64, c_int64]),
    "asked_read": (c_int, [c_void_p, c_char_p, c_size_t, POINTER(_Found)]),
    "asked_written": (c_size_t, [c_void_p]),
    "asked_lines_read": (None, [c_void_p, POINTER(c_int64), POINTER(c_int64)]),
    "asked_finish": (c_int, [c_void_p, c_int64]),
    "asked_lines": (None, [c_void_p, POINTER(c_void_p), POINTER(c_size_t), POINTER(c_int64)]),
    "asked_drop_line": (None, [c_void_p, c_size_t]),
    "asked_close": (None, [c_void_p]),
}
"""What each function of asked.c returns and takes."""


@functools.cache
def _c() -> ctypes.CDLL:
    """The functions of asked.c. Raises OSError."""
    return library.load(ASKED_LIBRARY, _FUNCTIONS)


def _text(text: str | None) -> _Text:
    encoded = text.encode(errors="surrogatepass") if text else None
    return _Text(encoded, len(encoded or b""))


def _c_options(options: Options) -> _Options:
    clients, network, mask = _clients_of(options.client)
    return _Options(
        options.format in (None, "auto"),
        get_args(By).index(options.by),
        options.order in PERCENTILES,
        clients,
        network,
        mask,
        -(1 << 63) if options.from_ is None else minute_of(options.from_) or 0,
        (1 << 63) - 1 if options.to is None else minute_of(options.to) or 0,
        _text(options.status and options.status.removesuffix("xx")),
        _text(options.method),
        _text(options.host and options.host.lower()),
        _text(options.path),
        _text(options.client),
    )


def _clients_of(client: str | None) -> tuple[int, int, int]:
    """Which clients are asked for, and the network and the mask if they are those of one."""
    if not client:
        return _ALL, 0, 0
    try:
        network = ipaddress.ip_network(client, strict=False)
    except ValueError:
        return _NAMED, 0, 0
    if network.version != 4:
        return _OF_OTHER_NETWORK, 0, 0
    return _OF_NETWORK, int(network.network_address), int(network.netmask)


class Counts:
    """``asked.Counts``."""

    def __init__(self, options: Options, shards: Shards) -> None:
        self._shards, self._written = shards, 0
        self._options = _c_options(options)  # C has pointers to its texts
        opened = _c().asked_open(
            library.SECRET,
            byref(c_shards(shards, has_inner=options.by != "hour")),
            MOST_HELD_BYTES,
            byref(self._options),
        )
        self._handle = library.opened(opened)
        self._close = weakref.finalize(self, _c().asked_close, self._handle)
        self._count, self._found = _c().asked_count, _Found()

    def count(self, hour: int, status: int, key: bytes, sent: int, micros: int | None) -> None:
        failed = self._count(
            self._handle, hour, status, key, len(key), sent, _NO_TIME if micros is None else micros
        )
        if failed:
            library.fail(failed)

    def read(self, chunk: bytes, start: int, end: int) -> tuple[int, int, int]:
        found = self._found
        found.read = start
        library.check(_c().asked_read(self._handle, chunk, end, byref(found)))
        if self._written < (written := _c().asked_written(self._handle)):
            self._written = written
            self._lines().check(self._shards, len(PARTS))
        return found.lines, found.strange, found.read

    def lines_read(self) -> tuple[dict[str, int], int]:
        formats, left_out = (c_int64 * len(_FORMATS))(), c_int64()
        _c().asked_lines_read(self._handle, formats, byref(left_out))
        by_name = zip(_FORMATS, formats, strict=True)
        return {name: count for name, count in by_name if count}, left_out.value

    def lines(self, malformed: int) -> Sequence[Line]:
        library.check(_c().asked_finish(self._handle, malformed))
        lines, handle = self._lines(), self._handle
        lines.check(self._shards, len(PARTS))
        return lines.copied(self._shards, len(PARTS), lambda number: _c().asked_drop_line(handle, number))

    def _lines(self) -> CLines:
        lines = CLines.room_for(self._shards, len(PARTS))
        _c().asked_lines(self._handle, *lines)
        return lines
