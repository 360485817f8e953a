"""What reading logs takes: measured on one core of an x86 server, on generated logs in Combined Log Format,
159 bytes a line. Logs of load balancers have longer lines, and take less for each byte. Figures with options
are those without any, changed by ratios that ``benchmarks.options`` measures."""

from lambda_src.figures import BYTE_BY_BYTE, Figure, Figures
from lambda_src.job import MAX_LINES_BYTES
from lambda_src.jobs.access_log.options import PERCENTILES, Options, is_default
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

ASKED_LINE_BYTES, ASKED_COLUMNS_BYTES = 45, 80

ASKED: Figures = {
    **FIGURES,
    "count": Figure(240, "MB/s", "measured", "reading lines in C, per core: 240 by client, 275 by path"),
    "entry": Figure(ASKED_LINE_BYTES, "bytes", "measured", "a key and its counts in a line"),
    "distinct": Figure(4_000_000, "keys", "code", "distinct ones that a reducer sums in one pass, in C"),
    "block_distinct": Figure(
        MAX_LINES_BYTES / ASKED_LINE_BYTES, "keys", "code", "distinct ones that a block's lines may hold"
    ),
    "block_counts": Figure(
        MOST_HELD_BYTES // (ENTRY_BYTES + ASKED_COLUMNS_BYTES + PATH_BYTES),
        "keys",
        "code",
        "distinct ones that a block counts at once; more make longer lines",
    ),
}
"""By path, or by client, which has nearly as many keys; without response times."""

TIMED: Figures = {
    **ASKED,
    "count": Figure(190, "MB/s", "measured", "reading lines with response times in C, per core: 190 to 200"),
    "blob": Figure(
        0.25, "", "measured", "bytes of a blob per byte of a block of 10 MB: each key has its times"
    ),
}
"""By path or by client, where requests have response times."""

BY_HOUR: Figures = {
    **FIGURES,
    "count": Figure(260, "MB/s", "measured", "reading lines in C, per core, each path apart by hour"),
}

FEW_KEYS: Figures = {
    **ASKED,
    "count": Figure(310, "MB/s", "measured", "reading lines in C, per core: 300 to 330"),
    "blob": Figure(0.0001, "", "measured", "bytes of a blob per byte of a block of 5 MiB"),
    "blob_growth": Figure(-1, "", "assumed", "a key is in a blob once, and there are no more"),
    "largest_part": Figure(24, "", "assumed", "the largest part's line against the mean of all: one has all"),
}
"""By what has few values: days, methods, statuses, agents."""

READ_IN_PYTHON = Figure(
    17, "MB/s", "measured", "reading lines of a format that is given, in Python, per core"
)

MANY = ("path", "client", "referrer")


def figures_of(options: Options) -> Figures:
    """The figures of a run with these options. Which formats an input has is not known before it: lines that
    C does not read take as long as those of a format that is given."""
    if is_default(options):
        return FIGURES
    figures = _figures_of(options)
    return figures if options.format in (None, "auto") else {**figures, "count": READ_IN_PYTHON}


def _figures_of(options: Options) -> Figures:
    if options.by == "hour":
        return BY_HOUR
    if options.by not in MANY:
        return FEW_KEYS
    return TIMED if options.order in PERCENTILES else ASKED
