"""What a counting job takes if it says nothing else: sums are in C, whatever the job."""

from lambda_src.figures import UNKNOWN, Figure, Figures

COUNTING: Figures = {
    **UNKNOWN,
    "reduce": Figure(
        200, "MB/s", "measured", "summing lines in C, per core: 350 to 580, less with many keys"
    ),
    "distinct": Figure(
        7_000_000, "keys", "code", "distinct ones, of five columns, that a reducer sums in one pass, in C"
    ),
}
"""How fast a job counts is not known: as Python does."""
