"""Counting words: measured on one core of an x86 server, on text as in English Wikipedia."""

from fanfold.estimate.workload import BYTE_BY_BYTE, Figure, Figures, Workload, bytes_of
from fanfold.runs.source import Local

FIGURES: Figures = {
    **BYTE_BY_BYTE,
    "count": Figure(300, "MB/s", "measured", "counting in C, per core"),
    "reduce": Figure(250, "MB/s", "measured", "summing lines in C, per core"),
    "blob": Figure(0.115, "", "measured", "bytes of a blob per byte of a block of 5 MiB"),
    "blob_growth": Figure(
        -0.33,
        "",
        "measured",
        "exponent by which that changes with the size of a block: up to 6 MB, beyond assumed",
    ),
    "largest_part": Figure(2.72, "", "measured", "the largest part's line against the mean of all"),
    "entry": Figure(12.8, "bytes", "measured", "a distinct word and its count in a line"),
    "parts": Figure(20, "", "code", "parts, one reducer each"),
    "distinct": Figure(12_000_000, "words", "code", "distinct ones that a reducer sums in one pass, in C"),
    "block_distinct": Figure(46_875_000, "words", "code", "distinct ones that a block's lines may hold"),
}


def workload(source: Local | int) -> Workload:
    return Workload("top_words on English text", bytes_of(source), FIGURES)
