"""Encodes and decodes messages.

A worker returns its report or a ``Failure``, so an exception always means a crash.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from lambda_src.errors import CodeChanged, FanfoldError, InvalidRequest, Throttled, by_name
from lambda_src.fields import RUN_ID, RUN_ID_RULE
from lambda_src.telemetry.calls import FAILURE_BYTES, cut
from lambda_src.wire.reports import Failure
from lambda_src.wire.requests import WarmRequest

T = TypeVar("T")


S = TypeVar("S", bound=Struct)


NOT_VALID = "The request is not valid: "


def decode_request(event: object, kind: type[S]) -> S:
    """The request of another function as a message. Raises CodeChanged if it is invalid: functions of the
    same version send each other only valid requests."""
    try:
        return decode_event(event, kind)
    except InvalidRequest as error:
        raise _code_changed(str(error)) from None


def decode_warm_or(event: object, kind: type[S]) -> S | WarmRequest:
    """``decode_request`` for a function that also gets a ``WarmRequest``."""
    warm = isinstance(event, Mapping) and "warm" in event
    return decode_request(event, WarmRequest) if warm else decode_request(event, kind)


def _code_changed(text: str) -> CodeChanged:
    return CodeChanged(
        f"A function does not know a request of another one, so their versions differ: {text} If the stack "
        "was deployed while the run was going on, resume the run once the deployment has ended."
    )


def decode_event(event: object, kind: type[S]) -> S:
    """The event as a message. Raises InvalidRequest, naming the field."""
    try:
        msgspec.json.encode(event)  # refuses text that is not Unicode, such as half a surrogate pair
        return msgspec.convert(event, kind)
    except (msgspec.ValidationError, UnicodeError) as error:
        fields = ", ".join(field.name for field in msgspec.structs.fields(kind))
        text = str(error).replace(f"`str` matching regex {RUN_ID!r}", RUN_ID_RULE)
        what = cut(text, FAILURE_BYTES)  # it contains the name of the field, which may have any length
        raise InvalidRequest(f"{NOT_VALID}{what}. Its fields are: {fields}.") from None


def decode_answer(payload: bytes, kind: type[T]) -> T:
    """A worker's answer. Raises the failure that it reports, with the usage."""
    answer: T | Failure = msgspec.json.decode(payload, type=kind | Failure)
    if not isinstance(answer, Failure):
        return answer
    error = by_name(answer.error, answer.message)
    if isinstance(error, InvalidRequest) and answer.message.startswith(NOT_VALID):
        error = _code_changed(answer.message)  # from a version without CodeChanged
    if isinstance(error, Throttled):
        error.retry_after_s = answer.retry_after_s
    error.usage, error.calls = answer.usage, answer.calls
    raise error


def failure(error: FanfoldError) -> Failure:
    """``error`` as a payload."""
    return Failure(type(error).__name__, str(error), getattr(error, "retry_after_s", 0.0))


def encode(message: Struct) -> bytes:
    """``message`` as JSON."""
    return msgspec.json.encode(message)


def to_plain(message: Struct) -> Mapping[str, Any]:
    """``message`` as the plain dict that a Lambda handler returns."""
    plain: Mapping[str, Any] = msgspec.to_builtins(message)
    return plain
