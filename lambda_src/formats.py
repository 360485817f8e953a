"""What an object is, told by its first bytes and not by its name: text, plain or compressed, or no text."""

import importlib
import math
import platform
import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from lambda_src.errors import SourceNotText

Compression = Literal["gzip", "bzip2", "xz", "zstd"]
Format = Literal["plain"] | Compression
Read = Callable[[int, int], bytes]
"""``read(start, end)``: bytes ``[start, end)`` of one object."""


def no_end() -> float:
    """For ``remaining_s`` where time is no matter."""
    return math.inf


class Readable(NamedTuple):
    """One object: its name for a person, its size, how it is read, and how much time is left to unpack it."""

    name: str
    bytes: int
    read: Read
    remaining_s: Callable[[], float] = no_end


FIRST_BYTES = 16
"""So many of an object's first bytes tell what it is."""

_COMPRESSED: dict[Compression, re.Pattern[bytes]] = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    # A block's magic number is all ASCII: only behind its checksum, in the high bits of a number of at most
    # 900,000, stands what no text has. An empty stream ends at once.
    "bzip2": re.compile(rb"BZh[1-9](1AY&SY.{4}[\x00-\x06]|\x17rE8P\x90)", re.DOTALL),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    # A frame, or one to be skipped, of less than 16 MiB: its size has a zero, as no text.
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18.{3}\x00", re.DOTALL),
}
_NO_TEXT = {
    "zip": re.compile(rb"PK(\x03\x04|\x05\x06)"),
    "UTF-32": re.compile(rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff"),
    "UTF-16": re.compile(rb"\xff\xfe|\xfe\xff"),
}
_PARQUET = b"PAR1"
"""What a Parquet file begins and ends with; before the end stands the footer's size, four bytes."""


def tell(source: Readable, first_bytes: bytes) -> Format:
    """What ``source`` is, which begins with ``first_bytes``: ``FIRST_BYTES`` or more, or all that it has. A
    text that only begins as a format does is plain.

    Raises SourceNotText for what is no UTF-8 text, and for zstd that this Python cannot unpack.
    """
    if name := _no_text(source, first_bytes):
        raise SourceNotText(
            f"{source.name} is {name}, not UTF-8 text: unpack or convert it, then upload that."
        )
    how = next((how for how, pattern in _COMPRESSED.items() if pattern.match(first_bytes)), None)
    if how == "zstd":
        load_zstd(source.name)
    return how or "plain"


def _no_text(source: Readable, first_bytes: bytes) -> str | None:
    if first_bytes.startswith(_PARQUET) and source.bytes >= 12:
        last_bytes = source.read(source.bytes - 8, source.bytes)
        footer_bytes = int.from_bytes(last_bytes[:4], "little")
        if last_bytes.endswith(_PARQUET) and footer_bytes <= source.bytes - 12:
            return "Parquet"
    return next((name for name, pattern in _NO_TEXT.items() if pattern.match(first_bytes)), None)


def load_zstd(name: str) -> Any:
    """The module that unpacks zstd. Raises SourceNotText, for the object ``name``, before Python 3.14."""
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        raise SourceNotText(
            f"{name} is zstd, which Python {platform.python_version()} cannot unpack: "
            "repack it with gzip, bzip2 or xz, then upload that."
        ) from None
