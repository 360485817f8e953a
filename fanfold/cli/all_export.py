"""All rows of a run that keeps them, as a stream: CSV, JSON Lines and Parquet. Little of it is in memory."""

import csv
import importlib
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, BinaryIO

import msgspec

from fanfold.cli.formats import Format
from fanfold.cli.output import Output, opened
from fanfold.cli.table_export import check_parquet
from fanfold.runs.complete import Chunk, CompleteSums
from fanfold.runs.csv_export import harmless
from lambda_src.job import Job
from lambda_src.sorted_rows import BETWEEN, END, counts_of, key_of

FORMATS = (Format.CSV, Format.JSONL, Format.PARQUET)

PARQUET_ROWS = 200_000
"""In memory at once."""

_BEGINS = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz/_.#~^*([{<>|%$&!?:\\")
"""Bytes of ASCII with which a key may begin and is no formula."""

_PLAIN = bytes(byte for byte in range(0x20, 0x7F) if byte not in b'";') + END + BETWEEN
"""Bytes that are the same in CSV, between quotes. Letters beyond ASCII are added: see _LETTERS."""

_LETTERS = bytes([*range(0x80, 0xC0), *range(0xC3, 0xE2), *range(0xE3, 0xF5)])
"""Bytes of UTF-8, but the first ones of U+0085, U+2028 and U+2029, at which a spreadsheet may split a row."""

_IS_PLAIN = _PLAIN + _LETTERS

_IS_PLAIN_JSON = bytes(byte for byte in range(0x20, 0xF5) if byte not in b'"\\') + END + BETWEEN
"""Bytes that JSON does not escape in a text."""


def headings_of(job: Job) -> list[str]:
    """What the columns of all rows are called: the part, the key, the counts. No two have the same name.

    >>> from lambda_src.jobs.top_words import JOB
    >>> headings_of(JOB)
    ['length', 'word', 'words']
    """
    found: list[str] = []
    complete = job.complete
    for name in (job.part, *((complete.key, *complete.columns) if complete else ())):
        while name in found:
            name += "_"  # noqa: PLW2901
        found.append(name)
    return found


def write_all_rows(output: Output, job: Job, rows: CompleteSums) -> None:
    """Write all rows, in the order of part and key; to a file, all or nothing. Raises RunError where one is
    missing or damaged; ReportError if they cannot be written, or if there is no library for Parquet."""
    with opened(output.path) as file:
        write_rows(file, output.format, job, rows)


def write_rows(file: BinaryIO, format_: Format, job: Job, rows: CompleteSums) -> None:
    """The same to an open file. Raises OSError if that cannot be written."""
    if format_ is Format.PARQUET:
        _write_parquet(file, headings_of(job), rows)
        return
    lines = _csv if format_ is Format.CSV else _json_lines
    file.writelines(lines(headings_of(job), rows))


def _label(part: str) -> int | str:
    """Parts that are numbers are written as such, as in the tables of results."""
    return int(part) if part.isdecimal() and part.isascii() and str(int(part)) == part else part


def _cells(part: str, chunk: Chunk) -> Iterator[tuple[Any, ...]]:
    label = _label(part)
    return ((label, key_of(row).decode(), *counts_of(row)) for row in chunk)


def _json_lines(headings: Sequence[str], rows: CompleteSums) -> Iterator[bytes]:
    """A template is filled in, unless JSON escapes something in a chunk's keys."""
    encoder = msgspec.json.Encoder()
    part_name, key_name, *names = map(encoder.encode, headings)
    for part, chunks in rows.parts():
        begin = b'{%b:%b,%b:"' % (part_name, encoder.encode(_label(part)), key_name)
        end = b"".join(b",%b:\0" % name for name in names)
        line = (begin + b"\0" + b'"' + end + b"}\n").replace(b"%", b"%%").replace(b"\0", b"%b")
        for chunk in chunks:
            if BETWEEN.join(chunk).translate(None, _IS_PLAIN_JSON):
                cells = _cells(part, chunk)
                yield encoder.encode_lines([dict(zip(headings, row, strict=True)) for row in cells])
            else:
                split = (row.split(END) for row in chunk)
                yield b"".join([line % (key, *counts.split(b",")) for key, counts in split])


