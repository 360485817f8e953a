"""Sizes, shares and dollars as people write and read them; sizes in units of 1,000."""

import re
from decimal import Decimal

UNITS = ("B", "kB", "MB", "GB", "TB")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(I?)B?", re.IGNORECASE)


def size_text(size: int) -> str:
    """A size for a person.

    >>> size_text(999), size_text(100_000_000), size_text(1_234_567_890_123)
    ('999 B', '100 MB', '1.23 TB')
    """
    amount, place = float(size), 0
    while amount >= 999.5 and place < len(UNITS) - 1:
        amount, place = amount / 1000, place + 1
    return f"{amount:.3g} {UNITS[place]}"


def parse_size(text: str) -> int | None:
    """The bytes that a person means, in whatever case, or None where ``text`` is no size.

    >>> parse_size("10GB"), parse_size("10 gb"), parse_size("1.5 MiB"), parse_size("1mib"), parse_size("1000")
    (10000000000, 10000000000, 1572864, 1048576, 1000)
    >>> parse_size("enwiki.xml") is None
    True
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        return None
    power = "KMGT".find(match[2].upper()) + 1 if match[2] else 0
    return int(Decimal(match[1]) * (1024 if match[3] else 1000) ** power)


def share_text(part: int, whole: int) -> str:
    """A share for a person: only nothing is 0 %, and only all is 100 %.

    >>> share_text(1, 3), share_text(1, 10_000), share_text(9_999, 10_000)
    ('33.3 %', 'less than 0.1 %', 'more than 99.9 %')
    """
    percent = 100 * part / max(whole, 1)
    if 0 < percent < 0.1:
        return "less than 0.1 %"
    if 99.9 < percent < 100:
        return "more than 99.9 %"
    return f"{percent:.3g} %"


def dollars_text(amount: float) -> str:
    """Dollars for a person: only nothing is 0.

    >>> dollars_text(0.0), dollars_text(0.00212), dollars_text(0.000049)
    ('0.0000', '0.0021', '<0.0001')
    """
    return "<0.0001" if 0 < amount < 0.00005 else f"{amount:.4f}"
