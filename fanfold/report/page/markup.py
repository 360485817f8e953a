"""Numbers, texts and data on their way into a page."""

import re
from decimal import Decimal

import msgspec
from markupsafe import Markup, escape

from fanfold.format import plural
from fanfold.safe_text import visible

LONGEST_TEXT, LONGEST_CELL = 120, 2000


def shown(text: object, most: int = LONGEST_TEXT) -> str:
    """A text of the input, cut to ``most`` characters, with invisible characters and those that reorder a
    line escaped.

    >>> shown("größte"), shown("a\\u202eb"), shown("abcdef", 3)
    ('größte', 'a\\\\u202eb', 'abc…')
    """
    safe = visible(str(text)[: most + 1])
    return safe if len(safe) <= most else f"{safe[:most]}…"


def number(value: float, decimals: int = 0) -> Markup:
    """A number whose thousands separators come from the style sheet: when copied, it is a plain number.

    >>> print(number(1234567))
    <span class="n">1<i>234</i><i>567</i></span>
    >>> print(number(0.5, 3))
    <span class="n">0.500</span>
    """
    return Markup('<span class="n">{}</span>').format(_grouped(f"{value:.{decimals}f}"))


def counted(amount: int, one: str) -> Markup:
    """A number of things.

    >>> print(counted(1, "block"), counted(9, "block"))
    <span class="n">1</span> block <span class="n">9</span> blocks
    """
    return number(amount) + Markup(" {}").format(plural(amount, one))


def cell(value: str | float | None) -> Markup:
    """A number, however small, or a text of the input.

    >>> print(cell(4.6e-05), cell(12345.5))
    <span class="n">0.000046</span> <span class="n">12<i>345</i>.5</span>
    """
    if value is None:
        return Markup("")
    if isinstance(value, str):
        return Markup("<bdi>{}</bdi>").format(shown(value, LONGEST_CELL))
    # People do not read exponents.
    return Markup('<span class="n">{}</span>').format(_grouped(f"{Decimal(str(value)):f}"))


def prose(text: str) -> Markup:
    """A sentence, whose long numbers are grouped as ``number`` does; years of dates are not.

    >>> print(prose("10000 words & 4.25 s"))
    <span class="n">10<i>000</i></span> words &amp; 4.25 s
    >>> print(prose("2026-11-28"))
    2026-11-28
    """
    pieces = re.split(r"(?<![\w.-])([0-9]{4,})(?!\w|-[0-9])", visible(text))
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


_IN_SCRIPT = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def as_data(data: object) -> Markup:
    """``data`` as JSON for a script element: nothing in it can end the element or begin another.

    >>> print(as_data(["</script>"]))
    ["\\u003c/script\\u003e"]
    """
    return Markup(msgspec.json.encode(data).decode().translate(_IN_SCRIPT))  # noqa: S704 - holds no < > &
