"""What people would use instead, each a program of its own that reads the local file. All share one rule:
words are letters of ASCII in lower case; of each length from 1 to 20 the ten most frequent, ties by word.

Only the standard library is imported here: peers run with the packages of ``requirements-bench.txt`` alone.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-bench.txt"
VENV = ROOT / ".build" / "bench" / "venv"
LONGEST = 20
TOP = 10

TopWords = dict[str, list[tuple[str, int]]]
"""By length, "1" to "20"; without words, the list is empty."""

Ranked = Iterable[tuple[int, str, int]]
"""Length, word and count, in the order of the answer."""


class Counted(NamedTuple):
    """One answer. The seconds are those of the counting, without the start of the program and its imports;
    those of processors include the processes that it started."""

    wall_s: float
    cpu_s: float
    top_words: TopWords


class PeerFailed(Exception):
    """A peer ended without its answer."""


class Peer(NamedTuple):
    """``module`` is its program. It needs ``packages`` from PyPI and ``commands`` of the system."""

    name: str
    module: str
    packages: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    def lacks(self) -> str:
        """Why it cannot run here, or nothing."""
        if missing := [command for command in self.commands if not shutil.which(command)]:
            return f"no {', '.join(missing)} on this machine"
        if self.packages and not _python_with(self.packages):
            return f"no {', '.join(self.packages)} in {VENV.relative_to(ROOT)}, where make bench installs it"
        return ""

    def answers(self, *files: Path) -> list[Counted]:
        """The answer for each file, from one process. Raises PeerFailed."""
        return [_counted(output) for output in self.outputs(*files)]

    def outputs(self, *files: Path) -> list[dict[str, Any]]:
        """What it prints for each file. Raises PeerFailed."""
        python = _python_with(self.packages) if self.packages else Path(sys.executable)
        command = [str(python), "-m", self.module, *map(str, files)]
        ran = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            raise PeerFailed(f"{self.name} failed: {ran.stderr.strip()[-1000:]}")
        return [json.loads(line) for line in ran.stdout.splitlines()]


PROCESSORS = os.cpu_count() or 1

PEERS = (
    Peer("Polars", "benchmarks.peer_polars", packages=("polars",)),
    Peer("DuckDB", "benchmarks.peer_duckdb", packages=("duckdb",)),
    Peer(f"Python Pool({PROCESSORS})", "benchmarks.peer_pool"),
    Peer("coreutils + mawk", "benchmarks.peer_mawk", commands=("sh", "tr", "mawk", "sort")),
)

LOG_PEER = Peer("DuckDB", "benchmarks.peer_duckdb_logs", packages=("duckdb",))


def install() -> None:
    """The peers' packages, from the lock, checked against its hashes; once, as long as it stays the same.
    Raises PeerFailed."""
    installed = VENV / LOCK.name
    if installed.is_file() and installed.read_bytes() == LOCK.read_bytes():
        return
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        [*pip, "--require-hashes", "--no-deps", "--only-binary=:all:", "-r", str(LOCK)],
    ):
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise PeerFailed(f"The peers could not be installed: {ran.stderr.strip()[-1000:]}")
    shutil.copyfile(LOCK, installed)


def print_answers(rank: Callable[[str], Ranked]) -> None:
    """The main program of a peer that ranks words."""

    def by_length(file: str) -> dict[str, Any]:
        top_words: TopWords = {str(length): [] for length in range(1, LONGEST + 1)}
        for length, word, count in rank(file):
            top_words[str(length)].append((word, count))
        return {"top_words": top_words}

    print_outputs(by_length)


def print_outputs(work: Callable[[str], dict[str, Any]]) -> None:
    """The main program of a peer: print a line of JSON for each file that it is given, with the seconds."""
    for file in sys.argv[1:]:
        started_at, used_before_s = time.monotonic(), _cpu_s()
        found = work(file)
        wall_s, cpu_s = time.monotonic() - started_at, _cpu_s() - used_before_s
        print(json.dumps({"wall_s": wall_s, "cpu_s": cpu_s, **found}))


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _counted(answer: dict[str, Any]) -> Counted:
    counted = Counted(**answer)
    tuples = {length: [(word, count) for word, count in top] for length, top in counted.top_words.items()}
    return counted._replace(top_words=tuples)


def _python_with(packages: Iterable[str]) -> Path | None:
    found = all(any(VENV.glob(f"lib/python3*/site-packages/{package}")) for package in packages)
    return VENV / "bin" / "python" if found else None
