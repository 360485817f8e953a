"""How fast each job maps, block after block, and what part of the time its oracle takes in the same process.

python -m benchmarks.jobs
"""

import csv
import gzip
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

import numpy as np

from fanfold.demo.corpus import write_corpus
from fanfold.demo.logs import write_logs
from fanfold.demo.table import write_table
from lambda_src.input.blocks import split
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Context, Job, Line, Span, load
from lambda_src.jobs.column_permutations.ranks import Space, set_of
from tests import access_log_oracle, oracle

ROUNDS = 5
BLOCK_BYTES = 5 << 20
FITS = 200


class Case(NamedTuple):
    """A job on ``objects``. ``oracle`` works out the same answer for the part ``sampled`` of its units."""

    job: str
    what: str
    objects: list[bytes]
    oracle: Callable[[], object]
    sampled: float = 1.0


def words(folder: Path) -> list[Case]:
    write_corpus(folder / "corpus.xml", 10_000_000, 1)
    data = (folder / "corpus.xml").read_bytes()
    return [Case("top_words", "prose", [data], lambda: oracle.count_words(data))]


def logs(folder: Path) -> list[Case]:
    write_logs(folder / "logs", 10_000_000, seed=1)
    by_format: dict[str, list[bytes]] = {"ALB": [], "Combined": []}
    for file in (folder / "logs").iterdir():
        text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        by_format["ALB" if text.startswith(b"https 20") else "Combined"].append(text)
    return [
        Case("access_log", name, texts, lambda texts=texts: access_log_oracle.answer(*texts))  # type: ignore[misc]
        for name, texts in by_format.items()
    ]


def tables(folder: Path) -> list[Case]:
    write_table(folder / "generated.csv", seed=1)
    random = np.random.default_rng(1)
    np.savetxt(
        folder / "wide.csv",
        random.normal(size=(1_000, 200)),
        fmt="%.3f",
        delimiter=",",
        header=",".join(f"c{number}" for number in range(200)),
        comments="",
    )
    cases = []
    for name in ("generated", "wide"):
        data = (folder / f"{name}.csv").read_bytes()
        columns = data.split(b"\n")[0].count(b",") + 1
        sampled = FITS / Space(columns, None, 3).choices()
        cases.append(Case("column_permutations", f"{columns} columns", [data], _fits(data, columns), sampled))
    return cases


def _fits(data: bytes, columns: int) -> Callable[[], None]:
    rows = [row for row in csv.reader(data.decode().splitlines()[1:]) if all(row)]
    cells = np.array(rows, float)
    space, random = Space(columns, None, 3), Random(1)
    sets = [set_of(rank, space) for rank in random.sample(range(space.sets()), FITS)]
    models = [(random.choice([*set(range(columns)) - set(one)]), one) for one in sets]

    def fit() -> None:
        for target, predictors in models:
            design = np.column_stack([np.ones(len(cells)), cells[:, predictors]])
            np.linalg.lstsq(design, cells[:, target])

    return fit


def map_all(job: Job, objects: list[bytes]) -> int:
    """Measure and map as the Lambdas do, and reduce where reducers share the work; how many units there are:
    bytes, or choices of columns."""
    source = input_of_bytes(objects)
    measured = job.measure(source)
    context = Context(job.shards("run"), job.read_options({}), measured.facts)
    lines: list[Line] = []
    for _, start, end in split(measured.units, measured.block_units or BLOCK_BYTES):
        lines += job.map(Span(start, end), source, context).lines
    if context.shards.by != "share":
        return measured.units
    reduced = job.reduce(0, [line.data for line in lines], context)
    found = job.finish([reduced.data], context)
    return sum(part.result["tested"] for part in found.values())


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    started_at = time.process_time()
    work()
    return time.process_time() - started_at


def main() -> None:
    """Print for each case the units a second at best, and the median ratio of paired rounds."""
    with tempfile.TemporaryDirectory() as folder:
        cases = [case for make in (words, logs, tables) for case in make(Path(folder))]
    for case in cases:
        job = load(case.job)
        units = map_all(job, case.objects)
        pairs = [
            (seconds(lambda case=case, job=job: map_all(job, case.objects)), seconds(case.oracle))  # type: ignore[misc]
            for _ in range(ROUNDS)
        ]
        unit = "choices" if "share" in job.sharded_by else job.unit
        fastest = units / min(mapped for mapped, _ in pairs)
        ratio = median(mapped * case.sampled / slow for mapped, slow in pairs)
        print(
            f"{case.job:20} {case.what:12} {units / 1e6:6.1f} M {unit:8} {fastest / 1e6:6.1f} M a "
            f"processor second, {ratio:.2g} of the oracle's time",
            flush=True,
        )


if __name__ == "__main__":
    main()
