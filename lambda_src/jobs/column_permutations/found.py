"""What blocks find in a table: kinds of cells, missing values, and exact sums of rows.

Which columns hold text is known only once all blocks are read. So a block adds up every column that can be
numbers, and what it found of the others is in its line, too. All of it merges in any order.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct, field

from lambda_src.errors import BlobDamaged, TableUnusable
from lambda_src.job import Place
from lambda_src.jobs.column_permutations.rows import Rows
from lambda_src.jobs.column_permutations.sums import Sums

MOST_PATTERNS = 1000


class Column(Struct):
    """Cells of a column: ``missing``, ``texts`` that are neither numbers nor missing, ``booleans`` that are
    words for true and false, and all other, which are numbers. ``first`` is where the row of the first text
    begins, ``like`` what it looks like. ``largest`` is the absolutely largest number of the rows used.
    ``whole`` says whether all of these are integers, ``thousands`` and ``decimals`` are as in ``Rows``."""

    missing: int = 0
    texts: int = 0
    booleans: int = 0
    first: Place | None = None
    like: str = ""
    largest: float = 0.0
    whole: bool = True
    thousands: int = 0
    decimals: int = 0

    def note_text(self, texts: int, first: Place | None, like: str) -> None:
        """Note texts, the first one at ``first``."""
        self.texts += texts
        if first and (self.first is None or _in_order(first) < _in_order(self.first)):
            self.first, self.like = first, like


def _in_order(place: Place) -> tuple[bytes, int, int]:
    return place.key.encode(), place.unpacked_from, place.offset


class Found(Struct):
    """Of one block, or of several: ``rows`` and those ``used``; every column of the table; and for rows that
    were left out, in which columns values were missing: ``patterns`` of bits, in hexadecimal."""

    columns: list[Column]
    rows: int = 0
    used: int = 0
    patterns: set[str] = field(default_factory=set)

    def merge(self, other: "Found") -> None:
        """Add another one. Raises TableUnusable."""
        self.rows += other.rows
        self.used += other.used
        self._add_patterns(other.patterns)
        for mine, more in zip(self.columns, other.columns, strict=True):
            mine.missing += more.missing
            mine.booleans += more.booleans
            mine.largest = max(mine.largest, more.largest)
            mine.whole &= more.whole
            mine.thousands += more.thousands
            mine.decimals += more.decimals
            mine.note_text(more.texts, more.first, more.like)

    def _add_patterns(self, patterns: set[str]) -> None:
        self.patterns |= patterns
        if len(self.patterns) > MOST_PATTERNS:
            self.patterns = _smallest(self.patterns)
        if len(self.patterns) > MOST_PATTERNS:
            raise TableUnusable(
                "Missing values are in too many combinations of columns. Set the option missing=columns, or "
                "leave out columns with many missing values by the option never."
            )


def _smallest(patterns: set[str]) -> set[str]:
    """Those that contain no other: these decide."""
    found: list[int] = []
    for bits in sorted({int(pattern, 16) for pattern in patterns}, key=lambda bits: (bits.bit_count(), bits)):
        if not any(bits & smaller == smaller for smaller in found):
            found.append(bits)
    return {f"{bits:x}" for bits in found}


class Block:
    """Adds up rows of a table of ``names``; ``added`` are the numbers of the columns that can be numbers.
    With ``by_row``, rows with a missing value in these are left out; else such values count as 0."""

    def __init__(self, names: Sequence[str], added: Sequence[int], *, by_row: bool) -> None:
        self.found = Found([Column() for _ in names])
        self.sums = Sums([names[column] for column in added])
        self._added, self._by_row = list(added), by_row

    def add(self, rows: Rows) -> None:
        """Add rows. Raises TableUnusable."""
        found, missing = self.found, rows.missing
        found.rows += len(missing)
        counts = zip(missing.sum(axis=0).tolist(), rows.texts, rows.booleans.tolist(), strict=True)
        for column, (empty, texts, booleans) in zip(found.columns, counts, strict=True):
            column.missing += empty
            column.booleans += booleans
            column.note_text(texts.cells, texts.first, texts.like)
        for column, thousands, decimals in zip(
            found.columns, rows.thousands.tolist(), rows.decimals.tolist(), strict=True
        ):
            column.thousands += thousands
            column.decimals += decimals
        values, missing = rows.values[:, self._added], missing[:, self._added]
        if self._by_row:
            incomplete = missing.any(axis=1)
            if incomplete.any():
                self._note_patterns(np.unique(missing[incomplete], axis=0))
                values = values[~incomplete]
        values = np.nan_to_num(values, nan=0.0)
        found.used += len(values)
        largest = np.abs(values).max(axis=0, initial=0.0).tolist()
        whole = (values == np.rint(values)).all(axis=0).tolist()
        for number, size, is_whole in zip(self._added, largest, whole, strict=True):
            found.columns[number].largest = max(found.columns[number].largest, size)
            found.columns[number].whole &= is_whole
        self.sums.add(values)

    def _note_patterns(self, patterns: Any) -> None:
        bits = [1 << column for column in self._added]
        self.found._add_patterns(
            {f"{sum(bits[at] for at in np.flatnonzero(pattern)):x}" for pattern in patterns}
        )

    def merge(self, line: bytes) -> None:
        """Add a line. Raises TableUnusable, BlobDamaged."""
        head, _, sums = line.partition(b"\n")
        try:
            found = msgspec.json.decode(head, type=Found)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BlobDamaged(f"A line cannot be read ({error}): start the run again.") from None
        self.found.merge(found)
        self.sums.merge(Sums.from_bytes(sums, self.sums.names))

    def line(self) -> bytes:
        """All of it, for ``merge``."""
        return msgspec.json.encode(self.found, order="sorted") + b"\n" + self.sums.to_bytes()
