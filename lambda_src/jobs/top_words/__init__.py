"""The most frequent words of each length: ten of 1 to 20 characters, unless options say otherwise.

A part is a length, a key a word. Observations are words. The extra ``longer_words`` counts words of more
than ``longest`` code points, the extra ``native_blocks`` the blocks that the kernel in C has counted, which
gives the same answer.
"""

from collections.abc import Mapping
from typing import Any

from lambda_src.counts import Counted, Sums, counts_job
from lambda_src.counts.library import find_library
from lambda_src.input.findings import INVALID_UTF8, Tally, invalid_utf8
from lambda_src.job import Concern, Context, Finding, Input, Line, Measured, Place, Shards
from lambda_src.jobs.top_words.figures import figures_of
from lambda_src.jobs.top_words.kernel import LIBRARY, Kernel
from lambda_src.jobs.top_words.markup import begins_dump, check_is_dump, cleaner
from lambda_src.jobs.top_words.options import Options
from lambda_src.jobs.top_words.words import LONGEST, RULES

DUMP, JOINED = "mediawiki_dump", "joined_words"

CONCERNS = {
    DUMP: Concern(
        "MediaWiki dump",
        "was counted with all its markup",
        "were counted with all their markup",
        advice="To count only the text of articles: --set markup=mediawiki",
    ),
    JOINED: Concern(
        "word",
        "has a soft hyphen or an invisible joiner inside, and was divided there",
        "have a soft hyphen or an invisible joiner inside, and were divided there",
        advice="To keep such words whole: --set words=unicode",
    ),
}


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
        self._shards, self._options = context.shards, context.options
        self._counting = KERNEL.counting(context.shards, context.options.spelling())
        self._invalid_bytes, self._dumps, self._joined = Tally(), Tally(), Tally()
        self._cleaned = cleaner() if context.options.markup == "mediawiki" else None
        self._articles = 0

    def add(self, chunk: bytes, at: Place) -> None:
        """Count the words of a chunk. Raises TooManyDistinct, OutOfMemory."""
        if self._cleaned:
            check_is_dump(chunk, at)
            text, articles = self._cleaned(chunk)
            joined = self._counting.add(text).joined
            self._articles += articles
            invalid = invalid_utf8(chunk)
        else:
            self._dumps.note(at, int(begins_dump(chunk, at)), 0)
            invalid, joined = self._counting.add(chunk)
        self._invalid_bytes.note(at, invalid.found, len(chunk), invalid.first)
        self._joined.note(at, joined.found, 0, joined.first)

    def lines(self) -> Counted:
        """What was counted. Raises TooManyDistinct, OutOfMemory."""
        counted = self._counting.lines()
        lines, longer_words = counted.lines, counted.longer_words
        if self._options.longest < LONGEST:
            longer_words += sum(sum(line.observed[self._options.longest :]) for line in lines)
            lines = _without_longer(lines, self._shards, self._options.longest)
        extras = {"longer_words": longer_words, "native_blocks": int(KERNEL.is_native)}
        if self._cleaned:
            extras["articles"] = self._articles
        return Counted(lines, extras, self._findings())

    def _findings(self) -> dict[str, Finding]:
        """Those of this job only if there are any."""
        dumps, joined = self._dumps.finding(), self._joined.finding()
        if self._cleaned:
            joined = joined._replace(first=None)  # it is a place in the text without markup
        own = {DUMP: dumps, JOINED: joined}
        return {
            INVALID_UTF8: self._invalid_bytes.finding(),
            **{code: finding for code, finding in own.items() if finding.found},
        }


def _without_longer(lines: list[Line], shards: Shards, longest: int) -> list[Line]:
    """``lines`` without the words of more than ``longest`` code points."""
    kept = []
    for number, line in enumerate(lines):
        observed = [*line.observed[:longest], *[0] * (LONGEST - longest)]
        if shards.by == "part":
            data = line.data if number < longest else b""
        else:
            data = b"\n".join([*line.data.split(b"\n")[:longest], *[b""] * (LONGEST - longest)])
        kept.append(Line(data, observed))
    return kept


def show(_length: str, sums: Sums) -> dict[str, Any]:
    """The result of one length."""
    ranked = [{"word": word, "count": counts["words"]} for word, counts in sums.best["words"]]
    return {"words": sums.totals["words"], "top_words": ranked}


def summarize(
    context: Context, extras: Mapping[str, int], lengths: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """``words`` counts the words of length 1 to ``longest``; ``top_words`` has ``[]`` for a length without
    words."""
    longest = context.options.longest
    return {
        **context.facts,
        **({"articles": extras.get("articles", 0)} if context.options.markup == "mediawiki" else {}),
        "words": sum(result["words"] for result in lengths.values()),
        "longer_words": extras.get("longer_words", 0),
        "top_words": {
            length: result["top_words"] for length, result in lengths.items() if int(length) <= longest
        },
    }


JOB = counts_job(
    rules=RULES,
    part="length",
    parts=[str(length) for length in range(1, LONGEST + 1)],
    records=Options.records,
    counter=Counter,
    key="word",
    columns=("words",),
    top=lambda options: options.top,
    unranked=Options.unranked,
    show=show,
    measure=measure,
    summarize=summarize,
    concerns=CONCERNS,
    finds_invalid_utf8=True,
    figures=figures_of,
    options=Options,
)
