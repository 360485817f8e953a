"""Lines of code and speed of the jobs in docs/examples, on one core, each on files made for it.

python -m benchmarks.examples [MEGABYTES]
"""

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Any, NamedTuple

from fanfold.here.blobs import FolderBlobs
from fanfold.here.files import find
from fanfold.here.jobs import find_job
from fanfold.here.run import Trial, run_here, workers
from lambda_src.wire.requests import ParseFileRequest, new_run_id

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
FILES = 4
LINES_AT_ONCE = 20_000


def json_line(random: Random) -> str:
    """A request of one of 300 hosts."""
    host, status = random.randrange(300), random.choice((200, 200, 200, 304, 404, 500, 503))
    time = f"2026-11-28T{random.randrange(24):02}:{random.randrange(60):02}:00Z"
    return (
        f'{{"time":"{time}","host":"www{host}.example.com","method":"GET",'
        f'"path":"/items/{random.randrange(10**6)}","status":{status},'
        f'"bytes":{random.randrange(10**5)},"latency":{random.lognormvariate(-3, 1):.4f}}}\n'
    )


def csv_line(random: Random) -> str:
    """Integers, decimals, texts and missing cells."""
    quantity = random.randrange(1000) if random.random() < 0.95 else ""
    return (
        f"{random.randrange(10**8)},{1_700_000_000 + random.randrange(10**7)},city {random.randrange(500)},"
        f"{random.lognormvariate(3, 1):.2f},{quantity},{random.gauss(10, 8):.1f},{random.random():.6f},"
        f"{random.randrange(5)}\n"
    )


class Case(NamedTuple):
    """A job, its options, and what makes a line of its input."""

    job: str
    line: Callable[[Random], str]
    options: Mapping[str, Any] = {}
    header: str = ""


CASES = (
    Case("hosts", json_line),
    Case("column_statistics", csv_line, header="id,time,city,price,quantity,degrees,ratio,stars\n"),
)


def write(folder: Path, case: Case, size: int) -> None:
    """``FILES`` files of together ``size`` bytes. Some thousand lines are repeated in random order."""
    random = Random(1)
    lines = [case.line(random) for _ in range(LINES_AT_ONCE)]
    for number in range(FILES):
        with Path(folder, f"part-{number}").open("w") as file:
            file.write(case.header)
            while file.tell() < size // FILES:
                random.shuffle(lines)
                file.writelines(lines)


def measure(case: Case, folder: Path, into: Path) -> float:
    """Seconds of a processor that a run in one process takes: others may use the machine meanwhile."""
    job = find_job(str(EXAMPLES / f"{case.job}.py"), print).job
    trial = Trial(job, find([str(folder)], into), FolderBlobs(into, new_run_id()))
    before_s = used_s()
    processes = workers(trial, 1)
    try:
        run_here(trial, processes, ParseFileRequest(options=dict(case.options)))
    finally:
        processes.close()
    return used_s() - before_s


def used_s() -> float:
    """Seconds of a processor that this process and its children have used."""
    return sum(sum(getrusage(who)[:2]) for who in (RUSAGE_SELF, RUSAGE_CHILDREN))


def main(megabytes: int = 200) -> None:
    """Print a line for each case."""
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as into:
            write(Path(folder), case, megabytes * 1_000_000)
            size = sum(path.stat().st_size for path in Path(folder).iterdir())
            seconds = measure(case, Path(folder), Path(into))
            code = len((EXAMPLES / f"{case.job}.py").read_text().splitlines())
            options = " ".join(f"{name}={value}" for name, value in case.options.items())
            print(
                f"{case.job:18} {code:4} lines {seconds:7.2f} s {size / 1e6 / seconds:6.0f} MB/s  {options}"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
