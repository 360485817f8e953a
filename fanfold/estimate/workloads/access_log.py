"""Combing through logs: measured on one core of an x86 server, on generated logs (``generated_logs``) in
Combined Log Format, 159 bytes a line. Those of load balancers have longer lines, and take half the time."""

from fanfold.estimate.workload import BYTE_BY_BYTE, Figure, Figures, Workload, bytes_of
from fanfold.runs.source import Local

FIGURES: Figures = {
    **BYTE_BY_BYTE,
    "count": Figure(50, "MB/s", "measured", "matching lines, per core: 46 to 64"),
    "reduce": Figure(
        35, "MB/s", "measured", "summing lines, per core: 28 to 83, the more new paths the slower"
    ),
    "blob": Figure(0.106, "", "measured", "bytes of a blob per byte of a block of 5 MiB"),
    "blob_growth": Figure(
        -0.11,
        "",
        "measured",
        "exponent by which that changes with the size of a block: up to 20 MiB, beyond assumed",
    ),
    "largest_part": Figure(2.3, "", "measured", "the largest part's line against the mean of all"),
    "entry": Figure(32, "bytes", "measured", "a distinct path and its counts in a line"),
    "parts": Figure(25, "", "code", "parts, one reducer each"),
    "distinct": Figure(
        1_600_000, "paths", "code", "distinct ones, of 25 bytes, that a reducer sums in one pass"
    ),
    "block_distinct": Figure(
        18_750_000, "paths", "code", "distinct ones that a block's lines may hold, each hour's apart"
    ),
}


def workload(source: Local | int) -> Workload:
    return Workload("access_log on logs in Combined Log Format", bytes_of(source), FIGURES)
