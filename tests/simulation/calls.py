"""Stand-ins for what calls functions, or blocking code: the drivers of fan-outs, in virtual time."""

from collections import Counter, deque
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import msgspec

from lambda_src.aws.endpoint import Unreachable
from lambda_src.aws.http1 import Response
from lambda_src.errors import Throttled
from lambda_src.fan_out import map_reduce
from lambda_src.fan_out.drivers import Call, Finished
from lambda_src.fields import MAX_CONCURRENCY
from tests.simulation.lambda_service import Lost
from tests.simulation.work import Work, current_work
from tests.simulation.world import Killed, Process

if TYPE_CHECKING:
    from tests.simulation.engine import Simulation

Task = TypeVar("Task")


class RecordedFanOut(map_reduce.FanOut[Any, Any]):
    """A fan-out that anybody can look at later."""

    def __init__(self, tasks: Sequence[Any], max_concurrency: int, *given: Any, **more: Any) -> None:
        at_once = current_work().simulation.at_once
        if at_once and max_concurrency == MAX_CONCURRENCY:
            max_concurrency = at_once
        super().__init__(tasks, max_concurrency, *given, **more)
        self.starts: Counter[int] = Counter()  # by task
        self.throttles: Counter[int] = Counter()
        current_work().simulation.fan_outs.append(self)

    def next_call(self, now: float) -> Call | None:
        """As ``FanOut.next_call``."""
        call = super().next_call(now)
        if call:
            self.starts[call.number] += 1
        return call

    def settle(self, finished: Finished, now: float) -> map_reduce.Ended:
        """As ``FanOut.settle``."""
        self.throttles[finished.call.number] += isinstance(finished.error, Throttled)
        return super().settle(finished, now)


class SimulatedThreads(Generic[Task]):
    """A driver for blocking functions: each call is a process; or, where calls only read, its time is known
    when it begins."""

    def __init__(self, function: Callable[[Task], Any]) -> None:
        self._function = function
        self._work = work = current_work()
        self._world = work.simulation.world
        self._reads_only = work.execution.function == "get_occurrences"
        self._processes: dict[Call, Process] = {}
        self._finished: list[Finished] = []
        self._waiting: Process | None = None
        self._is_closed = False

    def now(self) -> float:
        """As ``drivers.Driver``, like the others."""
        return self._world.now

    def has_room(self) -> bool:
        """There are as many threads as needed."""
        return True

    def start(self, call: Call, task: Task) -> None:
        """Start the call in a thread."""
        if self._reads_only:
            answer, error, seconds = self._world.ahead(lambda: self._function(task))
            self._world.after(seconds, lambda: self._finish(call, answer, error))
        else:
            self._processes[call] = self._work.spawn("call", lambda: self._carry_out(call, task))

    def _carry_out(self, call: Call, task: Task) -> None:
        try:
            answer, error = self._function(task), None
        except Killed:
            raise
        except BaseException as raised:  # noqa: BLE001 - as Threads does
            answer, error = None, raised
        self._finish(call, answer, error)

    def _finish(self, call: Call, answer: Any, error: BaseException | None) -> None:
        self._processes.pop(call, None)
        self._finished.append(Finished(call, self._world.now, answer, error))
        if self._waiting and not self._is_closed:
            self._world.wake(self._waiting)

    def wait(self, timeout_s: float) -> Sequence[Finished]:
        """What has come back."""
        self._world.check_alive()
        if not self._finished and timeout_s > 0:
            self._waiting = self._world.current
            self._world.wait(timeout_s)
            self._waiting = None
        found, self._finished = self._finished, []
        return found

    def abandon(self, call: Call) -> None:
        """Its thread waits no longer."""
        if process := self._processes.pop(call, None):
            process.kill()

    def close(self) -> None:
        """Nothing is under way any more."""
        self._is_closed = True


class SimulatedThread:
    """Stands in for ``threading.Thread`` in ``run.in_background``."""

    def __init__(self, target: Callable[[], None], daemon: bool) -> None:
        assert daemon
        self._work = current_work()
        self._target = target
        self._process: Process | None = None

    def start(self) -> None:
        """Begin."""
        self._process = self._work.spawn("in the background", self._target)

    def join(self) -> None:
        """Wait for its end."""
        assert self._process is not None
        self._work.simulation.world.join(self._process)


