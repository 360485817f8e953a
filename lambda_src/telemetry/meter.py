"""Measures what one invocation uses, in its own process.

Adapters count their requests, and mark what the main thread waits for. A process runs one invocation at a
time. Calls that an invocation gave up may end during the next one, and are counted there. Retries inside a
client library are not counted.
"""

import functools
import gc
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from lambda_src.telemetry.calls import Usage, cut
from lambda_src.telemetry.log import about

LOGGED_BYTES = 64
"""The most bytes of a name in an event, which may be anything."""

Handler = Callable[[object, Any], Mapping[str, Any]]


class Meter:
    """Measures one invocation after another. Only ``count`` is safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begin()

    def begin(self, init_ms: float = 0.0, request_id: str = "") -> None:
        """Start to measure the invocation ``request_id``, in this thread. Its process took ``init_ms`` to
        start; 0 if it was warm."""
        with self._lock:
            self._requests: defaultdict[str, float] = defaultdict(float)
        self._waited_s = {"fetch": 0.0, "store": 0.0}
        self._waiting = False
        self._main_thread = threading.get_ident()
        self._init_ms, self._request_id = init_ms, request_id
        self._began_at = time.monotonic()

    def count(self, item: str, amount: float = 1) -> None:
        """Count ``amount`` of ``item``: one of ``prices.ITEMS``, or any other kind of request."""
        with self._lock:
            self._requests[item] += amount

    @contextmanager
    def stage(self, wait: Literal["fetch", "store"]) -> Iterator[None]:
        """Count the time inside as waiting for input or for output. Only the main thread's waits count: those
        of other threads take none of the invocation's time."""
        if self._waiting or threading.get_ident() != self._main_thread:
            yield
            return
        self._waiting, started_at = True, time.monotonic()
        try:
            yield
        finally:
            self._waited_s[wait] += time.monotonic() - started_at
            self._waiting = False

    def usage(self) -> Usage:
        """What the invocation has used so far."""
        with self._lock:
            requests = dict(self._requests)
        return Usage(
            memory_mb=int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0")),  # Lambda always sets it
            init_ms=round(self._init_ms, 1),
            handler_ms=round(1000 * (time.monotonic() - self._began_at), 3),
            fetch_ms=round(1000 * self._waited_s["fetch"], 3),
            store_ms=round(1000 * self._waited_s["store"], 3),
            requests=requests,
            request_id=self._request_id,
        )


_METER = Meter()
begin, count, stage, usage = _METER.begin, _METER.count, _METER.stage, _METER.usage


def metered(handler: Handler) -> Handler:
    """``handler``, with every invocation measured, and identified in its log lines.

    A cold start ends here, when the handler's module is loaded, and not at the first invocation: Lambda may
    start a process long before there is work for it. From here on, garbage is collected, but not among what
    was imported.
    """
    gc.freeze()
    gc.enable()
    init_ms = _process_age_ms()

    @functools.wraps(handler)
    def measured(event: object, context: Any) -> Mapping[str, Any]:
        nonlocal init_ms
        request_id = getattr(context, "aws_request_id", "")  # tests may have none
        begin(init_ms, request_id)
        init_ms = 0.0
        with about(**_work_of(event), request_id=request_id):
            return handler(event, context)

    return measured


def _work_of(event: object) -> dict[str, Any]:
    """The run, and the block or part, that an event names. The event may be invalid."""
    given = event if isinstance(event, Mapping) else {}
    record = given.get("record")  # of log_results
    run_id = record.get("run_id") if isinstance(record, Mapping) else given.get("run_id")
    named = {"run_id": run_id, "block": given.get("block"), "part": given.get("part")}
    found = {name: cut(value, LOGGED_BYTES) for name, value in named.items() if isinstance(value, str)}
    return found | {name: value for name, value in named.items() if type(value) is int}


def _process_age_ms() -> float:
    """The age of this process, to 10 ms; 0 on systems other than Linux."""
    try:
        stat = Path("/proc/self/stat").read_text()
    except FileNotFoundError:
        return 0.0
    start_time = stat.rpartition(")")[2].split()[22 - 3]  # field 22; the name before it may contain spaces
    started_at_s = int(start_time) / os.sysconf("SC_CLK_TCK")
    return max(1000 * (time.clock_gettime(time.CLOCK_BOOTTIME) - started_at_s), 0.0)
