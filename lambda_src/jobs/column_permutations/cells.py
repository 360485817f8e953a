"""Cells as numbers, from rows with commas between cells, a line end after each, decimal points, and neither
quotes nor blanks around cells.

A number is digits with an optional sign, point and exponent, in ASCII: nothing else. Its value is the one
that Python's ``float`` has, to the bit; zero has no sign. An integer that no float has is text: identifiers,
most of them. An empty cell and the words for it are missing.
Every other cell is text, or one of the words for true and false.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

_DIGIT, _POINT, _MINUS, _PLUS_OR_EXPONENT, _OTHER = 1, 2, 4, 8, 16
_CLASSES = np.full(256, _OTHER, np.uint8)
_CLASSES[list(b"0123456789")] = _DIGIT
_CLASSES[list(b".")] = _POINT
_CLASSES[list(b"-")] = _MINUS
_CLASSES[list(b"+eE")] = _PLUS_OR_EXPONENT
_CLASSES[list(b",\n")] = 0

_EXACT_DIGITS = 15
"""Integers of so many digits are exact floats."""
_POWERS = np.array([float(10**power) for power in range(_EXACT_DIGITS + 1)])
"""Powers of ten, exact as well: then a quotient is rounded correctly."""

NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class Cells(NamedTuple):
    """The cells' values, NaN where they have none; which are missing, which are words for true and false, and
    which are text."""

    values: Floats
    missing: Flags
    truths: Flags
    texts: Flags


def read_cells(
    text: bytes, characters: NDArray[np.uint8], ends: Places, missing_words: Sequence[bytes]
) -> Cells:
    """The cells of ``text``, whose ``characters`` at ``ends`` end them. A number among ``missing_words``
    stands for all cells of its value."""
    empty = np.zeros(0, np.bool_)
    if not len(ends):
        return Cells(np.zeros(0), empty, empty, empty)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts
    classes = np.bitwise_or.reduceat(_CLASSES[characters], starts)
    texts = (classes & _OTHER != 0) | ((classes & _DIGIT == 0) & (lengths > 0))
    texts[np.searchsorted(ends, _wrong_signs(characters))] = True
    decimals = np.zeros(len(ends), np.int64)
    points = np.flatnonzero(characters == ord("."))
    pointed = np.flatnonzero(classes & _POINT)
    if len(points) > len(pointed):
        cells = np.searchsorted(ends, points)
        again = np.diff(cells, prepend=-1) == 0
        texts[cells[again]] = True
        points = points[~again]
    decimals[pointed] = ends[pointed] - points - 1
    digits = lengths - (classes & (_POINT | _MINUS) != 0)
    long = ((classes & _PLUS_OR_EXPONENT != 0) | (digits > _EXACT_DIGITS)) & ~texts
    if np.count_nonzero(long) > len(long) // 4:  # then the others are no faster as quotients
        long = ~texts & (lengths > 0)
    values = _quotients(text, characters, lengths, decimals, texts | long)
    values[lengths == 0] = np.nan
    if long.any():
        values[long] = _floats(bytes(characters[np.repeat(long, lengths + 1)]))
        texts |= long & np.isnan(values)
        texts[_rounded(text, starts, ends, values, long & (classes & _POINT == 0))] = True
    values[texts] = np.nan
    missing, truths = lengths == 0, np.zeros(len(ends), np.bool_)
    words = _WORDS | dict.fromkeys(missing_words, np.nan)
    short = np.flatnonzero(texts & (lengths <= max(map(len, words))))
    spans = zip(starts[short].tolist(), ends[short].tolist(), strict=True)
    meanings = np.array([words.get(text[start:end], _NO_WORD) for start, end in spans])
    known = short[meanings != _NO_WORD]
    values[known] = meanings[meanings != _NO_WORD]
    missing[known] = np.isnan(values[known])
    truths[known] = ~missing[known]
    texts[known] = False
    if numbers := [float(word) for word in missing_words if NUMBER.fullmatch(word)]:
        missing |= np.isin(values, numbers) & ~truths
        values[missing] = np.nan
    return Cells(values, missing, truths, texts)


TRUTHS = {"TRUE": 1.0, "true": 1.0, "True": 1.0, "FALSE": 0.0, "false": 0.0, "False": 0.0}
_WORDS = {word.encode(): value for word, value in TRUTHS.items()}
_NO_WORD = 2.0


_EXACT = float(1 << 53)
"""Below this, every integer is a float."""


def _rounded(text: bytes, starts: Places, ends: Places, values: Floats, candidates: Flags) -> list[int]:
    """Those of ``candidates`` whose cells are integers that no float has."""
    return [
        at
        for at in np.flatnonzero(candidates & (np.abs(values) >= _EXACT)).tolist()
        if (cell := text[starts[at] : ends[at]]).lstrip(b"+-").isdigit() and int(values[at]) != int(cell)
    ]


def _wrong_signs(characters: NDArray[np.uint8]) -> Places:
    """Where a sign is neither at the beginning of a cell nor of an exponent."""
    signs = np.flatnonzero((characters == ord("-")) | (characters == ord("+")))
    before = characters[signs - 1]  # before the text is its last line end
    wrong = (_CLASSES[before] != 0) & (before | 32 != ord("e"))
    found: Places = signs[wrong]
    return found


def _quotients(
    text: bytes, characters: NDArray[np.uint8], lengths: Places, decimals: Places, others: Flags
) -> Floats:
    """The values of short decimals, each an integer divided by a power of ten; 0 for empty cells and
    ``others``."""
    if others.all():
        return np.zeros(len(others))
    if others.any():
        kept = ~np.repeat(others, lengths + 1) | (_CLASSES[characters] == 0)
        text = bytes(characters[kept])
        decimals[others] = 0
    text = text.translate(_COMMAS, b".")
    if others.any() or not lengths.all():
        text = _filled(text)
    numbers = np.fromstring(text, np.int64, sep=",")
    quotients: Floats = numbers / _POWERS[decimals]
    return quotients


_COMMAS = bytes.maketrans(b"\n", b",")


def _filled(text: bytes) -> bytes:
    """``text`` with 0 in its empty cells."""
    text = b"," + text
    while b",," in text:
        text = text.replace(b",,", b",0,")
    return text[1:]


def _floats(text: bytes) -> Floats:
    """The values of cells of digits, signs, points and exponents; NaN for what is no number, or overflows."""
    count = text.count(b",") + text.count(b"\n")
    text = text.translate(_COMMAS)
    try:
        values = np.fromstring(text, sep=",")
    except ValueError:
        values = np.zeros(0)
    if len(values) != count:
        cells = text.split(b",")[:-1]
        values = np.array([float(cell) if NUMBER.fullmatch(cell) else np.nan for cell in cells])
    values[np.isinf(values)] = np.nan
    return values
