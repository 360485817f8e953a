"""Exact inner products of columns: the same in whatever blocks, groups and order rows are added.

A float is an integer times a power of two. It is cut into digits of 21 bits at places that are the same for
all floats. Products of digits, added over 2,048 rows, are integers up to 2**53: the matrix product is exact,
in whatever order a processor's BLAS adds. Sums over more rows are Python's integers.
Nothing is ever rounded, so sums can be merged in any order.

Most floats have four such digits, and the work grows with their square. Short decimals have two: the float
next to n / 10**d is n times the float next to 1 / 10**d, plus a small multiple of that one's last bit.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lambda_src.errors import TableUnusable
from lambda_src.jobs.column_permutations.cells import Flags, Floats, Places

Integers = NDArray[np.object_]
"""Of Python's integers."""

DIGIT_BITS = 21
ROWS_AT_ONCE = 1 << 11
_BATCHES = 1 << 8
"""Their sums are integers below 2**61."""

MOST_DECIMALS = 6
"""Of short decimals."""

HEAD_ROWS = 64
"""Usually tell how many decimals a column has."""

MAX_DIGITS = 4096
"""Of all columns together. A matrix of their products takes 134 MB, and there are three at once."""


class Digit(NamedTuple):
    """A digit of the numbers of ``column``: one is worth ``weight * 2**exponent``."""

    column: int
    exponent: int
    weight: int = 1


