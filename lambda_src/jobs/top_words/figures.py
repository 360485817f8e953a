"""What counting words takes: measured on one core of an x86 server, on text as in English Wikipedia."""

from lambda_src.figures import BYTE_BY_BYTE, Figure, Figures
from lambda_src.job import MAX_LINES_BYTES
from lambda_src.jobs.top_words.words import SPILL_WORDS

ENTRY_BYTES = 12.8
MOST_WORDS = 12_000_000

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
    "entry": Figure(ENTRY_BYTES, "bytes", "measured", "a distinct word and its count in a line"),
    "distinct": Figure(MOST_WORDS, "words", "code", "distinct ones that a reducer sums in one pass, in C"),
    "block_distinct": Figure(
        round(MAX_LINES_BYTES / ENTRY_BYTES), "words", "code", "distinct ones that a block's lines may hold"
    ),
    "block_counts": Figure(
        SPILL_WORDS, "words", "code", "distinct ones that a block counts at once; more make longer lines"
    ),
}
