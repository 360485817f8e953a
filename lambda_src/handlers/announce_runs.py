"""Puts an event on a bus for each run that has ended. Only a stack with ``run_events`` has this function.

DynamoDB's stream of the results table invokes it, so it does not matter who ended the run: its owner, a
request that was refused, or a client that cancelled a run without an owner. Lambda repeats what failed, so
every event comes at least once.
"""

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from lambda_src.aws.events import Event, open_events, put_events
from lambda_src.errors import FanfoldError
from lambda_src.run.announcement import DETAIL_TYPE, ENDED, SOURCE, detail_of
from lambda_src.settings import AnnounceRunsSettings, from_environment
from lambda_src.store.results import run_from_item
from lambda_src.telemetry.log import log
from lambda_src.telemetry.meter import metered
from lambda_src.wire.record import RunRecord


@metered
def handler(event: Any, _context: object) -> Mapping[str, Any]:
    """Announce the runs in a batch of stream records. Raises if one was not announced: all are repeated."""
    settings = from_environment(AnnounceRunsSettings, os.environ)
    try:
        ended = [run for run in map(_run_in, event["Records"]) if run.status in ENDED]
        events = [
            Event(
                SOURCE,
                DETAIL_TYPE,
                msgspec.json.encode(detail_of(run, settings.stack)).decode(),
                run.finished_at,
            )
            for run in ended
        ]
        if events:
            put_events(open_events(settings.url_suffix), settings.bus, events)
    except FanfoldError as error:
        log("failed", error=type(error).__name__, message=str(error))
        raise
    for run in ended:
        log("announced", run_id=run.run_id, status=run.status)
    return {"announced": len(ended)}


def _run_in(record: Mapping[str, Any]) -> RunRecord:
    """The run whose item was written."""
    item = record["dynamodb"]["NewImage"]
    return run_from_item(item, str(item.get("run_id", {}).get("S")))
