"""Jobs that fold their records, as their authors write them."""

import math
from typing import Any

import pytest

from fanfold.testing import check_job
from fanfold.testing.laws import LawBroken
from lambda_src.errors import BlobDamaged
from lambda_src.folds import Fold, Reading, fold_job
from lambda_src.job import Concern, Context, NoOptions
from lambda_src.records import offset_of_line

SIZES = Concern("line", "is long", "are long")


class Longest(Fold):
    """The longest line, of several the last one by code point."""

    longest: str = ""

    def add(self, text: bytes, reading: Reading) -> None:
        lines = text.decode(errors="replace").removesuffix("\n").split("\n")
        self.observed += len(lines)
        self.longest = max(self.longest, *lines, key=lambda line: (len(line), line))
        long = [number for number, line in enumerate(lines) if len(line) > 3]
        reading.note("long", len(long), len(lines), offset_of_line(text, min(long, default=0)))

    def merge(self, other: "Longest") -> None:
        self.longest = max(self.longest, other.longest, key=lambda line: (len(line), line))

    def result(self, _context: Context) -> dict[str, Any]:
        return {"lines": self.observed, "longest": self.longest}


LONGEST = fold_job(Longest, rules="1", concerns={"long": SIZES})
CONTEXT = Context(LONGEST.shards("run"), NoOptions(), {})


def test_it_keeps_the_laws() -> None:
    answer = check_job(LONGEST, {"a": b"one\nthree\n\nfour\n", "b": b"seven"}, 20)
    assert answer == {"bytes": 21, "objects": 2, "lines": 5, "longest": "three"}


def test_a_value_that_json_does_not_have_is_named() -> None:
    """Written as null, it would look like a damaged line, and start again in vain."""

    class Shortest(Longest):
        shortest: float = math.inf

    with pytest.raises(LawBroken, match="Shortest cannot be read back from JSON, which has no inf"):
        check_job(fold_job(Shortest, rules="1", concerns={"long": SIZES}), {"a": b"one\n"}, 20)


def test_what_a_job_forgets_to_merge_is_seen() -> None:
    class Forgetful(Longest):
        def merge(self, other: "Longest") -> None:
            """Forget it."""

    with pytest.raises(AssertionError, match=r"Any cutting|Lines may be combined|The order of lines"):
        check_job(fold_job(Forgetful, rules="1", concerns={"long": SIZES}), {"a": b"one\nthree\n"}, 20)


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'{"observed":"1"}', b'{"longest":"\xff"}', b"[" * 100_000]
)
def test_a_damaged_line_is_named(line: bytes) -> None:
    with pytest.raises(BlobDamaged, match="A line cannot be read"):
        LONGEST.reduce(0, [line], CONTEXT)
