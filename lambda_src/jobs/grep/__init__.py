"""The lines that match a regular expression, by object. `fanfold grep` prints the lines themselves.

- A line ends with ``\\n``, or with its object. A ``\\r`` before that is part of the line, as in grep.
- A line of more than ``LONGEST_LINE`` bytes is refused, not cut.
- The answer has the number of lines that were selected, and the objects with the most. What was selected
  is kept beside it, by each block (``frames``).

``pattern`` says what patterns are.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from lambda_src.counts import Counted, Sums, counts_job, table_type
from lambda_src.counts.adding import Add
from lambda_src.input.findings import INVALID_UTF8, Tally, invalid_utf8
from lambda_src.job import Context, Place
from lambda_src.jobs.grep.context import Around
from lambda_src.jobs.grep.figures import figures_of
from lambda_src.jobs.grep.frames import Writer
from lambda_src.jobs.grep.pattern import Whole, inverted, is_of_unicode, matching, steps_per_byte
from lambda_src.records import delimited

RULES = "2"

LONGEST_LINE = 8 << 20
LINES = delimited("line", b"\n", LONGEST_LINE)

MOST_CONTEXT = 1000
LONGEST_PATTERN = 10_000
STEPS_PER_S = 200e6
"""Half of what one core of an x86 server did at worst."""

PART, COLUMN, TOP = "selected", "lines", 100


class Options(Struct, frozen=True, kw_only=True):
    """Raises ValueError for a pattern that is not valid, where the engine of patterns is installed: not in
    the functions that reduce."""

    pattern: Annotated[
        str,
        Meta(
            max_length=LONGEST_PATTERN,
            description="The regular expression, in the syntax of RE2. An empty one matches every line.",
            examples=["error|warning"],
        ),
    ] = ""
    fixed: Annotated[bool, Meta(description="The pattern is text, not a regular expression.")] = False
    ignore_case: Annotated[bool, Meta(description="Do not distinguish upper and lower case.")] = False
    whole: Annotated[Whole, Meta(description="What matches must be a whole word, or the whole line.")] = (
        "none"
    )
    invert: Annotated[bool, Meta(description="Select the lines that do not match.")] = False
    count: Annotated[bool, Meta(description="Count lines, and keep none of them.")] = False
    most: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Keep at most this many lines of each object; all are counted."),
    ] = None
    before: Annotated[
        int, Meta(ge=0, le=MOST_CONTEXT, description="Also keep this many lines before each one.")
    ] = 0
    after: Annotated[
        int, Meta(ge=0, le=MOST_CONTEXT, description="Also keep this many lines after each one.")
    ] = 0

    def __post_init__(self) -> None:
        try:
            matching(self.pattern, **self.how())
        except ImportError:
            return
        except ValueError as error:
            raise ValueError(f"pattern: {error}") from None

    def how(self) -> dict[str, Any]:
        """How the pattern matches."""
        return {"fixed": self.fixed, "ignore_case": self.ignore_case, "whole": self.whole}


class Selecting:
    """Selects lines of one block (``counts.Counter``)."""

    def __init__(self, context: Context) -> None:
        options: Options = context.options
        self._options, self._shards = options, context.shards
        found = matching(options.pattern, **options.how())
        self._found = inverted(found) if options.invert else found
        self._of_unicode = is_of_unicode(options.pattern, fixed=options.fixed, whole=options.whole)
        self._writer = Writer(context.store)
        self._add = Add((PART,), ("sum",), context, table_type()(1, ("sum",)))
        self._invalid = Tally()
        self._key: str | None = None
        self._end = self._count = 0
        self._around: Around | None = None

    def add(self, chunk: bytes, at: Place) -> None:
        """Select lines of a chunk."""
        if at.key != self._key:
            self._end_object()
            self._begin_object(at)
        invalid = invalid_utf8(chunk) if self._of_unicode else (0, 0)
        self._invalid.note(at, invalid[0], len(chunk), invalid[1])
        runs = self._found(chunk)
        if self._around:
            self._count += self._around.add(chunk, at.offset, runs)
        else:
            self._count += sum(lines for _, _, lines in runs)
        self._end = at.offset + len(chunk)

    def lines(self) -> Counted:
        """What was selected. This ends the block."""
        self._end_object()
        self._writer.flush()
        return Counted(self._add.lines(), {}, {INVALID_UTF8: self._invalid.finding()})

    def _begin_object(self, at: Place) -> None:
        options = self._options
        self._key, self._count = at.key, 0
        self._writer.begin(at.key, at.offset)
        if not options.count:
            self._around = Around(self._writer, options.before, options.after, options.most)

    def _end_object(self) -> None:
        if self._key is None:
            return
        if self._around:
            self._around.end(self._end)
        self._writer.end(self._end, self._count)
        if self._count:
            self._add(PART, self._key, self._count)


def show(_part: str, sums: Sums) -> dict[str, Any]:
    """How many lines were selected, and the objects with the most."""
    return {
        "lines": sums.totals[COLUMN],
        "top": [{"object": key, "lines": counts[COLUMN]} for key, counts in sums.best[COLUMN]],
    }


def summarize(
    context: Context, _extras: Mapping[str, int], results: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """``lines`` of all objects, and by object for those with the most."""
    return {**context.facts, **results[PART]}


def largest_block(options: Options) -> float:
    """The bytes in which a Lambda surely finds the pattern in half of its 300 s."""
    return STEPS_PER_S * 150 / steps_per_byte(options.pattern, **options.how())


JOB = counts_job(
    rules=RULES,
    part="kind",
    parts=(PART,),
    records=LINES,
    counter=Selecting,
    columns=(COLUMN,),
    top=TOP,
    show=show,
    summarize=summarize,
    options=Options,
    finds_invalid_utf8=True,
    figures=figures_of,
    stores_pieces=True,
    largest_block=largest_block,
)
