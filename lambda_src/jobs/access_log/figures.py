"""What reading logs takes: measured on one core of an x86 server, on generated logs in Combined Log Format,
159 bytes a line. Logs of load balancers have longer lines, and take less for each byte."""

from lambda_src.figures import BYTE_BY_BYTE, Figure, Figures
from lambda_src.job import MAX_LINES_BYTES
from lambda_src.jobs.access_log.scan import ENTRY_BYTES, MOST_HELD_BYTES

PATH_BYTES = 25
LINE_BYTES = 32

FIGURES: Figures = {
    **BYTE_BY_BYTE,
    "count": Figure(450, "MB/s", "measured", "scanning lines in C, per core: 420 to 550"),
    "reduce": Figure(
        250, "MB/s", "measured", "summing lines in C, per core: 330 to 350, less with many new paths"
    ),
    "blob": Figure(0.11, "", "measured", "bytes of a blob per byte of a block of 5 MiB"),
    "blob_growth": Figure(
        -0.33,
        "",
        "measured",
        "exponent by which that changes with the size of a block: up to 320 MB, beyond assumed",
    ),
    "largest_part": Figure(2.3, "", "measured", "the largest part's line against the mean of all"),
    "entry": Figure(LINE_BYTES, "bytes", "measured", "a distinct path and its counts in a line"),
    "distinct": Figure(10_000_000, "paths", "code", "distinct ones that a reducer sums in one pass, in C"),
    "block_distinct": Figure(
        MAX_LINES_BYTES / LINE_BYTES,
        "paths",
        "code",
        "distinct ones that a block's lines may hold, each hour's apart",
    ),
    "block_counts": Figure(
        MOST_HELD_BYTES // (ENTRY_BYTES + PATH_BYTES),
        "paths",
        "code",
        "distinct ones that a block counts at once; more make longer lines",
    ),
}
