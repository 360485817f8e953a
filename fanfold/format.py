"""Sizes, times, numbers, shares and dollars as people write and read them. kB, MB, GB and TB are powers of
1,000."""

import re
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from lambda_src.job import BYTES

UNITS = ("B", "kB", "MB", "GB", "TB")
MIB = 1 << 20

LONGEST_LIST = 200
"""Characters of a list that a person reads."""

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(I?)B?", re.IGNORECASE)


def plural(number: float, one: str) -> str:
    """The word for ``number`` things, such as ``block`` or ``blocks``.

    >>> plural(1, "block"), plural(0, "block")
    ('block', 'blocks')
    """
    return one if number == 1 else f"{one}s"


def counted(number: int, one: str) -> str:
    """A number of things.

    >>> counted(1, "block"), counted(2500, "block")
    ('1 block', '2,500 blocks')
    """
    return f"{number:,} {plural(number, one)}"


def singular(unit: str) -> str:
    """The singular of ``unit``, the plural word for what a job counts its input in.

    >>> singular("bytes")
    'byte'
    """
    return unit.removesuffix("s")


def parse_size(text: str) -> int | None:
    """The number of bytes that ``text`` means, in upper or lower case, or None if it is not a size.

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


def size_text(size: float) -> str:
    """A size in up to three digits.

    >>> size_text(999), size_text(100_000_000), size_text(1_234_567_890_123)
    ('999 B', '100 MB', '1.23 TB')
    """
    amount, place = float(size), 0
    while amount >= 999.5 and place < len(UNITS) - 1:
        amount, place = amount / 1000, place + 1
    return f"{amount:.3g} {UNITS[place]}"


def block_text(units: int, unit: str) -> str:
    """The size of a block of a job whose units are ``unit``.

    >>> block_text(1 << 24, "bytes"), block_text(1 << 18, "choices")
    ('16 MiB', '262,144 choices')
    >>> block_text(1, "bytes"), block_text(21_739_131, "bytes")
    ('1 bytes', '21.7 MB')
    """
    if unit != BYTES or units < MIB >> 2:
        return f"{units:,} {unit}"
    return f"{units / 1e6:,.1f} MB" if units % (MIB >> 2) else f"{units / MIB:g} MiB"


def time_text(seconds: float) -> str:
    """A time in a terminal.

    >>> time_text(0.84), time_text(119.94), time_text(600), time_text(725.6), time_text(10811.6)
    ('0.8 s', '119.9 s', '10 min', '12 min 6 s', '3 h 0 min')
    """
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def time_in_report(seconds: float) -> str:
    """A time in a report, with up to three digits.

    >>> time_in_report(0.0123), time_in_report(2.41), time_in_report(59.96)
    ('12 ms', '2.41 s', '60.0 s')
    >>> time_in_report(125), time_in_report(10811.6)
    ('2 min 5 s', '3 h 0 min')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def date_text(epoch_s: float) -> str:
    """A date and a time of day, in UTC.

    >>> date_text(0)
    '1 January 1970, 00:00:00 UTC'
    """
    then = time.gmtime(epoch_s)
    return f"{then.tm_mday} {time.strftime('%B %Y, %H:%M:%S', then)} UTC"


def share_text(part: int, whole: int) -> str:
    """A share in percent. Only exactly nothing is 0 %, and only everything is 100 %.

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
    """Dollars in a terminal. Only exactly nothing is 0.0000.

    >>> dollars_text(0.0), dollars_text(0.00212), dollars_text(0.000049)
    ('0.0000', '0.0021', '<0.0001')
    """
    return "<0.0001" if 0 < amount < 0.00005 else f"{amount:.4f}"


def dollars_in_report(amount: float) -> str:
    """Dollars in a report: cents, or two significant digits.

    >>> dollars_in_report(12.345), dollars_in_report(0.00212)
    ('$12.35', '$0.0021')
    >>> dollars_in_report(0.0000004), dollars_in_report(0)
    ('$0.0000004', '$0')
    """
    if not amount:
        return "$0"
    if amount >= 0.1:
        return f"${amount:.2f}"
    return f"${amount:.7f}".rstrip("0") if amount < 1e-5 else f"${float(f'{amount:.2g}'):.7f}".rstrip("0")


def value_text(value: Any) -> str:
    """The value of a job's option, as ``--set name=value`` takes it.

    >>> value_text(True), value_text(["a", "b,c"]), value_text({"a": 1}), value_text(None)
    ('true', 'a,b\\\\,c', '{"a":1}', 'null')
    """
    if not isinstance(value, list) or any(isinstance(element, list | dict) for element in value):
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()
    # A backslash in front of a comma means something: there it is doubled.
    elements = [re.sub(r"(\\*),", r"\1\1\\,", value_text(element)) for element in value]
    return ",".join([*(re.sub(r"(\\+)\Z", r"\1\1", one) for one in elements[:-1]), *elements[-1:]])


def options_text(options: Mapping[str, Any]) -> str:
    """The options of a run for a person, who does not want to read long lists.

    >>> options_text({"zones": ["UTC", "CET"], "top": 3})
    'top=3 zones=UTC,CET'
    >>> options_text({"stop_words": ["the", "of", "and", "in"] * 50})
    'stop_words=the,of,and,... (200)'
    """
    return " ".join(f"{name}={_shortened(value)}" for name, value in sorted(options.items()))


def _shortened(value: Any) -> str:
    text = value_text(value)
    if isinstance(value, list) and len(text) > LONGEST_LIST and len(value) > 3:
        return f"{value_text(value[:3])},... ({len(value):,})"
    return text
