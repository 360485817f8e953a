"""The table of letters and marks is that of the pinned ``regex`` package.

``python -m tests.unit.test_letters`` writes it again.
"""

from collections.abc import Iterator
from pathlib import Path

import regex

from lambda_src.jobs.top_words import letters

TABLE = Path(letters.__file__)
WIDTH = 100


def ranges(pattern: str) -> Iterator[str]:
    """The ranges of code points that match, in hexadecimal."""
    matches = regex.compile(pattern).match
    inside = [bool(matches(chr(point))) for point in range(0x110000)] + [False]
    start: int | None = None
    for point, is_inside in enumerate(inside):
        if is_inside and start is None:
            start = point
        elif not is_inside and start is not None:
            yield f"{start:x}" if start == point - 1 else f"{start:x}-{point - 1:x}"
            start = None


def generated() -> str:
    """The text of the module."""
    text = TABLE.read_text("utf-8")
    head, *_ = text.partition("VERSION = ")
    *_, foot = text.rpartition('"""\n\n\n')
    tables = []
    for name, pattern in (("_LETTERS", r"\p{L}"), ("_MARKS", r"\p{M}")):
        lines, line = [], ""
        for each in ranges(pattern):
            if len(line) + len(each) > WIDTH:
                lines.append(line)
                line = ""
            line += f" {each}" if line else each
        tables.append(f'{name} = """\n' + "\n".join([*lines, line]) + '\n"""\n')
    return head + f'VERSION = "regex {regex.__version__}"\n\n' + "\n".join(tables) + "\n\n" + foot


def test_the_table_is_that_of_regex() -> None:
    assert TABLE.read_text("utf-8") == generated()


def test_every_character_is_what_regex_says() -> None:
    everything = list(map(chr, range(0x110000)))
    for ours, theirs in ((letters.is_letter, r"\p{L}"), (letters.is_mark, r"\p{M}")):
        matches = regex.compile(theirs).match
        assert [char for char in everything if ours(char)] == [char for char in everything if matches(char)]


if __name__ == "__main__":
    TABLE.write_text(generated(), "utf-8")
