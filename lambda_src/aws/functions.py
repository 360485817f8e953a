"""Invoking a Lambda and waiting for its answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from lambda_src.aws.endpoint import Endpoint, Response, Unreachable, open_endpoint
from lambda_src.errors import AccessDenied, FanfoldError, FunctionFailed, MemoryExceeded, Throttled, Transient
from lambda_src.telemetry import meter
from lambda_src.telemetry.calls import Usage
from lambda_src.wire.codec import decode_answer, encode

T = TypeVar("T")


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

EVENT_TIMEOUT_S = 10.0
"""Lambda answers at once whether it accepts an event."""


def open_functions(url_suffix: str) -> Endpoint:
    """Lambda, at the domain ``url_suffix`` of the partition."""
    return open_endpoint("lambda", url_suffix)


def invoke(functions: Endpoint, function: str, request: Struct, answer: type[T], *, timeout_s: float) -> T:
    """Invoke ``function``, whose own time-out is ``timeout_s``, and wait for its ``answer``. It tries once:
    trying again is the fan-out's job.

    Raises the failure that the function reports; Throttled, AccessDenied, FunctionFailed; MemoryExceeded;
    Transient for a server error, a lost connection, a crash or a time-out.
    """
    response = _invoke(functions, function, request, "RequestResponse", timeout_s + MARGIN_S)
    with _known_as(response) as named:
        if "x-amz-function-error" in response.headers:
            raise _crashed(function, response.body, named)
        try:
            report = decode_answer(response.body, answer)
        except msgspec.DecodeError as error:
            raise FunctionFailed(
                f"{function} answered something other than its report{named}: {error}. If the stack was "
                "deployed while the run was going on, resume the run."
            ) from error
    usage: Usage | None = getattr(report, "usage", None)
    if usage is None or REQUEST_ID not in response.headers:
        return report
    return replace(report, usage=replace(usage, request_id=response.headers[REQUEST_ID]))  # type: ignore[type-var]


def invoke_and_forget(functions: Endpoint, function: str, request: Struct) -> None:
    """Have Lambda invoke ``function`` soon, without an answer. Raises the same errors as ``invoke``."""
    _invoke(functions, function, request, "Event", EVENT_TIMEOUT_S)


def _invoke(functions: Endpoint, function: str, request: Struct, kind: str, timeout_s: float) -> Response:
    """Lambda's own answer (Lambda API reference, "Invoke")."""
    path = f"/2015-03-31/functions/{quote(function, safe='')}/invocations"
    meter.count("invocations")
    try:
        headers = {"x-amz-invocation-type": kind}
        response = functions.post(path, headers, encode(request), timeout_s=timeout_s)
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
    except msgspec.DecodeError:
        return repr(body[:200])
    return str(answer.get("Message") or answer.get("message") or answer)


def _crashed(function: str, payload: bytes, named: str) -> Transient:
    """Lambda has two names for a function that ran out of memory."""
    try:
        crash = msgspec.json.decode(payload, type=dict[str, Any])
    except msgspec.DecodeError:
        return Transient(f"{function} crashed: {payload[:200]!r}{named}")
    kind, message = str(crash.get("errorType", "Unknown")), str(crash.get("errorMessage", ""))
    if kind == "Runtime.OutOfMemory" or (kind == "Runtime.ExitError" and message.endswith("signal: killed")):
        return MemoryExceeded(
            f"{function} was killed because it needed more memory than it has ({kind}){named}: "
            "docs/memory.md says how to give it more."
        )
    return Transient(f"{function} crashed: {kind}: {message}{named}")
