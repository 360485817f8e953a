"""Large runs without faults, next to the model: the same figures, but every call is made."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from fanfold.estimate.model import Given, Modelled, model, plan
from lambda_src.aws.http1 import Response
from lambda_src.fields import MAX_CONCURRENCY
from lambda_src.job import ShardBy
from lambda_src.jobs.top_words.figures import FIGURES
from lambda_src.run.figures import figures_of
from tests.simulation.data import StoredObject
from tests.simulation.engine import RUN_ID, Simulation, patched
from tests.simulation.faults import Faults
from tests.simulation.job import counted, simulated_job
from tests.simulation.lambda_service import Lost
from tests.simulation.timing import FiguredTiming
from tests.simulation.work import Deployment
from tests.simulation.world import EPOCH_S, World

PARTS = tuple(map(str, range(20)))
SHARDED_BY: Sequence[ShardBy] = ("part", "key")
MANY_READS = 50_000
"""With more, the reads of a reducer are one event."""


class Large(NamedTuple):
    """A simulated run and the modelled one. Its record was final after ``seconds``, the answer came after
    ``answered_s``; ``took_s`` of processor time."""

    summary: dict[str, Any]
    seconds: float
    answered_s: float
    dollars: float
    modelled: Modelled
    throttles: int
    environments: int
    most_running: int
    events: int
    took_s: float


def simulate_large(size: int, at_once: int, *, cold: bool = True, seed: int = 0) -> Large:
    """A run of ``size`` bytes of words on ``at_once`` Lambdas, in an account that allows so many. Raises
    AssertionError unless it is exact."""
    began_at = time.process_time()
    job = simulated_job("large", SHARDED_BY, PARTS, FIGURES)
    given = Given(size, figures_of(job), SHARDED_BY)
    chosen = plan(given, at_once)
    modelled = model(given, chosen, at_once, cold=cold)
    in_bulk = modelled.blocks * modelled.shards > MANY_READS
    world = World(seed)
    simulation = Simulation(
        world,
        Faults(world.chance),
        Deployment(job, 1),
        [StoredObject("input/large", size, '"large"', is_bad=False)],
        FiguredTiming(given.figures, reads_in_bulk=in_bulk),
        quota=at_once + 2,
        at_once=at_once,
    )
    answers: list[tuple[float, Response | Lost]] = []
    request = {"key": "input/large", "run_id": RUN_ID, "max_concurrency": min(at_once, MAX_CONCURRENCY)}
    with patched(simulation):
        if not cold:
            simulation.service.warm(at_once)
        simulation.service.invoke(
            "parse_file", msgspec.json.encode(request), lambda answer: answers.append((world.now, answer))
        )
        world.run()
    world.close()
    ((answered_s, answer),) = answers
    assert isinstance(answer, Response)
    summary = msgspec.json.decode(answer.body)
    assert summary.get("status") == "SUCCEEDED", summary
    assert summary["counts"] == counted([(0, size)], "large", 1, PARTS)
    record = simulation.record()
    assert record is not None
    return Large(
        summary,
        record.finished_at - EPOCH_S,
        answered_s,
        summary["dollars"],
        modelled,
        simulation.service.throttles,
        simulation.service.environments,
        simulation.service.most_running,
        world.events,
        time.process_time() - began_at,
    )
