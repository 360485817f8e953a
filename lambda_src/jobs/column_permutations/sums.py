"""Exact inner products of columns: the same in whatever blocks, groups and order rows are added.

A float is an integer times a power of two. It is cut into digits of 21 bits at places that are the same for
all floats. Products of digits, added over 2,048 rows, are integers below 2**53: the matrix product is exact,
in whatever order a processor's BLAS adds. Sums over more rows are Python's integers.
Nothing is ever rounded, so sums can be merged in any order.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from lambda_src.errors import TableUnusable

Floats = NDArray[np.float64]
Integers = NDArray[np.object_]
"""Of Python's integers."""

DIGIT_BITS = 21
ROWS_AT_ONCE = 1 << 11
_BATCHES = 1 << 8
"""Their sums are integers below 2**61."""

MAX_DIGITS = 4096
"""Of all columns together. A matrix of their products takes 134 MB, and there are three at once."""

_int = np.frompyfunc(int, 1, 1)


class Sums:
    """The number of ``rows``; and of each column, the sum and the inner products with all columns. ``names``
    are for messages.

    ``totals[0, 1 + j] * 2**exponents[j]`` is the sum of column j, and ``totals[1 + i, 1 + j] *
    2**(exponents[i] + exponents[j])`` the inner product of i and j."""

    def __init__(self, names: Sequence[str]) -> None:
        self.columns = columns = len(names)
        self.names = names
        self._waiting: list[Floats] = []
        self._places = np.zeros(columns, np.int64)
        """Of the lowest digit of each column."""
        self._is_known = np.zeros(columns, bool)
        self._totals: Integers = np.full((1 + columns, 1 + columns), 0, object)
        self._digits: tuple[tuple[int, int], ...] = ()
        self._pending: NDArray[np.int64] | None = None
        self._batches = 0

    @property
    def rows(self) -> int:
        return int(self.totals()[0, 0])

    @property
    def exponents(self) -> list[int]:
        self._flush()
        return [int(place) * DIGIT_BITS for place in self._places]

    def totals(self) -> Integers:
        """See the class."""
        self._flush()
        return self._totals

    def add(self, cells: Floats) -> None:
        """Add rows of finite floats. Raises TableUnusable."""
        self._waiting.append(cells)
        if sum(map(len, self._waiting)) >= ROWS_AT_ONCE:
            self._add_waiting()

    def _add_waiting(self) -> None:
        """Add the rows that waited for others."""
        if self._waiting:
            cells = np.concatenate(self._waiting)
            self._waiting = []
            for start in range(0, len(cells), ROWS_AT_ONCE):
                self._add(cells[start : start + ROWS_AT_ONCE])

    def _add(self, cells: Floats) -> None:
        digits, sliced = _sliced(cells, self.names)
        if digits != self._digits or self._batches == _BATCHES:
            self._add_pending()
            self._digits = digits
        product = sliced.T @ sliced
        if self._pending is None:
            self._pending = product.astype(np.int64)
        else:
            self._pending += product.astype(np.int64)
        self._batches += 1

    def _flush(self) -> None:
        """Add all that waits. Raises TableUnusable."""
        self._add_waiting()
        self._add_pending()

    def _add_pending(self) -> None:
        if self._pending is None:
            return
        pending, self._pending, self._batches = self._pending, None, 0
        lowest = dict(reversed(self._digits))
        for column, place in lowest.items():
            self._make_room(column, place)
        own = [(0, 0)] + [
            (1 + column, DIGIT_BITS * (place - int(self._places[column]))) for column, place in self._digits
        ]
        self._totals += _folded(_folded(pending, own, 1 + self.columns).T, own, 1 + self.columns)

    def _make_room(self, column: int, place: int) -> None:
        """Let the digits of ``column`` begin at ``place`` or below."""
        if self._is_known[column] and place < self._places[column]:
            factor = 1 << DIGIT_BITS * (int(self._places[column]) - place)
            self._totals[1 + column, :] *= factor
            self._totals[:, 1 + column] *= factor
        if not self._is_known[column] or place < self._places[column]:
            self._places[column] = place
        self._is_known[column] = True

    def merge(self, other: "Sums") -> None:
        """Add the rows of ``other``, of the same columns."""
        self._flush()
        other._flush()
        for column in np.flatnonzero(other._is_known):
            self._make_room(int(column), int(other._places[column]))
        more = other._totals
        shifts = np.where(other._is_known, other._places - self._places, 0)
        if shifts.any():
            factors = np.array([1, *(1 << DIGIT_BITS * int(shift) for shift in shifts)], object)
            more = more * factors[:, None] * factors
        self._totals = self._totals + more

    def to_bytes(self) -> bytes:
        """All of it, for ``from_bytes``."""
        self._flush()
        upper = self._totals[np.triu_indices(1 + self.columns)].tolist()
        lengths = np.array([number.bit_length() // 8 + 1 for number in upper], "<u2")
        return b"".join(
            [
                np.where(self._is_known, self._places, _UNKNOWN).astype("<i4").tobytes(),
                lengths.tobytes(),
                *(
                    number.to_bytes(length, "little", signed=True)
                    for number, length in zip(upper, lengths.tolist(), strict=True)
                ),
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes, names: Sequence[str]) -> "Sums":
        """What ``to_bytes`` wrote."""
        sums, columns = cls(names), len(names)
        places = np.frombuffer(data, "<i4", columns).astype(np.int64)
        sums._is_known = places != _UNKNOWN
        sums._places = np.where(sums._is_known, places, 0)
        size = (1 + columns) * (2 + columns) // 2
        lengths = np.frombuffer(data, "<u2", size, 4 * columns)
        ends = 4 * columns + 2 * size + np.cumsum(lengths, dtype=np.int64)
        numbers = np.empty(size, object)
        numbers[:] = [
            int.from_bytes(data[start:end], "little", signed=True)
            for start, end in zip((ends - lengths).tolist(), ends.tolist(), strict=True)
        ]
        upper = np.triu_indices(1 + columns)
        sums._totals[upper] = numbers
        sums._totals[upper[::-1]] = numbers
        return sums


_UNKNOWN = -(1 << 30)
"""The place of a column that has only zeros."""


def _sliced(cells: Floats, names: Sequence[str]) -> tuple[tuple[tuple[int, int], ...], Floats]:
    """The digits of ``cells`` that are not all zero, each as its column and place, the lowest first; and
    their values, behind a column of ones."""
    largest = np.abs(cells).max(axis=0, initial=0.0)
    places = -(-np.frexp(largest)[1] // DIGIT_BITS)
    rest = cells.copy()
    found: list[tuple[int, int, Floats]] = []
    columns = np.flatnonzero(largest)
    rest, places = rest[:, columns], places[columns]
    while len(columns):
        places = places - 1
        exponents = DIGIT_BITS * places
        digits = np.trunc(np.ldexp(rest, -exponents))
        rest -= np.ldexp(digits, exponents)
        used = digits.any(axis=0)
        found += [
            (int(columns[number]), int(places[number]), digits[:, number]) for number in np.flatnonzero(used)
        ]
        left = rest.any(axis=0)
        rest, places, columns = rest[:, left], places[left], columns[left]
        if len(found) > MAX_DIGITS:
            raise _too_wide(found, names)
    found.sort(key=lambda one: one[:2])
    ones = np.ones(len(cells))
    return (
        tuple((column, place) for column, place, _ in found),
        np.column_stack([ones, *(digits for *_, digits in found)]),
    )


def _too_wide(found: Sequence[tuple[int, int, Floats]], names: Sequence[str]) -> TableUnusable:
    by_column = groupby(sorted(column for column, *_ in found))
    widest = max(by_column, key=lambda group: len(list(group[1])))[0]
    return TableUnusable(
        f"The numbers of too many columns differ too much in size to be added exactly. {names[widest]!r} is "
        "one of them: take logarithms of such columns, or leave them out with the option never."
    )


def _folded(rows: NDArray[np.int64] | Integers, own: Sequence[tuple[int, int]], columns: int) -> Integers:
    """The sums of the rows of each column, each times two to its shift."""
    totals: Integers = np.full((columns, rows.shape[1]), 0, object)
    for row, (column, shift) in zip(rows, own, strict=True):
        whole = row.astype(object)
        totals[column] += whole << shift if shift else whole
    return totals
