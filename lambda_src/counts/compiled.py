"""The C of a job: how its library is called, and how an author's own job finds it."""

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lambda_src.counts.library import find_library

if TYPE_CHECKING:
    import ctypes

_INCLUDE = re.compile(rb'^ *# *include +"([^"]+)"', re.MULTILINE)


def text_of(source: Path) -> bytes:
    """``source`` and the headers that it includes by a path relative to its own."""
    text = source.read_bytes()
    headers = [source.parent / name.decode() for name in _INCLUDE.findall(text)]
    return b"\0".join((text, *map(text_of, headers)))


def library_name(source: Path) -> str:
    """The path in a layer of the library of ``source``, with a hash of it and its headers, so that code never
    loads the library of another version."""
    import hashlib  # noqa: PLC0415 - 5 ms of a cold start

    return f"fanfold.libs/{source.stem}-{hashlib.sha256(text_of(source)).hexdigest()[:8]}.so"


@lru_cache
def c_library(source: Path) -> "ctypes.CDLL":
    """The library of an own job's C file, ``Path(__file__).with_name("my.c")``. It is there where a job maps
    and reduces, so this is called in those functions, not when the module is imported. Raises OSError."""
    import ctypes  # noqa: PLC0415 - 5 ms of a cold start

    name = library_name(source)
    return ctypes.CDLL(str(find_library(name) or name))