def _csv(headings: Sequence[str], rows: CompleteSums) -> Iterator[bytes]:
    """Bytes are replaced in whole chunks, unless one of their keys may be a formula or end a cell."""
    yield _csv_rows([tuple(headings)])
    for part, chunks in rows.parts():
        label = _csv_rows([(_label(part),)]).removesuffix(b"\n")
        begin = label + b',"'
        for chunk in chunks:
            if _are_plain(chunk):
                text = BETWEEN.join(chunk).replace(END, b'",').replace(BETWEEN, b"\n" + begin)
                yield b"%b%b\n" % (begin, text)
            else:
                yield _csv_rows(_cells(part, chunk))


def _are_plain(chunk: Chunk) -> bool:
    """Whether all keys of a chunk are the same in CSV, between quotes. It is sorted, so the first bytes of
    all are between those of its first and its last row.

    >>> _are_plain([b"a\\0001", b"b b\\0001"]), _are_plain([b"+a\\0001"]), _are_plain([b'a"\\0001'])
    (True, False, False)
    """
    first = range(chunk[0][0], chunk[-1][0] + 1)
    if not _BEGINS.issuperset(first) and not all(map(_begins_with_letter, chunk)):
        return False
    return not BETWEEN.join(chunk).translate(None, _IS_PLAIN)


def _begins_with_letter(row: bytes) -> bool:
    """Whether a row begins as in _BEGINS or with U+00C0 to U+023F, U+0400 to U+04FF, U+5000 to U+8FFF: all of
    these are assigned and shown, and none is a sign in any form."""
    first = row[0]
    return first in _BEGINS or 0xC3 <= first <= 0xC8 or 0xD0 <= first <= 0xD3 or 0xE5 <= first <= 0xE8


def _csv_rows(rows: Any) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _write_parquet(file: BinaryIO, headings: Sequence[str], rows: CompleteSums) -> None:
    library = check_parquet()
    batches = _batches(headings, rows)
    nothing: dict[str, list[Any]] = {heading: [] for heading in headings}
    write: Callable[..., None] = _by_polars if library.__name__ == "polars" else _by_pyarrow
    write(library, file, headings, chain([next(batches, nothing)], batches))


def _batches(headings: Sequence[str], rows: CompleteSums) -> Iterator[dict[str, list[Any]]]:
    """Columns of as many rows as may be in memory."""
    cells: list[tuple[Any, ...]] = []
    for part, chunks in rows.parts():
        for chunk in chunks:
            cells += ((part, *rest) for _, *rest in _cells(part, chunk))
            if len(cells) >= PARQUET_ROWS:
                yield dict(zip(headings, map(list, zip(*cells, strict=True)), strict=True))
                cells.clear()
    if cells:
        yield dict(zip(headings, map(list, zip(*cells, strict=True)), strict=True))


def _by_pyarrow(
    library: Any, file: BinaryIO, headings: Sequence[str], batches: Iterator[dict[str, list[Any]]]
) -> None:
    parquet = importlib.import_module("pyarrow.parquet")
    part, key, *counts = headings
    fields = [
        (part, library.string()),
        (key, library.string()),
        *((name, library.int64()) for name in counts),
    ]
    schema = library.schema(fields)
    with parquet.ParquetWriter(file, schema) as writer:
        for batch in batches:
            writer.write_table(library.table(batch, schema))


def _by_polars(
    library: Any, file: BinaryIO, headings: Sequence[str], batches: Iterator[dict[str, list[Any]]]
) -> None:
    plugins = importlib.import_module("polars.io.plugins")
    part, key, *counts = headings
    schema = {part: library.String, key: library.String, **dict.fromkeys(counts, library.Int64)}

    def frames(*_: Any) -> Iterator[Any]:
        return (library.DataFrame(batch, schema) for batch in batches)

    plugins.register_io_source(frames, schema=schema).sink_parquet(file)
