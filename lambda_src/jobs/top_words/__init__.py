"""The ten most frequent words of each length from 1 to 20.

A part is a length. Its line in a blob is a JSON object that maps each word to its count. A block with more
words than it holds at once writes several objects with tabs between them, and a word may be in each of them.
Observations are words. The extra ``longer_words`` counts words of more than 20 code points, the extra
``native_blocks`` the blocks that the kernel in C has counted, which gives the same answer.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from lambda_src.counts.library import find_library
from lambda_src.errors import TooManyDistinct
from lambda_src.input.findings import INVALID_UTF8, Tally
from lambda_src.job import Context, Input, Job, Mapped, Measured, Part, Place, Span
from lambda_src.jobs.top_words import top
from lambda_src.jobs.top_words.figures import FIGURES
from lambda_src.jobs.top_words.kernel import LIBRARY, Kernel
from lambda_src.jobs.top_words.tokens import TOKENS
from lambda_src.jobs.top_words.words import LONGEST, RULES
from lambda_src.one_part_per_shard import combining, finish, lines_of, reducing


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


def map_block(block: Span, source: Input, _context: Context) -> Mapped:
    """Count the words that ``block`` owns. Raises TooManyDistinct, OutOfMemory, SourceNotText."""
    counting, invalid_bytes = KERNEL.counting(), Tally()

    def add(chunk: bytes, at: Place) -> None:
        invalid = counting.add(chunk)
        invalid_bytes.note(at, invalid.found, len(chunk), invalid.first)

    owned = source.feed(block, TOKENS, add)
    counted = counting.lines()
    extras = {"longer_words": counted.longer_words, "native_blocks": int(KERNEL.is_native)}
    findings = {INVALID_UTF8: invalid_bytes.finding()}
    return Mapped(owned, lines_of(counted.lines, counted.words), extras, findings)


def reduce_length(_length: str, lines: Iterable[bytes]) -> Part:
    """Sum the counts of one length, and rank them. Raises BlobDamaged, OutOfMemory."""
    passes = 1
    while True:
        try:
            return _sum(lines, passes)
        except TooManyDistinct:
            passes *= 4


def _sum(lines: Iterable[bytes], passes: int) -> Part:
    """The result, from ``passes`` over the lines, each over some of the words. Raises TooManyDistinct if one
    has too many."""
    best: dict[str, int] = {}
    words = 0
    for number in range(passes):
        sums = KERNEL.sums(KERNEL.most_words, number, passes)
        for line in lines:
            sums.add(line)
        summed = sums.summed()
        words += summed.words
        best.update(summed.top)
    ranked = [{"word": word, "count": count} for word, count in top.top(best)]
    return Part(words, {"words": words, "top_words": ranked})


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


LENGTHS = [str(length) for length in range(1, LONGEST + 1)]

JOB = Job(
    rules=RULES,
    part="length",
    parts=LENGTHS,
    measure=measure,
    map=map_block,
    combine=combining(LENGTHS, reduce_length),
    reduce=reducing(LENGTHS, reduce_length),
    finish=finish,
    sharded_by=("part",),
    summarize=summarize,
    finds_invalid_utf8=True,
    figures=FIGURES,
)
