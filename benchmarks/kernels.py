"""The word job's kernels: what the one in C takes of the Python one's time, and of memory.

python -m benchmarks.kernels [FILE ...]    (text, or text in bzip2)

On one core of an x86 server, C counted 377 MB/s of English Wikipedia (10.4 times as fast as Python), 134 of
Cyrillic text (3.6), 145 of Hindi (3.1) and 212 of random words (20.5), and summed 381 to 554 MB/s of lines.
"""

import bz2
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from msgspec import Struct

from benchmarks.peak import own_peak_kib
from fanfold.demo.corpus import write_corpus
from lambda_src.counts.compiled import library_name
from lambda_src.settings import DEFAULT_JOB
from stacks.native_library import build_libraries, sources_of_jobs

SOURCES = sources_of_jobs([DEFAULT_JOB])
FOLDER = build_libraries("host", SOURCES)
sys.path.append(str(FOLDER))

from lambda_src.counts import c_counts, python_counts  # noqa: E402
from lambda_src.counts.table import Table, Takes  # noqa: E402
from lambda_src.job import Shards  # noqa: E402
from lambda_src.jobs.top_words import c_kernel, python_kernel  # noqa: E402
from lambda_src.jobs.top_words.kernel import (  # noqa: E402
    LONGEST,
    CountedWords,
    Kernel,
)

BY_LENGTH = Shards("part", LONGEST, "run")

BLOCK_BYTES = 5 << 20
BLOCKS = 4
ROUNDS = 7
LOADED = """
import time; started_at = time.process_time()
import ctypes; imported_at = time.process_time()
ctypes.CDLL(LIBRARY); print(imported_at - started_at, time.process_time() - imported_at)
"""


class Measured(NamedTuple):
    """Processor seconds per byte of text, of the kernel in Python and of the one in C, and how many bytes of
    lines there are for a byte of text."""

    counted: list[tuple[float, float]]
    summed: list[tuple[float, float]]
    line_share: float


class Row(Struct, frozen=True):
    """One text, by the kernel in Python and the one in C: the MB counted in a second at best, the ms
    to sum the lines of a block, the MiB that counting adds to a block. Ratios are medians of rounds.

    Texts differ in how many bytes of lines there are for a byte of text: ``line_share``. So the MB of lines
    summed in a second, in C, compare what summing costs; the ms compare what a text costs."""

    text: str
    mb_per_s: tuple[float, float]
    count_ratio: float
    sum_ms: tuple[float, float]
    sum_ratio: float
    peak_mib: tuple[float, float]
    line_share: float
    sum_mb_per_s: float


