"""The figures of a job's result, which the page draws and also shows as tables.

Texts may be hostile: the page makes them safe. Numbers stay numbers, so that they can be copied.
"""

from collections.abc import Sequence
from typing import NamedTuple

Cell = str | int | float | None


class Ranking(NamedTuple):
    """A ranking with bars. A full bar means ``most``, by default the number of the first entry."""

    title: str
    label: str
    number: str
    entries: Sequence[tuple[str, float]]
    most: float | None = None
    decimals: int = 0


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
    """A table of rows."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


class Result(NamedTuple):
    """A job's part of the page: the question, the main number and what it counts, or a text in place of both,
    a sentence about it, and the figures."""

    question: str
    number: str | float
    counted: str
    sentence: str
    figures: Sequence[Rankings | Stack | Table]
