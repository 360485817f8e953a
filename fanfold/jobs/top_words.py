"""Counting words."""

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fanfold.demo.corpus import write_corpus
from fanfold.demo.sample import Sample, differences
from fanfold.estimate.workload import Options, Workload, byte_by_byte, bytes_of
from fanfold.format import counted, plural
from fanfold.jobs import ClientJob, Rows, Summary, by_number
from fanfold.jobs._terminal import side_by_side
from fanfold.report.figures import Ranking, Rankings, Result
from fanfold.runs.source import Local
from lambda_src.jobs.top_words import JOB as ENGINE_JOB


def show(console: Console, summary: Summary) -> None:
    """Print the most frequent words of all lengths as one table."""
    table = Table(pad_edge=False, show_lines=True)
    table.add_column("Length", justify="right")
    table.add_column("Most frequent words, with their counts")
    by_length = by_number(summary["top_words"])
    if "articles" in summary:
        console.print(f"The text of {counted(summary['articles'], 'article')}")
    for length, words in by_length:
        if words:
            table.add_row(length, side_by_side([(top["word"], top["count"]) for top in words]))
    console.print(table)
    if without := [int(length) for length, words in by_length if not words]:
        console.print(f"No words of length {_ranges(without)}")
    console.print(
        f"{counted(summary['words'], 'word')} of 1 to {len(by_length)} letters; "
        f"{counted(summary['longer_words'], 'longer one')}"
    )


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers, with consecutive ones as a range.

    >>> _ranges([1, 4, 5, 6, 19, 20])
    '1, 4 to 6, 19 to 20'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def rows(summary: Summary) -> Rows:
    """One word per row."""
    yield "length", "rank", "word", "count"
    for length, words in by_number(summary["top_words"]):
        for rank, top in enumerate(words, 1):
            yield int(length), rank, top["word"], top["count"]


def draw(summary: Summary) -> Result:
    """Bars for each length."""
    by_length = by_number(summary["top_words"])
    rankings = [
        Ranking(
            f"{length} {plural(int(length), 'letter')}",
            "Word",
            "Times",
            [(top["word"], top["count"]) for top in words],
        )
        for length, words in by_length
        if words
    ]
    longer = summary["longer_words"]
    top = summary.get("options", {}).get("top", 10)
    return Result(
        f"The {'ten' if top == 10 else top} most frequent {plural(top, 'word')} of each length",
        summary["words"],
        plural(summary["words"], "word"),
        f"of 1 to {len(by_length)} letters; {longer:,} longer {'one is' if longer == 1 else 'ones are'} "
        "not ranked",
        [Rankings("The most frequent words by length", rankings)],
    )


def workload(source: Local | int, options: Options) -> Workload:
    """Its units are the bytes of the input."""
    return byte_by_byte("top_words on English text", ENGINE_JOB, bytes_of(source), options)


def sample(folder: Path, size: int, seed: int, progress: Callable[[int], None]) -> Sample:
    """A file that looks like a Wikipedia dump."""
    path = folder / "corpus.xml"
    expected = write_corpus(path, size, seed, progress)
    top_words = {
        length: [{"word": word, "count": count} for word, count in words]
        for length, words in expected.top_words.items()
    }
    right = {"words": expected.words, "longer_words": expected.longer_words, "top_words": top_words}
    return Sample(path, lambda result: differences(result, right), "every count")


JOB = ClientJob(show=show, rows=rows, draw=draw, heading="Words of {name}", workload=workload, sample=sample)