def texts(files: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Texts of up to ``BLOCKS`` blocks, and one of twice as many, for that has 5 million words."""
    size = BLOCKS * BLOCK_BYTES
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(Path(folder, "corpus"), size, 1)
        yield "generated corpus", Path(folder, "corpus").read_bytes()
    for file in files:
        data = Path(file).read_bytes()
        yield Path(file).name, (bz2.decompress(data) if data.startswith(b"BZh") else data)[:size]
    for name, letters in (
        ("Cyrillic", "абвгдежзийклмнопрстуфхцчшщъыьэюя"),
        ("Hindi", "कखगघचजटडतदनपबमरलवसहािीुूेो्ं"),
    ):
        yield f"{name}, Zipf", prose(letters, size)
    generator = random.Random(1)
    words = (
        generator.choices("abcdefghijklmnopqrstuvwxyz", k=generator.randint(3, 11)) for _ in range(5_000_000)
    )
    yield "5 million random words", " ".join(map("".join, words)).encode()[: 2 * size]


def prose(letters: str, size: int) -> bytes:
    """Words of ``letters``, the n-th most frequent one 1/n as often as the first."""
    generator = random.Random(1)
    words = ["".join(generator.choices(letters, k=generator.randint(1, 12))) for _ in range(100_000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    return " ".join(generator.choices(words, weights, k=size // 10)).encode()[:size]


def blocks_of(text: bytes) -> list[bytes]:
    return [text[start : start + BLOCK_BYTES] for start in range(0, len(text), BLOCK_BYTES)]


def count(kernel: Kernel, block: bytes) -> CountedWords:
    counting = kernel.counting(BY_LENGTH)
    counting.add(block)
    return counting.lines()


def reduce_all(table_type: type[Table], lines: list[list[bytes]]) -> None:
    """All parts, each over all blocks."""
    for part, of_part in enumerate(zip(*lines, strict=True)):
        table = table_type(LONGEST, ["sum"], Takes(BY_LENGTH, part))
        for line in of_part:
            table.add(line, part, 1)
        table.summed(range(part, part + 1), [0], 10)


def measure(text: bytes) -> Measured:
    kernels, tables = (python_kernel.KERNEL, c_kernel.KERNEL), (python_counts.Table, c_counts.Table)
    blocks = blocks_of(text)
    lines = [[line.data for line in count(c_kernel.KERNEL, block).lines] for block in blocks]
    line_bytes = sum(len(line) for lines_of_block in lines for line in lines_of_block)
    measured = Measured([], [], line_bytes / len(text))
    for number in range(ROUNDS):
        block = blocks[number % len(blocks)]
        slow, fast = (seconds(lambda kernel=kernel, block=block: count(kernel, block)) for kernel in kernels)  # type: ignore[misc]
        measured.counted.append((slow / len(block), fast / len(block)))
        slow, fast = (seconds(lambda table=table: reduce_all(table, lines)) for table in tables)  # type: ignore[misc]
        measured.summed.append((slow / len(text), fast / len(text)))
    return measured


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of one call."""
    started_at = time.process_time()
    work()
    return time.process_time() - started_at


def peak_bytes(kernel: str, block: Path) -> int:
    """What counting ``block`` adds to the peak of a process that has read it."""
    command = [sys.executable, "-m", "benchmarks.kernels", "--peak", kernel, str(block)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_peak(kernel: str, file: str) -> None:
    block = Path(file).read_bytes()
    before = own_peak_kib()
    count(c_kernel.KERNEL if kernel == "native" else python_kernel.KERNEL, block)
    print((own_peak_kib() - before) << 10)


def rows(files: Sequence[str]) -> Iterator[Row]:
    """A row for each text."""
    for name, text in texts(files):
        measured = measure(text)
        with tempfile.NamedTemporaryFile() as block:
            block.write(text[:BLOCK_BYTES])
            block.flush()
            slow_mib, fast_mib = (
                peak_bytes(kernel, Path(block.name)) / (1 << 20) for kernel in ("python", "native")
            )
        slow, fast = (1 / min(times) / 1e6 for times in zip(*measured.counted, strict=True))
        slow_ms, fast_ms = (min(times) * BLOCK_BYTES * 1e3 for times in zip(*measured.summed, strict=True))
        count_ratio, sum_ratio = (
            median(slow / fast for slow, fast in pairs) for pairs in (measured.counted, measured.summed)
        )
        yield Row(
            name,
            (slow, fast),
            count_ratio,
            (slow_ms, fast_ms),
            sum_ratio,
            (slow_mib, fast_mib),
            measured.line_share,
            measured.line_share / min(fast for _, fast in measured.summed) / 1e6,
        )


def main(files: Sequence[str]) -> None:
    """Print what loading takes, and a line for each text."""
    library = FOLDER / library_name(SOURCES[-1])
    command = [sys.executable, "-c", f"LIBRARY = {str(library)!r}{LOADED}"]
    loads = [
        [float(part) * 1e3 for part in subprocess.check_output(command, text=True).split()]
        for _ in range(ROUNDS)
    ]
    imported_ms, loaded_ms = map(median, zip(*loads, strict=True))
    print(f"The library has {library.stat().st_size} bytes.")
    print(f"ctypes is imported in {imported_ms:.1f} ms, the library loaded in {loaded_ms:.1f} ms.")
    print(f"{'':26}count, MB/s         sum, ms a block        peak above the block, MiB   lines")
    print(
        f"{'text':24}{'Python':>7}{'C':>5}{'ratio':>6}{'Python':>12}{'C':>7}{'ratio':>6}{'Python':>13}{'C':>6}"
        f"{'a byte':>14}{'MB/s':>6}"
    )
    for row in rows(files):
        print(
            f"{row.text:24}{row.mb_per_s[0]:7.0f}{row.mb_per_s[1]:5.0f}{row.count_ratio:6.1f}"
            f"{row.sum_ms[0]:12.1f}{row.sum_ms[1]:7.2f}{row.sum_ratio:6.1f}"
            f"{row.peak_mib[0]:13.1f}{row.peak_mib[1]:6.1f}"
            f"{row.line_share:14.2f}{row.sum_mb_per_s:6.0f}",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        print_peak(*sys.argv[2:])
    else:
        main(sys.argv[1:])
