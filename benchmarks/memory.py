"""Peak memory of each function for its worst input, against its setting, each in a process of its own.

python -m benchmarks.memory
"""

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator

from msgspec import Struct

from benchmarks.peak import own_peak_kib
from lambda_src.addresses import Addresses, Placed, Portion
from lambda_src.blocks import MAX_BLOCKS
from lambda_src.digests import DIGEST_BYTES
from lambda_src.errors import TooManyDistinct
from lambda_src.inputs import ObjectsInput, input_of_bytes
from lambda_src.job import Input, Owned, Span
from lambda_src.jobs import access_log, column_permutations
from lambda_src.jobs.column_permutations.table import MAX_COLUMNS, MAX_ROWS
from lambda_src.jobs.top_words import JOB
from lambda_src.jobs.top_words.words import SPILL_WORDS as MAX_DISTINCT_STRETCHES
from lambda_src.messages import BlockReport, Manifest, ParseBlockRequest, Source, encode
from lambda_src.reduce_part import reduce_part
from lambda_src.settings import ONE_VCPU_MB

LETTERS = b"abcdefghijklmnopqrstuvwxyz\xc3\xa9"


class Blobs:
    """Blobs that are made when they are read."""

    def __init__(
        self, manifest: Manifest | None = None, line: Callable[[int], bytes] = lambda _: b""
    ) -> None:
        self._manifest, self._line = manifest, line

    def get_manifest(self) -> bytes:
        assert self._manifest
        return encode(self._manifest)

    def get(
        self, _number: int, block: int, _header_bytes: int, _line_bytes: list[int], _digests: bytes
    ) -> bytes:
        return self._line(block)


def parse(data: bytes) -> None:
    JOB.map(Span(0, len(data)), input_of_bytes([data]))


def distinct(words: int, word_bytes: int) -> bytes:
    letters = (bytes(word) for word in itertools.product(LETTERS[:26], repeat=word_bytes))
    return b" ".join(itertools.islice(letters, words))


