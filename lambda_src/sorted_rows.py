"""Rows of complete sums, in the order of their keys: what reducers store of a run that keeps everything.

A row is a key, a NUL, and its counts in decimal with commas between. Between rows is a byte 0xFF, which UTF-8
never has. A NUL in a key is followed by 0xFE. So rows sort, as bytes, by the bytes of their keys, which is
the order of code points.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

END, BETWEEN = b"\0", b"\xff"
_NUL = b"\0\xfe"


class SortedRows(NamedTuple):
    """At least one row: ``data`` with ``keys`` rows, whose first counts add up to ``observed``."""

    data: bytes
    keys: int
    observed: int


def write_row(key: bytes, counts: Iterable[int]) -> bytes:
    """The row of a key in UTF-8.

    >>> write_row(b"a", [1, -2]), write_row(bytes([0]), [3])
    (b'a\\x001,-2', b'\\x00\\xfe\\x003')
    """
    return key.replace(END, _NUL) + END + ",".join(map(str, counts)).encode()


def key_of(row: bytes) -> bytes:
    """The key of a row.

    >>> key_of(write_row(b"a\\0b", [1]))
    b'a\\x00b'
    """
    key = row[: row.rindex(END)]
    return key.replace(_NUL, END) if END in key else key


def counts_of(row: bytes) -> Sequence[int]:
    """The counts of a row.

    >>> counts_of(write_row(b"a", [1, -2]))
    [1, -2]
    """
    return list(map(int, row[row.rindex(END) + 1 :].split(b",")))
