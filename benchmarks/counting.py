"""How fast a block is counted, against one pass of `regex` over the decoded text, in the same process.

python -m benchmarks.counting [FILE]
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from client.corpus import write_corpus
from lambda_src.blocks import feed_owned, partition
from lambda_src.messages import DEFAULT_BLOCK_BYTES
from lambda_src.words import count_runs, count_words
from tests import oracle

ROUNDS = 5


def count_blocks(data: bytes) -> None:
    """As the Lambdas do, block after block."""
    for block in partition(len(data), DEFAULT_BLOCK_BYTES):
        runs: Counter[bytes] = Counter()

        def feed(chunk: bytes, runs: Counter[bytes] = runs) -> None:
            count_runs(chunk, runs)

        feed_owned(block, len(data), lambda start, end: data[start:end], feed)
        count_words(runs)


def seconds(work: Callable[[bytes], object], data: bytes) -> float:
    """Processor seconds of one call."""
    started_at = time.process_time()
    work(data)
    return time.process_time() - started_at


def main() -> None:
    """Print the median ratio of paired rounds."""
    if len(sys.argv) > 1:
        data = Path(sys.argv[1]).read_bytes()
    else:
        with tempfile.TemporaryDirectory() as folder:
            write_corpus(Path(folder) / "corpus.xml", 10_000_000, 1)
            data = (Path(folder) / "corpus.xml").read_bytes()
    pairs = [(seconds(count_blocks, data), seconds(oracle.count_words, data)) for _ in range(ROUNDS)]
    ratios = sorted(blocks / one_pass for blocks, one_pass in pairs)
    fastest = min(blocks for blocks, _ in pairs)
    print(f"{len(data) / 1e6:.1f} MB; blocks at best {len(data) / 1e6 / fastest:.0f} MB a processor second")
    print(f"blocks / one pass: median {ratios[ROUNDS // 2]:.2f} (from {ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
