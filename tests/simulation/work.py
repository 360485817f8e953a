"""What an execution works on: which version of the code, and what it has used."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from lambda_src import settings
from lambda_src.handlers.parse_file import TIMEOUTS_S
from lambda_src.job import Job, Shards
from lambda_src.telemetry.calls import Usage
from tests.simulation.lambda_service import Execution
from tests.simulation.s3 import Line
from tests.simulation.timing import BYTES_PER_S
from tests.simulation.world import Process, current_world

if TYPE_CHECKING:
    from tests.simulation.calls import SimulatedConnections
    from tests.simulation.engine import Simulation

BUSY_S = 0.01
"""A reducer's processor is busy for about so long at a time: events for each line would be too many."""


class Deployment(NamedTuple):
    """A version of the code: the job's rules, and the form of the requests that it sends and knows."""

    job: Job
    form: int
    parse_file_s: float = settings.PARSE_FILE_TIMEOUT_S
    timeouts_s: Mapping[str, float] = TIMEOUTS_S  # of the others


class Work:
    """What an execution works on, and what it has used."""

    def __init__(self, simulation: "Simulation", execution: Execution, deployment: Deployment) -> None:
        self.simulation, self.execution, self.deployment = simulation, execution, deployment
        world = simulation.world
        self.began_at = world.now
        self.skew_s = simulation.faults.skew_s()
        self.ended_well, self.ended_at, self.error = False, 0.0, ""
        self.processes: list[Process] = []
        self.connections: list[SimulatedConnections] = []
        self.invoked: list[str] = []
        self.requests: dict[str, float] = {}
        self.network = Line(BYTES_PER_S)
        self._shards: Shards | None = None
        self.slowness = simulation.faults.slowness() if execution.fault == "slow" else 1.0
        event = execution.event
        self.form_known = event.pop("form", deployment.form) if isinstance(event, dict) else deployment.form
        if self.form_known != deployment.form:
            event["form"] = self.form_known

    def end(self) -> None:
        """The execution is over: nothing of it goes on."""
        self.ended_at = self.simulation.world.now
        for process in self.processes:
            process.kill()
        for connections in self.connections:
            connections.close()

    def spawn(self, name: str, work: Callable[[], None]) -> Process:
        """Another thread of this execution."""
        process = self.simulation.world.spawn(name, work, skew_s=self.skew_s, about=self)
        self.processes.append(process)
        return process

    def job(self) -> Job:
        """The deployed job, whose reducers take their time; one that miscounts loses a line, or counts it
        twice."""
        deployed = self.deployment.job
        if self.execution.function != "get_occurrences":
            return deployed
        miscounts = self.execution.fault == "miscounts"
        times = 2 * int(self.simulation.world.chance.random() < 0.5) if miscounts else 1

        def read(lines: Iterable[bytes]) -> Iterator[bytes]:
            busy_s = 0.0
            for number, line in enumerate(lines):
                for _ in range(1 if number else times):
                    yield line
                if not self.simulation.timing.reads_in_bulk:
                    busy_s += self.simulation.timing.line_s(self.line_bytes(len(line)))
                if busy_s > BUSY_S:
                    self.simulation.world.sleep(busy_s)
                    busy_s = 0.0

        return msgspec.structs.replace(
            deployed,
            reduce=lambda shard, lines, context: deployed.reduce(shard, read(lines), context),
        )

    def line_bytes(self, real: int) -> float:
        """The size of a line that this reducer reads."""
        event = self.execution.event
        if self._shards is None:
            self._shards = msgspec.convert(event["context"]["shards"], Shards)
        return self.simulation.timing.line_bytes(self._shards, event["shard"], real)

    def usage(self) -> Usage:
        """As ``meter.usage``."""
        execution = self.execution
        return Usage(
            memory_mb=self.simulation.timing.memory_mb(execution.function),
            init_ms=round(1000 * execution.init_s, 1),
            handler_ms=round(1000 * (self.simulation.world.time() - self.began_at), 3),
            fetch_ms=0.0,
            store_ms=0.0,
            requests=dict(self.requests),
            request_id=f"request-{execution.number}",
        )

    def count(self, item: str, amount: float = 1) -> None:
        """As ``meter.count``."""
        self.requests[item] = self.requests.get(item, 0.0) + amount


def current_work() -> Work:
    """What the current process works on."""
    world = current_world()
    assert world is not None
    assert world.current is not None
    work: Work = world.current.about
    return work
