"""Invoking Lambdas: the driver of fan-outs over them."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from lambda_src.aws.connections import Connections, open_connections
from lambda_src.aws.endpoint import Unreachable
from lambda_src.aws.http1 import Response
from lambda_src.errors import AccessDenied, FanfoldError, FunctionFailed, MemoryExceeded, Throttled, Transient
from lambda_src.fan_out.drivers import Call, Finished
from lambda_src.telemetry import meter
from lambda_src.telemetry.calls import Usage
from lambda_src.wire.codec import decode_answer, encode

T = TypeVar("T")
Task = TypeVar("Task")


REQUEST_ID = "x-amzn-requestid"

MARGIN_S = 5.0
"""Time for the answer of a function that ends in its last second to arrive."""

NOT_READY = {
    "CodeArtifactUserDeletedException",
    "CodeArtifactUserPendingException",
    "EC2ThrottledException",
    "ENILimitReachedException",
    "ENINotReadyException",
    "ResourceConflictException",
    "ResourceNotReadyException",
    "SnapStartNotReadyException",
    "SubnetIPAddressLimitReachedException",
}
"""The function or its network is being updated. These errors pass, whatever the request."""

NOT_READY_S = 1.0

DENIED = {"EC2AccessDeniedException", "KMSAccessDeniedException"}

LASTING = {
    "EFSMountFailureException",
    "InvalidRuntimeException",
    "InvalidSecurityGroupIDException",
    "InvalidSubnetIDException",
    "InvalidZipFileException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "S3FilesMountFailureException",
}
"""Errors of status 5xx, and two of 403, that only a person can fix."""

UNREADABLE = (ValueError, RecursionError)
"""Of an answer that is not UTF-8, not JSON, nested too deeply, or something else than was expected."""

EVENT_TIMEOUT_S = 10.0
"""Lambda answers at once whether it accepts an event."""


def open_functions(url_suffix: str) -> Connections:
    """Lambda, at the domain ``url_suffix`` of the partition."""
    return open_connections("lambda", url_suffix)


class Invocation(NamedTuple):
    """What to invoke: ``function``, whose own time-out is ``timeout_s``, with ``request``."""

    function: str
    request: Struct
    timeout_s: float


class Invocations(Generic[Task]):
    """Drives a fan-out (``drivers.Driver``) over invocations: ``of(task)`` says which. Their answers have the
    type ``answer``; if that is None, Lambda only accepts the event, and invokes the function soon. Each call
    is tried once: trying again is the fan-out's job.

    Errors are the failure that the function reports; Throttled, AccessDenied, FunctionFailed; MemoryExceeded;
    Transient for a server error, a lost connection, a crash or a time-out. ``explain(task, error)`` may say
    more.
    """

    def __init__(
        self,
        functions: Connections,
        of: Callable[[Task], Invocation],
        answer: type[Any] | None,
        *,
        explain: Callable[[Task, FanfoldError], FanfoldError] = lambda _task, error: error,
    ) -> None:
        self._functions, self._of, self._answer, self._explain = functions, of, answer, explain
        self._under_way: dict[Call, asyncio.Task[None]] = {}
        self._given_up: list[asyncio.Task[None]] = []
        self._finished: list[Finished] = []

    def now(self) -> float:
        """As ``Driver.now``."""
        return time.monotonic()

    def has_room(self) -> bool:
        """As ``Driver.has_room``."""
        return self._functions.has_room()

    def start(self, call: Call, task: Task) -> None:
        """As ``Driver.start``."""
        self._under_way[call] = self._functions.begin(self._carry_out(call, task))

    def wait(self, timeout_s: float) -> Sequence[Finished]:
        """As ``Driver.wait``."""
        self._functions.run(0.0 if self._finished else timeout_s)
        found, self._finished = self._finished, []
        return found

    def abandon(self, call: Call) -> None:
        """As ``Driver.abandon``. Lambda finishes the invocation nevertheless."""
        self._given_up.append(self._under_way.pop(call))

    def close(self) -> None:
        """As ``Driver.close``."""
        self._functions.cancel(self._given_up)
        self._given_up = []

    async def _carry_out(self, call: Call, task: Task) -> None:
        answer: Any = None
        failed: Exception | None = None
        try:
            answer = await self._invoke(*self._of(task))
        except FanfoldError as error:
            failed = self._explain(task, error)
        except Exception as error:  # noqa: BLE001 - carried to the fan-out, which sorts it
            failed = error
        del self._under_way[call]
        self._finished.append(Finished(call, self.now(), answer, failed))

    async def _invoke(self, function: str, request: Struct, timeout_s: float) -> Any:
        response = await self._post(function, request, timeout_s)
        if self._answer is None:
            return None
        with _known_as(response) as named:
            if "x-amz-function-error" in response.headers:
                raise _crashed(function, response.body, named)
            try:
                report = decode_answer(response.body, self._answer)
            except UNREADABLE as error:
                raise FunctionFailed(
                    f"{function} answered something other than its report{named}: {error}. If the stack was "
                    "deployed while the run was going on, resume the run."
                ) from error
        usage: Usage | None = getattr(report, "usage", None)
        if usage is None or REQUEST_ID not in response.headers:
            return report
        return replace(report, usage=replace(usage, request_id=response.headers[REQUEST_ID]))

    async def _post(self, function: str, request: Struct, timeout_s: float) -> Response:
        """Lambda's own answer (Lambda API reference, "Invoke")."""
        path = f"/2015-03-31/functions/{quote(function, safe='')}/invocations"
        meter.count("invocations")
        headers = {"x-amz-invocation-type": "Event" if self._answer is None else "RequestResponse"}
        within_s = EVENT_TIMEOUT_S if self._answer is None else timeout_s + MARGIN_S
        try:
            response = await self._functions.post(path, headers, encode(request), timeout_s=within_s)
        except Unreachable as error:
            raise Transient(f"The connection to Lambda failed for {function}: {error}") from error
        if response.status >= 300:
            with _known_as(response) as named:
                raise _error_of(function, response, named)
        return response


