"""Questions that people have, asked of ``fanfold try`` or ``fanfold grep``, and of the programs that they
would use instead.

Seconds are those of whole programs on this machine, from their start to their answer, taken in turn. Answers
that differ end the measurement.
"""

import bz2
import csv
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from msgspec import Struct

from benchmarks.end_to_end import AnswersDiffer
from benchmarks.peers import ROOT, VENV, PeerFailed

OURS = "Fanfold"
WIKI = ROOT / "tests" / "wikipedia" / "articles.xml"
DIGITS = 8
"""To which R squared is compared: libraries round differently."""


class Sizes(NamedTuple):
    """Bytes of the inputs."""

    log: int = 150_000_000
    dump: int = 3_000_000
    bzip2: int = 60_000_000
    rows: int = 100_000


QUICK = Sizes(log=25_000_000, dump=500_000, bzip2=25_000_000, rows=20_000)


class Contestant(NamedTuple):
    """``read`` makes what can be compared of what ``command`` prints. ``needs`` is a program, or a package of
    the peers."""

    name: str
    command: Sequence[str]
    read: Callable[[bytes], Any]
    needs: str = ""

    def lacks(self) -> str:
        """Why it cannot run here, or nothing."""
        packages = VENV.glob(f"lib/*/site-packages/{self.needs}")
        is_there = not self.needs or shutil.which(self.needs) or any(packages)
        return "" if is_there else f"{self.needs} is not installed"

    def answer(self) -> tuple[float, Any]:
        """Its seconds, and what it found. Raises PeerFailed."""
        began_at = time.monotonic()
        environment = {**os.environ, "LC_ALL": "C", "FANFOLD_LOCAL": ""}
        ran = subprocess.run(self.command, cwd=ROOT, env=environment, capture_output=True, check=False)
        taken_s = time.monotonic() - began_at
        if ran.returncode:
            raise PeerFailed(f"{self.name} failed: {ran.stderr.decode(errors='replace').strip()[-1000:]}")
        return taken_s, self.read(ran.stdout)


class Question(NamedTuple):
    """What is asked, of how many bytes, and who answers, Fanfold first."""

    what: str
    size: int
    contestants: Sequence[Contestant]


class Answered(Struct, frozen=True):
    """The median seconds of each contestant; the median of the ratios to Fanfold's in the same round."""

    what: str
    size_bytes: int
    seconds: dict[str, float]
    ratios: dict[str, float]
    skipped: dict[str, str]


def measure(folder: Path, sizes: Sizes, rounds: int) -> Iterator[Answered]:
    """Ask all questions, with inputs that are written to ``folder``. Raises AnswersDiffer, PeerFailed."""
    log = folder / "access.log"
    write_log(log, sizes.log)
    yield from (asked(question, rounds) for question in (*logs(log, folder), *lines(log)))
    for make in (dumps, archives, tables):
        yield from (asked(question, rounds) for question in make(folder, sizes))


def asked(question: Question, rounds: int) -> Answered:
    """All rounds of one question. Raises AnswersDiffer, PeerFailed."""
    skipped = {one.name: reason for one in question.contestants if (reason := one.lacks())}
    here = [one for one in question.contestants if one.name not in skipped]
    taken: dict[str, list[float]] = {one.name: [] for one in here}
    for _ in range(rounds):
        found = {}
        for one in here:
            seconds, found[one.name] = one.answer()
            taken[one.name].append(seconds)
        for name, answer in found.items():
            if answer != found[OURS]:
                raise AnswersDiffer(
                    f"{question.what}: {OURS} found {found[OURS]!s:.300}, and {name} {answer!s:.300}."
                )
    return Answered(
        question.what,
        question.size,
        {name: median(seconds) for name, seconds in taken.items()},
        {
            name: median(one / ours for one, ours in zip(seconds, taken[OURS], strict=True))
            for name, seconds in taken.items()
        },
        skipped,
    )


