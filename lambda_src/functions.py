"""Invoking a Lambda and waiting for its answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct

from lambda_src.errors import AccessDenied, FunctionFailed, Throttled, Transient
from lambda_src.messages import MAX_CONCURRENCY, decode_answer, encode

T = TypeVar("T")


@cache
def open_functions(read_timeout_s: int) -> Any:
    """A Lambda client that waits ``read_timeout_s`` and tries once. A process that is warm has it already.

    The wait must exceed the time-out of the invoked function: botocore answers its own read time-out by
    invoking again. Trying again is the fan-out's job.
    """
    config = Config(
        max_pool_connections=MAX_CONCURRENCY,
        connect_timeout=10,
        read_timeout=read_timeout_s,
        retries={"mode": "standard", "total_max_attempts": 1},
        tcp_keepalive=True,
    )
    return boto3.client("lambda", config=config)


def invoke(client: Any, function: str, request: Struct, answer: type[T]) -> T:
    """Invoke ``function`` and wait for its ``answer``.

    Raises the failure that the function reports; Throttled, AccessDenied, FunctionFailed; Transient for a
    server error, a lost connection, a crash or a time-out.
    """
    with _translated(function):
        response = client.invoke(FunctionName=function, Payload=encode(request))
        payload: bytes = response["Payload"].read()
    if "FunctionError" in response:
        raise Transient(f"{function} crashed: {_crash_text(payload)}")
    try:
        return decode_answer(payload, answer)
    except msgspec.DecodeError as error:
        raise FunctionFailed(f"{function} answered what is not its report: {error}.") from error


def invoke_and_forget(client: Any, function: str, request: Struct) -> None:
    """Have Lambda invoke ``function`` soon, without an answer. Raises as ``invoke`` does."""
    with _translated(function):
        client.invoke(FunctionName=function, Payload=encode(request), InvocationType="Event")


@contextmanager
def _translated(function: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if status in (429, 503):
            headers = error.response["ResponseMetadata"]["HTTPHeaders"]
            raise Throttled(f"Lambda throttled {function}: {message}", _seconds(headers)) from error
        if status == 403:
            raise AccessDenied(f"{code} by Lambda for {function}: {message}") from error
        if status >= 500:
            raise Transient(f"Lambda answered {status} for {function}: {message}") from error
        raise FunctionFailed(f"Lambda refused to invoke {function}: {code}: {message}") from error
    except BotoCoreError as error:
        raise Transient(f"The connection to Lambda failed for {function}: {error}") from error


def _seconds(headers: dict[str, str]) -> float:
    value = headers.get("retry-after", "")
    return float(value) if value.isdecimal() else 0.0


def _crash_text(payload: bytes) -> str:
    try:
        crash = msgspec.json.decode(payload, type=dict[str, Any])
    except msgspec.DecodeError:
        return repr(payload[:200])
    return f"{crash.get('errorType', 'Unknown')}: {crash.get('errorMessage', '')}"
