"""Numbers, texts and data on their way into a page."""

import re
import time
from decimal import Decimal

import msgspec
from markupsafe import Markup, escape

from fanfold.format.safe_text import visible

LONGEST_TEXT = 120


def shown(text: object, most: int = LONGEST_TEXT) -> str:
    """A text of the input: what would reorder the line or not show is written out, and its end left out.

    >>> shown("größte"), shown("a\\u202eb"), shown("abcdef", 3)
    ('größte', 'a\\\\u202eb', 'abc…')
    """
    safe = visible(str(text)[: most + 1])
    return safe if len(safe) <= most else f"{safe[:most]}…"


def number(value: float, decimals: int = 0) -> Markup:
    """A number with commas between its thousands for the eye alone, from the style sheet: copied, it is a
    number.

    >>> print(number(1234567))
    <span class="n">1<i>234</i><i>567</i></span>
    >>> print(number(0.5, 3))
    <span class="n">0.500</span>
    """
    return Markup('<span class="n">{}</span>').format(_grouped(f"{value:.{decimals}f}"))


def counted(amount: int, one: str) -> Markup:
    """So many of a kind.

    >>> print(counted(1, "block"), counted(9, "block"))
    <span class="n">1</span> block <span class="n">9</span> blocks
    """
    return number(amount) + Markup(" {}").format(plural(amount, one))


def plural(amount: int, one: str) -> str:
    """The word for so many of a kind."""
    return one if amount == 1 else f"{one}s"


def cell(value: str | float | None) -> Markup:
    """A number as such, however small, or a text of the input.

    >>> print(cell(4.6e-05), cell(12345.5))
    <span class="n">0.000046</span> <span class="n">12<i>345</i>.5</span>
    """
    if value is None:
        return Markup("")
    if isinstance(value, str):
        return Markup("<bdi>{}</bdi>").format(shown(value))
    # No exponent, for a person.
    return Markup('<span class="n">{}</span>').format(_grouped(f"{Decimal(str(value)):f}"))


def prose(text: str) -> Markup:
    """A sentence, whose long numbers are grouped as ``number`` does.

    >>> print(prose("10000 words & 4.25 s"))
    <span class="n">10<i>000</i></span> words &amp; 4.25 s
    """
    pieces = re.split(r"(?<![\w.])([0-9]{4,})(?![\w])", visible(text))
    return Markup("").join(
        Markup('<span class="n">{}</span>').format(_grouped(piece)) if place % 2 else escape(piece)
        for place, piece in enumerate(pieces)
    )


def _grouped(digits: str) -> Markup:
    sign = "-" if digits.startswith("-") else ""
    whole, point, fraction = digits.removeprefix("-").partition(".")
    if len(whole) <= 3 or not whole.isdigit():
        return escape(digits)
    first = len(whole) % 3 or 3
    groups = Markup("").join(
        Markup("<i>{}</i>").format(whole[at : at + 3]) for at in range(first, len(whole), 3)
    )
    return escape(sign + whole[:first]) + groups + escape(point + fraction)


def size(byte_count: float) -> str:
    """Bytes for a glance.

    >>> size(999), size(1_000_000_000), size(1_234_567)
    ('999 bytes', '1.00 GB', '1.23 MB')
    """
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if byte_count >= unit:
            return (
                f"{byte_count / unit:.3g} {name}"
                if byte_count >= 100 * unit
                else f"{byte_count / unit:.2f} {name}"
            )
    return f"{byte_count:.0f} bytes"


def dollars(amount: float) -> str:
    """Dollars for a glance: cents, or two digits that are not 0.

    >>> dollars(12.345), dollars(0.00212), dollars(0.0000004), dollars(0)
    ('$12.35', '$0.0021', '$0.0000004', '$0')
    """
    if not amount:
        return "$0"
    if amount >= 0.1:
        return f"${amount:.2f}"
    return f"${amount:.7f}".rstrip("0") if amount < 1e-5 else f"${float(f'{amount:.2g}'):.7f}".rstrip("0")


def seconds(amount: float) -> str:
    """A time for a glance.

    >>> seconds(0.0123), seconds(2.41), seconds(59.96), seconds(125), seconds(10811.6)
    ('12 ms', '2.41 s', '60.0 s', '2 min 5 s', '3 h 0 min')
    """
    if amount < 1:
        return f"{amount * 1000:.0f} ms"
    if amount < 10:
        return f"{amount:.2f} s"
    if amount < 100:
        return f"{amount:.1f} s"
    minutes, rest = divmod(int(amount), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def when(epoch_s: float) -> str:
    """A time of day, in UTC.

    >>> when(0)
    '1 January 1970, 00:00:00 UTC'
    """
    then = time.gmtime(epoch_s)
    return f"{then.tm_mday} {time.strftime('%B %Y, %H:%M:%S', then)} UTC"


_IN_SCRIPT = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def as_data(data: object) -> Markup:
    """``data`` as JSON that can stand in a script element: nothing in it ends the element or begins another.

    >>> print(as_data(["</script>"]))
    ["\\u003c/script\\u003e"]
    """
    return Markup(msgspec.json.encode(data).decode().translate(_IN_SCRIPT))  # noqa: S704 - holds no < > &
