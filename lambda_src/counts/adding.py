"""Counting in Python: what a counting job's ``count`` receives, and how it is counted."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from lambda_src.counts.table import COMBINE, Limits, Rows, Table, check_names
from lambda_src.errors import BlobDamaged, JobContractViolated
from lambda_src.input.reading import Reading
from lambda_src.job import Context, Finding, Line, Place

FLUSH_BYTES = 32 << 20
"""About as much memory is in dictionaries of Python, before what was added goes to a table."""

ENTRY_BYTES = 200
"""About what a key takes there, without its text."""

SPILL = Limits(keys=2_000_000, text_bytes=64 << 20)
"""What is counted together in memory. With more, a block is written to lines and counting starts over."""


LONGEST_KEY = 1000
"""Characters. A longer key is counted by its beginning, size and SHA-256, so that answers stay small."""

_DIGEST = " characters, SHA-256 "
"""Marks a key that was shortened. A key that holds it is shortened, too, so that no two are mixed."""


class Counted(NamedTuple):
    """What was counted in a block: a line for each shard, and what else ``Mapped`` has."""

    lines: Sequence[Line]
    extras: Mapping[str, int] = {}
    findings: Mapping[str, Finding] = {}


class _ByPart(dict[str, Any]):
    """What there is for each part, by its label."""

    def __missing__(self, part: str) -> Any:
        raise JobContractViolated(f"add got the part {part!r}, which the job does not have.")


class Add(Reading):
    """Adds to what a block counts: ``add(part, key, *counts)``, one count for each column, 1 each by default.

    A key is a ``str``, counts are ``int`` of 64 bits, and that of the first column is not negative.
    """

    def __init__(self, parts: Sequence[str], kinds: Sequence[str], context: Context, table: Table) -> None:
        super().__init__(context)
        self._shards, self._table = context.shards, table
        self._columns = list(enumerate(COMBINE[kind] for kind in kinds))
        self._ones = (1,) * len(kinds)
        self._keys: dict[str, dict[str, list[int]]] = _ByPart((part, {}) for part in parts)
        self._sums: dict[str, dict[str, int]] = _ByPart((part, {}) for part in parts)
        self._numbers: dict[str, int] = _ByPart((part, number) for number, part in enumerate(parts))
        self._room = FLUSH_BYTES

    def __call__(self, part: str, key: str, *counts: int) -> None:
        keys = self._keys[part]
        counts = counts or self._ones
        held = keys.get(key)
        if held is None:
            self._add_new(keys, key, counts)
        elif len(counts) != len(held):
            raise self._not_one_for_each(counts)
        else:
            for column, combine in self._columns:
                held[column] = combine(held[column], counts[column])

    def sum(self, part: str, name: str, number: int) -> None:
        """Add to a sum that belongs to the part and to no key."""
        sums = self._sums[part]
        if name not in sums:
            check_names(len(sums) + 1)
        sums[name] = sums.get(name, 0) + number

    def rows(self, part: str, text: bytes, separator: bytes, decimals: int = 0) -> list[bytes]:
        """Add rows of a key, the byte ``separator`` and a number with ``decimals``: much faster than one by
        one. A row counts 1 in the first column, and its number, without the point, in all others. Returns the
        rows of another form, which are not added."""
        rows, number, at = Rows(text, separator, decimals), self._numbers[part], 0
        others: list[bytes] = []
        while at < len(text):
            at, left = self._table.add_rows(number, rows, at, SPILL)
            others += left
            if self._table.is_full(SPILL):
                self._table.write(self._shards)
        return others

    def _add_new(self, keys: dict[str, list[int]], key: str, counts: Sequence[int]) -> None:
        if type(key) is not str:
            raise JobContractViolated(f"add got the key {key!r}: a key is a str.")
        if len(counts) != len(self._ones):
            raise self._not_one_for_each(counts)
        if len(key) > LONGEST_KEY or _DIGEST in key:
            key = _shortened(key)
            held = keys.setdefault(key, [])
            counts = [combine(held[at], counts[at]) for at, combine in self._columns] if held else counts
        keys[key] = list(counts)
        self._room -= ENTRY_BYTES + len(key)
        if self._room < 0:
            self._flush()

    def _not_one_for_each(self, counts: Sequence[int]) -> JobContractViolated:
        return JobContractViolated(
            f"add got {len(counts)} counts: it takes one for each column, and there are {len(self._ones)}."
        )

    def _flush(self) -> None:
        """Move what was added to the table, and from there to lines if there is much."""
        for number, (keys, sums) in enumerate(zip(self._keys.values(), self._sums.values(), strict=True)):
            one_column = {key: counts[0] for key, counts in keys.items()} if len(self._ones) == 1 else None
            self._move(number, one_column or keys)
            self._move(number, [each for pair in sums.items() for each in pair])
            keys.clear()
            sums.clear()
        self._room = FLUSH_BYTES
        if self._table.is_full(SPILL):
            self._table.write(self._shards)

    def _move(self, part: int, piece: Mapping[str, Any] | list[Any]) -> None:
        if not piece:
            return
        try:
            self._table.add(msgspec.json.encode(piece), part, 1)
        except (BlobDamaged, TypeError, OverflowError, UnicodeEncodeError) as error:
            raise JobContractViolated(
                "add takes a key that is a str without surrogates, and counts that are int of 64 bits, the "
                f"first one not negative: {error}"
            ) from None

    def lines(self) -> list[Line]:
        """What was added, as a line for each shard. This ends the counting."""
        self._flush()
        return self._table.lines(self._shards)


def _shortened(key: str) -> str:
    import hashlib  # noqa: PLC0415 - 5 ms of each cold start, for keys that hardly ever occur

    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    return f"{key[: LONGEST_KEY // 2]}... ({len(key)}{_DIGEST}{digest})"


class TextCounter:
    """Counts the text of a block with the ``count`` of a job."""

    def __init__(self, count: Callable[[bytes, Add], None], add: Add) -> None:
        self._count, self._add = count, add

    def add(self, chunk: bytes, at: Place) -> None:
        """Count a chunk that holds whole records and begins at a place."""
        self._add.place = at
        self._count(chunk, self._add)

    def lines(self) -> Counted:
        """What was counted."""
        return Counted(self._add.lines(), {}, self._add.findings())
