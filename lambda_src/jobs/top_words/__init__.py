"""The ten most frequent words of each length from 1 to 20.

A part is a length, a key a word. Observations are words. The extra ``longer_words`` counts words of more
than 20 code points, the extra ``native_blocks`` the blocks that the kernel in C has counted, which gives the
same answer.
"""

from collections.abc import Mapping
from typing import Any

from lambda_src.counts import Counted, Sums, counts_job
from lambda_src.counts.library import find_library
from lambda_src.input.findings import INVALID_UTF8, Tally
from lambda_src.job import Context, Input, Measured, Place
from lambda_src.jobs.top_words.figures import FIGURES
from lambda_src.jobs.top_words.kernel import LIBRARY, Kernel
from lambda_src.jobs.top_words.tokens import TOKENS
from lambda_src.jobs.top_words.words import LONGEST, RULES


def choose_kernel() -> Kernel:
    """The kernel of this process. The other one is not imported: every cold start would pay for it."""
    if find_library(LIBRARY):
        from lambda_src.jobs.top_words.c_kernel import KERNEL  # noqa: PLC0415
    else:
        from lambda_src.jobs.top_words.python_kernel import KERNEL  # noqa: PLC0415
    return KERNEL


KERNEL = choose_kernel()


def measure(source: Input) -> Measured:
    """Units are bytes."""
    return Measured(source.size_bytes, {"bytes": source.size_bytes})


class Counter:
    """Counts the words of one block (``counts.Counter``)."""

    def __init__(self, context: Context) -> None:
        self._counting, self._invalid_bytes = KERNEL.counting(context.shards), Tally()

    def add(self, chunk: bytes, at: Place) -> None:
        """Count the words of a chunk. Raises TooManyDistinct, OutOfMemory."""
        invalid = self._counting.add(chunk)
        self._invalid_bytes.note(at, invalid.found, len(chunk), invalid.first)

    def lines(self) -> Counted:
        """What was counted. Raises TooManyDistinct, OutOfMemory."""
        counted = self._counting.lines()
        extras = {"longer_words": counted.longer_words, "native_blocks": int(KERNEL.is_native)}
        return Counted(counted.lines, extras, {INVALID_UTF8: self._invalid_bytes.finding()})


def show(_length: str, sums: Sums) -> dict[str, Any]:
    """The result of one length."""
    ranked = [{"word": word, "count": counts["words"]} for word, counts in sums.best["words"]]
    return {"words": sums.totals["words"], "top_words": ranked}


def summarize(
    context: Context, extras: Mapping[str, int], lengths: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """``words`` counts the words of length 1 to 20; ``top_words`` has ``[]`` for a length without words."""
    return {
        **context.facts,
        "words": sum(result["words"] for result in lengths.values()),
        "longer_words": extras.get("longer_words", 0),
        "top_words": {length: result["top_words"] for length, result in lengths.items()},
    }


JOB = counts_job(
    rules=RULES,
    part="length",
    parts=[str(length) for length in range(1, LONGEST + 1)],
    records=TOKENS,
    counter=Counter,
    key="word",
    columns=("words",),
    show=show,
    measure=measure,
    summarize=summarize,
    finds_invalid_utf8=True,
    figures=FIGURES,
)