def ours(job: str, file: Path, read: Callable[[Any], Any], *options: str) -> Contestant:
    settings = [word for option in options for word in ("--set", option)]
    command = [sys.executable, "-m", "fanfold", "try", job, str(file), "--json", *settings]
    return Contestant(OURS, command, lambda out: read(json.loads(out)))


def peer(name: str, module: str, *words: str, read: Callable[[bytes], Any] = json.loads) -> Contestant:
    """A program in the environment of the peers."""
    command = [str(VENV / "bin" / "python"), "-m", f"benchmarks.{module}", *words]
    return Contestant(name, command, read, name.lower())


def logs(log: Path, folder: Path) -> Iterator[Question]:
    """``access_log`` by path, of all requests and of those that failed."""

    def paths(answer: Any) -> Any:
        return [[one["path"], one["requests"]] for one in answer["top"]]

    into = folder / "goaccess.json"
    flags = "--log-format=COMBINED --no-global-config --no-progress --no-query-string --max-items=1000000"
    flags += f" --http-method=no --http-protocol=no -o {into}"
    visitors = ["sh", "-c", f"goaccess {log} {flags} >&2 && cat {into}"]
    size = log.stat().st_size
    asked: tuple[tuple[str, tuple[str, ...], str], ...]
    asked = (("requests by path", (), "-"), ("5xx by path", ("status=5xx",), "5"))
    for what, option, status in asked:
        contestants = [ours("access_log", log, paths, "by=path", *option)]
        contestants += [peer(name, "peer_logs", name, status, str(log)) for name in ("DuckDB", "Polars")]
        if not option:
            contestants.append(Contestant("GoAccess", visitors, of_goaccess, "goaccess"))
        yield Question(f"access_log: {what}", size, contestants)


def of_goaccess(out: bytes) -> Any:
    """Its panels divide the paths: static files, and those that were not found, are apart."""
    found: dict[str, int] = {}
    answer = json.loads(out)
    for panel in ("requests", "static_requests", "not_found"):
        for one in answer.get(panel, {}).get("data", ()):
            found[one["data"]] = found.get(one["data"], 0) + one["hits"]["count"]
    return [list(entry) for entry in sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))[:10]]


def lines(log: Path) -> Iterator[Question]:
    """``grep``: all lines that match, with name and offset."""

    def digest(out: bytes) -> str:
        return f"{out.count(10):,} lines, {hashlib.sha256(out).hexdigest()}"

    for what, pattern, flags in (
        ("text, nowhere", "5f3a9c2e", ["-c"]),
        ("status 5xx, in 8 %", 'HTTP[^ ]*" 5[0-9][0-9] ', []),
        ("a word in any case, in two thirds", "chrome|safari|curl", ["-i"]),
    ):
        words = [*flags, "-e", pattern, str(log)]
        command = [sys.executable, "-m", "fanfold", "grep", *flags, pattern, str(log)]
        rg = ["rg", "-abHN", "--no-heading", "--no-unicode", "--include-zero", *words]
        contestants = [
            Contestant(OURS, _finds(command), digest),
            Contestant("grep", _finds(["grep", "-abHE", *words]), digest),
            Contestant("rg", _finds(rg), digest, "rg"),
        ]
        yield Question(f"grep: {what}", log.stat().st_size, contestants)


def _finds(command: Sequence[str]) -> list[str]:
    """That nothing is found is no error here."""
    return ["sh", "-c", '"$@" || test $? = 1', "sh", *command]


