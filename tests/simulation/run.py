"""One seed, one run: what is asked, what goes wrong, who else meddles; then its resumption without faults."""

import contextlib
import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from lambda_src.aws.dynamodb import EndpointTable
from lambda_src.aws.http1 import Response
from lambda_src.errors import FanfoldError
from lambda_src.handlers.parse_file import TIMEOUTS_S
from lambda_src.store.results import ResultsTable
from lambda_src.wire.record import RunRecord
from tests.simulation.data import StoredObject
from tests.simulation.engine import RUN_ID, TABLE, Simulation, patched
from tests.simulation.faults import Faults, drawn_faults
from tests.simulation.invariants import violations
from tests.simulation.job import simulated_job
from tests.simulation.lambda_service import Lost
from tests.simulation.timing import Timing
from tests.simulation.work import Deployment
from tests.simulation.world import Stuck, World

RESUMED_AFTER_S = 120.0
"""Longer than a lease, and than clocks differ."""

SHORT_TIMEOUTS_S = {
    "parse_block": 30.0,
    "get_occurrences": 50.0,
    "get_all_occurrences": 84.0,
    "log_results": 10.0,
}
"""Those of most runs: waiting for what does not answer costs time here, too."""

RESUMPTIONS = 2
MOST_EVENTS = 2_000_000


class Answer(NamedTuple):
    """What whoever invoked ``parse_file`` got: a summary, or the name of an error."""

    at: float
    summary: Mapping[str, Any] | None
    error: str
    message: str = ""


