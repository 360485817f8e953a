"""Removes the markup of dumps: in C, or in Python for where the layer lacks the library. Both give the same
bytes."""

import re
from collections.abc import Callable
from typing import NamedTuple

from lambda_src.counts import library
from lambda_src.errors import SourceNotText
from lambda_src.job import Place
from lambda_src.records import Rule

LIBRARY = "fanfold.libs/markup-32d7ce56.so"
"""The path of the compiled markup.c in the layer, with a hash of the source."""

LONGEST_PAGE = 16 << 20

_PAGE = b"<page>"
_DUMP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:(?:<\?xml[^<>]*>|<!DOCTYPE[^<>]*>|<!--(?>.*?-->))\s*)*"
    rb"(?:<mediawiki[\s>]|<page>)",
    re.DOTALL,
)


class Cleaned(NamedTuple):
    """The text of ``articles``; how many pages are ``cut``, and how many articles lack their text; and the
    first page that has no namespace (``unplaced``), or more than text in its text (``strange``): its place
    plus one, or 0."""

    text: bytes
    articles: int
    cut: int
    first_cut: int
    missing: int
    first_missing: int
    unplaced: int
    strange: int


def cleaner() -> Callable[[bytes], Cleaned]:
    """What gives the text of the articles in pages. It raises OutOfMemory."""
    if library.find_library(LIBRARY):
        return _cleaned_in_c
    from lambda_src.jobs.top_words.wikitext import cleaned  # noqa: PLC0415 - only without the library

    return lambda pages: Cleaned(*cleaned(pages))


def _cleaned_in_c(pages: bytes) -> Cleaned:
    import ctypes  # noqa: PLC0415 - only a run with markup pays for it
    from ctypes import POINTER, byref, c_char_p, c_int, c_size_t  # noqa: PLC0415

    found = c_size_t * 7
    takes = [c_char_p, c_size_t, ctypes.c_char_p, POINTER(c_size_t), POINTER(found)]
    c = library.load(LIBRARY, {"markup_clean": (c_int, takes)})
    made, counts = c_size_t(), found()
    out = ctypes.create_string_buffer(len(pages) + 1)
    library.check(c.markup_clean(pages, len(pages), out, byref(made), byref(counts)))
    return Cleaned(ctypes.string_at(out, made.value), *counts)


def begins_dump(pages: bytes, at: Place) -> bool:
    """Whether an object begins that is a dump."""
    return at.begins_object() and bool(_DUMP.match(pages))


def check_is_dump(pages: bytes, at: Place) -> None:
    """Raise SourceNotText if an object begins that is no dump of pages: it has no words of articles."""
    if not at.begins_object():
        return
    if not _DUMP.match(pages):
        raise SourceNotText(
            f"{at.key} is not a dump of MediaWiki: with markup=mediawiki, it must begin with <mediawiki> "
            "or <page>."
        )
    if _PAGE not in pages and b"<logitem>" in pages:
        raise SourceNotText(f"{at.key} has log entries, no pages: dumps of pages are named pages-articles.")


def check_pages(cleaned: Cleaned, at: Place) -> None:
    """Raise SourceNotText for pages whose text is not known to be an article's, or all of it."""
    if cleaned.unplaced:
        place = at._replace(offset=at.offset + cleaned.unplaced - 1)
        raise SourceNotText(
            f"The page at {place.name()} has no <ns>, so nobody knows whether it is an article: export it "
            "again, with a newer MediaWiki."
        )
    if cleaned.strange:
        place = at._replace(offset=at.offset + cleaned.strange - 1)
        raise SourceNotText(
            f"The page at {place.name()} has more than text in its <text>, which no dump of MediaWiki has: "
            "export it again."
        )


def _first_cut(data: bytes, at: int, is_all: bool) -> int | None:
    found = data.find(_PAGE, at)
    return found if found >= 0 else len(data) if is_all else None


def _last_cut(data: bytes) -> int:
    return max(data.rfind(_PAGE), 0)


PAGES = Rule("page", LONGEST_PAGE, len(_PAGE), _first_cut, _last_cut)
"""Pages of a dump. What is before the first one is a record of its own."""
