"""The figures of a job's result, which the page draws and also shows as tables.

Texts may be hostile: the page makes them safe. Numbers stay numbers, so that they can be copied.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

Cell = str | int | float | None


class Axis(NamedTuple):
    """An axis between two round numbers, which are written with ``decimals``."""

    low: float
    high: float
    decimals: int

    def share(self, value: float) -> float:
        """Where ``value`` is: 0 is the low end, 1 the high one."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


def axis_near(values: Sequence[float]) -> Axis:
    """The axis of ``values`` that are nearly the same: it begins near the smallest, not at 0.

    >>> axis_near([0.9951, 0.9954])
    Axis(low=0.9951, high=0.9954, decimals=4)
    >>> axis_near([0.25, 0.25]), axis_near([1.0, 1.0])
    (Axis(low=0.2, high=0.3, decimals=1), Axis(low=0.9, high=1.0, decimals=1))
    """
    low, high = min(values), max(values)
    decimals = max(0, 1 - math.floor(math.log10(high - low))) if high > low else 9
    decimals = min(decimals - 1, 9) if high > low else 1
    step = 10.0**-decimals
    first, last = math.floor(low / step + 1e-6), math.ceil(high / step - 1e-6)
    if first == last:
        first, last = (first - 1, last) if first > 0 else (first, first + 1)
    return Axis(round(first * step, decimals), round(last * step, decimals), decimals)


class Ranking(NamedTuple):
    """A ranking with bars. A full bar means the number of the first entry.

    ``seconds`` are further numbers, one for each entry, under the heading ``second``. Numbers that are nearly
    the same are ``near``: they are dots on an axis that begins near the lowest one, and whose ends are
    written above it.
    """

    title: str
    label: str
    number: str
    entries: Sequence[tuple[str, float]]
    near: bool = False
    decimals: int = 0
    second: str = ""
    seconds: Sequence[float | None] = ()

    def axis(self) -> Axis:
        """What the bars or dots are drawn on."""
        values = [value for _, value in self.entries]
        return axis_near(values) if self.near and values else Axis(0, max(values, default=0) or 1, 0)


class Rankings(NamedTuple):
    """Several rankings side by side."""

    title: str
    rankings: Sequence[Ranking]
    note: str = ""

    def has_long_labels(self) -> bool:
        """Whether a narrow table would break its labels."""
        return any(len(label) > 20 for ranking in self.rankings for label, _ in ranking.entries)


class Layer(NamedTuple):
    """One layer of all columns of a stack. ``tone`` is ``good``, ``calm``, ``warm``, ``bad`` or ``other``."""

    name: str
    tone: str
    numbers: Sequence[float]


class Stack(NamedTuple):
    """Columns of layers, one column for each label."""

    title: str
    label: str
    labels: Sequence[str]
    layers: Sequence[Layer]
    description: str


class Table(NamedTuple):
    """A table of rows. The numbers in column ``bars`` have bars."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    bars: int | None = None

    def axis(self) -> Axis:
        """What the bars are drawn on."""
        cells = [row[self.bars] for row in self.rows] if self.bars is not None else []
        return Axis(0, max((cell for cell in cells if isinstance(cell, int | float)), default=0) or 1, 0)


class Result(NamedTuple):
    """A job's part of the page: the question, the main number and what it counts, or a text in place of both,
    a sentence about it, and the figures."""

    question: str
    number: str | float
    counted: str
    sentence: str
    figures: Sequence[Rankings | Stack | Table]
