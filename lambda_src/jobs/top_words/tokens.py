"""Tokens, and where a text may be cut without cutting one.

A *token* is a maximal sequence of letters and combining marks in UTF-8. An invalid byte belongs to none.
Between tokens, a text may be cut between any two characters.

In UTF-8 no character begins inside another, so a few bytes around a position tell whether a token covers it.
The end of that token is looked for in a few bytes first, which is enough in most texts.
"""

import codecs
import re

from lambda_src.jobs.top_words.letters import is_letter, is_mark
from lambda_src.records import Rule

MAX_TOKEN_BYTES = 1 << 20
"""A longer token is not text, and memory would be unbounded."""

_CHARACTER_BYTES = 4
_FIRST_REACHES_BYTES = (256, 64 << 10)

_ASCII_END = re.compile(rb"[^A-Za-z\x80-\xff]([A-Za-z]*)\Z")
_ASCII_END_BYTES = 64
"""Most texts end with an ASCII separator and perhaps ASCII letters: no character needs to be looked up."""


def first_cut(data: bytes, at: int, is_all: bool) -> int | None:
    """``at``, or the end of the token or character that covers it.

    >>> first_cut("señor, yes".encode(), 1, False), first_cut("señor, yes".encode(), 7, False)
    (6, 7)
    >>> first_cut(b"yes", 1, False), first_cut(b"yes", 1, True)
    (None, 3)
    """
    first = at - 1
    while first > max(at - _CHARACTER_BYTES, 0) and _goes_on(data[first]):
        first -= 1  # to the beginning of the character before `at`
    for reach_bytes in (*_FIRST_REACHES_BYTES, len(data)):
        # An incomplete character at the end is left out, unless the text ends. Invalid bytes are separators.
        reach = data[first : first + reach_bytes]
        text, _ = codecs.utf_8_decode(reach, "replace", is_all and first + len(reach) == len(data))
        token = _first_token(text)
        if token and len(token) < len(text):
            return max(first + len(token.encode()), at)
        if text and not token:
            return max(first + len(_first_character(reach, text)), at)
    return len(data) if is_all else None


def last_cut(data: bytes) -> int:
    """The start of the token that may continue after ``data``, or the end of the last sure separator.

    >>> last_cut("yes, señ".encode()), last_cut("yes, señ".encode()[:-1]), last_cut(b"yes "), last_cut(b"yes")
    (5, 5, 4, 0)
    """
    if ascii_end := _ASCII_END.search(data[-_ASCII_END_BYTES:]):
        return len(data) - len(ascii_end[1])
    for reach_bytes in (*_FIRST_REACHES_BYTES, len(data)):
        begin = max(len(data) - reach_bytes, 0)
        while 0 < begin < len(data) and _goes_on(data[begin]):
            begin += 1  # to the beginning of a character
        text, whole_bytes = codecs.utf_8_decode(data[begin:], "replace", False)
        token = _first_token(text[::-1])  # back to front
        if len(token) < len(text):
            return begin + whole_bytes - len(token.encode())
    return 0


def _first_token(text: str) -> str:
    """``text`` up to its first separator."""
    separators = "".join(char for char in set(text) if not (is_letter(char) or is_mark(char)))
    return re.split(f"[{re.escape(separators)}]", text, maxsplit=1)[0] if separators else text


def _first_character(data: bytes, text: str) -> bytes:
    """The bytes of the first character of ``text``, decoded from ``data``; none if it is invalid."""
    character = text[0].encode()
    return character if data.startswith(character) else b""


def _goes_on(byte: int) -> bool:
    """Whether ``byte`` is the second or a later byte of a character."""
    return byte & 0xC0 == 0x80


TOKENS = Rule("token", MAX_TOKEN_BYTES, _CHARACTER_BYTES, first_cut, last_cut)