Cut = tuple[list[Digit], Floats]
"""Digits, and in a column for each, its values."""


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
        self._decimals = np.zeros(columns, np.int64)
        """That the numbers of each column have; more than ``MOST_DECIMALS`` if they are no short decimals."""
        self._digits: Sequence[Digit] = ()
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
            self._add_waiting(ROWS_AT_ONCE)

    def _add_waiting(self, least: int = 1) -> None:
        """Add the rows that wait for others, as long as there are ``least``."""
        if not self._waiting:
            return
        cells = np.concatenate(self._waiting)
        while len(cells) >= least:
            self._add(cells[:ROWS_AT_ONCE])
            cells = cells[ROWS_AT_ONCE:]
        self._waiting = [cells] if len(cells) else []

    def _add(self, cells: Floats) -> None:
        cuts = self._cut(cells)
        found = sorted(digit for digits, _ in cuts for digit in digits)
        if self._batches == _BATCHES:
            self._add_pending()
        if not set(found) <= set(self._digits):
            self._add_pending()
            # Digits of earlier rows are kept: later rows may have them again.
            both = sorted({*found, *self._digits})
            self._digits = both if len(both) <= min(2 * len(found), MAX_DIGITS) else found
        numbers = {digit: number for number, digit in enumerate(self._digits, 1)}
        sliced = np.zeros((len(cells), 1 + len(self._digits)))
        sliced[:, 0] = 1
        for digits, values in cuts:
            sliced[:, [numbers[digit] for digit in digits]] = values
        product = (sliced.T @ sliced).astype(np.int64)
        self._pending = product if self._pending is None else self._pending + product
        self._batches += 1

    def _cut(self, cells: Floats) -> list[Cut]:
        """The digits of ``cells`` that are not all zero. Raises TableUnusable."""
        cuts: list[Cut] = []
        is_left: Flags = np.any(cells != 0, axis=0)
        (whole,) = np.nonzero(self._decimals == 0)
        self._decimals[whole] = (cells[:, whole] != np.rint(cells[:, whole])).any(axis=0)
        for decimals in range(1, 1 + MOST_DECIMALS):
            (columns,) = np.nonzero(is_left & (self._decimals == decimals))
            fits = _in_two(cells[:HEAD_ROWS, columns], decimals).fits
            self._decimals[columns[~fits]] += 1
            columns = columns[fits]
            if not len(columns):
                continue
            part = cells[:, columns]
            two = _in_two(part, decimals)
            self._decimals[columns[~two.fits]] += 1
            kept = two.fits & self._have_room(part, columns, two.exponent)
            for values, weight in ((two.numbers, two.weight), (two.rest, 1)):
                used = kept & values.any(axis=0)
                digits = [Digit(column, two.exponent, weight) for column in columns[used].tolist()]
                cuts.append((digits, values[:, used]))
            is_left[columns[kept]] = False
        (columns,) = np.nonzero(is_left)
        spare = MAX_DIGITS - sum(len(digits) for digits, _ in cuts)
        rest = _by_places(cells[:, columns], columns, spare, self.names)
        for digits, _ in rest:
            for digit in digits:
                self._make_room(digit.column, digit.exponent // DIGIT_BITS)
        return cuts + rest

    def _have_room(self, cells: Floats, columns: Places, exponent: int) -> Flags:
        """Whether each of the ``columns`` begins at most one place above ``exponent``, once there is room for
        its ``cells``. Where it begins depends on these alone, not on the digits that they are cut into."""
        lowest = exponent // DIGIT_BITS
        for place in (lowest, lowest + 1):
            (above,) = np.nonzero(~self._is_known[columns] | (self._places[columns] > place))
            scaled = np.ldexp(cells[:, above], -DIGIT_BITS * (place + 1))
            for column in columns[above[(scaled != np.rint(scaled)).any(axis=0)]].tolist():
                self._make_room(column, place)
        found: Flags = self._is_known[columns] & (self._places[columns] <= lowest + 1)
        return found

    def _flush(self) -> None:
        """Add all that waits. Raises TableUnusable."""
        self._add_waiting()
        self._add_pending()

    def _add_pending(self) -> None:
        if self._pending is None:
            return
        pending, self._pending, self._batches = self._pending, None, 0
        # Digits may begin below their column's place, though all of them together do not.
        below = [DIGIT_BITS * (int(place) - 1) for place in self._places]
        own = [(0, 1 << DIGIT_BITS)] + [
            (1 + digit.column, digit.weight << (digit.exponent - below[digit.column]))
            for digit in self._digits
        ]
        self._totals += _folded(pending, own, 1 + self.columns) >> 2 * DIGIT_BITS

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


class _InTwo(NamedTuple):
    """Columns as ``(numbers * weight + rest) * 2**exponent``, exactly for those that it ``fits``: both are
    digits."""

    numbers: Floats
    rest: Floats
    fits: Flags
    weight: int
    exponent: int


def _in_two(cells: Floats, decimals: int) -> _InTwo:
    unit = 1 / 10**decimals
    exponent = math.frexp(unit)[1] - 53
    weight = int(math.ldexp(unit, -exponent))
    # Halves of the unit whose products with a digit are exact. The differences are, too, as far as it fits:
    # they are integers of less than 54 bits, times 2**(exponent - 1).
    low = math.ldexp(weight % (1 << 22), exponent)
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = np.rint(cells * 10.0**decimals)
        rest = cells - numbers * (unit - low)
        rest -= numbers * low
        rest *= 2.0**-exponent
    fits: Flags = (rest == np.rint(rest)).all(axis=0)
    for digits in (numbers, rest):
        fits &= np.abs(digits).max(axis=0, initial=0) <= 1 << DIGIT_BITS
    return _InTwo(numbers, rest, fits, weight, exponent)


def _by_places(cells: Floats, columns: Places, most: int, names: Sequence[str]) -> list[Cut]:
    """Digits of any floats, at most so many; none is all zero."""
    cuts: list[Cut] = []
    places = -(-np.frexp(np.abs(cells).max(axis=0, initial=0.0))[1] // DIGIT_BITS)
    while len(columns):
        places = places - 1
        exponents = DIGIT_BITS * places
        values = np.trunc(np.ldexp(cells, -exponents))
        cells = cells - np.ldexp(values, exponents)
        used = values.any(axis=0)
        digits = list(map(Digit, columns[used].tolist(), exponents[used].tolist()))
        cuts.append((digits, values[:, used]))
        left = cells.any(axis=0)
        cells, places, columns = cells[:, left], places[left], columns[left]
        most -= len(digits)
        if most < 0:
            counts = Counter(digit.column for digits, _ in cuts for digit in digits)
            raise _too_wide(names[max(counts, key=lambda column: (counts[column], -column))])
    return cuts


def _too_wide(name: str) -> TableUnusable:
    return TableUnusable(
        f"The numbers of too many columns differ too much in size to be added exactly. {name!r} is one of "
        "them: take logarithms of such columns, or leave them out with the option never."
    )


def _folded(products: NDArray[np.int64], own: Sequence[tuple[int, int]], columns: int) -> Integers:
    """The sums of the ``products`` of digits for each two columns. ``own`` has the column of each digit, in
    order, and what one is worth."""
    # Half of them is enough: sums are the same in either order of the columns.
    rows: Integers = np.full((columns, len(own)), 0, object)
    begins = dict(zip([column for column, _ in own][::-1], range(len(own))[::-1], strict=True))
    for products_of_digit, (column, worth) in zip(products, own, strict=True):
        begin = begins[column]
        rows[column, begin:] += products_of_digit[begin:].astype(object) * worth
    totals: Integers = np.full((columns, columns), 0, object)
    for digit, (column, worth) in enumerate(own):
        totals[: column + 1, column] += rows[: column + 1, digit] * worth
    lower = np.tril_indices(columns, -1)
    totals[lower] = totals.T[lower]
    return totals
