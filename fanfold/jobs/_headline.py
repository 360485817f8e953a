"""Headlines: sentences with names in braces, filled from an answer."""

import re
from collections.abc import Sequence
from typing import TypeGuard

from fanfold.jobs import Cell, Summary

_IN_BRACES = re.compile(r"\{([^{}:]+)(?::(,?(?:\.[0-9]{1,2}[f%])?))?\}")
"""A name in a headline, and perhaps how its number is written."""

_FIRST_NUMBER = re.compile(r"\{([^{}:]+)(?::,)?\}\s*")
"""A headline that begins with a number."""


def names_in(headline: str) -> list[str]:
    """The names in braces.

    >>> names_in("{requests:,} requests of {hosts:,} hosts")
    ['requests', 'hosts']
    """
    return [found[1] for found in _IN_BRACES.finditer(headline)]


def value_of(name: str, summary: Summary, parts: Sequence[str]) -> Cell:
    """The value that a name in a headline stands for: a number or a text of the answer, or a number of the
    results of its ``parts``, added up. None if there is neither.

    >>> value_of("lines", {"results": {"INFO": {"lines": 2}, "ERROR": {"lines": 1}}}, ["ERROR", "INFO"])
    3
    """
    value = summary.get(name)
    if isinstance(value, str | int | float):
        return value
    for by_part in summary.values():
        if isinstance(by_part, dict) and by_part and by_part.keys() <= set(parts):
            results = [result for result in by_part.values() if isinstance(result, dict)]
            if numbers := [number for result in results if is_number(number := result.get(name))]:
                return sum(numbers)
    return None


def filled(headline: str, summary: Summary, parts: Sequence[str]) -> str:
    """A headline with values in place of names, and nothing else: ``str.format`` would look into them.

    >>> filled("{n:,} of {x:.1%}, {s}{?}", {"n": 1000, "x": 0.5, "s": "{n}"}, [])
    '1,000 of 50.0%, {n}{?}'
    """

    def one(found: re.Match[str]) -> str:
        value = value_of(found[1], summary, parts)
        if value is None:
            return found[0]
        if not is_number(value):
            return str(value).lower() if isinstance(value, bool) else str(value)
        try:
            return format(value, found[2] or "")
        except OverflowError:  # an integer that is too large for a fraction
            return str(value)

    return _IN_BRACES.sub(one, headline)


def parted(headline: str, summary: Summary, parts: Sequence[str]) -> tuple[str | int | float, str]:
    """The number that a headline begins with, and what is behind it; the whole if it begins with none.

    >>> parted("{n:,} lines, {host}", {"n": 1000, "host": "a"}, []), parted("of {n:,}", {"n": 1000}, [])
    ((1000, 'lines, a'), ('of 1,000', ''))
    """
    first = _FIRST_NUMBER.match(headline)
    number = value_of(first[1], summary, parts) if first else None
    if first and is_number(number):
        return number, filled(headline[first.end() :], summary, parts)
    return filled(headline, summary, parts), ""


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a number, and no boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool)
