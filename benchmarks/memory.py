"""Peak memory of each function for its worst input, against its setting, each in a process of its own.

python -m benchmarks.memory
"""

import itertools
import json
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from lambda_src.blocks import MAX_BLOCKS
from lambda_src.errors import TooManyWords
from lambda_src.handlers import get_occurrences, parse_block
from lambda_src.messages import BlockReport, Manifest, ParseBlockRequest, Source, encode
from lambda_src.words import MAX_DISTINCT_RUNS

SETTING_MB = {"parse_block": 1769, "get_occurrences": 1769, "parse_file": 1769}
LETTERS = b"abcdefghijklmnopqrstuvwxyz\xc3\xa9"


class Blobs:
    """Blobs that are made when they are read, and dropped when they are written."""

    def __init__(
        self, manifest: Manifest | None = None, line: Callable[[int], bytes] = lambda _: b""
    ) -> None:
        self._manifest, self._line = manifest, line

    def put(self, *_: Any) -> None:
        pass

    def get_manifest(self) -> bytes:
        assert self._manifest
        return encode(self._manifest)

    def get(self, _partition: int, block: int, _line_bytes: list[int]) -> bytes:
        return self._line(block)


def parse(data: bytes) -> None:
    request = ParseBlockRequest("run", Source("b", "k", "e", len(data)), 0, 0, len(data))
    parse_block.parse_block(request, lambda start, end: data[start:end], Blobs())  # type: ignore[arg-type]


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
    parse(distinct(MAX_DISTINCT_RUNS, 16))


def parse_more_distinct_words_than_are_allowed() -> None:
    try:
        parse(distinct(MAX_DISTINCT_RUNS * 2, 16))
    except TooManyWords:
        return
    raise AssertionError("not refused")


def reduce_distinct_words(blocks: int, words: int) -> None:
    line_of = {block: line(block, words) for block in range(2)}
    size = len(line_of[0])
    reports = [BlockReport(block, block, block + 1, [size] * 20, [words] * 20, 0) for block in range(blocks)]
    manifest = Manifest("run", Source("b", "k", "e", blocks), reports)
    get_occurrences.get_occurrences(20, Blobs(manifest, lambda block: line(block, words)))  # type: ignore[arg-type]


def line(block: int, words: int) -> bytes:
    return ("{" + ",".join(f'"{block:06d}{word:014d}":1' for word in range(words)) + "}\n").encode()


def reduce_many_blobs_of_distinct_words() -> None:
    reduce_distinct_words(64, 50_000)


def reduce_the_largest_blobs() -> None:
    reduce_distinct_words(3, MAX_DISTINCT_RUNS)


def plan_the_largest_object() -> None:
    source = Source("b", "k" * 200, "e", 5 * 10**13)
    reports = [
        BlockReport(
            block,
            block * 5 * 10**8,
            (block + 1) * 5 * 10**8,
            [10**6 + i for i in range(20)],
            [10**7 + i for i in range(20)],
            9,
        )
        for block in range(MAX_BLOCKS)
    ]
    requests = [ParseBlockRequest("run", source, block, block, block + 1) for block in range(MAX_BLOCKS)]
    print(f"  manifest {len(encode(Manifest('run', source, reports))) / 1e6:.0f} MB", file=sys.stderr)
    assert len(requests) == len(reports)


CASES: dict[str, tuple[str, Callable[[], None]]] = {
    work.__name__: (function, work)
    for function, work in [
        ("parse_block", parse_default_block_of_distinct_words),
        ("parse_block", parse_one_letter_words),
        ("parse_block", parse_two_letter_words),
        ("parse_block", parse_as_many_distinct_words_as_are_allowed),
        ("parse_block", parse_more_distinct_words_than_are_allowed),
        ("get_occurrences", reduce_many_blobs_of_distinct_words),
        ("get_occurrences", reduce_the_largest_blobs),
        ("parse_file", plan_the_largest_object),
    ]
}


def main() -> None:
    """Run every case and print its peak."""
    for name, (function, _) in CASES.items():
        measured = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory", name], stdout=subprocess.PIPE, check=True
        )
        peak_mb = json.loads(measured.stdout)
        limit_mb = SETTING_MB[function]
        case = name.replace("_", " ")
        print(f"{function:16} {case:48} {peak_mb:6.0f} MB of {limit_mb} ({peak_mb / limit_mb:.0%})")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        CASES[sys.argv[1]][1]()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    else:
        main()
