"""What selecting lines takes: measured on one core of an x86 server, on generated logs."""

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
