"""The result of a run for a person, and as JSON."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from fanfold.cli.formats import Format
from fanfold.cli.table_export import as_html, as_json_lines, as_markdown, as_parquet
from fanfold.errors import ReportError
from fanfold.format import counted, dollars_text, singular, size_text, time_text
from fanfold.job_code import load
from fanfold.jobs import chosen_text, client_job
from fanfold.runs.csv_export import as_csv
from fanfold.runs.result import as_json, json_text
from fanfold.safe_text import visible
from lambda_src.wire.record import RunRecord, RunWarning

if TYPE_CHECKING:
    from rich.console import Console

# ruff: noqa: PLC0415 - rich is imported only to print for people

STANDARD_OUTPUT = Path("-")

SHOWN_DOLLARS = 0.00005
"""Smallest amount that is shown: less would read 0.0000."""

ITEM_NAMES = {
    "gb_s": "GB-seconds of Lambda",
    "invocations": "invocations",
    "s3_puts": "S3 PUTs",
    "s3_gets": "S3 GETs",
    "table_write_units": "table write units",
    "table_read_units": "table read units",
    "log_gb": "GB of logs",
    "kms_requests": "KMS requests",
}
"""Names of the items of a bill."""


class Output(NamedTuple):
    """Where a result is written, and how."""

    path: Path
    format: Format = Format.JSON


TABLES = {
    Format.JSONL: as_json_lines,
    Format.CSV: as_csv,
    Format.MARKDOWN: as_markdown,
    Format.HTML: as_html,
    Format.PARQUET: as_parquet,
}
"""What writes a result as one flat table."""


def as_file(output: Output, job: str, summary: Mapping[str, Any], seconds: Mapping[str, float]) -> bytes:
    """The result in the format of ``output``."""
    if output.format is Format.JSON:
        return json_text(as_json(job, summary, seconds))
    return TABLES[output.format](job, summary)


def has_ending(path: Path) -> bool:
    """Whether the ending of its name decides the format: not if it is standard output, a device or a pipe."""
    with _translated(path):
        return not (_is_standard_output(path) or _in_place(path))


def check_path(path: Path) -> None:
    """Check that ``path`` can be written, before anything is paid for. Raises ReportError."""
    with _translated(path):
        if _is_standard_output(path):
            return
        if not _in_place(path):
            half = _half(_target(path))
            half.touch(exist_ok=False)
            half.unlink()
        elif path.is_dir():
            raise ReportError(f"{path} is a folder: name a file.")
        elif not os.access(path, os.W_OK):
            raise ReportError(f"{path} cannot be written: you lack the permission.")


def write(path: Path, text: bytes) -> None:
    """Write ``text`` to ``path``: a file completely or not at all. A link or a device is not replaced, but
    written through. Raises ReportError."""
    with opened(path) as file:
        file.write(text)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The same for what is written in pieces, each of whole lines. An error leaves a file as it was."""
    with _translated(path):
        if _is_standard_output(path):
            sys.stdout.flush()
            try:
                yield cast(BinaryIO, _TerminalFile()) if sys.stdout.isatty() else sys.stdout.buffer
                sys.stdout.buffer.flush()
            except BrokenPipeError:  # its reader has seen enough
                from fanfold.cli.terminal import drop_output

                drop_output()
        elif _in_place(path):
            with path.open("wb") as device:
                yield device
        else:
            with _replaced(_target(path)) as file:
                yield file


class _TerminalFile:
    """Standard output where it is a terminal: control characters are escaped."""

    def write(self, text: bytes) -> None:
        lines = "".join(f"{visible(line)}\n" for line in text.decode().splitlines())
        sys.stdout.buffer.write(lines.encode())

    def writelines(self, texts: Iterable[bytes]) -> None:
        for text in texts:
            self.write(text)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        name = "Standard output" if path == STANDARD_OUTPUT else path
        raise ReportError(f"{name} cannot be written: {error.strerror}.") from error


@contextmanager
def _replaced(target: Path) -> Iterator[BinaryIO]:
    """Yields what replaces the file at the end, and keeps its mode, so that nobody gains access to it."""
    half = _half(target)
    try:
        mode = stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        mode = None
    try:
        half.touch(0o666 if mode is None else 0o600, exist_ok=False)
        with half.open("wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            yield file
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)


def _half(target: Path) -> Path:
    """The temporary file that will replace ``target``."""
    return target.with_name(f".fanfold-{os.urandom(8).hex()}.part")


def _in_place(path: Path) -> bool:
    """Whether it is a device, a pipe or the like, rather than a file."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _target(path: Path) -> Path:
    """The file that ``path`` leads to through links, whether or not it exists."""
    return Path(os.path.realpath(path))


def _is_standard_output(path: Path) -> bool:
    """Whether ``path`` is standard output. Opening it again, as /dev/stdout, would truncate the file that it
    goes to."""
    if path == STANDARD_OUTPUT:
        return True
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError, AttributeError):  # no such file yet, or standard output is closed
        return False


def show(console: "Console", job: str, summary: Mapping[str, Any], seconds: Mapping[str, float]) -> None:
    """Print the result as a table, and the duration of each stage."""
    client_job(job).show(console, summary)
    unit = singular(load(job).unit)
    console.print(
        f"{counted(summary['bytes'], 'byte')} in {counted(summary['blocks'], 'block')} of "
        f"at most {counted(summary['block_bytes'], unit)} ({summary['block_bytes_because']})"
    )
    if reducers := summary.get("shards"):  # runs of earlier versions have none
        console.print(
            f"{counted(reducers, 'reducer')} by {summary['shard_by']} ({summary['shards_because']})",
        )
    if "reuse_days" in summary:
        console.print(
            f"Reused: {summary['blocks_reused']:,} of {counted(summary['blocks'], 'block')}, "
            f"{size_text(summary['bytes_reused'])} of {size_text(summary['bytes'])}"
        )
    if chosen := chosen_text(job, summary.get("options") or {}):
        console.print(visible(f"Options: {chosen}"))
    if kept := summary.get("all_results"):
        console.print(f"Complete sums: {counted(kept['keys'], 'key')}, {size_text(kept['bytes'])} as stored")
    if out := summary.get("objects_left_out"):
        console.print(f"Left out: {counted(out, 'object')} of {counted(summary['bytes_left_out'], 'byte')}")
    stages = {**seconds, **summary["seconds"]}
    console.print(
        visible("Time: " + ", ".join(f"{stage} {time_text(taken)}" for stage, taken in stages.items()))
    )


def show_warnings(warnings: Iterable[RunWarning]) -> None:
    """Print what a person should know before relying on the result, always to standard error."""
    sentences = [visible(f"Warning: {warning.message}") for warning in warnings]
    if not sentences:
        return
    from rich.text import Text

    from fanfold.cli.terminal import Terminal

    for sentence in sentences:
        Terminal(to_errors=True).print(Text(sentence, style="bold yellow"), soft_wrap=True)


def show_dollars(console: "Console", record: RunRecord) -> None:
    """Print the cost of the run, if its record has it."""
    if record.dollars:
        items = ", ".join(
            f"{ITEM_NAMES.get(item, item)} {spent:.4f}"
            for item, spent in sorted(record.dollars.items(), key=lambda entry: -entry[1])
            if spent >= SHOWN_DOLLARS
        )
        guessed = record.dollars_estimated
        estimated = f", {guessed:.4f} of it estimated" if guessed >= SHOWN_DOLLARS else ""
        total = f"{dollars_text(sum(record.dollars.values()))}{f' ({items})' if items else ''}{estimated}"
        console.print(visible(f"Dollars: {total}; prices of {record.prices}"))
