"""Peak memory of each function for its worst inputs, against its setting: of its handler, with all that it
fetches and stores, in a process of its own, against an S3 and a DynamoDB of a few lines.

python -m benchmarks.memory [CASE ...]
"""

import gzip
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from fanfold.demo.corpus import write_corpus
from lambda_src.errors import TooManyDistinct
from lambda_src.fields import Keep
from lambda_src.input.addresses import Placed, Portion
from lambda_src.input.blocks import MAX_BLOCKS
from lambda_src.input.formats import Format
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import MAX_LINE_BYTES, Context, Job, Owned, Shards, Span, load
from lambda_src.jobs.access_log.lines import LINES
from lambda_src.jobs.access_log.scan import LONGEST_PATH
from lambda_src.jobs.column_permutations.dialect import MAX_COLUMNS
from lambda_src.settings import DEFAULT_JOB, ONE_VCPU_MB, THREADS
from lambda_src.store.blobs import HEADER_STEP_BYTES, BlobStore
from lambda_src.store.digests import DIGEST_BYTES, digest_of
from lambda_src.wire.codec import encode, to_plain
from lambda_src.wire.reports import BlockReport, Manifest
from lambda_src.wire.requests import GetOccurrencesRequest, ParseBlockRequest, RunContext
from lambda_src.wire.source import Source
from stacks.native_library import build_libraries, sources_of_jobs

RUNTIME_MB = 40
"""What Lambda's own runtime takes beside ours: not measured here."""

BUCKET, RUN, ETAG = "bucket", "run", '"etag"'
ENVIRONMENT = {
    "AWS_ALLOW_HTTP": "true",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(ONE_VCPU_MB),
    "FANFOLD_URL_SUFFIX": "amazonaws.com",
    "FANFOLD_BUCKET": BUCKET,
    "FANFOLD_TABLE": "table",
    "FANFOLD_REQUESTER_PAYS": "off",
    THREADS: "1",
}


class Case(NamedTuple):
    """What one invocation of a function of ``job`` is measured with: ``prepare`` writes the objects that it
    reads into a folder, under their keys, and gives the event. It ends as ``refused``, or else well."""

    function: str
    job: str
    prepare: Callable[[Path], dict[str, Any]]
    refused: str = ""
    kernel: str = "native"


