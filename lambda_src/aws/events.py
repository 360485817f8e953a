"""Events put on an EventBridge bus, as EventBridge's API reference writes them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from lambda_src.aws.endpoint import Endpoint, Unreachable, open_endpoint
from lambda_src.errors import AccessDenied, Transient

TIMEOUT_S = 10.0

AT_ONCE = 10
"""The most events of one request."""


class Event(Struct, frozen=True, rename="pascal"):
    """One event. ``detail`` is JSON, ``time`` is seconds since the epoch."""

    source: str
    detail_type: str
    detail: str
    time: float


class _Sent(Event, frozen=True, rename="pascal"):
    event_bus_name: str


class _Entry(Struct, frozen=True):
    code: str = field(name="ErrorCode", default="")
    message: str = field(name="ErrorMessage", default="")


class _Answer(Struct, frozen=True):
    entries: list[_Entry] = field(name="Entries", default_factory=list)


def open_events(url_suffix: str) -> Endpoint:
    """EventBridge, at the domain ``url_suffix`` of the partition."""
    return open_endpoint("events", url_suffix)


def put_events(endpoint: Endpoint, bus: str, events: Sequence[Event]) -> None:
    """Put at most ``AT_ONCE`` events on ``bus``. Raises AccessDenied; Transient if any was not accepted, or
    may not have been."""
    entries = [_Sent(event.source, event.detail_type, event.detail, event.time, bus) for event in events]
    try:
        response = endpoint.post(
            "/",
            {"content-type": "application/x-amz-json-1.1", "x-amz-target": "AWSEvents.PutEvents"},
            msgspec.json.encode({"Entries": entries}),
            timeout_s=TIMEOUT_S,
        )
    except Unreachable as error:
        raise Transient(f"The connection to EventBridge failed for the bus {bus}: {error}") from error
    if response.status >= 300:
        text = response.body.decode(errors="replace")
        kind = AccessDenied if "AccessDenied" in text else Transient
        raise kind(f"EventBridge answered {response.status} for the bus {bus}: {text}")
    try:
        answers: list[Any] = msgspec.json.decode(response.body, type=_Answer).entries
    except msgspec.MsgspecError as error:
        raise Transient(f"EventBridge's answer for the bus {bus} cannot be read: {error}") from error
    failed = [f"{answer.code}: {answer.message}" for answer in answers if answer.code]
    if failed:
        raise Transient(
            f"The bus {bus} did not accept {len(failed)} of {len(events)} events. The first: {failed[0]}"
        )