class Client:
    """Whoever uses the deployment from outside."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation, self.skew_s = simulation, simulation.faults.skew_s()

    def count(self, _item: str, _amount: float = 1) -> None:
        """Nobody asks what a client uses."""


class Scenario(NamedTuple):
    """What is run."""

    objects: tuple[StoredObject, ...]
    request: dict[str, Any]
    sharded_by: tuple[Any, ...]
    quota: int
    parse_file_s: float
    keep_days: int
    map_s: float
    timeouts_s: Mapping[str, float]

    def expected_error(self, on_bad: str) -> str:
        """The error with which the run must fail."""
        bad = [one for one in self.objects if one.is_bad]
        if not bad:
            return ""
        if on_bad == "fail":
            return "FanOutFailed"
        return "NothingLeft" if len(bad) == len(self.objects) else ""


def drawn_scenario(chance: random.Random) -> Scenario:
    """A small run, of any shape."""
    number = chance.choice([1, 1, 1, 2, 5])
    has_bad = number > 1 and chance.random() < 0.4
    objects = tuple(
        StoredObject(f"input/{n}", 10 * chance.randint(1, 100), f'"{n}"', has_bad and chance.random() < 0.4)
        for n in range(number)
    )
    size = sum(one.bytes for one in objects)
    request: dict[str, Any] = {"key": objects[0].key} if number == 1 else {"prefix": "input/"}
    request |= {
        "run_id": RUN_ID,
        "block_bytes": max(size // chance.choice([1, 2, 5, 10, 30]), 1),
        "max_concurrency": chance.choice([1, 2, 8, 50]),
    }
    if number > 1 and chance.random() < 0.7:
        request["on_bad_object"] = "skip"
    if number > 1 and chance.random() < 0.4:
        request["reuse_days"] = 35
    sharded_by = chance.choice([("part", "key"), ("part", "key"), ("key",), ()])
    if "key" in sharded_by and chance.random() < 0.6:
        request |= {"shard_by": "key", "shards": chance.choice([1, 2, 5])}
    if chance.random() < 0.3:
        request["options"] = {"weight": chance.randint(1, 3)}
    if chance.random() < 0.1:
        request["max_dollars"] = chance.choice([1e-6, 1e-4, 1e-3])
    quota = chance.choice([2, 3, 10, 1000, 1000, 1000])
    parse_file_s = chance.choice([900.0, 900.0, 900.0, 62.0, 70.0, 75.0])
    keep_days = chance.choice([1, 1, 2])
    map_s = chance.choice([0.02, 0.2, 0.2, 1.0, 5.0])
    timeouts_s: Mapping[str, float] = chance.choice([TIMEOUTS_S, *[SHORT_TIMEOUTS_S] * 5])
    return Scenario(objects, request, sharded_by, quota, parse_file_s, keep_days, map_s, timeouts_s)


class SimulatedRun:
    """The run of one seed."""

    def __init__(self, seed: int, *, faults: Faults | None = None, scenario: Scenario | None = None) -> None:
        self.seed = seed
        self.world = world = World(seed)
        chance = world.chance
        self.scenario = scenario = scenario or drawn_scenario(chance)
        self.has_faults = faults is None
        self.faults = faults = faults or drawn_faults(chance)
        self.answers: list[Answer] = []
        self.story: list[tuple[float, str]] = []
        self.violations: list[str] = []
        self.is_replaced = False
        timing = Timing(chance, scenario.map_s, chance.choice([1.0, 1.5]))
        self.simulation = Simulation(
            world,
            faults,
            Deployment(
                simulated_job("v1", scenario.sharded_by), 1, scenario.parse_file_s, scenario.timeouts_s
            ),
            scenario.objects,
            timing,
            quota=scenario.quota,
            keep_days=scenario.keep_days,
        )

    def carry_out(self) -> None:
        """Run, with all that goes wrong; then resume it until it is exact."""
        try:
            with patched(self.simulation):
                self._invoke(self.scenario.request)
                if self.has_faults:
                    self._meddle()
                self._let_happen()
                self.check()
                self._resume()
        finally:
            self.world.close()

    def check(self) -> None:
        """Look at what has happened so far."""
        self.violations.extend(found for found in violations(self) if found not in self.violations)

    def _let_happen(self) -> None:
        try:
            self.world.run(MOST_EVENTS)
        except Stuck as stuck:
            self.violations.append(f"stuck: {stuck}")
        except Exception as error:  # noqa: BLE001 - any error that escapes is a bug, to be reported with its seed
            self.violations.append(f"a bug: {type(error).__name__}: {error}")

    def _resume(self) -> None:
        """Without faults, the run must succeed, or fail for a reason that lasts."""
        simulation = self.simulation
        self.faults.end()
        request = {
            name: value
            for name, value in self.scenario.request.items()
            if name in ("key", "prefix", "run_id", "max_concurrency")
        }
        record = self.record()
        if record is None or not record.etag:  # nothing was bound: it is a new run
            request = dict(self.scenario.request)
        if "max_dollars" in self.scenario.request:
            request["max_dollars"] = 1e6
        simulation.deploy(simulation.deployment._replace(parse_file_s=900.0))
        for _ in range(RESUMPTIONS):
            self.story.append((self.world.now, "resumed without faults"))
            self.world.after(RESUMED_AFTER_S, lambda: self._invoke(request))
            self._let_happen()
            self.check()
            record = self.record()
            if record and record.status == "SUCCEEDED":
                return
            if self.answers and self.answers[-1].error in self.lasting_errors():
                return
        last = self.answers[-1] if self.answers else None
        self.violations.append(
            f"not resumable: {last and (last.error or last.summary)} {last and last.message}"[:300]
        )

    def lasting_errors(self) -> set[str]:
        """Errors that are right, however often it is resumed."""
        expected = self.scenario.expected_error(str(self.scenario.request.get("on_bad_object", "fail")))
        return {expected} | ({"SourceChanged"} if self.is_replaced else set()) - {""}

    def has_log(self, event: str) -> bool:
        """Whether a function has logged this."""
        return any(f'"event":"{event}"' in line for line in self.simulation.lines)

    def record(self) -> RunRecord | None:
        """The record of the run as it is stored."""
        return self.simulation.record()

    def _invoke(self, request: Mapping[str, Any]) -> None:
        """Somebody wants the run."""

        def arrives(response: Response | Lost) -> None:
            now = self.world.now
            if isinstance(response, Lost):
                self.answers.append(Answer(now, None, "Lost"))
                return
            body = msgspec.json.decode(response.body)
            if response.status >= 300:
                self.answers.append(Answer(now, None, "Throttled"))
            elif "x-amz-function-error" in response.headers:
                self.answers.append(Answer(now, None, body["errorType"], body["errorMessage"]))
            else:
                self.answers.append(Answer(now, body, ""))

        self.simulation.service.invoke("parse_file", msgspec.json.encode(request), arrives)

    def _meddle(self) -> None:
        """Draw who does what in the meantime."""
        chance, simulation = self.world.chance, self.simulation
        deeds: dict[str, Callable[[], None]] = {
            "another invocation": lambda: self._invoke(
                {name: value for name, value in self.scenario.request.items() if name != "max_dollars"}
            ),
            "cancelled": lambda: self._as_client(lambda table: table.request_cancel()),
            "deployed with other rules": lambda: self._deploy("v2", simulation.deployment.form),
            "deployed with other messages": lambda: self._deploy("v1", 2),
            "deployed again": lambda: self._deploy("v1", simulation.deployment.form),
            "input replaced": self._replace,
            "blob damaged": self._damage,
            "parse_file dies": lambda: self._kill("parse_file"),
            "get_all_occurrences dies": lambda: self._kill("get_all_occurrences"),
        }
        for _ in range(chance.choice([0, 0, 1, 1, 2, 3])):
            name = chance.choice(list(deeds))
            at = chance.choice(
                [chance.uniform(0.0, 3.0), chance.uniform(0.0, 30.0), chance.uniform(0.0, 120.0)]
            )
            self.world.at(at, lambda name=name: self._do(name, deeds[name]))  # type: ignore[misc]

    def _do(self, name: str, deed: Callable[[], None]) -> None:
        self.story.append((self.world.now, name))
        deed()

    def _deploy(self, rules: str, form: int) -> None:
        simulation = self.simulation
        simulation.deploy(
            simulation.deployment._replace(job=simulated_job(rules, self.scenario.sharded_by), form=form)
        )

    def _as_client(self, deed: Callable[[ResultsTable], Any]) -> None:
        """Do something from outside of Lambda."""
        simulation = self.simulation

        def work() -> None:
            endpoint: Any = simulation.table
            table = ResultsTable(EndpointTable(endpoint, TABLE), RUN_ID, simulation.deployment.job)
            with contextlib.suppress(FanfoldError):
                deed(table)

        client = Client(simulation)
        self.world.spawn("client", work, skew_s=client.skew_s, about=client)

    def _replace(self) -> None:
        simulation = self.simulation
        number = self.world.chance.randrange(len(simulation.objects))
        one = simulation.objects[number]
        simulation.objects[number] = one._replace(etag=f'"replaced at {self.world.now}"')
        self.is_replaced = True

    def _damage(self) -> None:
        """Somebody changes, cuts or deletes what the run has stored."""
        chance, objects = self.world.chance, self.simulation.s3.objects
        if not objects:
            return
        key = chance.choice(sorted(objects))
        body = objects[key]
        at = chance.randrange(len(body) + 1)
        damaged = chance.choice([None, body[:at], body[:at] + b"X" + body[at + 1 :]])
        if damaged is None:
            del objects[key]
        else:
            objects[key] = damaged

    def _kill(self, function: str) -> None:
        for execution in self.simulation.service.executions:
            if execution.function == function and not execution.is_over:
                execution.crash("Runtime.ExitError", "killed")
