"""Where the lines of a log begin, and the NULs between them."""

import re
from typing import NamedTuple

from lambda_src.records import Rule

LONGEST_LINE = 8 << 20
"""A server cuts what it logs long before that; a file without any newline must not fill the memory."""

NUL_RUN = 16
_NULS = bytes(NUL_RUN)
_NULS_TOGETHER = re.compile(rb"\0\0*")  # a literal first: then it is looked for as fast as memory allows


def _first_cut(data: bytes, at: int, is_all: bool) -> int | None:
    """A line begins behind ``\\n`` or a run of NULs; and all NULs there may be cut from each other."""
    nuls = len(data[max(at - NUL_RUN, 0) : at]) - len(data[max(at - NUL_RUN, 0) : at].rstrip(b"\0"))
    if nuls in (at, NUL_RUN) or data[at - nuls - 1] == 0x0A:
        return at
    newline = data.find(b"\n", at) + 1
    run = data.find(_NULS, at - nuls, newline or len(data))
    if run >= 0:
        return run + NUL_RUN
    return newline or (len(data) if is_all else None)


def _last_cut(data: bytes) -> int:
    text = data.rstrip(b"\0")
    if len(data) - len(text) >= NUL_RUN or text.endswith(b"\n"):
        return len(data)
    newline = text.rfind(b"\n") + 1
    run = text.rfind(_NULS, newline)
    cut = newline if run < 0 else run + NUL_RUN
    return len(data) - len(data[cut:].lstrip(b"\0"))


LINES = Rule("line", LONGEST_LINE, NUL_RUN + 1, _first_cut, _last_cut)


class Skipped(NamedTuple):
    """Of a chunk, ``nuls`` bytes from ``at`` on; in their place are ``left`` bytes, a newline or nothing."""

    at: int
    nuls: int
    left: int


def without_nuls(chunk: bytes) -> tuple[bytes, list[Skipped]]:
    """A chunk that begins with a line, without the NULs that are skipped.

    >>> without_nuls(b"\\0one\\n\\0\\0two\\0")
    (b'one\\ntwo\\x00', [Skipped(at=0, nuls=1, left=0), Skipped(at=5, nuls=2, left=0)])
    """
    skipped: list[Skipped] = []

    def skip(found: re.Match[bytes]) -> bytes:
        at, end = found.span()
        begins_line = at == 0 or chunk[at - 1] == 0x0A
        if not begins_line and end - at < NUL_RUN:
            return found[0]  # part of the line
        skipped.append(Skipped(at, end - at, 0 if begins_line else 1))
        return b"" if begins_line else b"\n"

    return _NULS_TOGETHER.sub(skip, chunk), skipped


def original(offset: int, skipped: list[Skipped]) -> int:
    """Where a byte was before NULs were skipped."""
    for one in skipped:
        if one.at > offset:
            break
        offset += one.nuls - one.left
    return offset
