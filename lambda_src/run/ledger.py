"""The ledger of a run: all its calls, what they cost, and the trace of them."""

import math
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from lambda_src.errors import BudgetExceeded, FanfoldError
from lambda_src.fan_out.map_reduce import Ended
from lambda_src.fan_out.outcomes import CALL_COUNTS
from lambda_src.fields import Function
from lambda_src.run.in_background import InBackground
from lambda_src.run.prices import ITEMS, dollars, prices_of
from lambda_src.telemetry.calls import FAILURE_BYTES, Call, Trace, Usage, cut, error_text
from lambda_src.telemetry.log import log
from lambda_src.wire.record import RunRecord

LOG_BYTES = 1000
"""What an invocation is assumed to write to CloudWatch Logs: 150 bytes of platform.start, 300 of
platform.report, 150 of our own line, 26 that CloudWatch adds to each, and 400 of platform.initStart where it
was cold."""


class Watch:
    """Observes a fan-out over ``function``, and passes every call that has ended to ``keep``, after the calls
    which that call made itself. ``name(task)`` names a task for people."""

    def __init__(
        self,
        function: Function,
        name: Callable[[Any], str],
        keep: Callable[[Call], None],
        progress: Callable[[int, int, int, float], None] = lambda *_: None,
    ) -> None:
        self._function, self._name, self._keep = function, name, keep
        self.progress = progress
        self._epoch_s = time.time() - time.monotonic()

    def ended(self, call: Ended) -> None:
        """See ``map_reduce.Observer``."""
        answer = call.answer if call.error is None else call.error
        usage: Usage | None = getattr(answer, "usage", None)
        for inner in getattr(answer, "calls", ()):
            self._keep(inner)
        self._keep(
            Call(
                self._function,
                self._name(call.task),
                call.attempt,
                queued_at=self._epoch_s + call.queued_at,
                started_at=self._epoch_s + call.started_at,
                ended_at=self._epoch_s + call.ended_at,
                outcome=call.outcome,
                error="" if call.error is None else error_text(call.error),
                usage=usage and replace(usage, request_id=""),
                request_id=getattr(answer, "request_id", "") or (usage.request_id if usage else ""),
            )
        )


def charged(call: Call, memory_mb: int) -> tuple[dict[str, float], dict[str, float]]:
    """What a call is charged for, by the names of ``prices.ITEMS``, and which part of that is an estimate.

    A call that reported no usage is charged for the time its caller waited, with ``memory_mb``; its requests
    stay unknown. A call that was throttled before it began costs nothing.

    >>> charged(Call("f", "t", 1, 0.0, 0.0, 2.0, "failed"), 1024)[0]
    {'invocations': 1, 'log_gb': 1e-06, 'gb_s': 2.0}
    """
    if call.usage is None and call.outcome == "throttled":
        return {}, {}
    log_gb = {"log_gb": LOG_BYTES / 1e9}
    if call.usage is None:
        used = {"invocations": 1, **log_gb, "gb_s": memory_mb / 1024 * (call.ended_at - call.started_at)}
        return used, used
    billed_s = math.ceil(call.usage.init_ms + call.usage.handler_ms) / 1000
    requests = {item: amount for item, amount in call.usage.requests.items() if item in ITEMS}
    # Count an invocation once, here: its caller has it among its own requests, too.
    return {**requests, "invocations": 1, **log_gb, "gb_s": call.usage.memory_mb / 1024 * billed_s}, log_gb


