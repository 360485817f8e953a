"""What the options of jobs take, next to the job without any: the figures by options come from here.

python -m benchmarks.options [FILE]    (a dump of MediaWiki, also in bzip2, for the options of top_words)

A ratio is that of the least processor times of all rounds, on one core. Bytes of a blob are those of
all lines, for a block of 5 MiB and for all of the text.
"""

import bz2
import gzip
import math
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fanfold.demo.logs import write_logs
from fanfold.here.libraries import add_libraries
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Context, Span, load

ROUNDS = 5
MB = 1_000_000
BLOCK_BYTES = 5 << 20
WIKI = Path(__file__).parents[1] / "tests" / "wikipedia" / "articles.xml"

LOGS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "access_log": [
        {},
        {"format": "auto"},
        *(
            {"by": by}
            for by in ("path", "client", "agent", "referrer", "day", "weekday", "method", "status", "host")
        ),
        {"by": "path", "status": "5xx"},
        {"by": "path", "from": "2026-01-01", "path": "/a/*"},
    ],
    "grep": [
        {"pattern": "5f3a9c2e", "fixed": True},
        {"pattern": 'HTTP[^ ]*" 5[0-9][0-9] '},
        {"pattern": "(fatal|timed out|panic).*refused"},
        {"pattern": "mozilla", "ignore_case": True},
        {"pattern": "é", "ignore_case": True},
        {"pattern": ""},
        {"pattern": "", "count": True},
        {"pattern": "5f3a9c2e", "invert": True},
    ],
}
TEXT: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "top_words": [
        {},
        {"case": "keep"},
        {"words": "unicode"},
        {"markup": "mediawiki"},
        {"markup": "mediawiki", "words": "unicode"},
        {"top": 1000, "stop_words": ["the", "of"]},
    ]
}


def combined(size: int) -> bytes:
    """Half as many bytes of generated logs, those in Combined Log Format."""
    with tempfile.TemporaryDirectory() as name:
        write_logs(Path(name) / "logs", size, seed=1)
        files = sorted((Path(name) / "logs").iterdir())
        texts = [
            gzip.decompress(one.read_bytes()) if one.suffix == ".gz" else one.read_bytes() for one in files
        ]
    return b"".join(text.removesuffix(b"\n") + b"\n" for text in texts if not text.startswith(b"https 20"))


def mapped(job_name: str, options: Mapping[str, Any], data: bytes) -> tuple[float, int, int]:
    """Processor seconds to map all of ``data`` as one block, and the bytes of its lines and of its pieces."""
    job, source, pieces = load(job_name), input_of_bytes([data]), [0]

    def store(piece: bytes) -> None:
        pieces[0] += len(piece)

    context = Context(job.shards("run"), job.read_options(options), job.measure(source).facts, store)
    started_at = time.process_time()
    lines = job.map(Span(0, len(data)), source, context).lines
    return time.process_time() - started_at, sum(len(line.data) for line in lines), pieces[0]


def show(job_name: str, sets: Sequence[Mapping[str, Any]], data: bytes) -> None:
    """Print a line for each of ``sets``; the first one is what the others are compared with."""
    small = data[: data.rindex(b"\n", 0, BLOCK_BYTES) + 1]
    rounds = [[mapped(job_name, options, data)[0] for options in sets] for _ in range(ROUNDS)]
    for number, options in enumerate(sets):
        _, few, _ = mapped(job_name, options, small)
        _, all_, pieces = mapped(job_name, options, data)
        seconds, first = (min(of_round[which] for of_round in rounds) for which in (number, 0))
        blob = few / len(small)
        growth = math.log(max(all_, 1) / len(data) / blob) / math.log(len(data) / len(small)) if blob else 0.0
        print(
            f"{job_name:11} {dict(options)!s:60} {len(data) / MB / seconds:6.0f} MB/s "
            f"{seconds / first:6.2f} x  blob {blob:.5f} ^ {growth:.2f}  pieces {pieces / len(data):.4f}",
            flush=True,
        )


def main() -> None:
    """Print all lines."""
    add_libraries(print)
    logs = combined(80 * MB)
    for job_name, sets in LOGS.items():
        show(job_name, sets, logs)
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else WIKI
    text = bz2.decompress(file.read_bytes()) if file.suffix == ".bz2" else file.read_bytes()
    for job_name, sets in TEXT.items():
        show(job_name, sets, text * (12 * MB // len(text) + 1))


if __name__ == "__main__":
    main()
