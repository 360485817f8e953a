"""Findings: what blocks notice in their text besides what they count.

A block reports how often each kind occurred, where it occurred first, and the objects in which it occurred
most. Summed over a run, the numbers do not depend on how the input was cut.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from lambda_src.job import Concern, Feed, Finding, FoundIn, Input, Owned, Place, Span
from lambda_src.records import Rule

INVALID_UTF8, NUL_BYTES = "invalid_utf8", "nul_bytes"

CONCERNS = {
    INVALID_UTF8: Concern(
        "byte",
        "is not UTF-8",
        "are not UTF-8",
        most="These look binary, or like text in another encoding",
        most_share=0.1,
        advice="Convert the input to UTF-8 to have all of its text read.",
    ),
    NUL_BYTES: Concern(
        "NUL byte",
        "was read as text",
        "were read as text",
        advice="Text hardly ever has any: see whether the input is binary, or was cut by a full disk.",
    ),
}
"""The findings of the engine itself."""

MOST_OBJECTS = 100
"""Most objects that a block names for each kind, besides its first and last."""

SLICE_BYTES = 64 << 10
"""Number of bytes decoded at once. A slice of only ASCII is not decoded."""


class Invalid(NamedTuple):
    """The number of bytes that belong to no character, and the place of the first."""

    found: int
    first: int


def invalid_utf8(text: bytes) -> Invalid:
    """The bytes of ``text`` that are not UTF-8.

    >>> invalid_utf8(b"caf\\xe9, \\xe2\\x82\\xac, \\xe2\\x82"), invalid_utf8(b"caf")
    (Invalid(found=3, first=3), Invalid(found=0, first=0))
    """
    if text.isascii():
        return Invalid(0, 0)
    count, first, start, whole = 0, 0, 0, memoryview(text)
    while start < len(text):
        end = min(start + SLICE_BYTES, len(text))
        while start + SLICE_BYTES - 4 < end < len(text) and text[end] & 0xC0 == 0x80:
            end -= 1  # to the beginning of a character, if one is near
        part = bytes(whole[start:end])
        if not part.isascii():
            try:
                part.decode()
            except UnicodeDecodeError as error:
                first = first if count else start + error.start
                count += len(part) - len(part.decode(errors="ignore").encode())
        start = end
    return Invalid(count, first)


class Tally:
    """One kind of finding, counted in one block, object by object."""

    def __init__(self) -> None:
        self._count = self._total = 0
        self._first: Place | None = None
        self._objects: dict[str, FoundIn] = {}

    def note(self, at: Place, count: int, total: int, first: int = 0) -> None:
        """Note ``count`` of the ``total`` things in the chunk that begins at ``at``, the first one at its
        byte ``first``."""
        self._count += count
        self._total += total
        if count and self._first is None:
            self._first = at._replace(offset=at.offset + first)
        known = self._objects.get(at.key)
        if known is None and len(self._objects) > 1:
            last = next(reversed(self._objects))
            if not self._objects[last].found:  # neither the first object nor the last one
                del self._objects[last]
        before = known or FoundIn(at.key, 0, 0)
        self._objects[at.key] = FoundIn(at.key, before.found + count, before.total + total)

    def is_noted(self) -> bool:
        """Whether any chunk was noted."""
        return bool(self._objects)

    def finding(self) -> Finding:
        """The finding. It always names the first and the last object, which other blocks may share: their
        totals are needed."""
        objects = list(self._objects.values())
        inner = sorted(objects[1:-1], key=lambda one: (-one.found, one.key))[:MOST_OBJECTS]
        ends = [*objects[:1], *objects[1:][-1:]]
        return Finding(self._count, self._total, self._first, sorted([*ends, *inner]))


class WatchedInput:
    """``source``, whose text is checked while it is fed: for NULs and, if ``for_utf8``, for bytes that are
    not UTF-8."""

    def __init__(self, source: Input, *, for_utf8: bool) -> None:
        self.size_bytes, self.objects = source.size_bytes, source.objects
        self.whole, self.first_record = source.whole, source.first_record
        self._for_utf8 = for_utf8
        self._invalid, self._nuls = Tally(), Tally()
        self._source = source

    def feed(self, block: Span, rule: Rule, feed: Feed) -> Owned:
        """As ``Input.feed``."""

        def watched(chunk: bytes, at: Place) -> None:
            if self._for_utf8:
                invalid = invalid_utf8(chunk)
                self._invalid.note(at, invalid.found, len(chunk), invalid.first)
            first = chunk.find(b"\0")  # ten times as fast as to count them
            if first >= 0:
                self._nuls.note(at, chunk.count(b"\0"), 0, first)
            feed(chunk, at)

        return self._source.feed(block, rule, watched)

    def findings(self) -> dict[str, Finding]:
        """The findings so far."""
        noted = {NUL_BYTES: self._nuls} if self._nuls.is_noted() else {}
        if self._for_utf8:
            noted[INVALID_UTF8] = self._invalid
        return {code: tally.finding() for code, tally in noted.items()}


class Findings:
    """The findings of a run's blocks, summed, in whatever order the blocks come."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()
        self._first: dict[str, Place] = {}
        self._objects: dict[str, dict[str, FoundIn]] = {}

    def add(self, findings: Mapping[str, Finding]) -> None:
        """Add the findings of one block."""
        for code, found in findings.items():
            self._counts[code] += found.found
            self._totals[code] += found.total
            if found.first:
                self._first[code] = min(found.first, self._first.get(code, found.first), key=_in_order)
            objects = self._objects.setdefault(code, {})
            for one in found.objects:
                known = objects.get(one.key, FoundIn(one.key, 0, 0))
                objects[one.key] = FoundIn(one.key, known.found + one.found, known.total + one.total)

    def summed(self) -> dict[str, Finding]:
        """One finding of each kind."""
        return {
            code: Finding(
                self._counts[code],
                self._totals[code],
                self._first.get(code),
                sorted(one for one in objects.values() if one.found),
            )
            for code, objects in sorted(self._objects.items())
        }


def _in_order(place: Place) -> tuple[str, int, int]:
    return place.key, place.unpacked_from, place.offset
