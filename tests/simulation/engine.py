"""The engine's own handlers, as functions of a simulated Lambda, on a simulated S3 and a simulated table.

Only what would leave the process is replaced: HTTP, S3's client, threads, clocks, and the input's bytes.
"""

import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

from lambda_src import job, settings
from lambda_src.aws import dynamodb, functions
from lambda_src.errors import FanfoldError
from lambda_src.fan_out import drivers, map_reduce
from lambda_src.fields import MAX_CONCURRENCY
from lambda_src.handlers import get_all_occurrences, get_occurrences, log_results, parse_block, parse_file
from lambda_src.run import in_background, ledger, reduce_shard, state
from lambda_src.run.plan import Plan, choose
from lambda_src.store import blobs
from lambda_src.store.keys import RUN_ITEM
from lambda_src.store.results import run_from_item
from lambda_src.telemetry import log, meter
from lambda_src.wire.record import RunRecord
from tests.simulation.calls import RecordedFanOut, SimulatedConnections, SimulatedThread, SimulatedThreads
from tests.simulation.data import (
    SimulatedInputs,
    SimulatedObstore,
    StoredObject,
    read_all,
    simulated_input_of,
)
from tests.simulation.faults import Faults
from tests.simulation.lambda_service import Execution, Function, SimulatedLambda
from tests.simulation.s3 import SimulatedS3
from tests.simulation.table import SimulatedTable
from tests.simulation.timing import Timing
from tests.simulation.work import Deployment, Work, current_work
from tests.simulation.world import World

HANDLERS: Mapping[str, Any] = {
    "parse_file": parse_file.handler,
    "parse_block": parse_block.handler,
    "get_all_occurrences": get_all_occurrences.handler,
    "get_occurrences": get_occurrences.handler,
    "log_results": log_results.handler,
}
BUCKET, TABLE, RUN_ID = "bucket", "table", "run"


class Simulation:
    """One deployment and its services in a world of their own."""

    def __init__(
        self,
        world: World,
        faults: Faults,
        deployment: Deployment,
        objects: Sequence[StoredObject],
        timing: Timing,
        *,
        quota: int = 1000,
        keep_days: int = 1,
        at_once: int | None = None,
    ) -> None:
        self.world, self.faults, self.deployment, self.timing = world, faults, deployment, timing
        faults.now = lambda: world.now
        self.objects = list(objects)
        self.service = SimulatedLambda(world, faults, quota)
        self.s3 = SimulatedS3(world, faults)
        self.table = SimulatedTable(world, faults)
        self.keep_days, self.at_once = keep_days, at_once
        self.bugs: list[str] = []
        self.lines: list[str] = []  # of the logs
        self.fan_outs: list[RecordedFanOut] = []
        self.deploy(deployment)

    def deploy(self, deployment: Deployment) -> None:
        """Replace the code of all functions."""
        self.deployment = deployment
        timeouts_s = {**deployment.timeouts_s, "parse_file": deployment.parse_file_s}
        self.service.deploy(
            {name: self._function(name, deployment, seconds) for name, seconds in timeouts_s.items()}
        )

    def record(self) -> RunRecord | None:
        """The record of the run as it is stored."""
        item = self.table.items.get((RUN_ID, RUN_ITEM))
        return run_from_item(item, RUN_ID) if item else None

    def _function(self, name: str, deployment: Deployment, timeout_s: float) -> Function:
        imports_s = self.timing.imports_s(name)
        return Function(lambda execution: self._execute(execution, deployment), timeout_s, imports_s)

    def _execute(self, execution: Execution, deployment: Deployment) -> None:
        """Begin to work on an event."""
        execution.about = about = Work(self, execution, deployment)
        timeout_s = deployment.parse_file_s
        context = SimpleNamespace(
            aws_request_id=f"request-{execution.number}",
            get_remaining_time_in_millis=lambda: 1000 * (about.began_at + timeout_s - self.world.now),
        )
        stop_clock = execution.on_end

        def end() -> None:
            stop_clock()
            about.end()

        def work() -> Mapping[str, Any]:
            answer: Mapping[str, Any] = HANDLERS[execution.function](execution.event, context)
            return answer

        execution.on_end = end
        if execution.function == "parse_block":  # it only reads, and then stores its blob
            answer, error, seconds = self.world.ahead(work, about, about.skew_s)
            self.world.after(seconds, lambda: self._ended(about, answer, error))
        else:
            about.spawn(execution.function, lambda: self._carry_out(about, work))

    def _carry_out(self, work: Work, handler: Callable[[], Mapping[str, Any]]) -> None:
        try:
            answer = handler()
        except Exception as error:  # noqa: BLE001 - Lambda takes any
            self._ended(work, None, error)
        else:
            self._ended(work, answer, None)

    def _ended(self, work: Work, answer: Mapping[str, Any] | None, error: BaseException | None) -> None:
        """A handler has returned, or raised an error."""
        execution = work.execution
        if execution.is_over:
            return
        if answer is None:
            if isinstance(error, FanfoldError):
                work.ended_well, work.error = True, type(error).__name__
            else:
                trace = "".join(traceback.format_exception(error)[-3:])
                self.bugs.append(f"{execution.function}: {trace}")
            execution.crash(type(error).__name__, str(error))
            return
        if work.deployment.form != work.form_known and execution.function != "parse_file":
            answer = {**answer, "form": work.deployment.form}
        work.ended_well = execution.fault != "dies after"
        execution.answer(answer)


