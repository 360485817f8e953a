"""One invocation of a handler in this process: its outcome, and the most memory that the process had.

python -m benchmarks.handled FUNCTION < EVENT
"""

import importlib
import json
import os
import sys
from types import SimpleNamespace
from typing import Any

from benchmarks.peak import own_peak_kib


def handle(function: str) -> dict[str, Any]:
    handler = importlib.import_module(f"lambda_src.handlers.{function}").handler
    answer = handler(json.load(sys.stdin), SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000))
    if answer["outcome"] == "failure":
        print(answer["message"], file=sys.stderr)
    return dict(answer)


def plan_the_largest_object() -> dict[str, Any]:
    """What ``parse_file`` holds of an object with as many blocks as there can be."""
    from lambda_src.input.addresses import Placed, Portion  # noqa: PLC0415 - only here
    from lambda_src.input.blocks import MAX_BLOCKS  # noqa: PLC0415
    from lambda_src.job import Owned, Shards  # noqa: PLC0415
    from lambda_src.wire.codec import encode  # noqa: PLC0415
    from lambda_src.wire.reports import BlockReport, Manifest  # noqa: PLC0415
    from lambda_src.wire.requests import ParseBlockRequest, RunContext  # noqa: PLC0415
    from lambda_src.wire.source import Source  # noqa: PLC0415

    importlib.import_module("lambda_src.handlers.parse_file")
    source = Source("b", "k" * 200, "e", MAX_BLOCKS)
    portion = Portion((Placed(0, "k" * 200, source.bytes, "e", "plain"),), None)
    context = RunContext("top_words", Shards("part", 20, "run"), {}, {})
    requests = [
        ParseBlockRequest("run", source, n, n, n + 1, portion, "rules", context) for n in range(MAX_BLOCKS)
    ]
    reports = [
        BlockReport(
            number,
            Owned(number * 5 * 10**8, (number + 1) * 5 * 10**8),
            1024,
            [10**6 + part for part in range(20)],
            [10**7 + part for part in range(20)],
            {"longer_words": 9},
            line_digests=os.urandom(20 * 16),
        )
        for number in range(MAX_BLOCKS)
    ]
    print(
        len(encode(Manifest("run", source, source.bytes, reports))) >> 20, "MiB of manifest", file=sys.stderr
    )
    assert len(requests) == len(reports)
    return {"outcome": "done"}


if __name__ == "__main__":
    answer = plan_the_largest_object() if sys.argv[1] == "parse_file" else handle(sys.argv[1])
    print(json.dumps([answer.get("error", "done"), own_peak_kib() / 1024]))