@contextmanager
def _known_as(response: Response) -> Iterator[str]:
    """The end of a sentence that names the call as Lambda's logs do. Errors raised inside get its id."""
    request_id = response.headers.get(REQUEST_ID, "")
    try:
        yield f" (request {request_id})" if request_id else ""
    except FanfoldError as error:
        error.request_id = request_id
        raise


def _error_of(function: str, response: Response, named: str) -> FanfoldError:
    status, message = response.status, f"{_message(response.body)}{named}"
    code = response.headers.get("x-amzn-errortype", f"status {status}").split(":")[0]
    if code in NOT_READY:
        return Throttled(f"{function} is not ready: {code}: {message}", NOT_READY_S)
    if code in DENIED or (status == 403 and code not in LASTING):
        return AccessDenied(f"{code} by Lambda for {function}: {message}")
    if code in LASTING:
        return FunctionFailed(f"Lambda cannot run {function}: {code}: {message}")
    if status in (429, 503):
        retry_after = response.headers.get("retry-after", "")
        seconds = float(retry_after) if retry_after.isdecimal() else 0.0
        return Throttled(f"Lambda throttled {function}: {message}", seconds)
    if status >= 500 or status in (408, 410):
        return Transient(f"Lambda answered {status} for {function}: {message}")
    return FunctionFailed(f"Lambda refused to invoke {function}: {code}: {message}")


def _message(body: bytes) -> str:
    try:
        answer = msgspec.json.decode(body, type=dict[str, Any])
    except UNREADABLE:
        return repr(body[:200])
    return str(answer.get("Message") or answer.get("message") or answer)


def _crashed(function: str, payload: bytes, named: str) -> Transient:
    """Lambda has two names for a function that ran out of memory."""
    try:
        crash = msgspec.json.decode(payload, type=dict[str, Any])
    except UNREADABLE:
        return Transient(f"{function} crashed: {payload[:200]!r}{named}")
    kind, message = str(crash.get("errorType", "Unknown")), str(crash.get("errorMessage", ""))
    if kind == "Runtime.OutOfMemory" or (kind == "Runtime.ExitError" and message.endswith("signal: killed")):
        return MemoryExceeded(
            f"{function} was killed because it needed more memory than it has ({kind}){named}: "
            "docs/memory.md says how to give it more."
        )
    what = message if kind == "JobCrashed" else f"{kind}: {message}"
    return Transient(f"{function} crashed: {what}{named}")
