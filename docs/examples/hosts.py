"""Requests, share of 5xx and latency percentiles of each host, from logs in JSON lines.

Copy it anywhere: ``fanfold try ./hosts.py access.jsonl --set latency=request_time``. A line is an object with
a host, a status from 100 to 599, and a latency that is not negative, in any unit; others are warned about.
Counts are exact. A percentile is the lowest latency that this share of the requests does not exceed, within
0.8 %: each power of two has 64 steps.
"""

import functools
import math
import sys
from collections import Counter
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from lambda_src.errors import InvalidRequest, SourceTooLarge
from lambda_src.folds import Fold, Reading, fold_job
from lambda_src.input.reading import JSON_LINES
from lambda_src.job import Context, Shown

MOST_STEPS = 1_000_000
PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}


class Options(Struct, frozen=True):
    host: Annotated[str, Meta(description="The field of the host.")] = "host"
    status: Annotated[str, Meta(description="The field of the status.")] = "status"
    latency: Annotated[str, Meta(description="The field of the latency.")] = "latency"
    top: Annotated[int, Meta(ge=1, le=300, description="The number of hosts shown, busiest first.")] = 100


class Host(Struct):
    requests: int = 0
    failed: int = 0
    latencies: dict[int, int] = {}


class Hosts(Fold):
    hosts: dict[str, Host] = {}
    steps: int = 0

    def add(self, text: bytes, reading: Reading) -> None:
        requests = reading.json_lines(text, _decoder(reading.options))
        self.observed += len(requests)
        found = Counter((one.host, one.status > 499, _step(one.latency)) for one in requests)
        for (host, is_failed, step), times in found.items():
            self._count(host, step, times, times * is_failed)

    def merge(self, other: "Hosts") -> None:
        for name, host in other.hosts.items():
            for step, times in host.latencies.items():
                self._count(name, step, times, 0)
            self.hosts[name].failed += host.failed

    def _count(self, name: str, step: int, requests: int, failed: int) -> None:
        host = self.hosts.get(name) or self.hosts.setdefault(name, Host())
        self.steps += step not in host.latencies
        if self.steps > MOST_STEPS:
            raise SourceTooLarge(f"There are more than {MOST_STEPS:,} pairs of a host and a step of latency.")
        host.latencies[step] = host.latencies.get(step, 0) + requests
        host.requests += requests
        host.failed += failed

    def result(self, context: Context) -> dict[str, Any]:
        ranked = sorted(self.hosts.items(), key=lambda one: (-one[1].requests, one[0]))
        shown = [{"host": name, **_shown(host)} for name, host in ranked[: context.options.top]]
        return {"requests": self.observed, "hosts": len(ranked), "by_host": shown}


@functools.cache
def _decoder(options: Options) -> "msgspec.json.Decoder[Any]":
    names = {"host": options.host, "status": options.status, "latency": options.latency}
    kinds = {
        "host": Annotated[str, Meta(min_length=1, max_length=253)],
        "status": Annotated[int, Meta(ge=100, le=599)],
        "latency": Annotated[float, Meta(ge=0, le=sys.float_info.max)],
    }
    try:
        request = msgspec.defstruct("Request", kinds.items(), rename=names)
    except ValueError as error:
        raise InvalidRequest(f"options: these cannot be the names of three fields: {error}.") from error
    return msgspec.json.Decoder(request, strict=False)  # "200" is a status, too


def _step(latency: float) -> int:
    fraction, exponent = math.frexp(latency)
    return exponent * 128 + int(fraction * 128)  # 64 to 127 of each power; 0 of 0


def _middle(step: int) -> float:
    exponent, of_128 = divmod(step, 128)
    return math.ldexp(of_128 + 0.5, exponent - 7) if step else 0.0


def _shown(host: Host) -> dict[str, Any]:
    shown = {"requests": host.requests, "share_5xx": round(host.failed / host.requests, 6)}
    below = 0
    for latency, times in sorted((_middle(step), times) for step, times in host.latencies.items()):
        for name, percent in PERCENTILES.items():
            if below < -(-percent * host.requests // 100) <= below + times:
                shown[name] = float(f"{latency:.5g}")
        below += times
    return shown


SHOWN = Shown(
    "Requests, errors and latency of hosts", "{requests:,} requests of {hosts:,} hosts", ("by_host",)
)
JOB = fold_job(Hosts, rules="1", options=Options, concerns=JSON_LINES, shown=SHOWN)
