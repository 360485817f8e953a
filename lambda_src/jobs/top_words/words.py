"""Bytes to words to counts per length.

A word is a letter, then letters and combining marks (``\\p{L}[\\p{L}\\p{M}]*``), as long as possible, then
lower case, then NFC. Its length is its number of code points after that. An invalid UTF-8 byte is a
separator. Options keep the case, or take Unicode's words (``unicode_words``). What is a letter comes from the
``regex`` package, not from the running Python's older tables, so that the same words are counted on every
machine (docs/decisions/0001).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from lambda_src.jobs.top_words.kernel import PLAIN, Spelling
from lambda_src.jobs.top_words.letters import VERSION
from lambda_src.records import delimited

RULES = f"3 {VERSION} unicode {unicodedata.unidata_version}"
"""Identifies the rules for words and their owners: counts made by other rules must not be summed with
ours."""

JOINED_BY_NFC = 4
"""NFC joins at most four code points into one, so a word of more than four times the longest exceeds that in
any form. It is not normalized, because NFC takes quadratic time to sort marks."""

_SEPARATOR = 0x20

JOINING = b"0123456789\"',.:;_"
"""ASCII that may be inside a word of Unicode's, besides letters."""


@cache
def _table(spelling: Spelling) -> bytes:
    """What each byte becomes in a stretch; separators become a space."""
    inside = JOINING if spelling.is_unicode else b""
    kept = [byte >= 0x80 or chr(byte).isalpha() or byte in inside for byte in range(256)]
    spelled = bytes(range(256)) if spelling.keeps_case else bytes(range(256)).lower()
    return bytes(byte if is_kept else _SEPARATOR for byte, is_kept in zip(spelled, kept, strict=True))


STRETCHES = delimited(
    "text without a space",
    bytes(byte for byte in range(0x80) if not (chr(byte).isalpha() or byte in JOINING)),
    longest_bytes=1 << 20,
)
"""No word of Unicode's goes on across such a separator."""


class WordCounts(NamedTuple):
    """``by_length[n - 1]`` counts each word of ``n`` code points; ``longer_words`` all words above
    the longest."""

    by_length: list[dict[str, int]]
    longer_words: int


SETTLE_BYTES = 64 << 20
SETTLE_STRETCHES = 1_000_000
"""A block turns its stretches into words after this much text, or this many distinct stretches. Where a whole
sentence is one stretch, hardly any stretch repeats."""

SPILL_WORDS = 2_000_000
SPILL_BYTES = 64 << 20
"""Distinct words that are counted together in memory. If a block has more, they are written to its lines and
counting starts over, so a word may be in several objects of a line."""


def is_full(text_bytes: int, stretches: int) -> bool:
    """Whether to turn the stretches of a block, found in ``text_bytes`` of text, into words."""
    return text_bytes >= SETTLE_BYTES or stretches >= SETTLE_STRETCHES


def are_many(words: int, word_bytes: int) -> bool:
    """Whether to write the settled words, of ``word_bytes`` together, to lines."""
    return words >= SPILL_WORDS or word_bytes >= SPILL_BYTES


def count_stretches(chunk: bytes, stretches: Counter[bytes], spelling: Spelling = PLAIN) -> None:
    """Add the stretches of ``chunk``, which cuts no token, to ``stretches``, ASCII letters in lower case. A
    stretch is the text between two ASCII separators: one token in most texts.

    Stays on bytes: splitting and counting run in C. Lower case first is safe, for it changes neither what
    is a letter nor how the other letters of a word are lowered.
    """
    stretches.update(chunk.translate(_table(spelling)).split())


@cache
def _joined() -> re.Pattern[str]:
    """A joiner next to a letter, as far as first bytes tell: symbols hardly ever begin with one of these."""
    joiner = "[\u00ad\u200c\u200d\u2060]"
    letter = "[A-Za-z\u00c0-\u1fff\u3000-\ud7ff\ue000-\uefff\udcc3-\udce1\udce3-\udcee]"
    return re.compile(f"(?<={letter}){joiner}|{joiner}(?={letter})")


def joined_in(chunk: bytes) -> tuple[int, int]:
    """How many joiners are next to letters, and where the first one is.

    >>> joined_in("the co\u00adop\u00aderate and \u200c".encode()), joined_in(b"the")
    ((2, 6), (0, 0))
    """
    if chunk.isascii():
        return 0, 0
    text = chunk.decode("utf-8", errors="surrogateescape")
    places = [found.start() for found in _joined().finditer(text)]
    return len(places), len(text[: places[0]].encode("utf-8", errors="surrogateescape")) if places else 0


