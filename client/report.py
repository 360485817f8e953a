"""The result of a run for a person, and as JSON."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from lambda_src.messages import RunSummary

LENGTHS_PER_TABLE = 5


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
    """Print the 20 top tens side by side, and where the time went."""
    lengths = sorted(summary.top_words, key=int)
    for first in range(0, len(lengths), LENGTHS_PER_TABLE):
        console.print(_table(summary, lengths[first : first + LENGTHS_PER_TABLE]))
    console.print(
        f"[bold]{summary.words:,}[/] words of 1 to {len(lengths)} letters and {summary.longer_words:,} longer "
        f"ones, in {summary.bytes:,} bytes and {summary.blocks:,} blocks"
    )
    stages = {**seconds, **summary.seconds}
    console.print("Seconds: " + ", ".join(f"{stage} {taken:.1f}" for stage, taken in stages.items()))
    console.print(f"Run: {summary.run_id}", soft_wrap=True)


def _table(summary: RunSummary, lengths: list[str]) -> Table:
    table = Table(expand=False, pad_edge=False)
    for length in lengths:
        table.add_column(f"{length} letter{'s' if length != '1' else ''}")
        table.add_column("", justify="right", style="cyan")
    for rank in range(max(len(summary.top_words[length]) for length in lengths)):
        cells: list[str] = []
        for length in lengths:
            words = summary.top_words[length]
            cells += [words[rank].word, f"{words[rank].count:,}"] if rank < len(words) else ["", ""]
        table.add_row(*cells)
    return table
