"""What a run takes on AWS, modelled, since it was never run there: the seconds of each stage, and what it
uses. ``run.plan`` chooses by it, ``fanfold estimate`` shows it; docs/performance.md says what it assumes."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from lambda_src.fan_out.map_reduce import TICK_S
from lambda_src.run.figures import INLINE_OBJECTS, LISTED_AT_ONCE

MIB = 1 << 20

Values = Mapping[str, float]
"""Figures by name, without their sources."""

Used = dict[str, float]
"""What a stage uses, by the names of ``prices.ITEMS``."""

ORCHESTRATORS = 2
"""``parse_file`` and ``get_all_occurrences`` run beside their workers, and count in the quota."""


class Task(NamedTuple):
    """What a block has to do: GETs, ``waits`` of them one after the other, bytes to read, text to map,
    and seconds of a core to unpack it."""

    gets: float
    waits: float
    read_bytes: float
    text_bytes: float
    unpack_s: float = 0.0


class Blocks(NamedTuple):
    """All blocks of a run: how many, the GETs of all, the seconds of the slowest one and of all, the bytes of
    the largest blob and of all, and the units of text in them."""

    number: int
    gets: float
    slowest_s: float
    all_s: float
    largest_blob: float
    blob_bytes: float
    text_units: float


def blob_share(block_units: float, of: Values) -> float:
    """Bytes of the blob per unit of its block: the more text, the fewer of its words are new."""
    return block_units and min(of["blob"] * math.pow(block_units / (5 * MIB), of["blob_growth"]), 1.0)


def transfer_s(megabytes: float, of: Values, rounds: int = 1) -> float:
    """The time to move so much between a Lambda and S3, in each of so many rounds: the first ``burst_budget``
    of all is moved at a higher rate."""
    fast = min(megabytes, of["burst_budget"] / rounds)
    return fast / of["burst_network"] + (megabytes - fast) / of["network"]


def map_s(task: Task, blob_bytes: float, of: Values, rounds: int = 1) -> float:
    """The time of a block's handler, if each Lambda has so many blocks: it counts text while it arrives,
    unless it needs all of it first."""
    fetch_s = transfer_s(task.read_bytes / 1e6, of, rounds) + max(task.waits - 1, 0) * of["get"]
    count_s = (task.unpack_s + task.text_bytes / 1e6 / of["count"]) / of["arm"]
    mapped_s = fetch_s + count_s if of["whole"] else max(fetch_s, count_s)
    prepare_s = of["prepare"] / of["arm"]
    stored_s = of["put"] + blob_bytes / 1e6 / of["network"]
    if of["pieces"]:  # they are stored while nothing is read
        stored_s += piece_puts(task.text_bytes, of) * of["put"]
        stored_s += task.text_bytes * of["pieces"] / 1e6 / of["network"]
    return of["get"] + prepare_s + mapped_s + stored_s


def piece_puts(text_bytes: float, of: Values) -> int:
    """PUTs of what a block of such a text stores beside its lines."""
    return math.ceil(text_bytes * of["pieces"] / of["piece"])


def even_blocks(
    units: int, block_units: int, concurrency: int, of: Values, stored_as: str = "plain"
) -> Blocks:
    """The blocks of an input of which the size is known, and how it is stored."""
    number = max(math.ceil(units / block_units), 1)
    block_units = min(block_units, max(units, 1))
    ratio = 1.0 if stored_as == "plain" else of["ratio"]
    unpack_s = 0.0 if stored_as == "plain" else block_units / 1e6 / of[f"unpack_{stored_as}"]
    read_bytes = block_units * of["reads"] + of["whole"]
    gets = math.ceil(read_bytes / of["window" if stored_as == "plain" else "archive_window"])
    text_units = block_units * ratio
    blob = text_units * blob_share(text_units, of)
    rounds = math.ceil(number / concurrency)
    each_s = map_s(Task(gets, gets, read_bytes, text_units, unpack_s), blob, of, rounds)
    share = units / block_units
    return Blocks(number, number * gets, each_s, number * each_s, blob, blob * share, text_units * share)


class RunModel:
    """The stages of one run, each as its seconds and what it uses. Call them in their order: what a stage
    takes depends on what was warmed during those before it. ``reduce`` and ``log`` may be called again, with
    other shards."""

    def __init__(
        self,
        blocks: Blocks,
        concurrency: int,
        of: Values,
        *,
        cold: bool,
        objects: int = 1,
        keeps: bool = False,
    ) -> None:
        self.blocks, self._of, self._cold, self._objects = blocks, of, cold, objects
        self._at_once = min(concurrency, blocks.number)
        self._concurrency = concurrency
        self._parse_s = self._reduce_s = 0.0
        self.block_distinct = blocks.largest_blob / of["entry"]
        self._distinct = blocks.text_units * blob_share(blocks.text_units, of) / of["entry"]
        self.counts_at_once = self.block_distinct <= of["block_counts"]
        self.passes, self.largest_s = 1, 0.0
        self.pieces_bytes = blocks.text_units * of["pieces"]
        self.kept_bytes = self._distinct * of["entry"] * of["keep_ratio"] if keeps else 0.0

    def start(self) -> tuple[float, Used]:
        """From invoking ``parse_file`` until the run is its own: its record is read and written, and old
        results are looked for."""
        of = self._of
        handler_s = 2 * of["table_get"] + of["table_put"]
        seconds = of["overhead"] + self._start_s("imports_other") + handler_s
        used = self._used(handler_s + self._init_s("imports_other"), 1)
        used["table_read_units"], used["table_write_units"] = 3, of["record"] + of["index"]
        return seconds, used

    def parse(self) -> tuple[float, Used]:
        """The look at the input, and the fan-out over the blocks."""
        of, blocks, number = self._of, self.blocks, self.blocks.number
        measure_gets = math.ceil(of["whole"] / of["window"])
        measure_s = measure_gets * of["get"] + of["whole"] / 1e6 / of["network"] + of["measure"] / of["arm"]
        measure_s += of["imports_job"] * self._cold
        gets, lists, puts = blocks.gets + measure_gets, 0, 1  # one PUT is the manifest
        pin_s = 2 * of["get"]
        if self._objects > 1:
            lists, puts = math.ceil(self._objects / LISTED_AT_ONCE), 2
            pin_s = lists * of["list"] + of["put"]
            gets += number * (self._objects > INLINE_OBJECTS * number)
        else:
            gets += 2
        stored = number * (1 + piece_puts(blocks.text_units / number, of))
        served_s = max(blocks.gets / of["gets"], stored / of["puts"])
        fanned_s = self._fan_out_s() + self._late_s(number)
        seconds = pin_s + measure_s + max(fanned_s, served_s) + 2 * of["table_put"]
        init_s = self._init_s("imports_map") + of["imports_job"] * self._cold
        self._parse_s, self._reduce_s = seconds, 0.0
        used = self._used(blocks.all_s + self._at_once * init_s + seconds, number)
        used["s3_gets"], used["s3_puts"] = gets, stored + puts + lists
        used["table_write_units"] = of["record"] * (2 + seconds / TICK_S)
        return seconds, self._with_kms(used, gets, stored + puts)

    def reduce(self, shard_by: str, shards: int) -> tuple[float, Used]:
        """``get_all_occurrences`` and its reducers. A reducer sums one part of all words, or by key, an even
        share of them."""
        of, number = self._of, self.blocks.number
        self._reduce_s = 0.0
        skew = of["largest_part"] if shard_by == "part" else of["largest_shard"] if shards > 1 else 1.0
        self.passes, reads = passes(self._distinct / shards * skew, of)
        divided = 1 if shard_by == "share" else shards
        mean_mb, mean_reads = self.blocks.blob_bytes / 1e6 / divided, max(reads / skew, 1.0)
        manifest_bytes = number * (of["report"] + shards * of["report_shard"])
        inline = manifest_bytes <= of["payload"]
        manifest_s = 0.0 if inline else of["get"] + manifest_bytes / 1e6 / of["network"]
        kept_mb = self.kept_bytes / 1e6 / shards
        shared_s = of["shared"] / shards / of["arm"]
        self.largest_s = manifest_s + self._shard_s(mean_mb * skew, reads) + self._kept_s(kept_mb * skew)
        self.largest_s += shared_s
        mean_s = manifest_s + self._shard_s(mean_mb, mean_reads) + self._kept_s(kept_mb) + shared_s
        waves = math.ceil(shards / self._concurrency)
        gets = number * shards * mean_reads
        served_s = gets / (of["gets"] * of["partitions"])
        work_s = max(self.largest_s + (waves - 1) * mean_s, served_s) + shards * (
            of["invoke"] + of["connect_call"]
        )
        put_s = 0.0 if inline else of["put"]
        merged_s = shards * of["merge"] if shard_by != "part" else 0.0
        seconds = of["table_put"] + 2 * of["overhead"] + self._later_starts_s(2) + put_s + work_s + merged_s
        self._reduce_s = seconds
        billed_s = (
            shards * max(mean_s, served_s) + work_s / 2 + (shards + 0.5) * self._init_s("imports_other")
        )
        used = self._used(billed_s + seconds, shards + 1 + (shards + 2) * of["warmed"] * self._cold)
        used["s3_gets"] = gets + (0 if inline else shards)
        if self.kept_bytes:
            used["s3_puts"] = shards * max(self.passes, math.ceil(1e6 * kept_mb / of["keep_object"]))
        used["table_write_units"] = of["record"] * (1 + seconds / TICK_S) + of["parts"] * 2 * (
            of["record"] + 1
        )
        used["table_read_units"] = 5 * seconds / TICK_S
        return seconds, self._with_kms(used, 0, used["s3_gets"] + used["s3_puts"])

    def log(self) -> tuple[float, Used]:
        """``log_results``, while the trace is stored, then the record."""
        of = self._of
        handler_s = of["table_get"]
        logged_s = of["overhead"] + self._later_starts_s(1) + handler_s
        seconds = max(logged_s, of["put"]) + of["table_put"]
        used = self._used(handler_s / 2 + self._init_s("imports_other") / 2 + seconds, 1)
        used["s3_puts"], used["table_write_units"], used["table_read_units"] = 1, of["record"], 5
        return seconds, used

    def _fan_out_s(self) -> float:
        """The seconds of a fan-out over the blocks: all calls at once, as far as the concurrency allows; each
        one that ends makes room for the next. A cold call takes a start more (0: all are there)."""
        of, number, at_once = self._of, self.blocks.number, self._at_once
        start_s = self._start_s("imports_map") + (of["imports_job"] + of["connect"]) * self._cold
        waves = math.ceil(number / at_once)
        mean_s = self.blocks.all_s / number
        call_s = of["invoke"] + of["connect_call"]
        environments_s = max((at_once - of["burst"]) / of["scaling"], 0.0) * self._cold
        requests_s = max((number - of["requests_burst"]) / of["requests"], 0.0)
        last = number - (waves - 1) * at_once  # calls of the last wave
        begun_s = max(at_once * call_s, environments_s)
        round_s = mean_s + of["overhead"]
        slowest_s = max(self.blocks.slowest_s - mean_s, 0.0)
        if waves == 1:
            return start_s + slowest_s + max(begun_s, requests_s) + round_s
        in_waves_s = max(begun_s + (waves - 1) * round_s, last * call_s + waves * round_s)
        # Short calls do not come in waves: the Lambdas that began first take more of them.
        evenly_s = max(begun_s + round_s, begun_s / 2 + (number / at_once + 1) * round_s)
        first_s = start_s + call_s + round_s  # until the first call has ended, and the next one can begin
        return slowest_s + max(
            start_s + min(in_waves_s, evenly_s),
            max(begun_s, first_s) + (number - at_once) * of["invoke"] + round_s,
            start_s + requests_s + round_s,
        )

    def _shard_s(self, lines_mb: float, reads: float) -> float:
        """One reducer that reads ``lines_mb`` of lines ``reads`` times."""
        of, number = self._of, self.blocks.number
        each_s = max(
            number * of["get"] / of["reads_at_once"],
            transfer_s(lines_mb, of),
            number * of["read"] + lines_mb / (of["reduce"] * of["arm"]),
        )
        late_s = (of["get_p99"] - of["get"]) * chance_of_late(number)
        return of["get"] + each_s * reads + late_s + 2 * of["table_put"]

    def _kept_s(self, kept_mb: float) -> float:
        """A reducer sorts and compresses its rows, then stores them."""
        of = self._of
        rows_s = kept_mb / of["keep_ratio"] / (of["keep"] * of["arm"])
        return rows_s + kept_mb / of["network"] + self.passes * of["put"] if kept_mb else 0.0

    def _late_s(self, tasks: int) -> float:
        """What the last of ``tasks`` takes longer than the median."""
        of = self._of
        late_s = max(of["get_p99"] - of["get"], of["put_p99"] - of["put"])
        late_s += (of["init_p99"] - of["init"]) * self._cold
        starts = min(tasks, self._at_once)
        # If they are spread evenly, the last one is expected so far behind the mean.
        spread_s = of["environment_spread"] * (starts / (starts + 1) - 0.5) * self._cold
        return late_s * chance_of_late(tasks) + spread_s

    def _init_s(self, imports: str) -> float:
        return (self._of["init"] + self._of[imports]) * self._cold

    def _start_s(self, imports: str) -> float:
        return self._of["environment"] * self._cold + self._init_s(imports)

    def _later_starts_s(self, starts: int) -> float:
        """What there is to wait for ``starts`` starts, one after the other; of functions that are warmed,
        from the first tick of the first stage on, what that has left of one."""
        start_s = self._start_s("imports_other")
        warmed_s = max(TICK_S / 2 + start_s - self._parse_s - self._reduce_s, 0.0) if self._cold else 0.0
        return min(warmed_s, starts * start_s) if self._of["warmed"] else starts * start_s

    def _with_kms(self, used: Used, input_gets: float, blob_requests: float) -> Used:
        """With requests to KMS, where there are any."""
        requests = input_gets * self._of["kms_input"] + blob_requests * self._of["kms_blobs"]
        return used | {"kms_requests": requests} if requests else used

    def _used(self, billed_s: float, invocations: float) -> Used:
        """Every item of ``prices.ITEMS``; ``billed_s`` are those of a function of full memory."""
        return {
            "gb_s": billed_s * self._of["memory"] / 1024,
            "invocations": invocations,
            "s3_puts": 0.0,
            "s3_gets": 0.0,
            "table_write_units": 0.0,
            "table_read_units": 0.0,
            "log_gb": invocations * self._of["log"] / 1e9,
        }


def passes(distinct: float, of: Values) -> tuple[int, float]:
    """How many passes the reducer of ``distinct`` words makes over its lines, and how often it reads them:
    it finds out by trying, each time with four times as many."""
    number, reads = 1, 0.0
    while distinct > number * of["distinct"]:
        reads += (number * of["distinct"] / distinct) ** (1 / (1 + of["blob_growth"]))
        number *= 4
    return number, reads + number


def shards_for_one_pass(text_units: float, of: Values) -> int:
    """How many shards of keys are enough for each reducer to hold its words in memory."""
    distinct = text_units * blob_share(text_units, of) / of["entry"]
    return math.ceil(distinct * of["largest_shard"] / of["distinct"]) or 1


def chance_of_late(tasks: int) -> float:
    """The chance that one of ``tasks`` is among the slowest of a hundred."""
    return float(1 - 0.99**tasks)
