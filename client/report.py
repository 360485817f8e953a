"""The result of a run for a person, and as JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.columns import Columns
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lambda_src.messages import RunSummary, TopWord


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


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Write ``result`` to ``path``, wholly or not at all."""
    half = path.with_name(path.name + ".part")
    half.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    half.replace(path)


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
    console.print("Seconds: " + ", ".join(f"{stage} {taken:.1f}" for stage, taken in stages.items()))
    console.print(f"Run: {summary.run_id}")


def _top_ten(words: Sequence[TopWord]) -> Columns:
    """As many side by side as there is room for; a word and its count stay together."""
    return Columns(
        [Text.assemble(top.word, " ", (f"{top.count:,}", "cyan")) for top in words], padding=(0, 2)
    )
