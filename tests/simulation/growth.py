"""A month of logs, then one more day: what each run takes, by the requests and calls that are made."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from lambda_src.aws.http1 import Response
from lambda_src.job import Shards
from lambda_src.jobs.access_log import JOB
from lambda_src.jobs.access_log.figures import FIGURES
from lambda_src.run.figures import figures_of
from tests.simulation.data import StoredObject
from tests.simulation.engine import RUN_ID, Simulation, patched
from tests.simulation.faults import Faults
from tests.simulation.job import counted, simulated_job
from tests.simulation.lambda_service import Lost
from tests.simulation.timing import FiguredTiming
from tests.simulation.work import Deployment
from tests.simulation.world import EPOCH_S, World

PARTS = tuple(map(str, range(25)))
PREFIX = "input/logs/"
HOURS = 24


class Took(NamedTuple):
    """What a run took; ``used`` by the names of ``prices.ITEMS``."""

    summary: dict[str, Any]
    seconds: float
    dollars: float
    mapped: int
    used: dict[str, float]


class MeanTiming(FiguredTiming):
    """Lines are as long as those of the mean block that was mapped so far."""

    def __init__(self, *, reads_in_bulk: bool) -> None:
        super().__init__(figures_of(JOB), reads_in_bulk=reads_in_bulk)
        self._blobs: list[float] = []

    def blob_bytes(self, block_units: int, real: int) -> float:
        """By the size of the block."""
        self._blobs.append(super().blob_bytes(block_units, real))
        return self._blobs[-1]

    def line_bytes(self, shards: Shards, shard: int, real: int) -> float:
        """Even."""
        self._blob_bytes = sum(self._blobs) / len(self._blobs)
        return super().line_bytes(shards, shard, real)


def days(number: int, day_bytes: int) -> list[StoredObject]:
    """The logs of so many days, one object an hour."""
    size = day_bytes // HOURS // 10 * 10
    return [
        StoredObject(f"{PREFIX}{day:02}/{hour:02}", size, f'"{day}-{hour}"', is_bad=False)
        for day in range(1, number + 1)
        for hour in range(HOURS)
    ]


def simulate_growth(day_bytes: int, at_once: int) -> tuple[Took, Took, Took]:
    """Runs on thirty days, on one more with what the first has mapped, and on all of these from scratch; none
    finds a function warm. Raises AssertionError unless they are exact."""
    timing, stored = MeanTiming(reads_in_bulk=True), dict[str, bytes]()
    first = _run(days(30, day_bytes), at_once, timing, stored, 35)
    second = _run(days(31, day_bytes), at_once, timing, stored, 35)
    scratch = _run(days(31, day_bytes), at_once, MeanTiming(reads_in_bulk=True), {}, None)
    assert second.summary["counts"] == scratch.summary["counts"]
    return first, second, scratch


def _run(
    objects: Sequence[StoredObject],
    at_once: int,
    timing: MeanTiming,
    stored: dict[str, bytes],
    reuse_days: int | None,
) -> Took:
    world = World(len(objects))
    job = simulated_job("growth", ("part", "key"), PARTS, FIGURES)
    faults = Faults(world.chance)
    simulation = Simulation(
        world, faults, Deployment(job, 1), objects, timing, quota=at_once + 2, at_once=at_once
    )
    simulation.s3.objects = stored
    answers: list[Response | Lost] = []
    request = {
        "job": "simulated",
        "prefix": PREFIX,
        "run_id": RUN_ID,
        "max_concurrency": at_once,
        "reuse_days": reuse_days,
    }
    with patched(simulation):
        simulation.service.invoke("parse_file", msgspec.json.encode(request), answers.append)
        world.run()
    world.close()
    (answer,) = answers
    assert isinstance(answer, Response)
    summary = msgspec.json.decode(answer.body)
    assert summary.get("status") == "SUCCEEDED", summary
    assert summary["counts"] == counted([(0, sum(one.bytes for one in objects))], "growth", 1, PARTS)
    record = simulation.record()
    assert record is not None
    mapped = summary["blocks"] - summary.get("blocks_reused", 0)
    return Took(summary, record.finished_at - EPOCH_S, summary["dollars"], mapped, record.used)