def dumps(folder: Path, sizes: Sizes) -> Iterator[Question]:
    """``top_words`` of the articles in a dump."""
    dump = folder / "dump.xml"
    article = WIKI.read_bytes()
    dump.write_bytes(article * (sizes.dump // len(article) + 1))
    command = [sys.executable, "-m", "benchmarks.peer_markup", str(dump)]
    contestants = [
        ours("top_words", dump, lambda answer: answer["top_words"], "markup=mediawiki"),
        Contestant("mwparserfromhell", command, json.loads),
    ]
    yield Question("top_words: articles of a dump", dump.stat().st_size, contestants)


def archives(folder: Path, sizes: Sizes) -> Iterator[Question]:
    """Lines of bzip2 in a single stream, counted. They hardly pack, so that there are several blocks."""
    archive, generator = folder / "lines.bz2", random.Random(1)
    lines = "".join(f"{generator.getrandbits(320):080x}\n" for _ in range(sizes.bzip2 // 81))
    archive.write_bytes(bz2.compress(lines.encode()))
    command = [sys.executable, "-m", "fanfold", "grep", "-c", "beef", str(archive)]
    contestants = [Contestant(OURS, command, lambda out: int(out.rpartition(b":")[2]))]
    for name in ("bunzip2", "lbunzip2"):
        count = f"{name} -c {archive} | grep -ac beef"
        contestants.append(Contestant(f"{name} | grep", ["sh", "-c", count], int, name))
    yield Question("grep -c: bzip2 of one stream", len(lines), contestants)


def tables(folder: Path, sizes: Sizes) -> Iterator[Question]:
    """``column_permutations``: R squared of every pair of columns."""
    table, columns = folder / "table.csv", [f"c{number}" for number in range(12)]
    generator = random.Random(1)
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for _ in range(sizes.rows):
            common = generator.gauss(0, 1)
            writer.writerow([f"{number * common / 4 + generator.gauss(0, 1):.4f}" for number in range(12)])

    def best(explained: Any) -> Any:
        """The best pairs, in whatever order their columns are: R squared is the same."""
        pairs = {(*sorted(one[:2]), round(one[2], DIGITS)) for one in explained}
        return sorted(pairs, key=lambda pair: (-pair[2], pair))[:5]

    def of_ours(answer: Any) -> Any:
        found = answer["best"]["1"]
        return best((one["target"], *one["predictors"], one["r_squared"]) for one in found)

    contestants = [ours("column_permutations", table, of_ours, "most=1", "top=20")]
    contestants += [
        peer(name, "peer_table", name, str(table), read=lambda out: best(json.loads(out)))
        for name in ("DuckDB", "Polars")
    ]
    command = [sys.executable, "-m", "benchmarks.peer_table", "numpy lstsq", str(table)]
    contestants.append(Contestant("numpy lstsq", command, lambda out: best(json.loads(out))))
    yield Question("column_permutations: pairs of columns", table.stat().st_size, contestants)


AGENTS = ("Mozilla/5.0 (X11; Linux) Firefox/142.0", "Mozilla/5.0 (Windows NT 10.0) Chrome/141.0", "curl/8.5")
STATUSES = ("200",) * 20 + ("304", "301", "404", "500", "503")
BLOCK_LINES = 200_000
HOURS = 28 * 24


def write_log(path: Path, size: int) -> None:
    """Write a log in Combined Log Format, without a line that programs read differently: many lines, again
    and again."""
    generator = random.Random(1)
    below = generator.randrange
    paths = [f"/{generator.choice(('shop', 'blog', 'api'))}/{number}.html" for number in range(5_000)]
    found = []
    for number in range(BLOCK_LINES):
        hour = number * HOURS // BLOCK_LINES
        place = min(int(generator.paretovariate(0.9)), len(paths)) - 1
        query = f"?page={below(9)}" if generator.random() < 0.2 else ""
        found.append(
            f"10.{below(4)}.{below(256)}.{below(256)} - - "
            f"[{hour // 24 + 1:02}/Nov/2026:{hour % 24:02}:{below(60):02}:{below(60):02} +0000] "
            f'"{generator.choice(("GET", "GET", "GET", "POST"))} {paths[place]}{query} HTTP/1.1" '
            f"{generator.choice(STATUSES)} {100 + below(100_000)} "
            f'"https://www.example.com/" "{generator.choice(AGENTS)}"\n'
        )
    block = "".join(found).encode()
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(block)