class _Handler(BaseHTTPRequestHandler):
    """An S3 that drops what is put, and a DynamoDB that accepts everything."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    folder: Path

    def do_GET(self) -> None:
        path = self.folder / self.path.removeprefix(f"/{BUCKET}/")
        if not path.exists():
            self.send_response(404)
            self._end(0)
            return
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            asked = self.headers.get("Range", f"bytes=0-{size - 1}").removeprefix("bytes=")
            first, last = map(int, asked.split("-"))
            last = min(last, size - 1)
            self.send_response(206 if "Range" in self.headers else 200)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
            self._end(last + 1 - first)
            file.seek(first)
            while left := last + 1 - file.tell():
                self.wfile.write(file.read(min(left, 1 << 20)))

    do_HEAD = do_GET  # noqa: N815 - of what is not there

    def do_PUT(self) -> None:
        self._drop_body()
        self.send_response(200)
        self._end(0)

    def do_POST(self) -> None:
        self._drop_body()
        self.send_response(200)
        self._end(2)
        self.wfile.write(b"{}")

    def _drop_body(self) -> None:
        left = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, 1 << 20)))

    def _end(self, size: int) -> None:
        self.send_header("ETag", ETAG)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The endpoint of an S3 with the objects in ``folder``."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"folder": folder})) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


SHARDS_BY_KEY = 12
"""What is planned for a GB of logs."""


def context_of(name: str, job: Job, path: Path | None = None) -> RunContext:
    """The context of a run of ``job``, which has this ``name``, with the facts of the table at ``path``."""
    facts: Mapping[str, Any] = {}
    if path and name == "column_permutations":
        with path.open("rb") as file:
            facts = job.measure(input_of_bytes([file.readline() + file.readline()])).facts
    by_key = job.sharded_by[:1] == ("key",)
    return RunContext(name, job.shards(RUN, count=SHARDS_BY_KEY if by_key else 1), {}, dict(facts))


def block_of(job: str, format_: Format, parts: Iterable[bytes], folder: Path) -> dict[str, Any]:
    """An event for one block that is all of an object, which holds ``parts``."""
    key = "input/data"
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") if format_ == "plain" else gzip.open(path, "wb", 1) as file:
        file.writelines(parts)
    size = path.stat().st_size
    return dict(
        to_plain(
            ParseBlockRequest(
                RUN,
                Source(BUCKET, key, ETAG, size),
                0,
                0,
                size,
                Portion((Placed(0, key, size, ETAG, format_),), None),
                load(job).rules,
                context_of(job, load(job), path),
            )
        )
    )


def part_of(job: str, part: str, lines: Iterable[tuple[bytes, int]], folder: Path) -> dict[str, Any]:
    """An event for the reducer of ``part``, over blobs with one of ``lines`` each, and what it counts."""
    deployed = load(job)
    number, blobs = deployed.parts.index(part), BlobStore(None, BUCKET, RUN)  # type: ignore[arg-type]
    reports = []
    for block, (line, observed) in enumerate(lines):
        path = folder / blobs.key(block)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(b" " * HEADER_STEP_BYTES + b"\n" * number)
            file.write(line)
            file.write(b"\n" * (len(deployed.parts) - number))
        reports.append(report_of(deployed, block, {number: (line, observed)}))
    write_manifest(reports, folder)
    context = context_of(job, deployed)
    return dict(to_plain(GetOccurrencesRequest(RUN, "owner", number, deployed.rules, context)))


def shard_of_logs(blocks: int, paths: int, path_bytes: int, filling: bytes, folder: Path) -> dict[str, Any]:
    """An event for the only reducer of logs, over blobs whose paths are all distinct."""
    deployed = load("access_log")
    shards, blobs = deployed.shards(RUN), BlobStore(None, BUCKET, RUN)  # type: ignore[arg-type]
    context, reports = Context(shards, deployed.read_options({}), {}), []
    for number in range(blocks):
        text = b"".join(log_lines(paths, path_bytes, filling, start=number * paths))
        (line,) = deployed.map(Span(0, len(text)), input_of_bytes([text], "plain"), context).lines
        path = folder / blobs.key(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b" " * HEADER_STEP_BYTES + line.data + b"\n")
        reports.append(
            BlockReport(
                number,
                Owned(number, number + 1),
                HEADER_STEP_BYTES,
                [len(line.data)],
                list(line.observed),
                {},
                line_digests=digest_of(line.data),
                shard_observations=[sum(line.observed)],
            )
        )
    write_manifest(reports, folder, shards)
    of_run = RunContext("access_log", shards, {}, {})
    return dict(to_plain(GetOccurrencesRequest(RUN, "owner", 0, deployed.rules, of_run)))


def report_of(job: Job, block: int, lines: dict[int, tuple[bytes, int]]) -> BlockReport:
    every = [lines.get(number, (b"", 0)) for number in range(len(job.parts))]
    return BlockReport(
        block,
        Owned(block, block + 1),
        HEADER_STEP_BYTES,
        [len(line) for line, _ in every],
        [observed for _, observed in every],
        {},
        line_digests=b"".join(digest_of(line) for line, _ in every),
    )


def write_manifest(reports: list[BlockReport], folder: Path, shards: Shards | None = None) -> None:
    path = folder / "runs" / RUN / "manifest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    units = reports[-1].owned.end
    path.write_bytes(encode(Manifest(RUN, Source(BUCKET, "k", ETAG, units), units, reports, shards)))


def articles(size: int) -> Iterator[bytes]:
    """Generated articles in many languages, repeated from 100 MB on."""
    with tempfile.TemporaryDirectory() as folder:
        texts = [Path(folder, str(seed)) for seed in range(2)]
        for seed, text in enumerate(texts):
            write_corpus(text, 50_000_000, seed)
        for text in itertools.cycle(texts):
            data = text.read_bytes()[:size]
            yield data
            size -= len(data)
            if size <= 0:
                return


def chinese(size: int) -> Iterator[bytes]:
    """Sentences, each a distinct stretch."""
    generator = random.Random(1)
    letters = [chr(point) for point in range(0x4E00, 0x4E00 + 3000)] + ["，"] * 300
    text = "".join(generator.choices(letters, k=1_000_000))
    for start in itertools.count():
        data = "\n".join(text[at : at + 80] for at in range(start, len(text), 83)).encode()
        yield data + b"\n"
        size -= len(data)
        if size < 0:
            return


def dashed_cyrillic(size: int) -> Iterator[bytes]:
    generator = random.Random(1)
    words = [
        "".join(generator.choices("абвгдежзийклмноп", k=generator.randint(1, 12))) for _ in range(100_000)
    ]
    while size > 0:
        data = ("—".join(generator.choices(words, k=50_000)) + "\n").encode()
        yield data
        size -= len(data)


def distinct(
    words: int, letters: int, alphabet: str = "abcdefghijklmnopqrstuvwxyz", start: int = 0
) -> Iterator[str]:
    """``words`` of so many letters, none twice: those from number ``start`` on."""
    tails = ["".join(tail) for tail in itertools.product(alphabet[:16], repeat=3)]
    for number in range(start, start + words, len(tails)):
        head = "".join(alphabet[int(digit, 16)] for digit in f"{number // len(tails):0{letters - 3}x}")
        yield from (head + tail for tail in tails[: start + words - number])


def spaced(words: Iterator[str]) -> Iterator[bytes]:
    while some := " ".join(itertools.islice(words, 1 << 16)):
        yield some.encode() + b" "


FOUR_BYTE_LETTERS = "".join(chr(0x10400 + 40 + number) for number in range(26))  # Deseret, in lower case


def two_letter_words() -> Iterator[bytes]:
    generator = random.Random(1)
    words = b" ".join(bytes(generator.choices(b"abcdefghijklmnopqrstuvwxyz", k=2)) for _ in range(700))
    return itertools.repeat(words + b" ", 1 << 14)


def log_lines(
    paths: int, path_bytes: int, filling: bytes = b"a", start: int = 0, hours: int = 1
) -> Iterator[bytes]:
    """Each of another path."""
    for number in range(start, start + paths):
        path = (b"%d" % number).ljust(path_bytes - 1, filling)
        hour = 10 + number % hours
        yield b'10.0.0.1 - - [22/Nov/2026:%d:00:00 +0000] "GET /%s HTTP/1.1" 500 1 "-" "-"\n' % (hour, path)


def largest_table() -> Iterator[bytes]:
    """As many columns as are allowed, in a block of 200 MB."""
    generator = random.Random(1)
    yield (",".join(f"c{number}" for number in range(MAX_COLUMNS)) + "\n").encode()
    rows = (",".join(str(generator.randrange(100, 999)) for _ in range(MAX_COLUMNS)) for _ in range(100))
    yield from itertools.repeat("".join(row + "\n" for row in rows).encode(), 999)


def word_lines(blocks: int, words: int, letters: int, alphabet: str) -> Iterator[tuple[bytes, int]]:
    """Lines whose words are all distinct."""
    for block in range(blocks):
        words_of_line = distinct(words, letters, alphabet, start=block * words)
        yield ("{" + ",".join(f'"{word}":1' for word in words_of_line) + "}").encode(), words


def largest_manifest(folder: Path) -> dict[str, Any]:
    """Of an object with as many blocks as there can be: the reducer stops at its first blob."""
    deployed = load(DEFAULT_JOB)
    reports = [
        BlockReport(
            block,
            Owned(block * 5 * 10**8, (block + 1) * 5 * 10**8),
            HEADER_STEP_BYTES,
            [10**6 + part for part in range(20)],
            [10**7 + part for part in range(20)],
            {"longer_words": 9},
            line_digests=os.urandom(20 * DIGEST_BYTES),
        )
        for block in range(MAX_BLOCKS)
    ]
    write_manifest(reports, folder)
    return dict(
        to_plain(GetOccurrencesRequest(RUN, "owner", 19, deployed.rules, context_of(DEFAULT_JOB, deployed)))
    )


def block(
    parts: Callable[[], Iterable[bytes]], job: str = DEFAULT_JOB, format_: Format = "plain"
) -> Callable[[Path], dict[str, Any]]:
    return lambda folder: block_of(job, format_, parts(), folder)


def reducer(
    part: str,
    lines: Callable[[], Iterable[tuple[bytes, int]]],
    job: str = DEFAULT_JOB,
    keep: Keep | None = None,
) -> Callable[[Path], dict[str, Any]]:
    return lambda folder: {**part_of(job, part, lines(), folder), "keep": keep}


TOO_MANY = TooManyDistinct.__name__
ENTRY = 40
"""Bytes of a path's counts in a line, at most."""
PATHS_OF_A_LINE = MAX_LINE_BYTES // (6 * LONGEST_PATH + ENTRY)
CASES = {
    "5 MiB of distinct words": Case(
        "parse_block", DEFAULT_JOB, block(lambda: spaced(distinct(1_000_000, 4)))
    ),
    "5 MiB of distinct words, in Python": Case(
        "parse_block", DEFAULT_JOB, block(lambda: spaced(distinct(1_000_000, 4))), kernel="python"
    ),
    "48 MiB of words of two letters": Case("parse_block", DEFAULT_JOB, block(two_letter_words)),
    "48 MiB of words of two letters, in Python": Case(
        "parse_block", DEFAULT_JOB, block(two_letter_words), kernel="python"
    ),
    "1 GiB of articles": Case("parse_block", DEFAULT_JOB, block(partial(articles, 1 << 30))),
    "1 GiB of Chinese": Case("parse_block", DEFAULT_JOB, block(partial(chinese, 1 << 30))),
    "1 GiB of articles, with every line selected by grep": Case(
        "parse_block", "grep", block(partial(articles, 1 << 30), "grep")
    ),
    "8 million log lines, each of another path": Case(
        "parse_block", "access_log", block(lambda: log_lines(8_000_000, 60, hours=24), "access_log")
    ),
    "290 MB of Chinese in one gzip": Case(
        "parse_block", DEFAULT_JOB, block(partial(chinese, 290_000_000), format_="gzip")
    ),
    "290 MB of Cyrillic with dashes in one gzip": Case(
        "parse_block", DEFAULT_JOB, block(partial(dashed_cyrillic, 290_000_000), format_="gzip")
    ),
    "2 million distinct words of 80 bytes": Case(
        "parse_block", DEFAULT_JOB, block(lambda: spaced(distinct(2_000_000, 20, FOUR_BYTE_LETTERS)))
    ),
    "2 million distinct words of 80 bytes, in Python": Case(
        "parse_block",
        DEFAULT_JOB,
        block(lambda: spaced(distinct(2_000_000, 20, FOUR_BYTE_LETTERS))),
        kernel="python",
    ),
    "600 MB of lines, as much as is allowed": Case(
        "parse_block",
        DEFAULT_JOB,
        block(
            lambda: itertools.chain.from_iterable(
                spaced(distinct(2_250_000, letters, FOUR_BYTE_LETTERS)) for letters in (18, 19, 20)
            )
        ),
    ),
    "one distinct word after the other": Case(
        "parse_block", DEFAULT_JOB, block(lambda: spaced(distinct(14_000_000, 12))), TOO_MANY
    ),
    "48 MiB of empty lines": Case(
        "parse_block", "access_log", block(lambda: itertools.repeat(b"\n" * (1 << 20), 48), "access_log")
    ),
    "lines of 8 MiB": Case(
        "parse_block",
        "access_log",
        block(lambda: itertools.repeat(b"\xff" * (LINES.longest_bytes - 1) + b"\n", 4), "access_log"),
    ),
    "a million paths of 60 bytes": Case(
        "parse_block", "access_log", block(lambda: log_lines(1_000_000, 60), "access_log")
    ),
    "paths of 2048 control characters, 600 MB of lines": Case(
        "parse_block",
        "access_log",
        block(lambda: log_lines(3 * PATHS_OF_A_LINE, LONGEST_PATH, b"\x1b", hours=3), "access_log"),
    ),
    "the largest table": Case(
        "parse_block", "column_permutations", block(largest_table, "column_permutations")
    ),
    "64 lines of 50,000 words": Case(
        "get_occurrences",
        DEFAULT_JOB,
        reducer("20", lambda: word_lines(64, 50_000, 20, "abcdefghijklmnopqrst")),
    ),
    "12 million words of 32 bytes in lines of 200 MB": Case(
        "get_occurrences", DEFAULT_JOB, reducer("8", lambda: word_lines(3, 5_400_000, 8, FOUR_BYTE_LETTERS))
    ),
    "12 million words of 32 bytes in lines of 200 MB, all kept": Case(
        "get_occurrences",
        DEFAULT_JOB,
        reducer("8", lambda: word_lines(3, 5_400_000, 8, FOUR_BYTE_LETTERS), keep="all"),
    ),
    "5 million words of 80 bytes in lines of 200 MB": Case(
        "get_occurrences", DEFAULT_JOB, reducer("20", lambda: word_lines(3, 2_300_000, 20, FOUR_BYTE_LETTERS))
    ),
    "4 million words of 80 bytes, in Python": Case(
        "get_occurrences",
        DEFAULT_JOB,
        reducer("20", lambda: word_lines(2, 2_300_000, 20, FOUR_BYTE_LETTERS)),
        kernel="python",
    ),
    "1.4 million paths of 60 bytes": Case(
        "get_occurrences", "access_log", partial(shard_of_logs, 4, 350_000, 60, b"a")
    ),
    "paths of 2048 bytes in lines of 200 MB": Case(
        "get_occurrences",
        "access_log",
        partial(shard_of_logs, 5, MAX_LINE_BYTES // (LONGEST_PATH + ENTRY), LONGEST_PATH, b"a"),
    ),
    "paths of 2048 control characters in lines of 200 MB": Case(
        "get_occurrences", "access_log", partial(shard_of_logs, 4, PATHS_OF_A_LINE, LONGEST_PATH, b"\x1b")
    ),
    "the manifest of 100,000 blocks": Case("get_occurrences", DEFAULT_JOB, largest_manifest, "BlobDamaged"),
    "the requests, reports and manifest of 100,000 blocks": Case("parse_file", DEFAULT_JOB, lambda _: {}),
}


class Peak(Struct, frozen=True):
    """The most that a process with this case had in memory."""

    function: str
    case: str
    peak_mb: float


def peaks(names: Iterable[str] = CASES) -> Iterator[Peak]:
    """Every case, in a process of its own."""
    for name in names:
        case = CASES[name]
        library = build_libraries("host", sources_of_jobs([case.job]))
        with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as endpoint:
            event = case.prepare(Path(folder))
            environment = {
                **os.environ,
                **ENVIRONMENT,
                "PYTHONPATH": str(library),
                "AWS_ENDPOINT_URL": endpoint,
                "FANFOLD_JOBS": case.job,
                "FANFOLD_KERNEL": case.kernel,
            }
            measured = subprocess.run(
                [sys.executable, "-m", "benchmarks.handled", case.function],
                input=json.dumps(event),
                env=environment,
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            outcome, peak_mb = json.loads(measured.stdout.splitlines()[-1])
            if outcome != (case.refused or "done"):
                raise AssertionError(f"{name}: {outcome}")
            yield Peak(case.function, name, peak_mb)


def main(names: list[str]) -> None:
    """Print every case, or those that are named."""
    for peak in peaks(names or CASES):
        print(
            f"{peak.function:16} {peak.case:52} {peak.peak_mb:6.0f} MB of {ONE_VCPU_MB} "
            f"({peak.peak_mb / ONE_VCPU_MB:.0%})",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
