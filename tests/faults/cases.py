"""An input of about twenty blocks for each job, and what a run on it must arrive at."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from fanfold.demo.corpus import write_corpus
from fanfold.demo.logs import write_logs
from fanfold.demo.table import write_table
from fanfold.testing import Objects, run_job
from lambda_src.job import load
from tests import oracle

KEY = "input/faults"
BLOCK_BYTES = 64 * 1024


class Right(NamedTuple):
    """Observations of each part, and fields of the answer."""

    observations: dict[str, int]
    answer: dict[str, Any]


class Case(NamedTuple):
    """What is put, by key; what is asked for; what is right."""

    objects: dict[str, bytes]
    request: dict[str, Any]
    right: Right


def right_words(counts: Counter[str]) -> Right:
    """What top_words must arrive at for a text of these words."""
    lengths = Counter[int]()
    for word, count in counts.items():
        lengths[len(word)] += count
    return Right(
        {str(length): lengths[length] for length in range(1, 21)},
        {"top_words": oracle.top_words(counts), "longer_words": oracle.longer_words(counts)},
    )


def _words(folder: Path) -> Case:
    write_corpus(folder / "corpus.xml", 20 * BLOCK_BYTES, 3)
    text = (folder / "corpus.xml").read_bytes()
    return Case({KEY: text}, {"key": KEY, "block_bytes": BLOCK_BYTES}, right_words(oracle.count_words(text)))


def _logs(folder: Path) -> Case:
    """Plain and packed, in objects of different sizes."""
    expected = write_logs(folder / "logs", 40 * BLOCK_BYTES, 3, files=6)
    objects = {f"{KEY}/{path.name}": path.read_bytes() for path in sorted((folder / "logs").iterdir())}
    hours = {hour: found["requests"] for hour, found in expected.hours.items()}
    return Case(
        objects,
        {"prefix": f"{KEY}/", "block_bytes": sum(map(len, objects.values())) // 20},
        Right({**hours, "malformed": expected.malformed_lines}, expected._asdict()),
    )


def _table(folder: Path) -> Case:
    write_table(folder / "table.csv", 3)
    table = (folder / "table.csv").read_bytes()
    answer = run_job(load("column_permutations"), Objects([table]))
    rows = answer["rows_used"] + answer["rows_left_out"]
    return Case(
        {KEY: table},
        {"key": KEY, "block_bytes": -(-len(table) // 20)},
        Right(dict.fromkeys(("1", "2", "3"), rows), answer),
    )


CASES: dict[str, Callable[[Path], Case]] = {
    "top_words": _words,
    "access_log": _logs,
    "column_permutations": _table,
}
