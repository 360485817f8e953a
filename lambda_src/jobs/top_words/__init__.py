"""The most frequent words of each length: ten of 1 to 20 characters, unless options say otherwise.

A part is a length, a key a word. Observations are words. The extra ``longer_words`` counts words of more
than ``longest`` code points, the extra ``native_blocks`` the blocks that the kernel in C has counted, which
gives the same answer.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from lambda_src.counts import Counted, Sums, counts_job
from lambda_src.counts.library import find_library
from lambda_src.input.findings import INVALID_UTF8, Tally, invalid_utf8
from lambda_src.job import Concern, Context, Finding, Input, Job, Measured, Place
from lambda_src.jobs.top_words.figures import figures_of
from lambda_src.jobs.top_words.kernel import LIBRARY, LONGEST, Kernel
from lambda_src.jobs.top_words.markup import begins_dump, check_is_dump, check_pages, cleaner
from lambda_src.jobs.top_words.options import Options
from lambda_src.jobs.top_words.words import RULES

DUMP, JOINED, CUT, MISSING = "mediawiki_dump", "joined_words", "cut_pages", "missing_texts"

CONCERNS = {
    DUMP: Concern(
        "MediaWiki dump",
        "was counted with all its markup",
        "were counted with all their markup",
        advice="To count only the text of articles: --set markup=mediawiki",
    ),
    JOINED: Concern(
        "invisible character",
        "in a word, a soft hyphen or a joiner, divided it",
        "in words, soft hyphens or joiners, divided them",
        advice="To keep such words whole: --set words=unicode",
    ),
    CUT: Concern(
        "page",
        "is cut, and was read as far as it goes",
        "are cut, and were read as far as they go",
        advice="If you want all of the dump, get it again.",
    ),
    MISSING: Concern(
        "article",
        "has no text, only its size",
        "have no text, only their size",
        most="These look like stubs",
        advice="Dumps with texts are named pages-articles.",
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
        self._counting = KERNEL.counting(context.shards, context.options.spelling())
        self._invalid_bytes, self._dumps, self._joined = Tally(), Tally(), Tally()
        self._cut, self._missing = Tally(), Tally()
        self._cleaned = cleaner() if context.options.markup == "mediawiki" else None
        self._articles = 0

    def add(self, chunk: bytes, at: Place) -> None:
        """Count the words of a chunk. Raises TooManyDistinct, OutOfMemory."""
        if self._cleaned:
            check_is_dump(chunk, at)
            cleaned = self._cleaned(chunk)
            check_pages(cleaned, at)
            joined = self._counting.add(cleaned.text).joined
            self._articles += cleaned.articles
            self._cut.note(at, cleaned.cut, 0, cleaned.first_cut)
            of = cleaned.articles + cleaned.missing
            self._missing.note(at, cleaned.missing, of, cleaned.first_missing)
            invalid = invalid_utf8(chunk)
        else:
            self._dumps.note(at, int(begins_dump(chunk, at)), 0)
            invalid, joined = self._counting.add(chunk)
        self._invalid_bytes.note(at, invalid.found, len(chunk), invalid.first)
        self._joined.note(at, joined.found, 0, joined.first)

    def lines(self) -> Counted:
        """What was counted. Raises TooManyDistinct, OutOfMemory."""
        counted = self._counting.lines()
        extras = {"longer_words": counted.longer_words, "native_blocks": int(KERNEL.is_native)}
        if self._cleaned:
            extras["articles"] = self._articles
        return Counted(counted.lines, extras, self._findings())

    def _findings(self) -> dict[str, Finding]:
        """Those of this job only if there are any."""
        dumps, joined = self._dumps.finding(), self._joined.finding()
        if self._cleaned:
            joined = joined._replace(first=None)  # it is a place in the text without markup
        own = {DUMP: dumps, JOINED: joined, CUT: self._cut.finding(), MISSING: self._missing.finding()}
        return {
            INVALID_UTF8: self._invalid_bytes.finding(),
            **{code: finding for code, finding in own.items() if finding.found},
        }


def show(_length: str, sums: Sums) -> dict[str, Any]:
    """The result of one length."""
    ranked = [{"word": word, "count": counts["words"]} for word, counts in sums.best["words"]]
    return {"words": sums.totals["words"], "top_words": ranked}


def summarize(
    context: Context, extras: Mapping[str, int], lengths: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """``words`` counts the words of length 1 to ``longest``; ``top_words`` has ``[]`` for a length without
    words."""
    return {
        **context.facts,
        **({"articles": extras.get("articles", 0)} if context.options.markup == "mediawiki" else {}),
        "words": sum(result["words"] for result in lengths.values()),
        "longer_words": extras.get("longer_words", 0),
        "top_words": {length: result["top_words"] for length, result in lengths.items()},
    }


@cache
def _job(longest: int) -> Job:
    """The job whose parts are the lengths up to ``longest``."""
    return counts_job(
        rules=RULES,
        part="length",
        parts=[str(length) for length in range(1, longest + 1)],
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
        for_options=lambda options: _job(options.longest),
    )


JOB = _job(LONGEST)