class Ledger:
    """The ledger of the run of ``record``, which has what earlier invocations used. ``usage()`` is what this
    invocation of ``parse_file`` has used so far."""

    def __init__(
        self,
        record: RunRecord,
        usage: Callable[[], Usage],
        get_trace: Callable[[], Trace | None],
        put_trace: Callable[[Trace], None],
        in_time: Callable[[Callable[[], None]], None] = lambda work: work(),
    ) -> None:
        self._record, self._usage = record, usage
        self._get_trace, self._put_trace, self._in_time = get_trace, put_trace, in_time
        self._before: list[Call] | None = None
        self._storing: InBackground | None = None
        self._stored = 0
        self._calls: list[Call] = []
        self._expected: Callable[[], list[Call]] = list
        self._memory_mb: dict[str, int] = {}
        self._used = defaultdict(float, record.used)
        self._estimated: defaultdict[str, float] = defaultdict(float)
        self._estimated_before = record.dollars_estimated
        self._counts = Counter(record.calls)
        architecture = "arm64" if os.uname().machine in ("aarch64", "arm64") else "x86_64"
        price_list = prices_of(os.environ.get("AWS_REGION", ""), architecture)
        self._prices, record.prices = price_list.prices, price_list.name
        record.price_region, record.price_architecture = price_list.region, price_list.architecture
        self._nested_at: float | None = None
        self._note_progress("", 0, 0, 0, 0.0)

    def watch(self, function: Function, name: Callable[[Any], str]) -> Watch:
        """The observer of a fan-out over ``function``."""
        return Watch(function, name, self.keep, partial(self._note_progress, function))

    def keep(self, call: Call) -> None:
        """Note a call that has ended."""
        self._calls.append(call)
        if call.outcome in CALL_COUNTS:
            self._counts[CALL_COUNTS[call.outcome]] += 1
        if call.usage:
            self._memory_mb[call.function] = call.usage.memory_mb
        _add(call, self._memory_of(call.function), self._used, self._estimated)

    def lost(self, function: Function, task: str, started_at: float) -> None:
        """Note a call that succeeded after ``started_at``, but whose answer was lost."""
        error = "Its answer was lost."
        self.keep(Call(function, task, 1, started_at, started_at, time.time(), "given_up", error))

    @property
    def spare_concurrency(self) -> int:
        """How many more calls may be in flight: none once a call was throttled."""
        if self._counts["throttled"]:
            return 0
        return self._record.max_concurrency - self._counts["running"]

    def note_nested(self, running: int) -> None:
        """Note that ``running`` reducers are in flight for ``get_all_occurrences``. Their usage arrives
        with its answer."""
        now = time.monotonic()
        if self._nested_at is not None:
            self._nested_s += running * (now - self._nested_at)
        self._nested_at = now

    def expect(self, calls: Callable[[], list[Call]]) -> None:
        """Note ``calls()``, too, when the ledger is closed."""
        self._expected = calls

    def show(self) -> None:
        """Bring the record up to date, including this invocation so far."""
        used, estimated = self._used.copy(), self._estimated.copy()
        _add(self._own_call(), 0, used, estimated)
        record = self._record
        record.calls = {
            name: self._counts[name] for name in ("running", "at_most", "slow", *CALL_COUNTS.values())
        }
        record.used = {item: round(used[item], 9) for item in ITEMS}
        record.dollars = {
            item: round(price, 12) for item, price in dollars(record.used, self._prices).items()
        }
        guessed = sum(dollars(estimated, self._prices).values())
        record.dollars_estimated = round(self._estimated_before + guessed, 12)

    def check_budget(self) -> None:
        """Raise BudgetExceeded if the cost in the record, and of the calls in flight so far, has reached the
        limit of the run."""
        function, running_s = self._in_flight
        nested_mb_s = self._memory_of("get_occurrences") * self._nested_s
        in_flight_gb_s = (self._memory_of(function) * running_s + nested_mb_s) / 1024
        in_flight = in_flight_gb_s * self._prices.gb_s
        spent, limit = sum(self._record.dollars.values()) + in_flight, self._record.max_dollars
        if limit is not None and spent >= limit:
            raise BudgetExceeded(
                f"max_dollars: the run has cost ${spent:.6f}, and its limit is ${limit:.6f}. Resume it with "
                "a higher limit: finished blocks are kept."
            )

    def begin_trace(self) -> None:
        """Store the trace of all calls so far, in the background. If the run succeeds, its record has the
        others."""
        self._keep_expected()
        try:
            trace = Trace(self._record.run_id, [*self._calls_before(), *self._calls])
        except FanfoldError:
            return  # ``close`` tries again
        self._stored = len(self._calls)
        self._storing = InBackground(lambda: self._put_trace(trace))

    def close(self, *, succeeds: bool = False) -> None:
        """Append this invocation's calls to the stored trace. Errors are only logged: the result of the run
        does not depend on the trace."""
        self._keep_expected()
        storing, self._storing = self._storing, None
        self._record.last_calls = []
        try:
            if storing:  # also before it is stored once more: what is stored last stays
                self._in_time(storing)
            if storing and succeeds:
                self._record.last_calls = [*self._calls[self._stored :], self._own_call(self._calls_before())]
            else:
                before = self._calls_before()
                trace = Trace(self._record.run_id, [*before, *self._calls, self._own_call(before)])
                self._in_time(lambda: self._put_trace(trace))
        except FanfoldError as error:
            run_id, name = self._record.run_id, type(error).__name__
            log("trace_not_written", run_id=run_id, error=name, message=str(error))
        self.show()

    def _keep_expected(self) -> None:
        for call in self._expected():
            self.keep(call)

    def _calls_before(self) -> list[Call]:
        """The calls of earlier invocations of ``parse_file``."""
        if self._before is None:
            found = self._get_trace()
            self._before = found.calls if found else []
        return self._before

    def _own_call(self, calls_before: Sequence[Call] = ()) -> Call:
        before = sum(call.function == "parse_file" for call in calls_before)
        usage, now = self._usage(), time.time()
        started_at = now - usage.handler_ms / 1000
        return Call(
            "parse_file",
            f"invocation {before + 1}",
            before + 1,
            queued_at=started_at,
            started_at=started_at,
            ended_at=now,
            outcome="failed" if self._record.error else "done",
            error=cut(self._record.error, FAILURE_BYTES),
            usage=replace(usage, request_id=""),
            request_id=usage.request_id,
        )

    def _memory_of(self, function: str) -> int:
        """The memory of a function; until it has reported it, that of our own."""
        return self._memory_mb.get(function) or self._usage().memory_mb

    def _note_progress(self, function: str, running: int, at_most: int, slow: int, running_s: float) -> None:
        self._counts["running"], self._counts["at_most"], self._counts["slow"] = running, at_most, slow
        self._in_flight = function, running_s
        if not running:
            self._nested_at, self._nested_s = None, 0.0


def _add(
    call: Call, memory_mb: int, used: defaultdict[str, float], estimated: defaultdict[str, float]
) -> None:
    for sums, amounts in zip((used, estimated), charged(call, memory_mb), strict=True):
        for item, amount in amounts.items():
            sums[item] += amount
