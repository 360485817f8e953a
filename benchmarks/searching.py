"""How fast the job grep selects lines, next to grep and ripgrep on the same logs, where these are installed.
Answers that differ end it.

python -m benchmarks.searching
"""

import gzip
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from fanfold.demo.logs import write_logs
from lambda_src.input.addresses import Addresses, Placed
from lambda_src.input.objects import ObjectsInput
from lambda_src.job import Context, Span, load

LOGS_BYTES = 120_000_000
ROUNDS = 3
CHUNK_BYTES = 256 << 10
OTHERS = {"grep": ("-acE",), "rg": ("-ac", "-j1", "--no-unicode")}


class Question(NamedTuple):
    """A pattern, what it finds in these logs, and the options of all programs."""

    what: str
    pattern: str
    options: tuple[str, ...] = ()


QUESTIONS = (
    Question("text, nowhere", "5f3a9c2e"),
    Question("text, in 1 % of lines", 'HTTP/1.1" 500'),
    Question("text, in two thirds", "GET"),
    Question("all lines without a text", "5f3a9c2e", ("-v",)),
    Question("status 5xx, in 5 %", 'HTTP[^ ]*" 5[0-9][0-9] '),
    Question("path and status, in 1 %", 'GET /[^"]* HTTP/1[.][01]" 404'),
    Question("one of three words, nowhere", "(fatal|timed out|panic).*refused"),
    Question("an address, nowhere", "[0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}[.]255"),
    Question("a word in any case, in 40 %", "mozilla", ("-i",)),
)


def write(file: Path) -> None:
    """Generated logs in one file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "logs"
        write_logs(folder, LOGS_BYTES, seed=1)
        with file.open("wb") as whole:
            for log in sorted(folder.iterdir()):
                text = gzip.decompress(log.read_bytes()) if log.suffix == ".gz" else log.read_bytes()
                whole.write(text.removesuffix(b"\n") + b"\n")


def mapped(file: Path, question: Question) -> tuple[float, int]:
    """Processor seconds to map the file as one block, and the lines found."""
    size = file.stat().st_size

    def read(_: Placed, start: int, end: int) -> Iterator[bytes]:
        with file.open("rb", buffering=0) as whole:
            for at in range(start, end, CHUNK_BYTES):
                yield os.pread(whole.fileno(), min(CHUNK_BYTES, end - at), at)

    job, source = load("grep"), Placed(0, file.name, size, "", "plain")
    options = {
        "pattern": question.pattern,
        "invert": "-v" in question.options,
        "ignore_case": "-i" in question.options,
        "count": True,
    }
    context = Context(job.shards("run"), job.read_options(options), {}, lambda _: None)
    started_at = time.process_time()
    found = job.map(
        Span(0, size), ObjectsInput(Addresses([source]), read, size_bytes=size, objects=1), context
    )
    return time.process_time() - started_at, sum(sum(line.observed) for line in found.lines)


def run(name: str, file: Path, question: Question) -> tuple[float, int]:
    """The same of a program."""
    before_s = used_s()
    command = [name, *OTHERS[name], *question.options, "-e", question.pattern, str(file)]
    ran = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False)
    if ran.returncode not in (0, 1):
        sys.exit(f"{name} failed: {ran.stderr.decode()}")
    return used_s() - before_s, int(ran.stdout or 0)


def used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print MB per processor second at best, and the median of each program's time by ours."""
    there = [name for name in OTHERS if shutil.which(name)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "access.log"
        write(file)
        for question in QUESTIONS:
            rounds = [
                (mapped(file, question), [run(name, file, question) for name in there]) for _ in range(ROUNDS)
            ]
            answers = {lines for ours, others in rounds for _, lines in (ours, *others)}
            if len(answers) > 1:
                sys.exit(f"The answers to {question.pattern} differ: {answers}")
            fastest_s = min(ours[0] for ours, _ in rounds)
            ratios = [
                f"{name} {median(others[place][0] / ours[0] for ours, others in rounds):.2f}"
                for place, name in enumerate(there)
            ]
            print(
                f"{question.what:28} {file.stat().st_size / 1e6 / fastest_s:6.0f} MB a processor second; "
                f"time of others, ours = 1: {', '.join(ratios)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