class _Sink:
    """Standard output of all functions."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def write(self, text: str) -> None:
        """Keep a line."""
        self._simulation.lines.append(text)

    def flush(self) -> None:
        """Nothing to do."""


@contextmanager
def _stage(_wait: str) -> Iterator[None]:
    yield


def _environment(simulation: Simulation) -> dict[str, str]:
    parse_file_settings = settings.ParseFileSettings(
        jobs=("simulated",),
        stack="Fanfold",
        url_suffix="simulated",
        bucket=BUCKET,
        source_bucket="inputs",
        table=TABLE,
        parse_block_function="parse_block",
        get_all_occurrences_function="get_all_occurrences",
        get_occurrences_function="get_occurrences",
        log_results_function="log_results",
        metrics="on",
        keep_intermediates_days=simulation.keep_days,
    )
    return {
        **settings.to_environment(parse_file_settings),
        "AWS_LAMBDA_FUNCTION_NAME": "parse_file",
        "AWS_REGION": "us-east-1",
    }


@contextmanager
def patched(simulation: Simulation) -> Iterator[None]:
    """The engine calls the services of ``simulation``."""
    open_bucket = lambda *_, **__: None  # noqa: E731
    replaced: list[tuple[Any, str, Any]] = [
        (job, "load", lambda _name: current_work().job()),
        (dynamodb, "open_endpoint", lambda *_: simulation.table),
        (functions, "open_connections", lambda *_: SimulatedConnections(current_work())),
        (parse_file, "open_bucket", open_bucket),
        (parse_block, "open_bucket", open_bucket),
        (get_occurrences, "open_bucket", open_bucket),
        (parse_file, "_Inputs", SimulatedInputs),
        (parse_file, "TIMEOUTS_S", simulation.deployment.timeouts_s),
        (
            get_all_occurrences,
            "GET_OCCURRENCES_TIMEOUT_S",
            simulation.deployment.timeouts_s["get_occurrences"],
        ),
        (parse_block, "input_of", simulated_input_of),
        (blobs, "obstore", SimulatedObstore(simulation)),
        (map_reduce, "FanOut", RecordedFanOut),
        (drivers, "Threads", SimulatedThreads),
        (in_background, "threading", SimpleNamespace(Thread=SimulatedThread)),
        (meter, "begin", lambda *_: None),
        (meter, "count", lambda *given: current_work().count(*given)),
        (meter, "stage", _stage),
        (meter, "usage", lambda: current_work().usage()),
        (state, "choose", _choose),
        (ledger, "os", SimpleNamespace(environ=os.environ, uname=lambda: SimpleNamespace(machine="arm64"))),
        (log, "sys", SimpleNamespace(stdout=_Sink(simulation))),
    ]
    if simulation.timing.reads_in_bulk:
        replaced.append((reduce_shard, "fan_out", read_all))
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, _environment(simulation)))
        for place_, name, value in replaced:
            stack.enter_context(mock.patch.object(place_, name, value))
        yield


def _choose(units: int, concurrency: int, *given: Any, **more: Any) -> Plan:
    """Plan for as many Lambdas at once as the simulation allows."""
    at_once = current_work().simulation.at_once
    return choose(
        units, at_once if at_once and concurrency == MAX_CONCURRENCY else concurrency, *given, **more
    )