class SimulatedConnections:
    """Stands in for ``aws.connections.Connections`` under ``aws.functions``: one for each execution. Requests
    go on only while ``run`` waits for them, as they do with an event loop."""

    def __init__(self, work: Work) -> None:
        self._work, self._world = work, work.simulation.world
        self._due: deque[tuple[_Request, Response | Exception | None]] = deque()
        self._waiting: Process | None = None
        self._opened = self.busy = 0
        work.connections.append(self)

    def has_room(self) -> bool:
        """There are as many connections as a simulation wants."""
        return True

    def opened_s(self) -> float:
        """What it takes to open a connection, if none is free for one more request."""
        self.busy += 1
        if self.busy <= self._opened:
            return 0.0
        self._opened += 1
        return self._work.simulation.timing.connect_s

    def begin(self, request: Coroutine[Any, Any, None]) -> "_Request":
        """As ``Connections.begin``."""
        begun = _Request(self, request)
        self._due.append((begun, None))
        return begun

    def run(self, timeout_s: float) -> None:
        """As ``Connections.run``."""
        self._world.check_alive()
        ends_at = self._world.now + timeout_s
        while True:
            has_ended = False
            while self._due:
                request, result = self._due.popleft()
                has_ended = request.go_on(result) or has_ended
            if has_ended or self._world.now >= ends_at:
                return
            self._waiting = self._world.current
            self._world.wait(ends_at - self._world.now)
            self._waiting = None

    def cancel(self, requests: "list[_Request]") -> None:
        """As ``Connections.cancel``."""
        for request in requests:
            request.cancel()

    async def post(self, path: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float) -> Response:
        """As ``Connections.post``: invoke a function."""
        return await _Posted(self._work, path.split("/")[3], headers, body, timeout_s)

    def close(self) -> None:
        """End all requests."""
        self.cancel([request for request, _ in self._due])

    def arrived(self, request: "_Request", result: Response | Exception) -> None:
        """An answer is there."""
        self._due.append((request, result))
        if self._waiting:
            self._world.wake(self._waiting)


class _Posted(NamedTuple):
    """What to wait for: the answer of an invocation."""

    work: Work
    name: str
    headers: Mapping[str, str]
    body: bytes
    timeout_s: float

    def __await__(self) -> Generator["_Posted", Response, Response]:
        return (yield self)


class _Request:
    """A request under way."""

    def __init__(self, connections: SimulatedConnections, steps: Coroutine[Any, Any, None]) -> None:
        self._connections, self._steps = connections, steps
        self.is_over = False
        self._has_answer = False

    def go_on(self, result: Response | Exception | None) -> bool:
        """Do what can be done now; whether the request has ended."""
        if self.is_over:
            return False
        try:
            if isinstance(result, Exception):
                self._steps.throw(result)
            else:
                self._post(self._steps.send(result))
        except StopIteration:
            self.is_over = True
            return True
        return False

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        self.is_over = True
        self._steps.close()

    def _post(self, posted: _Posted) -> None:
        work, simulation = posted.work, posted.work.simulation
        world, body = simulation.world, _with_form(posted.body, work)
        world.sleep(simulation.timing.invoke_s + self._connections.opened_s())
        if posted.headers["x-amz-invocation-type"] == "Event":
            deliver_event(simulation, posted.name, body)
            world.after(simulation.faults.latency_s(0.02, 0.1), lambda: self._arrives(Response(202, {}, b"")))
            return
        work.invoked.append(posted.name)
        timed_out = Unreachable("TimeoutError: timed out")
        alarm = world.after(posted.timeout_s, lambda: self._arrives(timed_out))

        def arrives(answer: Response | Lost) -> None:
            if isinstance(answer, Response):
                self._arrives(answer)
            elif not answer.is_silent:
                self._arrives(
                    Unreachable("RemoteDisconnected: Remote end closed connection without response")
                )
            if not isinstance(answer, Lost) or not answer.is_silent:
                alarm.cancel()

        simulation.service.invoke(posted.name, body, arrives)

    def _arrives(self, result: Response | Exception) -> None:
        if not (self._has_answer or self.is_over):
            self._has_answer = True
            self._connections.busy -= 1
            self._connections.arrived(self, result)


def _with_form(body: bytes, work: Work) -> bytes:
    """A request in the form of the sender's version. The first form is that of the real code."""
    if work.deployment.form == work.simulation.deployment.form:
        return body
    return msgspec.json.encode({**msgspec.json.decode(body), "form": work.deployment.form})


def deliver_event(simulation: "Simulation", name: str, body: bytes) -> None:
    """Lambda delivers an event later, if at all, and at least once: again while it is throttled, for five
    minutes."""
    world, faults = simulation.world, simulation.faults
    gives_up_at = world.now + 300.0

    def deliver() -> None:
        simulation.service.invoke(name, body, arrives)

    def arrives(answer: Response | Lost) -> None:
        if isinstance(answer, Response) and answer.status >= 300 and world.now < gives_up_at:
            world.after(1.0, deliver)

    for delay_s in faults.deliveries():
        world.after(delay_s, deliver)
