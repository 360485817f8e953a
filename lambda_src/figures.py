"""What a run's time and cost depend on: figures, each with its source."""

import math
from collections.abc import Mapping
from typing import NamedTuple


class Figure(NamedTuple):
    """``kind`` is measured, published, assumed, or code: what this project's own code does."""

    value: float
    unit: str
    kind: str
    what: str


Figures = Mapping[str, Figure]

BYTE_BY_BYTE: Figures = {
    "reads": Figure(1, "bytes", "code", "of the input that a block reads for each of its units"),
    "whole": Figure(0, "bytes", "code", "of the input that every block, and parse_file, reads in addition"),
    "prepare": Figure(0, "s", "code", "processor time of a block before its first unit"),
    "measure": Figure(0, "s", "code", "processor time of parse_file to know how many units there are"),
    "imports_job": Figure(0, "s", "code", "imports of packages that the job brings"),
    "pieces": Figure(0, "", "code", "bytes that a block stores beside its lines, per byte of its text"),
    "shared": Figure(0, "s", "code", "processor time of work that reducers share"),
    "shares": Figure(1, "", "code", "reducers that share it"),
}
"""Figures of every job whose units are the bytes of its input."""

UNKNOWN: Figures = {
    **BYTE_BY_BYTE,
    "count": Figure(50, "MB/s", "assumed", "mapping, per core: of a job without figures, as Python does"),
    "reduce": Figure(35, "MB/s", "assumed", "summing lines, per core"),
    "blob": Figure(0.12, "", "assumed", "bytes of a blob per byte of a block of 5 MiB"),
    "blob_growth": Figure(-0.11, "", "assumed", "exponent by which that changes with the size of a block"),
    "largest_part": Figure(2.5, "", "assumed", "the largest part's line against the mean of all"),
    "entry": Figure(32, "bytes", "assumed", "a distinct thing and its counts in a line"),
    "distinct": Figure(1_600_000, "things", "assumed", "distinct ones that a reducer sums in one pass"),
    "block_distinct": Figure(18_750_000, "things", "assumed", "distinct ones that a block's lines may hold"),
    "block_counts": Figure(math.inf, "things", "assumed", "distinct ones that a block counts at once"),
}
"""Figures of a job that brings none: good enough to choose a plan, not to promise seconds."""


def values_of(figures: Figures) -> dict[str, float]:
    """The values alone."""
    return {name: figure.value for name, figure in figures.items()}
