"""The kernel in C, through ``ctypes``.

Unicode's rules stay in Python: they are applied to the distinct stretches that are not ASCII, all at once.
"""

import ctypes
import functools
import re
import unicodedata
import weakref
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_uint64, c_void_p
from typing import Any, NamedTuple

from lambda_src.counts import library
from lambda_src.counts.c_lines import CLines, CShards, c_shards
from lambda_src.counts.library import check as _check
from lambda_src.counts.library import opened as _opened
from lambda_src.input.findings import Invalid
from lambda_src.job import Shards
from lambda_src.jobs.top_words import words
from lambda_src.jobs.top_words.kernel import LIBRARY, PLAIN, CountedWords, Joined, Kernel, Noted, Spelling
from lambda_src.jobs.top_words.letters import is_letter, is_mark
from lambda_src.jobs.top_words.words import JOINED_BY_NFC

_KEPT_BYTES = 32 << 20
"""Memory that has counted this much text is kept for the next block: with many words, touching fresh pages
costs more than counting into them. Larger memory is freed."""

_kept: list[int] = []
"""At most one handle."""

_SLICE_BYTES = 8 << 20
"""Unicode's rules are applied to this much at once: as text, it is in memory several times."""

FEW_CHARACTERS = 500
"""Different characters that are not letters, in the text of a block. Many languages have no more."""

_is_letter = functools.lru_cache(1 << 14)(is_letter)
_is_mark = functools.lru_cache(1 << 14)(is_mark)

_pointer, _size, _noted = c_void_p, c_size_t, c_uint64 * 2
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "counting_open": (_pointer, [c_char_p]),
    "counting_begin": (c_int, [_pointer, POINTER(CShards), c_int, c_int, c_int]),
    "counting_close": (None, [_pointer]),
    "counting_add": (c_int, [_pointer, c_char_p, _size, _noted, _noted]),
    "counting_stretches": (_size, [_pointer]),
    "counting_unclear": (_pointer, [_pointer, POINTER(_size)]),
    "counting_resolve": (c_int, [_pointer, c_char_p, _size]),
    "counting_settle": (c_int, [_pointer, POINTER(_size), POINTER(_size)]),
    "counting_write": (c_int, [_pointer]),
    "counting_lines": (c_uint64, [_pointer, POINTER(_pointer), POINTER(_size), POINTER(c_int64)]),
    "counting_keep_lines": (None, [_pointer]),
    "counting_drop_line": (None, [_pointer, _size]),
}
"""What each function of kernel.c returns and takes."""


@functools.cache
def _c() -> ctypes.CDLL:
    """The functions of kernel.c. Raises OSError."""
    return library.load(LIBRARY, _FUNCTIONS)


class CountedInC(NamedTuple):
    """The lines so far, and how many words are too long for them."""

    lines: CLines
    longer_words: int


