"""Sums of counts in Python: the reference for counts.c, and used where that is not built."""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from lambda_src.counts.table import (
    COMBINE,
    EVERY_KEY,
    FEW,
    LEAST,
    MOST,
    MOST_DIGITS,
    MOST_ROW_KEY_BYTES,
    Limits,
    Rows,
    RowsAdded,
    Summed,
    Takes,
    best_of,
    by_shard,
    check_names,
    outer_of,
    sizes_by_shard,
    text_bytes_of,
    with_inner,
)
from lambda_src.errors import BlobDamaged, TooManyDistinct
from lambda_src.job import Line, Shards, check_lines, pieces_of
from lambda_src.sorted_rows import BETWEEN, SortedRows, write_row

LIMITS = Limits(keys=4_000_000, text_bytes=400_000_000)

ROWS_AT_ONCE = 32
"""As many as counts.c adds before it looks whether it is full."""

_Count = Annotated[int, msgspec.Meta(ge=LEAST, le=MOST)]
_ONE_COLUMN = msgspec.json.Decoder(dict[str, _Count])
_COLUMNS = msgspec.json.Decoder(dict[str, list[_Count]])
_NAMES = msgspec.json.Decoder(list[str | _Count])


class Table:
    """``table.Table``."""

    def __init__(
        self, parts: int, kinds: Sequence[str], takes: Takes = EVERY_KEY, has_inner: bool = False
    ) -> None:
        self._kinds, self._takes, self._has_inner = kinds, takes, has_inner
        self._limits = takes.limits or Limits(max(LIMITS.keys // len(kinds), 1), LIMITS.text_bytes)
        by_key = takes.shards and takes.shards.by == "key" and takes.shards.count > 1
        self._checked = takes.shards if by_key else None
        self._keys: list[dict[str, list[int]]] = [{} for _ in range(parts)]
        self._sums: list[dict[str, int]] = [{} for _ in range(parts)]
        self._held = self._text_bytes = 0
        self._written = Written(Shards("key", 1, ""), 0)

    def add(self, data: bytes, first: int, parts: int) -> None:
        lines = data.split(b"\n")
        if len(lines) != parts:
            raise _damaged("is not as it was written")
        for part, line in enumerate(lines, first):
            for piece in pieces_of(line) if line else ():
                try:
                    self._add_piece(part, piece)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise _damaged(f"cannot be read ({error})") from None

    def _add_piece(self, part: int, piece: memoryview) -> None:
        if piece[:1].tobytes() == b"[":
            self._add_sums(part, _NAMES.decode(piece))
        elif len(self._kinds) == 1:
            self._add_keys(part, ((key, [count]) for key, count in _ONE_COLUMN.decode(piece).items()))
        else:
            self._add_keys(part, _COLUMNS.decode(piece).items())

    def _add_keys(self, part: int, more: Iterable[tuple[str, list[int]]]) -> None:
        keys, takes = self._keys[part], self._takes
        for key, counts in more:
            if len(counts) != len(self._kinds) or counts[0] < 0:
                raise _damaged("is not as it was written")
            outer = outer_of(key) if self._has_inner else key
            if self._checked and self._checked.of_key(outer.encode()) != takes.shard:
                raise _damaged("has a key of another shard")
            # Python keys this hash for each process: no text can be crafted so that one pass gets all keys.
            if takes.passes > 1 and hash(outer) % takes.passes != takes.number:
                continue
            self._hold(keys, key, counts)
        if self._held > self._limits.keys or self._text_bytes > self._limits.text_bytes:
            raise TooManyDistinct("There are more distinct keys than fit into one sum.")

    def _hold(self, keys: dict[str, list[int]], key: str, counts: list[int]) -> None:
        held = keys.get(key)
        if held is None:
            keys[key] = counts
            self._held += 1
            self._text_bytes += text_bytes_of(key)
        else:
            keys[key] = self._combined(held, counts)

    def _combined(self, held: Sequence[int], more: Sequence[int]) -> list[int]:
        return [
            _fitting(COMBINE[kind](one, other))
            for kind, one, other in zip(self._kinds, held, more, strict=True)
        ]

    def _add_sums(self, part: int, names_and_numbers: Sequence[Any]) -> None:
        names, numbers = names_and_numbers[::2], names_and_numbers[1::2]
        if {*map(type, names)} != {str} or {*map(type, numbers)} != {int} or len(names) != len(numbers):
            raise _damaged("is not as it was written")
        if self._checked and self._takes.shard:
            raise _damaged("has a key of another shard")
        if self._takes.number == 0:
            sums = self._sums[part]
            for name, number in zip(names, numbers, strict=True):
                sums[name] = _fitting(sums.get(name, 0) + number)
            check_names(len(sums))

    def add_rows(self, part: int, rows: Rows, at: int, limits: Limits) -> RowsAdded:
        fraction = rb"\.[0-9]{%d}" % rows.decimals if rows.decimals else b""
        form = re.compile(rb"([^%b]*)%b(-?)([0-9]+%b)" % (*[re.escape(rows.separator)] * 2, fraction))
        others = []
        while at < len(rows.text) and not self.is_full(limits):
            made = 0
            while made < ROWS_AT_ONCE and at < len(rows.text):
                end = rows.text.find(b"\n", at)
                row = rows.text[at : end if end >= 0 else len(rows.text)]
                at += len(row) + 1
                match = form.fullmatch(row)
                if match and _fits(match[1]) and len(match[3]) <= MOST_DIGITS:
                    number = int(match[2] + match[3].replace(b".", b""))
                    self._hold(self._keys[part], match[1].decode(), [1, *[number] * (len(self._kinds) - 1)])
                    made += 1
                else:
                    others.append(row)
        return RowsAdded(min(at, len(rows.text)), others)

    def is_full(self, limits: Limits) -> bool:
        return self._held >= limits.keys or self._text_bytes >= limits.text_bytes

    def write(self, shards: Shards) -> None:
        if self._written.is_empty():
            self._written = Written(shards, len(self._keys), self._has_inner)
        for part, keys in enumerate(self._keys):
            self._written.write_keys(part, keys)
        for part, sums in enumerate(self._sums):
            self._written.write_sums(part, sums)
        for keys, sums in zip(self._keys, self._sums, strict=True):
            keys.clear()
            sums.clear()
        self._held = self._text_bytes = 0
        self._written.check()

    def lines(self, shards: Shards) -> list[Line]:
        self.write(shards)
        return self._written.lines()

    def rows(self, part: int, most_bytes: int) -> Iterator[SortedRows]:
        rows: list[bytes] = []
        room, observed = most_bytes, 0
        for key, counts in sorted((key.encode(), counts) for key, counts in self._keys[part].items()):
            row = write_row(key, counts)
            room -= len(row) + (1 if rows else 0)
            rows.append(row)
            observed = _fitting(observed + counts[0])
            if room <= 0:
                yield SortedRows(BETWEEN.join(rows), len(rows), observed)
                rows, room, observed = [], most_bytes, 0
        if rows:
            yield SortedRows(BETWEEN.join(rows), len(rows), observed)

    def summed(self, parts: range, columns: Sequence[int], top: int) -> list[Summed]:
        return [self._part(part, columns, top) for part in parts]

    def best_of_all(self, parts: range, column: int, top: int) -> Mapping[str, Sequence[int]]:
        keys: dict[str, Sequence[int]] = {}
        for part in parts:
            for key, counts in self._keys[part].items():
                keys[key] = self._combined(keys[key], counts) if key in keys else counts
        keys_left = self._limits.keys - self._held
        texts_left = self._limits.text_bytes - self._text_bytes
        text_bytes = sum(map(text_bytes_of, keys))
        if len(keys) > max(keys_left, FEW.keys) or text_bytes > max(texts_left, FEW.text_bytes):
            raise TooManyDistinct("There are more distinct keys than fit into one sum.")
        return best_of(keys, column, self._kinds[column], top)

    def _part(self, part: int, columns: Sequence[int], top: int) -> Summed:
        keys = self._keys[part]
        totals = [
            _fitting(functools.reduce(COMBINE[kind], numbers))
            for kind, numbers in zip(self._kinds, zip(*keys.values(), strict=True), strict=False)
        ]
        best = [best_of(keys, column, self._kinds[column], top) for column in columns]
        if self._has_inner:
            best = [with_inner(found, keys) for found in best]
        return Summed(totals, self._sums[part], best)


class Written:
    """Lines by shard and part, as far as they are written."""

    def __init__(self, shards: Shards, parts: int, has_inner: bool = False) -> None:
        self._shards, self._parts, self._has_inner = shards, parts, has_inner
        count = parts if shards.by == "part" else parts * shards.count
        self._lines = [bytearray() for _ in range(count)]
        self._observed = [0] * count

    def is_empty(self) -> bool:
        return not any(self._lines)

    def write_keys(self, part: int, keys: dict[str, list[int]]) -> None:
        of_line: dict[int, dict[str, int | list[int]]] = {}
        for key, counts in keys.items():
            outer = outer_of(key) if self._has_inner else key
            shard = self._shards.of_key(outer.encode()) if self._shards.by == "key" else 0
            line = shard * self._parts + part
            of_line.setdefault(line, {})[key] = counts if len(counts) > 1 else counts[0]
            self._observed[line] = _fitting(self._observed[line] + counts[0])
        for line, found in of_line.items():
            self._write(line, found)

    def write_sums(self, part: int, sums: dict[str, int]) -> None:
        if sums:
            self._write(part, [each for pair in sums.items() for each in pair])

    def _write(self, line: int, piece: Any) -> None:
        self._lines[line] += b"\t" * bool(self._lines[line]) + msgspec.json.encode(piece)

    def check(self) -> None:
        check_lines(sizes_by_shard(self._shards, self._parts, list(map(len, self._lines))))

    def lines(self) -> list[Line]:
        return by_shard(self._shards, self._parts, list(map(bytes, self._lines)), self._observed)


def _fits(key: bytes) -> bool:
    """Whether a row may have this key."""
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return len(key) <= MOST_ROW_KEY_BYTES


def _fitting(number: int) -> int:
    if not LEAST <= number <= MOST:
        raise _damaged("counts more than 64 bits hold")
    return number


def _damaged(what: str) -> BlobDamaged:
    return BlobDamaged(f"A line of counts {what}: start the run again.")