def count_words(stretches: Mapping[bytes, int], spelling: Spelling = PLAIN) -> WordCounts:
    """The words of ``stretches``, each counted as often as its stretch: Unicode's rules are applied once per
    distinct stretch, and only to those that are not ASCII letters."""
    by_length: list[dict[str, int]] = [{} for _ in range(spelling.longest)]
    longer_words = 0
    for stretch, count in stretches.items():
        for word in (stretch.decode(),) if stretch.isalpha() else words_of(stretch, spelling):
            if len(word) > spelling.longest:
                longer_words += count
            else:
                counts = by_length[len(word) - 1]
                counts[word] = counts.get(word, 0) + count
    return WordCounts(by_length, longer_words)


@cache
def _word() -> Any:
    import regex  # noqa: PLC0415 - the kernel in C does without, and without the 40 ms that this takes

    return regex.compile(r"\p{L}[\p{L}\p{M}]*")


def words_of(stretch: bytes, spelling: Spelling = PLAIN) -> list[str]:
    """The words of one stretch, in order. Those that are too long are not normalized: they are only counted.

    >>> words_of("naïve—Œuvre".encode())
    ['naïve', 'œuvre']
    """
    text = stretch.decode("utf-8", errors="replace")
    words = unicode_words(text) if spelling.is_unicode else _word().findall(text)
    return [
        unicodedata.normalize("NFC", word if spelling.keeps_case else word.lower())
        if len(word) <= JOINED_BY_NFC * spelling.longest
        else word
        for word in words
    ]


@cache
def _unicode_word() -> Any:
    """A word of Unicode's Annex 29, from the Word_Break properties of the ``regex`` package, or a newline."""
    import regex  # noqa: PLC0415 - as above

    x = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*+"  # what WB4 skips
    letter = rf"(?:[\p{{WB=ALetter}}\p{{WB=Hebrew_Letter}}]{x})"
    hebrew_quote = rf"(?:(?<=\p{{WB=Hebrew_Letter}}{x})\"{x}(?=\p{{WB=Hebrew_Letter}}))"
    between_letters = rf"(?:[\p{{WB=MidLetter}}\p{{WB=MidNumLet}}']{x}|{hebrew_quote})"
    letters = rf"(?:{letter}(?:{between_letters}?{letter})*+)"
    number = rf"(?:\p{{WB=Numeric}}{x})"
    numbers = rf"(?:{number}(?:(?:[\p{{WB=MidNum}}\p{{WB=MidNumLet}}']{x})?{number})*+)"
    katakana = rf"(?:\p{{WB=Katakana}}{x})++"
    run = rf"(?:(?:{letters}|{numbers})++|{katakana})"
    low_line = rf"(?:\p{{WB=ExtendNumLet}}{x})"
    hebrew_end = rf"(?:(?<=\p{{WB=Hebrew_Letter}}{x})'{x})?+"
    alone = rf"\p{{L}}{x}"  # ideographs and others that Annex 29 leaves to dictionaries
    word = rf"{low_line}*+{run}(?:{low_line}++{run})*+{low_line}*+{hebrew_end}"
    pictures = rf"(?:(?<=\p{{WB=ZWJ}})\p{{ExtPict}}{x})*+"
    return regex.compile(rf"\n|(?:{word}|{alone}){pictures}")


@cache
def _letter() -> Any:
    import regex  # noqa: PLC0415 - as above

    return regex.compile(r"\p{L}")


@cache
def _invisible() -> Any:
    """Soft hyphens, and format characters at the end."""
    import regex  # noqa: PLC0415 - as above

    return regex.compile(r"\u00ad|[\p{Cf}]+\Z")


def unicode_words(text: str) -> list[str]:
    """The words of ``text``, in order, as Unicode's Annex 29 divides it: what has a letter. Soft hyphens are
    removed, as are other format characters at the end.

    >>> unicode_words("can't stop: 3.14 x2, foo_bar"), len(unicode_words("co\u00adop\u200c")[0])
    (["can't", 'stop', 'x2', 'foo_bar'], 4)
    """
    return [word for word in _found(text) if word != "\n"]


def unicode_words_of_all(text: str) -> str:
    """The words of stretches, with spaces before them, and newlines in between as in ``text``."""
    return "".join([word if word == "\n" else f" {word}" for word in _found(text)])


def _found(text: str) -> list[str]:
    has_letter, visible = _letter().search, _invisible().sub
    return [
        word if word.isascii() else visible("", word)
        for word in _unicode_word().findall(text)
        if word == "\n" or word.isalpha() or has_letter(word)
    ]
