"""Runs that were never run, as real as need be: what a page is made of, for tests and screenshots."""

import heapq
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from lambda_src.job import Owned, Shards, load
from lambda_src.run.prices import ITEMS, dollars, prices_of
from lambda_src.run.ranges import lines_written
from lambda_src.run.summary import summarize
from lambda_src.store.digests import DIGEST_BYTES
from lambda_src.telemetry.calls import Call, Trace, Usage
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import BlockReport, Manifest, PartReport
from lambda_src.wire.source import Source

THROTTLED = "Throttled: TooManyRequestsException: Rate exceeded"
KILLED = "Crashed: the Lambda was killed: Runtime exited with error: signal: killed"

RUN_ID = "20261125T100507Z-5f3a9c1e"
BEGAN_AT = 1795601107.25


class FakeRun(NamedTuple):
    """What ``fanfold.report.page.page`` takes."""

    job: str
    record: RunRecord
    summary: Mapping[str, Any]
    trace: Trace
    parts: Sequence[PartReport]
    manifest: Manifest


def fake_run(
    job: str = "top_words",
    blocks: int = 191,
    *,
    concurrency: int = 250,
    faults: bool = True,
    status: str = "SUCCEEDED",
    seed: int = 1,
    shards: Shards | None = None,
) -> FakeRun:
    """A run of ``job`` whose first calls are cold; with ``faults`` some are throttled, killed or slow."""
    chance = random.Random(seed)
    shards = shards or load(job).shards(RUN_ID)
    parts = RESULTS[job](chance)
    parts = [msgspec.structs.replace(part, blobs_read=blocks) for part in parts]
    observed = _shared(parts, blocks, chance)
    units = 1_000_000_000
    edges = [units * number // blocks for number in range(blocks + 1)]
    reports = [
        BlockReport(
            block,
            Owned(edges[block], edges[block + 1]),
            200,
            [9] * shards.lines,
            observed[block],
            EXTRAS[job],
            line_digests=chance.randbytes(DIGEST_BYTES * shards.lines),
            shard_observations=[] if shards.by == "part" else _split(sum(observed[block]), shards.lines),
        )
        for block in range(blocks)
    ]
    parts = [
        msgspec.structs.replace(
            part, lines_read=lines_written(shards.parts_of(number, range(shards.lines)), reports)
        )
        for number, part in enumerate(parts)
    ]
    source = Source("fanfold-input", INPUTS[job], '"9b2cf535f27731c974343645a3985328"', 1_000_000_000)
    record = RunRecord(
        run_id=RUN_ID,
        job=job,
        status=status,  # type: ignore[arg-type]
        bucket=source.bucket,
        key=source.key,
        etag=source.etag,
        version_id="3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY",
        bytes=source.bytes,
        objects=1,
        block_units=-(-units // blocks),
        block_units_because=f"planned for {concurrency:,} Lambdas at once",
        blocks=blocks,
        blocks_done=blocks,
        max_concurrency=concurrency,
        shards=shards.count,
        shard_by=shards.by,
        units=units,
        facts={"bytes": source.bytes, "objects": 1, **FACTS.get(job, {})},
        extras=dict(sum((Counter(report.extras) for report in reports), Counter())),
        started_at=BEGAN_AT,
    )
    calls = _Calls(chance, faults)
    calls.fan_out("parse_block", [f"block {block}" for block in range(blocks)], concurrency, 0.12, 0.65)
    parsed_at = calls.ended_at
    names = [shards.name(shard, load(job).part, load(job).parts) for shard in range(shards.count)]
    calls.fan_out("get_occurrences", names, 50, 0.05, 0.12)
    reduced_at = calls.ended_at
    calls.one("get_all_occurrences", "all parts", parsed_at + 0.03, reduced_at + 0.02, 180.0)
    calls.one("log_results", "all parts", reduced_at + 0.05, reduced_at + 0.17, 0.0)
    calls.one("parse_file", "the run", BEGAN_AT, reduced_at + 0.2, 230.0)
    record.finished_at = reduced_at + 0.2
    record.seconds = {
        "parse": round(parsed_at + 0.02 - BEGAN_AT, 3),
        "reduce": round(reduced_at + 0.03 - parsed_at - 0.02, 3),
        "log": 0.15,
    }
    record.calls = {"running": 0, "at_most": concurrency, **calls.outcomes()}
    record.used = calls.used()
    price_list = prices_of("us-east-1", "arm64")
    prices, record.prices = price_list.prices, price_list.name
    record.price_region, record.price_architecture = price_list.region, price_list.architecture
    record.dollars = dollars(record.used, prices)
    record.dollars_estimated = sum(record.dollars.values()) * 0.012
    if status == "FAILED":
        record.blocks_done = blocks - 2
        record.error = "FanOutFailed: 2 of 191 tasks failed. block 17: Crashed: parse_block was killed."
        record.failures = ["block 17: Crashed: parse_block was killed.", "block 90: Crashed: it was killed."]
        parts = []
    return FakeRun(
        job,
        record,
        summarize(load(job), record, parts),
        Trace(RUN_ID, calls.calls),
        parts,
        Manifest(RUN_ID, source, units, reports, shards),
    )


def _split(number: int, shares: int) -> list[int]:
    return [number * (share + 1) // shares - number * share // shares for share in range(shares)]


class _Calls:
    def __init__(self, chance: random.Random, faults: bool) -> None:
        self.calls: list[Call] = []
        self.ended_at = BEGAN_AT + 0.2
        self._chance, self._faults = chance, faults

    def one(self, function: str, task: str, started_at: float, ended_at: float, init_ms: float) -> None:
        """One call that was done."""
        handler_ms = (ended_at - started_at) * 1000 - init_ms - (180 if init_ms else 8)
        usage = Usage(1769, init_ms, handler_ms, handler_ms * 0.02, handler_ms * 0.02, {"s3_puts": 1})
        self.calls.append(Call(function, task, 1, started_at, started_at, ended_at, "done", "", usage))

    def fan_out(
        self, function: str, tasks: Sequence[str], concurrency: int, fetch_s: float, compute_s: float
    ) -> None:
        """Much as the engine does it: warm environments are used again, and stragglers get a second copy
        when nothing else is left to start."""
        chance = self._chance
        began_at = self.ended_at
        free = [began_at + 0.002 * number for number in range(min(concurrency, len(tasks)))]
        for number, task in enumerate(tasks):
            started_at, cold, attempt = heapq.heappop(free), number < concurrency, 1
            if self._faults and chance.random() < 0.02:
                ended_at = started_at + chance.uniform(0.01, 0.03)
                call = Call(function, task, attempt, began_at, started_at, ended_at, "throttled", THROTTLED)
                self.calls.append(call)
                started_at = ended_at + chance.uniform(0.1, 0.4)
            if self._faults and chance.random() < 0.012:
                ended_at = started_at + chance.uniform(0.2, 0.9)
                call = Call(function, task, attempt, began_at, started_at, ended_at, "failed", KILLED)
                self.calls.append(call)
                started_at, cold, attempt = ended_at + chance.uniform(0.05, 0.2), True, 2
            slow_times = 4.2 if self._faults and chance.random() < 0.012 else 0.0
            usage, took_s = self._worked(cold, fetch_s, compute_s, slow_times)
            ended_at = started_at + took_s
            done = Call(function, task, attempt, began_at, started_at, ended_at, "done", "", usage)
            if slow_times and number >= len(tasks) - concurrency:
                self.calls.append(msgspec.structs.replace(done, outcome="late"))
                copy_at = started_at + 3 * took_s / (1 + slow_times)
                usage, took_s = self._worked(False, fetch_s, compute_s, 0.0)
                ended_at = copy_at + took_s
                done = Call(function, task, attempt, copy_at, copy_at, ended_at, "done", "", usage)
            self.calls.append(done)
            heapq.heappush(free, ended_at + 0.001)
            self.ended_at = max(self.ended_at, ended_at)

    def _worked(self, cold: bool, fetch_s: float, compute_s: float, slow_times: float) -> tuple[Usage, float]:
        """What one worker took, and the seconds that its caller waited."""
        chance = self._chance
        wait_s = chance.lognormvariate(-1.4, 0.25) if cold else chance.lognormvariate(-4.6, 0.3)
        init_s = chance.lognormvariate(-1.9, 0.15) if cold else 0.0
        fetch_s *= chance.lognormvariate(0, 0.35)
        compute_s *= chance.lognormvariate(0, 0.12)
        store_s = 0.045 * chance.lognormvariate(0, 0.4)
        fetch_s += slow_times * (wait_s + init_s + fetch_s + compute_s + store_s)
        handler_s = fetch_s + compute_s + store_s
        requests = {"s3_gets": 4.0, "s3_puts": 1.0, "log_gb": 4e-7}
        usage = Usage(1769, 1000 * init_s, 1000 * handler_s, 1000 * fetch_s, 1000 * store_s, requests)
        return usage, wait_s + init_s + handler_s

    def outcomes(self) -> dict[str, int]:
        """As ``RunRecord.calls`` names them."""
        counted = Counter(call.outcome for call in self.calls if call.function != "parse_file")
        return {
            "done": counted["done"],
            "tried_again": counted["failed"],
            "throttled": counted["throttled"],
            "copies": counted["late"],
        }

    def used(self) -> dict[str, float]:
        """What all of them took."""

        used = dict.fromkeys(ITEMS, 0.0) | {"table_write_units": 62.0, "table_read_units": 48.0}
        used["invocations"] = float(sum(call.outcome != "throttled" for call in self.calls))
        for call in self.calls:
            if call.usage:
                billed_ms = call.usage.init_ms + call.usage.handler_ms
                used["gb_s"] += billed_ms / 1000 * call.usage.memory_mb / 1024
                for item in ("s3_gets", "s3_puts", "log_gb"):
                    used[item] += call.usage.requests.get(item, 0)
        return used


def _shared(parts: Sequence[PartReport], blocks: int, chance: random.Random) -> list[list[int]]:
    """What each block observed in each part, so that it adds up."""
    observed = [[part.observations // blocks for part in parts] for _ in range(blocks)]
    for number, part in enumerate(parts):
        observed[chance.randrange(blocks)][number] += part.observations % blocks
    return observed


def _top_words(chance: random.Random) -> list[PartReport]:
    found = []
    for length in range(1, 21):
        words = WORDS.get(length) or [f"{'abcdefghij'[n]}{'onstrable' * 3}"[:length] for n in range(10)]
        most = 9_000_000 / length**1.7
        counts = sorted((int(most / (place + 1) ** 0.8) for place in range(len(words))), reverse=True)
        top = [{"word": word, "count": count} for word, count in zip(words, counts, strict=True)]
        total = int(sum(counts) * chance.uniform(2, 4))
        found.append(PartReport(str(length), 0, total, {"words": total, "top_words": top}))
    return found


def _access_log(chance: random.Random) -> list[PartReport]:
    found = []
    for hour in range(24):
        busy = 1 + 0.9 * (hour - 4) * (28 - hour) / 144 if hour >= 4 else 0.5
        requests = int(190_000 * busy * chance.uniform(0.93, 1.07))
        errors = int(requests * (0.09 if hour == 14 else 0.004))
        missing, moved = int(requests * 0.03), int(requests * 0.07)
        status = {"200": requests - errors - missing - moved, "302": moved, "404": missing, "503": errors}
        top = [{"path": path, "count": int(requests * 0.22 / (n + 1))} for n, path in enumerate(PATHS)]
        top_5xx = [{"path": path, "count": int(errors * 0.4 / (n + 1))} for n, path in enumerate(PATHS[1:5])]
        result = {
            "requests": requests,
            "bytes_sent": requests * 18_243,
            "status": status,
            "top_paths": top,
            "top_paths_5xx": top_5xx,
        }
        found.append(PartReport(str(hour), 0, requests, result))
    return [*found, PartReport("malformed", 0, 1_204, {"lines": 1_204})]


def _column_permutations(chance: random.Random) -> list[PartReport]:
    found = []
    for size, tested in (("1", 1_560), ("2", 29_640), ("3", 365_560)):
        best: list[dict[str, Any]] = []
        for place in range(10 if tested else 0):
            names = chance.sample(COLUMNS, int(size) + 1)
            figure = round(0.71 + 0.09 * int(size) - place * 0.006 * chance.uniform(0.9, 1.1), 9)
            best.append({"r_squared": figure, "target": names[0], "predictors": names[1:]})
        models = [
            {**one, "adjusted_r_squared": round(one["r_squared"] - 0.0003, 9), "twins": {}} for one in best
        ]
        result = {"tested": tested, "best": best, "models": models}
        if size == "1":
            result["table"] = {
                "rows": 8_772,
                "rows_used": 8_760,
                "columns": COLUMNS,
                "choices": 396_760,
                "twins": [["rain_oslo", "rain_mm_oslo"]],
                "left_out": [["station", "text: 8,772 of 8,772 cells are neither numbers nor missing"]],
            }
        found.append(PartReport(size, 0, 8_772, result))
    return found


def _grep(chance: random.Random) -> list[PartReport]:
    lines = sorted((chance.randrange(10_000) for _ in range(12)), reverse=True)
    top = [
        {"object": f"input/logs/2026-11-{day:02d}.log.gz", "lines": count}
        for day, count in enumerate(lines, 1)
    ]
    return [PartReport("selected", 0, sum(lines), {"lines": sum(lines), "top": top})]


WORDS = {
    1: list("aisdcebtmn"),
    2: ["of", "in", "to", "is", "as", "on", "by", "at", "it", "he"],
    3: ["the", "and", "for", "was", "his", "are", "had", "its", "not", "but"],
    4: ["with", "that", "from", "were", "this", "also", "have", "been", "they", "when"],
    5: ["which", "first", "their", "other", "after", "there", "would", "these", "years", "where"],
    6: ["school", "during", "states", "people", "united", "played", "before", "number", "became", "season"],
    7: [
        *("between", "through", "because", "company", "history"),
        *("several", "general", "against", "another", "largest"),
    ],
    8: [
        *("national", "american", "external", "category", "district"),
        *("football", "november", "december", "official", "including"),
    ],
    9: [
        *("september", "following", "published", "including", "president"),
        *("community", "character", "available", "different", "education"),
    ],
    10: [
        *("references", "university", "government", "originally", "considered"),
        *("population", "collection", "individual", "production", "television"),
    ],
}
PATHS = [
    "/", "/wiki/Main_Page", "/w/api.php", "/static/images/logo.svg", "/wiki/Special:Search",
    "/wiki/Ada_Lovelace", "/favicon.ico", "/robots.txt", "/login", "/wiki/Größe",
]  # fmt: skip
COLUMNS = [
    f"{what}_{where}"
    for what in ("temperature", "pressure", "humidity", "wind", "rain", "cloud", "visibility", "dew_point")
    for where in ("oslo", "lima", "pune", "turin", "osaka")
]
RESULTS = {
    "top_words": _top_words,
    "access_log": _access_log,
    "column_permutations": _column_permutations,
    "grep": _grep,
}
INPUTS = {
    "top_words": "input/0c5b8d1f/enwiki-20261101.xml",
    "access_log": "input/77a0e2c9/access.log",
    "column_permutations": "input/5511ab04/weather.csv",
    "grep": "input/77a0e2c9/access.log",
}
EXTRAS: dict[str, dict[str, int]] = {
    "top_words": {"longer_words": 42, "native_blocks": 1},
    "access_log": {},
    "column_permutations": {},
    "grep": {},
}
FACTS: dict[str, dict[str, Any]] = {}
