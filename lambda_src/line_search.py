"""Lines that match a regular expression which is known at run time only.

Patterns are those of the package ``regex``, and match within a line. No pattern can hang a run: a search has
``MOST_S``. Most patterns neither take nor see line breaks, once these are out of ``WITHOUT_BREAKS``; with
them, all lines of a text are searched at once, which is ten times as fast as line by line.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import regex

from lambda_src.errors import InvalidRequest

MOST_S = 5.0
"""Seconds that one search may take."""

IN_LINES = re.compile(
    r"(?:\(\?i\))?(?:[\w !\"#%&',/:;<=>@`~^$.|)*+?\]-]|\((?:\?[:=!]|\?<[=!]|(?!\?))|\{[0-9,]+\}"
    r"|\\[dDwWsSbBt.\\()\[\]{}*+?|^$/\"-]|\[\^?+(?:[\w !\"#%&',/:;<=>@.*+?{}()|^$-]|\\[dw.\\\[\]^-])+\])*+"
)
"""Patterns that can be used so."""

WITHOUT_BREAKS = {r"\s": r"[^\S\n]", r"\W": r"[^\w\n]", r"\D": r"[^\d\n]", "[^": r"[^\n"}


def starts(pattern: str, lines: str) -> Iterator[int]:
    """Where those of ``lines`` begin that match, in order. There is no line behind a last line break. Raises
    InvalidRequest for a pattern that takes too long, and as ``check``."""
    is_for_all, search = check(pattern)
    at, end = 0, len(lines.removesuffix("\n"))
    try:
        while is_for_all and at <= end and (found := search(lines, at, end, timeout=MOST_S)):
            yield lines.rfind("\n", 0, found.start()) + 1
            at = lines.find("\n", found.start(), end) + 1 or end + 1
        for line in [] if is_for_all else lines[:end].split("\n"):
            if search(line, timeout=MOST_S):
                yield at
            at += len(line) + 1
    except TimeoutError as error:
        raise InvalidRequest(f"pattern: to search for {pattern!r} takes more than {MOST_S:.0f} s.") from error


@cache
def check(pattern: str) -> tuple[bool, Callable[..., Any]]:
    """Whether many lines can be searched at once, and what searches. Raises ValueError for a pattern that is
    not valid, so that the ``__post_init__`` of a job's options can call this."""
    try:
        search = regex.compile(pattern).search
        if not IN_LINES.fullmatch(pattern):
            return False, search
        in_lines = re.sub(r"\\.|\[\^", lambda found: WITHOUT_BREAKS.get(found[0], found[0]), pattern)
        return True, regex.compile(in_lines, regex.MULTILINE).search
    except (regex.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
