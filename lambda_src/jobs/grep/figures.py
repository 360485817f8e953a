"""What selecting lines takes: measured on one core of an x86 server, on generated logs."""

from typing import Any

from lambda_src.counts.figures import COUNTING
from lambda_src.figures import Figure, Figures

FIGURES: Figures = {
    **COUNTING,
    "count": Figure(
        600, "MB/s", "measured", "searching, per core: 600 to 3,900, less where nearly all lines match"
    ),
    "blob": Figure(0.0001, "", "assumed", "bytes of a blob per byte of a block of 5 MiB: counts by object"),
    "blob_growth": Figure(0, "", "assumed", "exponent by which that changes with the size of a block"),
    "largest_part": Figure(1, "", "code", "there is one part"),
}

SELECTED = 0.01
"""The share of a text that is in lines with a pattern. Nobody knows it before they were read."""

NO_LINES = 1e-6
"""The share that is stored where no line is kept: a block still stores how many lines each object has."""


def figures_of(options: Any) -> Figures:
    """The figures of a run with these ``Options``: how much is stored."""
    if options.count:
        pieces = Figure(NO_LINES, "", "assumed", "no line is kept, only their number")
    elif options.invert != (not options.pattern):
        pieces = Figure(1, "", "assumed", "all lines, or nearly all")
    else:
        around = 1 + options.before + options.after
        share = min(SELECTED * around, 1)
        pieces = Figure(
            share, "", "assumed", f"{share:.0%} of the text; how much it is depends on the pattern"
        )
    return {**FIGURES, "pieces": pieces}
