"""The recipes of docs/recipes.md: they are run on small inputs that are made here, whose answers are known.

python -m tests.recipes    runs each command, and writes what it prints, and what 100 GB take, into the page
"""

import bz2
import contextlib
import gzip
import io
import json
import math
import re
import shlex
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import pytest

from fanfold.cli import app as commands
from fanfold.estimate.contents import local_workload
from fanfold.estimate.table import estimate
from fanfold.format import parse_size, time_text
from fanfold.runs.options import from_texts
from fanfold.runs.source import local
from lambda_src.job import load
from lambda_src.run.prices import REFERENCE
from lambda_src.settings import ACCOUNT_QUOTA

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
BUCKET = "s3://BUCKET/input/"
SIZE = "100GB"
WIDE, NARROW = "132", "72"
"""Columns of a terminal: requests have many figures."""

_RECIPE = re.compile(
    r"^## (?P<question>[^\n]+)\n(?P<before>.*?)```console\n(?P<command>[^\n]+)\n```\n\n"
    r"(?:```text\n(?P<output>.*?)```\n\n)?100 GB: (?P<cost>[^;\n]+);",
    re.DOTALL | re.MULTILINE,
)

Rows = list[list[str | int | float]]


class Recipe(NamedTuple):
    """A question, the command that answers it, what the page says that it prints, and what 100 GB take."""

    question: str
    command: list[str]
    output: str
    cost: str


def read(page: str) -> list[Recipe]:
    """The recipes of the page."""
    return [
        Recipe(found["question"], shlex.split(found["command"]), found["output"] or "", found["cost"])
        for found in _RECIPE.finditer(page)
    ]


class Request(NamedTuple):
    """A line of a log, as it was made."""

    day: int
    hour: int
    client: str
    path: str
    status: int
    sent: int
    referrer: str
    agent: str
    millis: int


PATHS = {"/": 20, "/search": 900, "/checkout": 450, "/login": 60, "/img/logo.png": 5}
AGENTS = ("Mozilla/5.0", "Mozilla/5.0", "Mozilla/5.0", "Googlebot/2.1", "GPTBot/1.2", "bingbot/2.0")
REFERRERS = ("https://example.com/", "https://blog.example/", "https://forum.example/", "-")
DAYS = (24, 25, 26)
REQUEST_ID = "7d4f01c2"


def requests() -> list[Request]:
    """Three days of requests, more on each of them."""
    random = Random(7)
    made = []
    for number in range(1500):
        day = DAYS[(number >= 400) + (number >= 900)]
        path = random.choice(list(PATHS))
        missing = random.random() < 0.1
        made.append(
            Request(
                day,
                number % 24,
                "203.0.113.7" if random.random() < 0.3 else f"198.51.100.{random.randrange(40)}",
                "/old" if missing else path,
                404 if missing else random.choice([200] * 8 + [304, 500]),
                random.randrange(100, 20_000),
                REFERRERS[int(len(REFERRERS) * random.random() ** 2)],
                random.choice(AGENTS),
                round(PATHS[path] * (0.5 + random.random())),
            )
        )
    return made


def line_of(one: Request) -> str:
    """As nginx writes it, with the request's time."""
    return (
        f'{one.client} - - [{one.day}/Nov/2026:{one.hour:02}:30:00 +0000] "GET {one.path} HTTP/1.1" '
        f'{one.status} {one.sent} "{one.referrer}" "{one.agent}" {one.millis / 1000:.3f}\n'
    )


class Message(NamedTuple):
    """A line of a program's log, as it was made."""

    file: str
    level: str
    request: str
    text: str

    @property
    def line(self) -> str:
        """As it is written."""
        return f"2026-11-25T10:15:02Z {self.level} req={self.request} {self.text}\n"


FILES = ("2026/11/24.log.gz", "2026/11/25.log.gz", "2026/11/26.log")