def parse_default_block_of_distinct_words() -> None:
    parse(distinct(5 * (1 << 20) // 5, 4))


def parse_one_letter_words() -> None:
    parse(b"a " * (32 << 20))


def parse_two_letter_words() -> None:
    generator = random.Random(1)
    words = b" ".join(bytes(generator.choices(LETTERS, k=2)) for _ in range(700))
    parse((words + b" ") * (1 << 14))


def parse_as_many_distinct_words_as_are_allowed() -> None:
    parse(distinct(MAX_DISTINCT_STRETCHES, 16))


def parse_more_distinct_words_than_are_allowed() -> None:
    try:
        parse(distinct(MAX_DISTINCT_STRETCHES * 2, 16))
    except TooManyDistinct:
        return
    raise AssertionError("not refused")


def reduce_distinct_words(blocks: int, words: int) -> None:
    line_of = {block: line(block, words) for block in range(2)}
    size = len(line_of[0])
    reports = [
        BlockReport(block, Owned(block, block + 1), 1024, [size] * 20, [words] * 20, {})
        for block in range(blocks)
    ]
    manifest = Manifest("run", Source("b", "k", "e", blocks), blocks, reports)
    reduce_part(JOB, "20", Blobs(manifest, lambda block: line(block, words)))  # type: ignore[arg-type]


def line(block: int, words: int) -> bytes:
    return ("{" + ",".join(f'"{block:06d}{word:014d}":1' for word in range(words)) + "}").encode()


def reduce_many_blobs_of_distinct_words() -> None:
    reduce_distinct_words(64, 50_000)


def reduce_the_largest_blobs() -> None:
    reduce_distinct_words(3, MAX_DISTINCT_STRETCHES)


def repeated(head: bytes, body: bytes, times: int) -> Input:
    """An input of one object that is made as it is read: ``head``, then ``body`` again and again."""

    def read(_: Placed, start: int, end: int) -> bytes:
        data = head[start:end]
        left = end - start - len(data)
        offset = max(start - len(head), 0) % len(body)
        return data + (body * (left // len(body) + 2))[offset : offset + left]

    size = len(head) + len(body) * times
    return ObjectsInput(Addresses([Placed(0, "key", size, "", "plain")]), read, size_bytes=size, objects=1)


def comb(source: Input) -> None:
    access_log.JOB.map(Span(0, source.size_bytes), source)


def log_lines(paths: int, path_bytes: int, filling: bytes = b"a", start: int = 0) -> bytes:
    """Lines of one hour, each of another path."""
    return b"".join(
        b'10.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET /%s HTTP/1.1" 500 1 "-" "-"\n'
        % (b"%d" % number).ljust(path_bytes - 1, filling)
        for number in range(start, start + paths)
    )


def comb_empty_lines() -> None:
    comb(repeated(b"", b"\n" * 1000, 48 << 10))


def comb_lines_of_8_mib() -> None:
    comb(repeated(b"", b"\xff" * (access_log.LINES.longest_bytes - 1) + b"\n", 4))


def comb_distinct_paths() -> None:
    comb(input_of_bytes([log_lines(1_000_000, 60)]))


def comb_paths_that_json_makes_six_times_as_long() -> None:
    comb(input_of_bytes([log_lines(47_000, access_log.LONGEST_PATH, b"\x1b")]))


def comb_more_paths_than_are_allowed() -> None:
    try:
        comb(input_of_bytes([log_lines(3_000_000, 10)]))
    except TooManyDistinct:
        return
    raise AssertionError("not refused")


class LogLines:
    """The lines of blocks of other paths each, made as they are read."""

    def __init__(self, blocks: int, paths: int, path_bytes: int) -> None:
        self._blocks, self._paths, self._path_bytes = blocks, paths, path_bytes

    def __iter__(self) -> Iterator[bytes]:
        for number in range(self._blocks):
            data = log_lines(self._paths, self._path_bytes, start=number * self._paths)
            yield access_log.JOB.map(Span(0, len(data)), input_of_bytes([data])).lines[10]


def reduce_distinct_paths() -> None:
    assert access_log.JOB.reduce("10", LogLines(4, 350_000, 60)).observations == 4 * 350_000


def reduce_the_longest_paths() -> None:
    assert (
        access_log.JOB.reduce("10", LogLines(5, 47_000, access_log.LONGEST_PATH)).observations == 5 * 47_000
    )


def largest_table() -> Input:
    """As many columns, rows and bytes as are allowed, but for a few rows."""
    generator = random.Random(1)
    header = ",".join(f"c{number}" for number in range(MAX_COLUMNS)) + "\n"
    rows = (",".join(str(generator.randrange(100, 999)) for _ in range(MAX_COLUMNS)) for _ in range(100))
    return repeated(header.encode(), "".join(row + "\n" for row in rows).encode(), MAX_ROWS // 100 - 1)


def measure_the_largest_table() -> None:
    assert column_permutations.JOB.measure(largest_table()).units == 10_354_499_500


def map_the_largest_table() -> None:
    column_permutations.JOB.map(Span(5 * 10**9, 5 * 10**9 + 10**7), largest_table())


def plan_the_largest_object() -> None:
    source = Source("b", "k" * 200, "e", 5 * 10**13)
    reports = [
        BlockReport(
            block,
            Owned(block * 5 * 10**8, (block + 1) * 5 * 10**8),
            1024,
            [10**6 + i for i in range(20)],
            [10**7 + i for i in range(20)],
            {"longer_words": 9},
            line_digests=os.urandom(20 * DIGEST_BYTES),
        )
        for block in range(MAX_BLOCKS)
    ]
    portion = Portion((Placed(0, "k" * 200, source.bytes, "e", "plain"),), None)
    requests = [
        ParseBlockRequest("run", source, block, block, block + 1, portion, JOB.rules)
        for block in range(MAX_BLOCKS)
    ]
    print(
        f"  manifest {len(encode(Manifest('run', source, source.bytes, reports))) / 1e6:.0f} MB",
        file=sys.stderr,
    )
    assert len(requests) == len(reports)


CASES: dict[str, tuple[str, Callable[[], None]]] = {
    work.__name__: (function, work)
    for function, work in [
        ("parse_block", parse_default_block_of_distinct_words),
        ("parse_block", parse_one_letter_words),
        ("parse_block", parse_two_letter_words),
        ("parse_block", parse_as_many_distinct_words_as_are_allowed),
        ("parse_block", parse_more_distinct_words_than_are_allowed),
        ("parse_block", comb_empty_lines),
        ("parse_block", comb_lines_of_8_mib),
        ("parse_block", comb_distinct_paths),
        ("parse_block", comb_paths_that_json_makes_six_times_as_long),
        ("parse_block", comb_more_paths_than_are_allowed),
        ("parse_block", map_the_largest_table),
        ("parse_file", measure_the_largest_table),
        ("get_occurrences", reduce_many_blobs_of_distinct_words),
        ("get_occurrences", reduce_the_largest_blobs),
        ("get_occurrences", reduce_distinct_paths),
        ("get_occurrences", reduce_the_longest_paths),
        ("parse_file", plan_the_largest_object),
    ]
}


class Peak(Struct, frozen=True):
    """The most that a process with this case had in memory."""

    function: str
    case: str
    peak_mb: float


def peaks() -> Iterator[Peak]:
    """Every case, in a process of its own."""
    for name, (function, _) in CASES.items():
        measured = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory", name], stdout=subprocess.PIPE, check=True
        )
        yield Peak(function, name.replace("_", " "), json.loads(measured.stdout))


def main() -> None:
    """Print every case."""
    for peak in peaks():
        print(
            f"{peak.function:16} {peak.case:48} {peak.peak_mb:6.0f} MB of {ONE_VCPU_MB} "
            f"({peak.peak_mb / ONE_VCPU_MB:.0%})",
            flush=True,
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        CASES[sys.argv[1]][1]()
        print(own_peak_kib() / 1024)
    else:
        main()
