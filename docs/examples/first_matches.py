"""The first 100 lines that match a regular expression, with object and offset, and how many match.

Copy it anywhere: ``fanfold try ./first_matches.py app.log --set pattern='timeout|refused'``. Patterns are
those of the package regex, on text, where a byte that is not UTF-8 is a replacement character; a search that
takes more than 5 seconds ends the run. First are the lowest names, then the lowest offsets (of bzip2, in the
text that is unpacked from byte ``unpacked_from`` on). 500 characters of a line are shown.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from lambda_src import line_search
from lambda_src.folds import Fold, Reading, fold_job
from lambda_src.job import Context, Shown
from lambda_src.records import offset_of_line

MOST_LINES, MOST_CHARACTERS = 100, 500


class Options(Struct, frozen=True):
    pattern: Annotated[
        str, Meta(max_length=1000, description="What a line has a match of.", examples=["timeout|refused"])
    ]

    def __post_init__(self) -> None:
        line_search.check(self.pattern)


class Found(Struct, order=True, omit_defaults=True, kw_only=True):
    object: str
    unpacked_from: int = 0
    offset: int
    text: str


class Matches(Fold):
    first: list[Found] = []

    def add(self, text: bytes, reading: Reading) -> None:
        key, begin, unpacked_from = reading.place
        lines = text.decode(errors="replace").replace("\r\n", "\n")
        for start in line_search.starts(reading.options.pattern, lines):
            self.observed += 1
            if len(self.first) < MOST_LINES:
                offset = begin + offset_of_line(text, lines.count("\n", 0, start))
                line, _, _ = lines[start : start + MOST_CHARACTERS].partition("\n")
                self.first.append(Found(object=key, unpacked_from=unpacked_from, offset=offset, text=line))

    def merge(self, other: "Matches") -> None:
        self.first = sorted(self.first + other.first)[:MOST_LINES]

    def result(self, _context: Context) -> dict[str, Any]:
        return {"matches": self.observed, "first": msgspec.to_builtins(self.first)}


SHOWN = Shown("Lines that match", "{matches:,} lines match", ("first",))
JOB = fold_job(Matches, rules="1", options=Options, shown=SHOWN)
