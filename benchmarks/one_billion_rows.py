"""The One Billion Row Challenge on some rows: the example job against Polars and DuckDB, in turns.

python -m benchmarks.one_billion_rows [MILLIONS_OF_ROWS]

The job is mapped block by block and reduced in a process per processor, without AWS: all threads of each peer
against that. The file stays in memory, so that nobody waits for a disk.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.peers import VENV, install
from lambda_src.input.addresses import Addresses, Placed
from lambda_src.input.blocks import split
from lambda_src.input.objects import ObjectsInput
from lambda_src.job import Context, Job, NoOptions, Shards, Span
from stacks.native_library import build_libraries, sources_of_jobs

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "docs" / "examples" / "one_billion_rows.py"

BLOCK_BYTES, READ_BYTES = 64 << 20, 256 << 10
PROCESSORS = os.cpu_count() or 1
ROUNDS = 5
ROWS_AT_ONCE = 1_000_000
STATIONS = 413
"""As many as in the challenge."""

SHARDS = Shards("key", 2, "run")
CONTEXT = Context(SHARDS, NoOptions(), {})

PEERS = {
    "Polars": """
import polars as pl
rows = pl.scan_csv(FILE, separator=";", has_header=False, new_columns=["station", "t"],
    schema={"station": pl.String, "t": pl.Float64})
found = rows.group_by("station").agg(pl.len().alias("n"), pl.col("t").min().alias("low"),
    pl.col("t").mean().alias("mean"), pl.col("t").max().alias("high"))
rows = found.sort("station").collect(engine="streaming").rows()
""",
    "DuckDB": """
import duckdb
database = duckdb.connect()
database.execute("SET enable_progress_bar = false")  # it would be part of the output
rows = database.execute('''SELECT station, count(*), min(t), avg(t), max(t)
    FROM read_csv(?, columns = {'station': 'VARCHAR', 't': 'DECIMAL(4, 1)'}, delim = ';', header = false,
    auto_detect = false, quote = '', escape = '') GROUP BY 1 ORDER BY station''', [FILE]).fetchall()
""",
}
TIMED = """
import json, sys, time
FILE = sys.argv[1]
{imports}
started_at = time.monotonic()
{work}
seconds = time.monotonic() - started_at
print(json.dumps([seconds, [[s, n, float(low), float(high)] for s, n, low, _, high in rows]]))
"""


def write_rows(path: Path, rows: int, *, stations: int = STATIONS, seed: int) -> None:
    """``rows`` rows such as ``Hamburg;12.0``. Each station has a mean temperature of its own."""
    random = np.random.default_rng(seed)
    names = [f"{['Ab', 'São', 'Łódź', 'Xi’an'][number % 4]} {number * 7919}" for number in range(stations)]
    means = random.uniform(-20, 30, stations)
    texts = [f"{name};{tenths / 10:.1f}\n".encode() for name in names for tenths in range(-999, 1000)]
    with path.open("wb") as file:
        for first in range(0, rows, ROWS_AT_ONCE):
            station = random.integers(stations, size=min(ROWS_AT_ONCE, rows - first))
            tenths = np.clip(np.rint(random.normal(means[station], 10) * 10), -999, 999).astype(int)
            file.write(b"".join(map(texts.__getitem__, (station * 1999 + tenths + 999).tolist())))


def load_example() -> Job:
    """The job of ``EXAMPLE``."""
    spec = importlib.util.spec_from_file_location("one_billion_rows", EXAMPLE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    job: Job = module.JOB
    return job


def map_block(path: str, block: Span) -> list[bytes]:
    """The lines of a block."""
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size

        def read(_: Placed, start: int, end: int) -> Iterator[bytes]:
            for at in range(start, end, READ_BYTES):
                yield os.pread(file.fileno(), min(READ_BYTES, end - at), at)

        source = ObjectsInput(
            Addresses([Placed(0, "rows", size, "", "plain")]), read, size_bytes=size, objects=1
        )
        return [line.data for line in load_example().map(block, source, CONTEXT).lines]


def answer_of(path: Path, pool: ProcessPoolExecutor) -> dict[str, Any]:
    """The result of the job."""
    job = load_example()
    blocks = [Span(block.start, block.end) for block in split(path.stat().st_size, BLOCK_BYTES)]
    lines = list(pool.map(map_block, [str(path)] * len(blocks), blocks))
    reduced = [
        job.reduce(shard, of_shard, CONTEXT).data for shard, of_shard in enumerate(zip(*lines, strict=True))
    ]
    return dict(job.finish(reduced, CONTEXT)["all"].result)


def peer(name: str, path: Path) -> tuple[float, list[list[Any]]]:
    """The seconds of a peer, without its start, and its answer."""
    imports, work = PEERS[name].strip().split("\n", 1)
    program = TIMED.format(imports=imports, work=work)
    ran = subprocess.run(
        [VENV / "bin" / "python", "-c", program, path], capture_output=True, text=True, check=True
    )
    seconds, rows = json.loads(ran.stdout)
    return seconds, rows


def ours(path: Path, pool: ProcessPoolExecutor) -> tuple[float, list[list[Any]]]:
    started_at = time.monotonic()
    answer = answer_of(path, pool)
    seconds = time.monotonic() - started_at
    assert answer["other_rows"] == 0
    return seconds, [[of["station"], of["rows"], of["min"], of["max"]] for of in answer["stations"]]


def compared(path: Path) -> Iterator[tuple[str, float, float]]:
    """Each contender's best seconds, and the median of its rounds against ours. All give the same answer."""
    sys.path.append(str(build_libraries("host", sources_of_jobs(["top_words"]))))
    times: dict[str, list[float]] = {name: [] for name in ("Fanfold", *PEERS)}
    with ProcessPoolExecutor(PROCESSORS, mp_context=get_context("fork")) as pool:
        for _ in range(ROUNDS):
            wanted = None
            for name, seconds_of in times.items():
                seconds, rows = ours(path, pool) if name == "Fanfold" else peer(name, path)
                seconds_of.append(seconds)
                assert wanted in (None, rows), f"{name} gives another answer"
                wanted = rows
    for name, seconds_of in times.items():
        ratios = [one / ours for one, ours in zip(seconds_of, times["Fanfold"], strict=True)]
        yield name, min(seconds_of), median(ratios)


def main(millions: int = 10) -> None:
    """Print a line for each contender."""
    install()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.txt")
        write_rows(path, millions * 1_000_000, seed=1)
        size = path.stat().st_size
        print(f"{millions} million rows, {size / 1e6:,.0f} MB, {PROCESSORS} processors")
        for name, seconds, ratio in compared(path):
            print(f"{name:8} {seconds:7.2f} s, {size / 1e6 / seconds:5.0f} MB/s, {ratio:.2f} of our time")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
