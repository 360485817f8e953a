"""Runs that a bad object ended."""

import re

from lambda_src.errors import BAD_OBJECT, AccessDenied, for_people

_NAMES = "|".join(error.__name__ for error in BAD_OBJECT if error is not AccessDenied)


def with_advice(failure: str) -> str:
    """What ended a run on many objects, for a person; if that was one of them, how to do without it.

    >>> with_advice("block 0: SourceNotText: a.png is a picture.")
    'block 0: a.png is a picture. To leave such objects out: --on-bad-object skip.'
    >>> with_advice("TooManyDistinct: Choose smaller blocks.")
    'Choose smaller blocks.'
    """
    is_bad = re.search(rf"\b(?:{_NAMES}): ", failure)
    return for_people(failure) + (" To leave such objects out: --on-bad-object skip." if is_bad else "")
