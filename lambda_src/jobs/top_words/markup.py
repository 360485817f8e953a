"""Removes the markup of dumps: in C, or in Python for where the layer lacks the library. Both give the same
bytes."""

import re
from collections.abc import Callable
from typing import NamedTuple

from lambda_src.counts import library
from lambda_src.errors import SourceNotText
from lambda_src.job import Place
from lambda_src.records import Rule

LIBRARY = "fanfold.libs/markup-355dfd9c.so"
"""The path of the compiled markup.c in the layer, with a hash of the source."""

LONGEST_PAGE = 16 << 20

_PAGE = b"<page>"
_DUMP = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^<>]*>\s*)?(?:<mediawiki[\s>]|<page>)")


class Cleaned(NamedTuple):
    """The text of ``articles``."""

    text: bytes
    articles: int


def cleaner() -> Callable[[bytes], Cleaned]:
    """What gives the text of the articles in pages. It raises OutOfMemory."""
    if library.find_library(LIBRARY):
        return _cleaned_in_c
    from lambda_src.jobs.top_words.wikitext import cleaned  # noqa: PLC0415 - only without the library

    return lambda pages: Cleaned(*cleaned(pages))


def _cleaned_in_c(pages: bytes) -> Cleaned:
    import ctypes  # noqa: PLC0415 - only a run with markup pays for it
    from ctypes import POINTER, byref, c_char_p, c_int, c_size_t  # noqa: PLC0415

    takes = [c_char_p, c_size_t, ctypes.c_char_p, POINTER(c_size_t), POINTER(c_size_t)]
    c = library.load(LIBRARY, {"markup_clean": (c_int, takes)})
    made, articles = c_size_t(), c_size_t()
    out = ctypes.create_string_buffer(len(pages) + 1)
    library.check(c.markup_clean(pages, len(pages), out, byref(made), byref(articles)))
    return Cleaned(ctypes.string_at(out, made.value), articles.value)


def begins_dump(pages: bytes, at: Place) -> bool:
    """Whether an object begins that is a dump."""
    return at.begins_object() and bool(_DUMP.match(pages))


def check_is_dump(pages: bytes, at: Place) -> None:
    """Raise SourceNotText if an object begins that is no dump: its words are not those of any article."""
    if at.begins_object() and not _DUMP.match(pages):
        raise SourceNotText(
            f"{at.key} is not a dump of MediaWiki: with markup=mediawiki, it must begin with <mediawiki> "
            "or <page>."
        )


def _first_cut(data: bytes, at: int, is_all: bool) -> int | None:
    found = data.find(_PAGE, at)
    return found if found >= 0 else len(data) if is_all else None


def _last_cut(data: bytes) -> int:
    return max(data.rfind(_PAGE), 0)


PAGES = Rule("page", LONGEST_PAGE, len(_PAGE), _first_cut, _last_cut)
"""Pages of a dump. What is before the first one is a record of its own."""
