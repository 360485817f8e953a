"""Generated input for each job, with what its answer must be."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fanfold.demo.corpus import write_corpus
from fanfold.demo.logs import write_logs
from fanfold.demo.table import write_table

Result = Mapping[str, Any]


class Sample(NamedTuple):
    """An input at ``path``, a file or a folder. ``wrong`` names the fields of a result that are not as they
    must be; ``what`` was compared is for a person."""

    path: Path
    wrong: Callable[[Result], list[str]]
    what: str


Generate = Callable[[Path, int, int, Callable[[int], None]], Sample]
"""``generate(folder, bytes, seed, progress)``; ``progress`` is told the bytes written so far."""


def _text(folder: Path, size: int, seed: int, progress: Callable[[int], None]) -> Sample:
    path = folder / "corpus.xml"
    expected = write_corpus(path, size, seed, progress)
    top_words = {
        length: [{"word": word, "count": count} for word, count in words]
        for length, words in expected.top_words.items()
    }
    right = {"words": expected.words, "longer_words": expected.longer_words, "top_words": top_words}
    return Sample(path, lambda result: _differing(result, right), "every count")


def _logs(folder: Path, size: int, seed: int, progress: Callable[[int], None]) -> Sample:
    expected = write_logs(folder / "logs", size, seed, progress)
    return Sample(
        folder / "logs", lambda result: _differing(result, expected._asdict()), "every line, count and path"
    )


def _table(folder: Path, _size: int, seed: int, _progress: Callable[[int], None]) -> Sample:
    path = folder / "table.csv"
    expected = write_table(path, seed)

    def wrong(result: Result) -> list[str]:
        first = {
            size: (found[0]["target"], tuple(found[0]["predictors"]))
            for size, found in result["best"].items()
        }
        return _differing({**result, "best": first}, expected._asdict())

    return Sample(path, wrong, "the number of choices, and the best of each size,")


def _differing(result: Result, right: Mapping[str, Any]) -> list[str]:
    return [name for name, value in right.items() if result[name] != value]


SAMPLES: dict[str, Generate] = {
    "top_words": _text,
    "access_log": _logs,
    "column_permutations": _table,
}