class Counting:
    """``kernel.Counting``."""

    def __init__(self, shards: Shards, spelling: Spelling = PLAIN) -> None:
        self._shards, self._spelling = shards, spelling
        try:
            self._handle = _kept.pop()
        except IndexError:
            self._handle = _opened(_c().counting_open(library.SECRET))
        self._close = weakref.finalize(self, _c().counting_close, self._handle)
        _check(_c().counting_begin(self._handle, byref(c_shards(shards)), *spelling))
        self._bytes = self._unsettled_bytes = 0

    def add(self, chunk: bytes) -> Noted:
        invalid, joined = _noted(), _noted()
        _check(_c().counting_add(self._handle, chunk, len(chunk), invalid, joined))
        self._bytes += len(chunk)
        self._unsettled_bytes += len(chunk)
        if words.is_full(self._unsettled_bytes, _c().counting_stretches(self._handle)):
            self._settle()
        return Noted(Invalid(*invalid), Joined(*joined))

    def _settle(self) -> None:
        """Turn the stretches into words, which frees their memory, and many words into lines."""
        self._resolve()
        settled, settled_bytes = c_size_t(), c_size_t()
        _check(_c().counting_settle(self._handle, byref(settled), byref(settled_bytes)))
        self._unsettled_bytes = 0
        if words.are_many(settled.value, settled_bytes.value):
            self._write()

    def _resolve(self) -> None:
        size, at = c_size_t(), 0
        unclear = _c().counting_unclear(self._handle, byref(size))
        while at < size.value:
            stretches = _some_stretches(unclear, at, size.value)
            at += len(stretches)
            found = _words_of_all(stretches, self._spelling)
            _check(_c().counting_resolve(self._handle, found, len(found)))
        _check(_c().counting_resolve(self._handle, b"", 0))  # those behind the last one that is not ASCII

    def _write(self) -> CountedInC:
        _check(_c().counting_write(self._handle))
        lines = CLines.room_for(self._shards, self._spelling.longest)
        longer_words = _c().counting_lines(self._handle, *lines)
        lines.check(self._shards, self._spelling.longest)
        return CountedInC(lines, longer_words)

    def lines(self) -> CountedWords:
        self._resolve()
        lines, longer_words = self._write()
        is_kept = not _kept and self._bytes <= _KEPT_BYTES
        if not is_kept:
            _c().counting_keep_lines(self._handle)
        drop = None if is_kept else functools.partial(_c().counting_drop_line, self._handle)
        copies = lines.copied(self._shards, self._spelling.longest, drop)
        if is_kept:
            self._close.detach()
            _kept.append(self._handle)
        del self._handle  # it may count another block now
        return CountedWords(copies, longer_words)


def _some_stretches(unclear: int, at: int, end: int) -> bytes:
    """Whole stretches of ``unclear`` from ``at`` on, a newline before each: ``_SLICE_BYTES`` or one."""
    size = _SLICE_BYTES
    while True:
        stretches = ctypes.string_at(unclear + at, min(size, end - at))
        cut = len(stretches) if at + size >= end else stretches.rfind(b"\n", 1)
        if cut > 0:
            return stretches[:cut]
        size *= 2


def _words_of_all(stretches: bytes, spelling: Spelling) -> bytes:
    """The words of each stretch, as ``words_of`` gives them, with spaces between; a newline is before each
    stretch. All at once where that is faster, for no rule of lower case looks across a space or a newline."""
    text = stretches.decode("utf-8", errors="replace")
    text = words.unicode_words_of_all(text) if spelling.is_unicode else _without_separators(text)
    most = JOINED_BY_NFC * spelling.longest
    # Most stretches are in NFC already, and one check finds that.
    normalized = [
        unicodedata.normalize("NFC", line) if len(line) <= most else _normalized(line, spelling.longest)
        for line in (text if spelling.keeps_case else text.lower()).split("\n")
    ]
    return "\n".join(normalized).encode()


def _without_separators(text: str) -> str:
    """``text`` with one space for separators, and for the marks behind them: a word does not begin with one.
    Nor does a line."""
    others = [char for char in {*text} - {"\n"} if not _is_letter(char)]
    marks = "".join(filter(_is_mark, others))
    if len(others) > FEW_CHARACTERS:
        # Noise: patterns like that take long to compile, and ``re`` would keep hundreds of them.
        text = text.translate({ord(char): " " for char in others if not _is_mark(char)})
        others = [" ", *marks]
    separators = re.escape("".join(char for char in others if not _is_mark(char)))
    some_marks = f"[{marks}]*" if marks else ""
    text = re.sub(f"[ {separators}]+{some_marks}", " ", text)
    return re.sub(f"\n[{marks}]+", "\n", text) if marks else text


def _normalized(line: str, longest: int) -> str:
    return " ".join(
        unicodedata.normalize("NFC", word) if len(word) <= JOINED_BY_NFC * longest else word[: longest + 1]
        for word in line.split(" ")
    )


KERNEL = Kernel(is_native=True, counting=Counting)
