"""The ten most frequent words of each length from 1 to 20.

A part is a length; its line in a blob is a JSON object that maps each word to its count. Observations are
words. Words of more than 20 code points are counted in the extra ``longer_words``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lambda_src.job import Input, Job, Mapped, Measured, Reduced, Span
from lambda_src.jobs.top_words import top
from lambda_src.jobs.top_words.tokens import TOKENS
from lambda_src.jobs.top_words.words import LONGEST, RULES, count_stretches, count_words

MAX_DISTINCT_WORDS = 4_000_000
"""Summed at once: what the memory of a reducer is made for (docs/memory.md). With more, the words are summed
in several passes, each over some of them."""


def measure(source: Input) -> Measured:
    """Units are bytes."""
    return Measured(source.size_bytes, {"bytes": source.size_bytes})


def map_block(block: Span, source: Input) -> Mapped:
    """Count the words that ``block`` owns. Raises TooManyDistinct, SourceNotText."""
    stretches: Counter[bytes] = Counter()
    owned = source.feed(block, TOKENS, lambda chunk: count_stretches(chunk, stretches))
    counts = count_words(stretches)
    return Mapped(
        owned,
        [msgspec.json.encode(words) for words in counts.by_length],
        [sum(words.values()) for words in counts.by_length],
        {"longer_words": counts.longer_words},
    )


def reduce_length(_length: str, lines: Iterable[bytes]) -> Reduced:
    """Sum the counts of one length, and rank them."""
    passes = 1
    while (reduced := _sum(lines, passes)) is None:
        passes *= 4
    return reduced


def _sum(lines: Iterable[bytes], passes: int) -> Reduced | None:
    """The result, from ``passes`` over the lines; None if one of them has too many distinct words."""
    decoder = msgspec.json.Decoder(dict[str, int])
    best: dict[str, int] = {}
    words = 0
    for number in range(passes):
        counts: dict[str, int] = {}
        for line in lines:
            more = decoder.decode(line)
            top.add(counts, more if passes == 1 else top.part_of(more, number, passes))
            if len(counts) > MAX_DISTINCT_WORDS:
                return None
        words += sum(counts.values())
        best.update(top.top(counts))
    ranked = [{"word": word, "count": count} for word, count in top.top(best)]
    return Reduced(words, {"words": words, "top_words": ranked})


def summarize(
    facts: Mapping[str, Any], extras: Mapping[str, int], lengths: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """``words`` counts the words of length 1 to 20; ``top_words`` has ``[]`` for a length without words."""
    return {
        **facts,
        "words": sum(result["words"] for result in lengths.values()),
        "longer_words": extras.get("longer_words", 0),
        "top_words": {length: result["top_words"] for length, result in lengths.items()},
    }


JOB = Job(
    rules=RULES,
    part="length",
    parts=[str(length) for length in range(1, LONGEST + 1)],
    measure=measure,
    map=map_block,
    reduce=reduce_length,
    summarize=summarize,
)
