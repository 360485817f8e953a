"""The result of a run for a person, and as JSON."""

import os
import secrets
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from rich.columns import Columns
from rich.console import Console
from rich.table import Table
from rich.text import Text

from client.safe_text import visible
from lambda_src.messages import RunSummary, TopWord


class ReportError(Exception):
    """The result cannot be written where it was asked for; the text is one sentence for the person."""


def as_json(summary: RunSummary, seconds: Mapping[str, float]) -> dict[str, Any]:
    """The result as ``make run JSON=path`` writes it; ``seconds`` adds the stages outside of the run."""
    return {
        "run_id": summary.run_id,
        "bytes": summary.bytes,
        "blocks": summary.blocks,
        "words": summary.words,
        "longer_words": summary.longer_words,
        "top_words": msgspec.to_builtins(summary.top_words),
        "seconds": {**seconds, **summary.seconds},
    }


def check_json_path(path: Path) -> None:
    """Before anything is paid for: can the result be written to ``path``? Raises ReportError."""
    with _refused(path):
        if _is_standard_output(path):
            return
        if not _in_place(path):
            half = _half(_target(path))
            half.touch(exist_ok=False)
            half.unlink()
        elif path.is_dir():
            raise ReportError(f"{path} is a folder: name a file.")
        elif not os.access(path, os.W_OK):
            raise ReportError(f"{path} cannot be written: you may not write to it.")


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Write ``result`` to ``path``: a file wholly or not at all, and never in place of a link or a device,
    but to what that stands for. Raises ReportError."""
    text = msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"
    with _refused(path):
        if _is_standard_output(path):
            sys.stdout.flush()
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()
        elif _in_place(path):
            with path.open("wb") as device:
                device.write(text)
        else:
            _replace(_target(path), text)


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror}.") from error


def _replace(target: Path, text: bytes) -> None:
    half = _half(target)
    try:
        with half.open("xb") as file:
            file.write(text)
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)


def _half(target: Path) -> Path:
    """Where a file is written before it takes the place of ``target``."""
    return target.with_name(f".fanfold-{secrets.token_hex(8)}.part")


def _in_place(path: Path) -> bool:
    """Whether it is a device, a pipe or the like, not a file that is there or could be."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _target(path: Path) -> Path:
    """The file that ``path`` stands for, through links, whether it is there or not yet."""
    return Path(os.path.realpath(path))


def _is_standard_output(path: Path) -> bool:
    """To open it again, as /dev/stdout, would cut off what a file has got from it so far."""
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError, AttributeError):  # not there yet; standard output is closed
        return False


def show(console: Console, summary: RunSummary, seconds: Mapping[str, float]) -> None:
    """Print the 20 top tens as one table, and where the time went."""
    table = Table(pad_edge=False, show_lines=True)
    table.add_column("Length", justify="right")
    table.add_column("The most frequent words, and how often each occurs")
    for length, words in sorted(summary.top_words.items(), key=lambda entry: int(entry[0])):
        table.add_row(length, _top_ten(words))
    console.print(table)
    console.print(
        f"{summary.words:,} words of 1 to {len(summary.top_words)} letters, {summary.longer_words:,} longer "
        f"ones, in {summary.bytes:,} bytes and {summary.blocks:,} blocks of {summary.block_bytes:,}"
    )
    stages = {**seconds, **summary.seconds}
    console.print(visible("Seconds: " + ", ".join(f"{stage} {taken:.1f}" for stage, taken in stages.items())))
    console.print(visible(f"Run: {summary.run_id}"))


def _top_ten(words: Sequence[TopWord]) -> Columns:
    """As many side by side as there is room for; a word and its count stay together."""
    return Columns(
        [Text.assemble(visible(top.word), " ", (f"{top.count:,}", "cyan")) for top in words], padding=(0, 2)
    )
