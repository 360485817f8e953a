"""A simulated Lambda: environments and their cold starts, quotas, time-outs, and calls that go wrong."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from lambda_src.aws.http1 import Response
from tests.simulation.faults import Faults
from tests.simulation.world import World

ENVIRONMENT_S = (0.2, 0.5)
INIT_S, INIT_P99_S = 0.082, 0.123
OVERHEAD_S = 0.015
"""Of an invocation, to its handler and back."""

BURST, SCALING_PER_S = 1000.0, 100.0
"""Environments of a function: at once, and more of them (1,000 in 10 s)."""

REQUESTS_BURST, REQUESTS_PER_S = 10_000.0, 1000.0
"""Requests to a function: at once, and more of them (10,000 in 10 s)."""

IDLE_S = 300.0
"""An environment that is not used for this long is gone."""

KILLED = "Runtime.ExitError", "Error: Runtime exited with error: exit status 1"

Answer = Mapping[str, Any]


class Lost(NamedTuple):
    """No answer comes: the connection breaks, or nothing happens at all."""

    is_silent: bool


Arrives = Callable[[Response | Lost], None]


class Allowance:
    """So much at once, and more of it every second."""

    def __init__(self, most: float, per_s: float) -> None:
        self._most, self._per_s = most, per_s
        self._left, self._at = most, 0.0

    def takes(self, now: float) -> bool:
        """Take one, if there is one."""
        self._left = min(self._left + (now - self._at) * self._per_s, self._most)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Execution:
    """One invocation in an environment: the function's code works on ``event`` and calls ``answer`` or
    ``crash`` once. When it ``is_over``, whatever it does has no effect any more."""

    def __init__(
        self,
        service: "SimulatedLambda",
        function: str,
        event: Any,
        *,
        init_s: float,
        fault: str,
        arrives: Arrives,
    ) -> None:
        self.function, self.event, self.init_s, self.fault = function, event, init_s, fault
        self.is_over = False
        self.on_end: Callable[[], None] = lambda: None
        self.number = 0
        self.about: Any = None  # for whoever executes it
        self._service, self._arrives = service, arrives

    def answer(self, answer: Answer) -> None:
        """The code is done."""
        if self.fault == "dies after":
            self.crash(*KILLED)
        else:
            self._end(msgspec.json.encode(answer), {})

    def crash(self, kind: str, message: str) -> None:
        """The code or its process has failed."""
        body = msgspec.json.encode({"errorType": kind, "errorMessage": message})
        self._end(body, {"x-amz-function-error": "Unhandled"})

    def _end(self, body: bytes, headers: Mapping[str, str]) -> None:
        if self.is_over:
            return
        self.is_over = True
        self.on_end()
        self._service.ended(self, is_healthy=not headers)
        if self.fault == "no answer":
            self._arrives(Lost(is_silent=True))
        elif self.fault == "lost answer":
            self._service.after_overhead(lambda: self._arrives(Lost(is_silent=False)))
        else:
            named = {**headers, "x-amzn-requestid": f"request-{self.number}"}
            self._service.after_overhead(lambda: self._arrives(Response(200, named, body)))


class Function(NamedTuple):
    """What is deployed: ``code(execution)`` begins to work."""

    code: Callable[[Execution], None]
    timeout_s: float
    imports_s: float


class SimulatedLambda:
    """The functions of a deployment, which may change at any time."""

    def __init__(self, world: World, faults: Faults, quota: int) -> None:
        self._world, self._faults, self._quota = world, faults, quota
        self._functions: Mapping[str, Function] = {}
        self._idle: dict[str, list[float]] = {}  # when each environment became idle, the latest last
        self._starts: dict[str, Allowance] = {}
        self._requests: dict[str, Allowance] = {}
        self.executions: list[Execution] = []
        self.running = self.most_running = 0
        self.environments = self.throttles = 0

    def deploy(self, functions: Mapping[str, Function]) -> None:
        """From now on, invocations execute these. No environment of the old code is used again."""
        self._functions = functions
        self._idle = {}

    def warm(self, environments: int) -> None:
        """Every function has idle environments."""
        self._idle = {name: [self._world.now] * environments for name in self._functions}

    def invoke(self, name: str, body: bytes, arrives: Arrives) -> None:
        """Invoke the function ``name``; the answer ``arrives`` later."""
        fault = self._faults.of_call(name)
        requests = self._requests.setdefault(name, Allowance(REQUESTS_BURST, REQUESTS_PER_S))
        if fault == "server error":
            self._refuse(arrives, 500, "ServiceException")
        elif fault == "throttled" or self.running >= self._quota or not requests.takes(self._world.now):
            self._refuse(arrives, 429, "TooManyRequestsException")
        else:
            self._begin(name, body, fault, arrives)
            if fault == "runs again":
                later_s = self._faults.latency_s(2.0, 60.0)
                self._world.after(later_s, lambda: self._begin(name, body, "", lambda _: None))

    def _refuse(self, arrives: Arrives, status: int, code: str) -> None:
        self.throttles += status == 429
        response = Response(status, {"x-amzn-errortype": code}, b'{"message":"simulated"}')
        self.after_overhead(lambda: arrives(response))

    def _begin(self, name: str, body: bytes, fault: str, arrives: Arrives) -> None:
        function = self._functions[name]
        found = self._environment(name, function)
        if found is None:
            self._refuse(arrives, 429, "TooManyRequestsException")
            return
        start_s, init_s = found
        execution = Execution(
            self, name, msgspec.json.decode(body), init_s=init_s, fault=fault, arrives=arrives
        )
        self.executions.append(execution)
        execution.number = len(self.executions)
        self.running += 1
        self.most_running = max(self.most_running, self.running)

        def begin() -> None:
            out_of_time = self._world.after(
                function.timeout_s, lambda: execution.crash("Sandbox.Timedout", "Task timed out")
            )
            execution.on_end = out_of_time.cancel
            if fault == "dies":
                lives_s = self._faults.latency_s(0.1, 10.0)
                self._world.after(lives_s, lambda: execution.crash(*KILLED))
            if fault != "hangs":
                function.code(execution)

        self._world.after(OVERHEAD_S / 2 + start_s, begin)

    def ended(self, execution: Execution, *, is_healthy: bool) -> None:
        """An execution is over; its environment may be used again if it ``is_healthy``."""
        self.running -= 1
        if is_healthy:
            self._idle.setdefault(execution.function, []).append(self._world.now)

    def after_overhead(self, action: Callable[[], None]) -> None:
        """An answer is on its way."""
        self._world.after(OVERHEAD_S / 2, action)

    def _environment(self, name: str, function: Function) -> tuple[float, float] | None:
        """How long it takes to get an environment, and the INIT in it; none if no more may be made now."""
        now, idle = self._world.now, self._idle.get(name, [])
        if idle and now - idle[-1] <= IDLE_S:
            idle.pop()
            return 0.0, 0.0
        if not self._starts.setdefault(name, Allowance(BURST, SCALING_PER_S)).takes(now):
            return None
        self.environments += 1
        init_s = self._faults.latency_s(INIT_S, INIT_P99_S) + function.imports_s
        return self._faults.between(*ENVIRONMENT_S) + init_s, init_s
