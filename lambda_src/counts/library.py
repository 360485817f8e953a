"""Libraries that are compiled from C, of the engine and of jobs (``stacks/native_library.py``)."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from lambda_src.counts.table import MOST_NAMES, check_names
from lambda_src.errors import BlobDamaged, OutOfMemory, TooManyDistinct

if TYPE_CHECKING:
    import ctypes

_KERNEL_VARIABLE = "FANFOLD_KERNEL"
"""With ``python`` in this environment variable, no compiled library is used."""

DONE, NO_MEMORY, TOO_MANY, SYNTAX, TWICE, TOO_LARGE, ELSEWHERE, TOO_MANY_NAMES = range(8)
"""What the functions answer: counts.h."""

_FAULTS = {
    SYNTAX: "is not as it was written",
    TWICE: "counts a key twice",
    TOO_LARGE: "counts more than 64 bits hold",
    ELSEWHERE: "has a key of another shard",
}

COUNTS = "fanfold.libs/counts-b4b6bf7c.so"
"""The path of the compiled counts.c in the layer, with a hash of the source. During a deployment, new
code can meet an old layer, and then counts in Python."""

SECRET = os.urandom(32)
"""The key of all hash tables of this process."""

Functions = Mapping[str, tuple[Any, Sequence[Any]]]
"""What each function returns and takes."""


def find_library(name: str) -> Path | None:
    """The library ``name`` in the first folder of ``sys.path`` that has it, unless Python is to be used."""
    if os.environ.get(_KERNEL_VARIABLE) == "python":
        return None
    return next(filter(Path.is_file, (Path(folder, name) for folder in sys.path)), None)


def load(name: str, functions: Functions) -> "ctypes.CDLL":
    """The ``functions`` of the library ``name``. Raises OSError."""
    import ctypes  # noqa: PLC0415 - 5 ms of a cold start that needs no library

    library = ctypes.CDLL(str(find_library(name) or name))
    for function_name, (answer, arguments) in functions.items():
        function = getattr(library, function_name)
        function.restype, function.argtypes = answer, arguments
    return library


def opened(handle: int | None) -> int:
    """``handle``, which a library has opened. Raises OutOfMemory if it could not."""
    return handle if handle is not None else fail(NO_MEMORY)


def check(status: int, failed_at: int = 0) -> None:
    """Raise what ``status`` says, for a line at its byte ``failed_at``."""
    if status != DONE:
        fail(status, failed_at)


def fail(status: int, failed_at: int = 0) -> NoReturn:
    """Raise BlobDamaged, OutOfMemory, TooManyDistinct."""
    if status == NO_MEMORY:
        raise OutOfMemory(
            "The function's memory is too small for the keys of one block or one sum (docs/memory.md)."
        )
    if status == TOO_MANY:
        raise TooManyDistinct("There are more distinct keys than fit into one sum.")
    if status == TOO_MANY_NAMES:
        check_names(MOST_NAMES + 1)
    raise BlobDamaged(f"A line of counts {_FAULTS[status]}, at byte {failed_at}: start the run again.")