def messages() -> list[Message]:
    """Three files of messages; one request is in two of them."""
    random = Random(8)
    made = []
    for number in range(600):
        level = random.choice(["INFO"] * 9 + ["ERROR"])
        file = FILES[number // 200]
        made.append(Message(file, level, f"{random.getrandbits(32):08x}", "checkout"))
        if number in (170, 230):
            made.append(Message(file, "WARN", REQUEST_ID, "payment timed out"))
    return made


WORDS = ("на", "и", "в", "за", "език", "град", "държава", "България", "столица", "река")


def articles() -> list[list[str]]:
    """The words of some articles in Bulgarian."""
    random = Random(9)
    return [[WORDS[int(len(WORDS) * random.random() ** 2)] for _ in range(60)] for _ in range(8)]


def dump_of(texts: Sequence[Sequence[str]]) -> str:
    """A dump of MediaWiki with these articles, in markup, and a redirect."""
    pages = []
    for number, words in enumerate(texts):
        text = f"{{{{шаблон|език=град}}}} '''{words[0]}''' [[Европа|{words[1]}]] " + " ".join(words[2:])
        text += " &lt;ref&gt;книга &amp;quot;река&amp;quot;&lt;/ref&gt;\n[[Категория:Език]]"
        pages.append(_page(number, text))
    pages.append(_page(len(texts), "#REDIRECT [[Език]]", '<redirect title="Език" />'))
    return f'<mediawiki xml:lang="bg">\n{"".join(pages)}</mediawiki>\n'


def _page(number: int, text: str, more: str = "") -> str:
    return (
        f"  <page>\n    <title>Статия {number}</title>\n    <ns>0</ns>\n    <id>{number}</id>\n    {more}\n"
        f'    <revision>\n      <text xml:space="preserve">{text}</text>\n    </revision>\n  </page>\n'
    )


BOOK = "the whale of the sea and the captain of the ship saw the white whale and the sea was white"


SENSORS = ("temperature", "vibration", "pressure", "current", "humidity")


def measurements() -> list[list[str]]:
    """Rows of sensors; three of them make a machine fail."""
    random = Random(10)
    rows = []
    for _ in range(200):
        values = [random.gauss(0, 1) for _ in SENSORS]
        failure = values[0] + 2 * values[1] + values[3] / 2 + random.gauss(0, 0.3)
        rows.append([f"{value:.3f}" for value in (*values, failure)])
    return rows


def fits(most: int, top: int) -> Rows:
    """The best choices of sensors, fitted by least squares."""
    table = np.array(measurements(), float)
    target = table[:, -1]
    found: Rows = []
    for size in range(1, most + 1):
        ranked = []
        for chosen in combinations(range(len(SENSORS)), size):
            design = np.column_stack([np.ones(len(table)), table[:, chosen]])
            rest = target - design @ np.linalg.lstsq(design, target)[0]
            unexplained = float(rest @ rest / ((target - target.mean()) @ (target - target.mean())))
            adjusted = 1 - unexplained * (len(table) - 1) / (len(table) - size - 1)
            ranked.append((1 - unexplained, adjusted, ", ".join(SENSORS[one] for one in chosen)))
        found += [[fit, adjusted, "failure", names] for fit, adjusted, names in sorted(ranked)[::-1][:top]]
    return found


def put(folder: Path) -> None:
    """Make all inputs, in ``folder``."""
    files: dict[str, bytes] = {}
    for day in DAYS:
        text = "".join(line_of(one) for one in requests() if one.day == day).encode()
        files[f"logs/2026/11/{day}/access.log.gz"] = gzip.compress(text, mtime=0)
    for file in FILES:
        text = "".join(one.line for one in messages() if one.file == file).encode()
        files[f"app/{file}"] = gzip.compress(text, mtime=0) if file.endswith(".gz") else text
    files["bgwiki-pages-articles.xml.bz2"] = bz2.compress(dump_of(articles()).encode())
    files["books/moby-dick.txt"] = f"{BOOK}\n".encode() * 3
    table = [",".join(row) + "\n" for row in [[*SENSORS, "failure"], *measurements()]]
    files["sensors.csv"] = "".join(table).encode()
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def by(of: Callable[[Request], str], chosen: Sequence[Request]) -> dict[str, list[Request]]:
    """Requests by a key."""
    groups: dict[str, list[Request]] = {}
    for one in chosen:
        groups.setdefault(of(one), []).append(one)
    return groups


class Millis(float):
    """A response time, within 0.8 % and half a millisecond."""


def row(key: str, group: Sequence[Request]) -> list[str | int | float]:
    """What is true of the requests of a key."""
    millis = sorted(one.millis for one in group)
    return [
        key,
        len(group),
        *(sum(one.status // 100 == first for one in group) for first in (2, 3, 4, 5)),
        sum(one.sent for one in group),
        Millis(fmean(millis)),
        *(Millis(millis[math.ceil(len(millis) * percent / 100) - 1]) for percent in (50, 95, 99)),
        Millis(millis[-1]),
    ]


def without_zeros(rows: Rows) -> Rows:
    """Rows without the columns that have nothing."""
    some = [any(column) for column in zip(*rows, strict=True)]
    return [[cell for cell, is_some in zip(one, some, strict=True) if is_some] for one in rows]


REQUESTS, SENT, P95 = 1, 6, 9
"""Places in a row."""


def first(groups: dict[str, list[Request]], number: int, ranked: int = REQUESTS) -> Rows:
    """The first keys by a figure, which is shown first."""
    rows = [row(key, groups[key]) for key in groups]
    rows.sort(key=lambda one: (-float(one[ranked]), one[0]))
    return without_zeros([[one[0], one[ranked], *one[1:ranked], *one[ranked + 1 :]] for one in rows[:number]])


def words_of(words: Sequence[str], top: int, without: Sequence[str] = ()) -> Rows:
    """The most frequent words of each length, as the table has them."""
    counts = Counter(words)
    lengths: dict[int, list[str]] = {}
    for word in sorted(counts, key=lambda word: (-counts[word], word)):
        if word not in without:
            lengths.setdefault(len(word), []).append(word)
    return [
        [length, "  ".join(f"{word} {counts[word]}" for word in lengths[length][:top])]
        for length in sorted(lengths)
    ]


def truth() -> dict[str, Rows]:
    """The right answer to each question, from what the inputs were made of."""
    all_, told = requests(), messages()
    yesterday = [one for one in all_ if one.day == 25]
    missing = [one for one in all_ if one.status == 404]
    return {
        "Which pages were slow yesterday?": first(by(lambda one: one.path, yesterday), 3, P95),
        "Who is hammering us?": first(by(lambda one: one.client, all_), 3),
        "Where do the 404s come from?": first(by(lambda one: one.referrer, missing), 3),
        "Which bots read us, and how much?": first(by(lambda one: one.agent, all_), 4, SENT),
        "Did traffic grow this month?": [
            row(f"2026-11-{day}", [one for one in all_ if one.day == day]) for day in DAYS
        ],
        "Where is every line with this request id, in a year of logs?": [
            [f"{BUCKET}app/{one.file}", one.line] for one in told if one.request == REQUEST_ID
        ],
        "How many errors does each file have?": [
            [f"{BUCKET}app/{file}", sum(one.level == "ERROR" for one in told if one.file == file)]
            for file in FILES
        ],
        "What are the most frequent words of Bulgarian Wikipedia?": words_of(
            [word.lower() for words in articles() for word in words], 3
        ),
        "Which three sensors predict failure?": fits(3, 2),
        "What is this book about?": words_of(BOOK.split() * 3, 2, ("the", "of", "and", "was")),
    }


def options_of(command: Sequence[str]) -> tuple[str, list[str]]:
    """The job of a command, and how its options are set."""
    if command[1] == "grep":
        flags = {"-F": "fixed=true", "-c": "count=true"}
        pattern = next(word for word in command[2:-1] if not word.startswith("-"))
        return "grep", [f"pattern={pattern}", *(flags[word] for word in command[2:-1] if word in flags)]
    sets = [value for name, value in pairwise(command) if name == "--set"]
    return command[command.index("--job") + 1] if "--job" in command else "top_words", sets


def cost_of(command: Sequence[str]) -> str:
    """What 100 GB take, by ``fanfold estimate``."""
    job, sets = options_of(command)
    if job == "column_permutations":
        return _cost_of_table(job, sets)
    words = ["estimate", SIZE, "--job", job, "--json", *(word for one in sets for word in ("--set", one))]
    cold = json.loads(printed(words))["suggested"]["cold"]
    return f"{time_text(cold['seconds'])}, ${cold['dollars']:.2f}"


def _cost_of_table(job: str, sets: list[str]) -> str:
    """Of a table with the same columns. From its size alone, there is no estimate."""
    options = from_texts(load(job), sets)
    workload = local_workload(job, local(Path("input/sensors.csv")), options)
    size = parse_size(SIZE) or 0
    cold = estimate(workload._replace(units=size, objects=()), size, ACCOUNT_QUOTA, REFERENCE).cold
    return f"{time_text(cold.seconds)}, ${cold.dollars:.2f}"


def printed(words: Sequence[str]) -> str:
    """What a command prints. It must succeed."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(output):
        assert commands.main(list(words)) == 0, words
    output.seek(0)
    return output.read()


def answer_of(command: Sequence[str], root: str = "input/") -> str:
    """What a command prints, with files under ``root`` in place of objects, as the page shows it: without the
    lines on how it went."""
    words = [word.replace(BUCKET, root) for word in command[1:]]
    if words[0] == "run":
        job, sets = options_of(command)
        words = ["try", job, words[1], *(word for one in sets for word in ("--set", one))]
    with terminal(words):
        text = printed(words).replace(root, BUCKET)
    return text if words[0] == "grep" else _table(text)


def _table(text: str) -> str:
    """The first table, without its title."""
    lines = text.splitlines(keepends=True)
    start = next(number for number, line in enumerate(lines) if line.startswith("┏"))
    end = next(number for number, line in enumerate(lines) if line.startswith("└"))
    return "".join(lines[start : end + 1])


def rows_of(output: str) -> Rows:
    """The rows of a table, or of lines that grep prints."""
    if not output.startswith("┏"):
        return [_grepped(line) for line in output.splitlines(keepends=True)]
    rows = [line.strip("│\n").split("│") for line in output.splitlines() if line.startswith("│")]
    return [[_cell(cell.strip()) for cell in row] for row in rows]


def _grepped(line: str) -> list[str | int | float]:
    counted = re.fullmatch(r"(.+):(\d+)\n", line)
    if counted:
        return [counted[1], int(counted[2])]
    name, _, rest = line.removeprefix(BUCKET).partition(":")
    return [BUCKET + name, re.sub(r"^\d+:", "", rest)]


def _cell(text: str) -> str | int | float:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text.replace(",", ""))
    return text


@contextlib.contextmanager
def in_a_folder_of_inputs() -> Iterator[None]:
    """In a folder that has the inputs."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        put(Path("input"))
        yield


@contextlib.contextmanager
def terminal(words: Sequence[str]) -> Iterator[None]:
    """As wide as the answer to a command needs."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("COLUMNS", WIDE if "access_log" in words else NARROW)
        yield


def main() -> None:
    """Write what the commands print, and what they cost, into the page."""

    def written(found: re.Match[str]) -> str:
        command = shlex.split(found["command"])
        new = {"cost": cost_of(command)}
        if found["output"] is not None:
            new["output"] = answer_of(command)
        text, start = found[0], found.start()
        for name in sorted(new, key=found.start, reverse=True):
            text = text[: found.start(name) - start] + new[name] + text[found.end(name) - start :]
        return text

    page = PAGE.read_text()
    with in_a_folder_of_inputs():
        page = _RECIPE.sub(written, page)
    PAGE.write_text(page)


def same(found: Any, expected: Any) -> bool:
    """Whether cells are equal, as far as they are printed."""
    if isinstance(expected, Millis):
        return abs(float(found) - expected) <= 0.008 * expected + 0.5
    if isinstance(expected, float):
        return abs(float(found) - expected) < 1e-6
    return bool(found == expected)


if __name__ == "__main__":
    main()
