"""Local files as the input of a run."""

import os
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fanfold.errors import SourceError
from fanfold.runs.source import local
from lambda_src.errors import SourceChanged, SourceNotFound, SourceUnreadable
from lambda_src.input.addresses import Listing, Placed, place
from lambda_src.input.formats import Readable
from lambda_src.input.ownership import PIN_BYTES, format_of
from lambda_src.job import Span
from lambda_src.wire.record import RunWarning
from lambda_src.wire.requests import Pinned
from lambda_src.wire.source import HERE, Source

CHUNK_BYTES = 64 << 10
"""Read at once: counting finds it in the processor's cache. Memory for twice as much would go back to the
system each time, which takes longer than to search it."""

STANDARD_INPUT = "-"


class Files(NamedTuple):
    """The files of a run by their names in messages, which are the keys of its objects. ``name`` is what the
    person asked for."""

    name: str
    paths: Mapping[str, Path]
    warnings: Sequence[RunWarning] = ()

    def size_bytes(self) -> int:
        """The size of all files. Raises SourceError."""
        return sum(_pinned(path)[0] for path in self.paths.values())

    def pin(self) -> Pinned:
        """The files as they are now. Raises what reading them does, SourceNotText, ArchiveDamaged."""
        listing = Listing(place((key, *_pinned(path)) for key, path in self.paths.items()))
        of = listing.addresses
        if len(self.paths) > 1:
            source = Source(HERE, None, listing.digest(), of.end, self.name, len(of))
            return Pinned(source, listing, self.warnings)
        (one,) = of.objects(Span(0, of.end + 1))
        stored = Readable(one.key, one.bytes, lambda start, end: self.read(one, start, end))
        found = format_of(stored, stored.read(0, min(PIN_BYTES, one.bytes)))
        source = Source(HERE, one.key, one.etag, one.bytes)
        return Pinned(source, Listing([one._replace(format=found)]), self.warnings)

    def read(self, one: Placed, start: int, end: int) -> Iterator[bytes]:
        """Bytes ``[start, end)`` of a pinned file, in chunks. Raises SourceChanged, SourceNotFound,
        SourceUnreadable."""
        try:
            with self.paths[one.key].open("rb", buffering=0) as file:
                if _etag(os.fstat(file.fileno())) != one.etag:
                    raise SourceChanged(f"{one.key} changed while it was read: try again.")
                while start < end:
                    chunk = os.pread(file.fileno(), min(CHUNK_BYTES, end - start), start)
                    if not chunk:
                        raise SourceChanged(f"{one.key} became shorter while it was read: try again.")
                    start += len(chunk)
                    yield chunk
                if _etag(os.fstat(file.fileno())) != one.etag:
                    raise SourceChanged(f"{one.key} changed while it was read: try again.")
        except FileNotFoundError as error:
            raise SourceNotFound(f"{one.key} was removed while it was read.") from error
        except OSError as error:
            raise SourceUnreadable(f"{one.key} cannot be read: {error.strerror}.") from error


def find(sources: Sequence[str], folder: Path, *, include_hidden: bool = False) -> Files:
    """The files that ``sources`` name: files, folders, or ``-`` for standard input, which is copied into
    ``folder``. Raises SourceError."""
    paths: dict[str, Path] = {}
    warnings: list[RunWarning] = []
    for text in sources:
        found: dict[str, Path]
        if text == STANDARD_INPUT:
            found = {"standard input": _standard_input(folder)}
        else:
            if text.startswith("s3://"):
                raise SourceError(
                    f"{text}: `fanfold try` reads files of this machine; `fanfold run` reads S3."
                )
            asked = local(Path(text), include_hidden=include_hidden)
            warnings += asked.warnings()
            found = {str(asked.path / name): asked.path / name for name in asked.files or [""]}
        for name, path in found.items():
            if name in paths:
                raise SourceError(f"{name} is named twice: name it once.")
            _check_name(name)
            paths[name] = path
    name = next(iter(paths)) if len(paths) == 1 else ", ".join(sources)
    return Files(name, paths, warnings)


def _standard_input(folder: Path) -> Path:
    """A copy of standard input: its size must be known, and workers read it in pieces."""
    if sys.stdin is None or sys.stdin.isatty():
        raise SourceError(
            "- is standard input, which is a terminal here: pipe a file into it, or name a file."
        )
    path = folder / "standard input"
    try:
        with path.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy, CHUNK_BYTES)
    except OSError as error:
        raise SourceError(f"Standard input cannot be copied to {path}: {error.strerror}.") from error
    return path


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise SourceError(f"The name of {os.fsencode(name)!r} is not UTF-8: rename the file.") from error


def _pinned(path: Path) -> tuple[int, str]:
    """Size and ETag. Raises SourceError."""
    try:
        status = path.stat()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{path} is not a file any more: try again.")
    return status.st_size, _etag(status)


def _etag(status: os.stat_result) -> str:
    """Identifies the content of a file, unless somebody sets its times back."""
    return f"{status.st_dev}-{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"
