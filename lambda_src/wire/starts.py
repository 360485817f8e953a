"""Events with which other AWS services start a run: EventBridge Scheduler, and the queue of arrivals. The
stack (``stacks.unattended``) decides what they contain."""

import re
import time
from collections.abc import Mapping
from typing import Any

import msgspec

SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
"""The scheduler replaces it with the time of a firing, such as 2026-11-28T06:00:00Z."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,18}Z?")


def scheduled(request: Mapping[str, Any]) -> dict[str, Any]:
    """The event of a schedule that starts ``request``.

    >>> scheduled({"prefix": "input/logs/"})
    {'scheduled_at': '<aws.scheduler.scheduled-time>', 'request': {'prefix': 'input/logs/'}}
    """
    return {"scheduled_at": SCHEDULED_TIME, "request": dict(request)}


def started_by(event: object) -> dict[str, Any] | None:
    """The request in the event of a schedule or of the queue of arrivals, or None for any other event.

    The run gets an id made of the scheduled time, or of the minute in which the last of the arrivals was
    queued. So an event that comes twice, and all arrivals of one minute, start one run.

    >>> started_by({"scheduled_at": "2026-11-28T06:00:00Z", "request": {"prefix": "input/logs/"}})
    {'prefix': 'input/logs/', 'run_id': 'scheduled-20261128T060000Z', 'must_be_new': True}
    >>> body, sent = '{"prefix": "input/logs/"}', {"SentTimestamp": "1795855379000"}
    >>> started_by({"Records": [{"eventSource": "aws:sqs", "body": body, "attributes": sent}]})
    {'prefix': 'input/logs/', 'run_id': 'arrived-20261128T0842Z', 'must_be_new': True}
    >>> started_by({"prefix": "input/logs/"})
    """
    match event:
        case {"scheduled_at": str(at), "request": dict(request), **rest} if not rest and _TIME.fullmatch(at):
            return _once(request, f"scheduled-{re.sub('[^0-9TZ]', '', at)}")
        case {"Records": [*_, {"eventSource": "aws:sqs", "body": str(body), "attributes": dict(about)}]}:
            return _of_message(body, str(about.get("SentTimestamp")))
    return None


def _of_message(body: str, sent_ms: str) -> dict[str, Any] | None:
    try:
        request = msgspec.json.decode(body, type=dict[str, Any])
        minute = time.strftime("%Y%m%dT%H%MZ", time.gmtime(int(sent_ms) // 1000))
    except (ValueError, OverflowError, OSError, RecursionError):
        return None
    return _once(request, f"arrived-{minute}")


def _once(request: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    return {**request, "run_id": run_id, "must_be_new": True}
