"""What counting words takes: measured on one core of an x86 server, on text as in English Wikipedia. What
options change is measured by ``benchmarks.options``, as a ratio, and on the safe side: docs/decisions/0052
has the speeds that were measured.
"""

from lambda_src.figures import BYTE_BY_BYTE, Figure, Figures
from lambda_src.job import MAX_LINES_BYTES
from lambda_src.jobs.top_words.options import Options
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

UNICODE: Figures = {
    "count": Figure(
        45,
        "MB/s",
        "measured",
        "counting Unicode's words, per core: Python reads each stretch of a block once, so 17 for 6 MB, and "
        "more for larger blocks",
    ),
    "blob": Figure(0.135, "", "measured", "the same: a word more has an apostrophe or a digit"),
}

MARKUP: Figures = {
    "count": Figure(
        150, "MB/s", "measured", "removing markup and counting in C, per core, of the dump's bytes"
    ),
    "blob": Figure(0.075, "", "measured", "bytes of a blob per byte of a block of 5 MiB, without markup"),
}

BOTH: Figures = {
    "count": Figure(60, "MB/s", "measured", "removing markup in C, and reading Unicode's words, per core"),
    "blob": Figure(0.078, "", "measured", "bytes of a blob per byte of a block of 5 MiB, without markup"),
}


def figures_of(options: Options) -> Figures:
    """The figures of a run with these options."""
    of_unicode, without_markup = options.words == "unicode", options.markup == "mediawiki"
    if of_unicode and without_markup:
        return {**FIGURES, **BOTH}
    if of_unicode:
        return {**FIGURES, **UNICODE}
    return {**FIGURES, **MARKUP} if without_markup else FIGURES
