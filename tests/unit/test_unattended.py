"""Runs that no person starts or watches: events that start them, and the event of their end."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.testing.texts import ANY_JSON
from lambda_src.aws.dynamodb import to_attribute
from lambda_src.aws.endpoint import Unreachable
from lambda_src.aws.events import Event, put_events
from lambda_src.aws.http1 import Response
from lambda_src.errors import (
    AccessDenied,
    FanfoldError,
    RecordUnreadable,
    RunCancelled,
    RunConflict,
    SourceNotFound,
    Transient,
)
from lambda_src.handlers import announce_runs, parse_file
from lambda_src.settings import ParseFileSettings
from lambda_src.wire.codec import to_plain
from lambda_src.wire.record import RunRecord
from lambda_src.wire.starts import SCHEDULED_TIME, scheduled, started_by

REQUEST = {"job": "access_log", "prefix": "input/logs/", "max_dollars": 0.5}
MINUTE_MS = 1795855320000
"""2026-11-28T08:42:00Z."""


def fired(at: str) -> dict[str, Any]:
    """What parse_file gets when the scheduler fires."""
    return json.loads(json.dumps(scheduled(REQUEST)).replace(SCHEDULED_TIME, at))  # type: ignore[no-any-return]


def queued(*sent_ms: int, body: str = json.dumps(REQUEST)) -> dict[str, Any]:
    """What parse_file gets from the queue."""
    return {
        "Records": [
            {
                "messageId": str(number),
                "eventSource": "aws:sqs",
                "body": body,
                "attributes": {"SentTimestamp": str(ms), "ApproximateReceiveCount": "1"},
            }
            for number, ms in enumerate(sent_ms)
        ]
    }


def test_a_firing_is_a_run_of_its_own_and_the_same_one_when_it_comes_twice() -> None:
    first, again, next_day = (
        started_by(fired(at))
        for at in ("2026-11-28T06:00:00Z", "2026-11-28T06:00:00Z", "2026-11-29T06:00:00Z")
    )
    assert first == again == {**REQUEST, "run_id": "scheduled-20261128T060000Z", "must_be_new": True}
    assert next_day == {**REQUEST, "run_id": "scheduled-20261129T060000Z", "must_be_new": True}


@pytest.mark.parametrize(
    ("sent_ms", "run_id"),
    [
        ([MINUTE_MS], "arrived-20261128T0842Z"),
        ([MINUTE_MS + 59_999], "arrived-20261128T0842Z"),
        ([MINUTE_MS + 60_000], "arrived-20261128T0843Z"),
        # A batch covers all of its messages, and the newest names it: what comes again with newer ones is
        # not taken for the old run, which may have missed them.
        ([MINUTE_MS, MINUTE_MS + 300_000], "arrived-20261128T0847Z"),
    ],
)
def test_arrivals_of_a_minute_are_one_run(sent_ms: list[int], run_id: str) -> None:
    assert started_by(queued(*sent_ms)) == {**REQUEST, "run_id": run_id, "must_be_new": True}


def test_what_a_request_says_of_its_run_id_does_not_count() -> None:
    started = started_by(queued(MINUTE_MS, body='{"prefix": "input/", "run_id": "x", "must_be_new": false}'))
    assert started == {"prefix": "input/", "run_id": "arrived-20261128T0842Z", "must_be_new": True}


@pytest.mark.parametrize(
    "event",
    [
        REQUEST,
        {},
        [],
        None,
        scheduled(REQUEST),  # nobody replaced the time: all firings would be one run
        {**fired("2026-11-28T06:00:00Z"), "more": 1},
        {"Records": []},
        queued(MINUTE_MS, body="not JSON"),
        queued(MINUTE_MS, body="[1]"),
        {"Records": [{**queued(MINUTE_MS)["Records"][0], "eventSource": "aws:s3"}]},
        {"Records": [{**queued(MINUTE_MS)["Records"][0], "attributes": {"SentTimestamp": "1e9"}}]},
        {"Records": [{**queued(MINUTE_MS)["Records"][0], "attributes": {}}]},
        queued(10**30),
    ],
    ids=str,
)
def test_any_other_event_is_no_start(event: object) -> None:
    assert started_by(event) is None


@given(
    ANY_JSON
    | st.fixed_dictionaries({"scheduled_at": ANY_JSON, "request": ANY_JSON})
    | st.fixed_dictionaries({"Records": st.lists(ANY_JSON)})
)
@settings(max_examples=300)
def test_no_event_breaks_it(event: object) -> None:
    started_by(event)


def record(**fields: Any) -> RunRecord:
    return RunRecord(
        run_id="run",
        bucket="b",
        prefix="input/logs/",
        started_at=1000.0,
        finished_at=1012.3456,
        dollars={"gb_s": 0.004, "s3_puts": 0.00015},
        **fields,
    )


def streamed(run: RunRecord) -> dict[str, Any]:
    """A record of the table's stream."""
    item = {name: to_attribute(value) for name, value in {**to_plain(run), "item": "run"}.items()}
    return {"eventName": "MODIFY", "dynamodb": {"NewImage": item}}


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[Event]]]:
    """What is put on a bus."""
    put: list[tuple[str, list[Event]]] = []
    for name, value in {"URL_SUFFIX": "amazonaws.com", "STACK": "Fanfold", "BUS": "ours"}.items():
        monkeypatch.setenv(f"FANFOLD_{name}", value)
    monkeypatch.setattr(announce_runs, "open_events", lambda _suffix: None)
    monkeypatch.setattr(announce_runs, "put_events", lambda _, bus, events: put.append((bus, list(events))))
    return put


def ended(run: RunRecord, error: Exception) -> RunRecord:
    run.fail(error)
    run.finished_at = 1012.3456
    return run


@pytest.mark.parametrize(
    ("run", "more"),
    [
        (record(status="SUCCEEDED"), {"status": "SUCCEEDED"}),
        (
            ended(record(), SourceNotFound("s3://b/k does not exist.")),
            {
                "status": "FAILED",
                "error_code": "SourceNotFound",
                "error": "SourceNotFound: s3://b/k does not exist.",
            },
        ),
        (
            ended(record(), RunCancelled("The run was cancelled.")),
            {
                "status": "CANCELLED",
                "error_code": "RunCancelled",
                "error": "RunCancelled: The run was cancelled.",
            },
        ),
    ],
)
def test_the_end_of_a_run_is_announced(
    announced: list[tuple[str, list[Event]]], run: RunRecord, more: dict[str, str]
) -> None:
    answer = announce_runs.handler({"Records": [streamed(run)]}, None)
    assert answer == {"announced": 1}
    ((bus, (event,)),) = announced
    assert (bus, event.source, event.detail_type, event.time) == ("ours", "fanfold", "Run Ended", 1012.3456)
    detail = json.loads(event.detail)
    assert detail == {
        "run_id": "run",
        "stack": "Fanfold",
        "job": detail["job"],
        "input": "s3://b/input/logs/*",
        "seconds": 12.346,
        "dollars": 0.00415,
        **more,
    }


def test_a_run_in_progress_is_not_announced(announced: list[tuple[str, list[Event]]]) -> None:
    """The stream is filtered already; a wrong filter must not tell of an end."""
    assert announce_runs.handler({"Records": [streamed(record())]}, None) == {"announced": 0}
    assert announced == []


def test_a_record_that_cannot_be_read_is_no_end_of_a_run_and_no_silence(
    announced: list[tuple[str, list[Event]]],
) -> None:
    damaged = streamed(record(status="SUCCEEDED"))
    damaged["dynamodb"]["NewImage"]["started_at"] = {"S": "yesterday"}
    with pytest.raises(RecordUnreadable, match="run run cannot be read"):
        announce_runs.handler({"Records": [damaged]}, None)
    assert announced == []


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        (Unreachable("no route"), Transient, "The connection to EventBridge failed for the bus ours"),
        (Response(400, {}, b'{"__type":"AccessDeniedException"}'), AccessDenied, "answered 400"),
        (Response(500, {}, b"oops"), Transient, "EventBridge answered 500 for the bus ours: oops"),
        (Response(200, {}, b"<html>"), Transient, "cannot be read"),
        (
            Response(
                200,
                {},
                b'{"FailedEntryCount":1,"Entries":[{"EventId":"1"},{"ErrorCode":"X","ErrorMessage":"y"}]}',
            ),
            Transient,
            "did not accept 1 of 2 events. The first: X: y",
        ),
    ],
)
def test_an_event_that_was_not_accepted_is_an_error(
    answer: Any, error: type[FanfoldError], sentence: str
) -> None:
    def post(*_: object, **__: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    endpoint: Any = SimpleNamespace(post=post)
    with pytest.raises(error, match=sentence):
        put_events(endpoint, "ours", [Event("fanfold", "Run Ended", "{}", 1.0)] * 2)


@pytest.fixture
def state_of_run(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What parse_file answers of a run that exists already; no AWS is there."""
    state = {"run_id": "the run", "status": "RUNNING"}
    settings_ = ParseFileSettings(
        ("top_words", "access_log"),
        "Fanfold",
        "amazonaws.com",
        "own",
        "own",
        "t",
        "f1",
        "f2",
        "f3",
        "f4",
        "off",
    )

    def refuse(*_: object) -> None:
        raise RunConflict("run_id: the run exists.")

    for name, value in {
        "from_environment": lambda *_: settings_,
        "open_table": lambda *_: None,
        "_ports": lambda *_: None,
        "execute": refuse,
        "answer_unclaimed": lambda *_: state,
    }.items():
        monkeypatch.setattr(parse_file, name, value)
    return state


CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000)


@pytest.mark.parametrize("event", [fired("2026-11-28T06:00:00Z"), queued(MINUTE_MS)])
def test_a_start_that_comes_twice_is_no_failure(state_of_run: dict[str, str], event: object) -> None:
    """A failure would be an alarm, and a dead letter."""
    assert parse_file.handler(event, CONTEXT) == state_of_run


@pytest.mark.usefixtures("state_of_run")
def test_a_person_is_told_that_a_run_exists() -> None:
    with pytest.raises(RunConflict, match=r"the run exists. \(run x\)"):
        parse_file.handler({**REQUEST, "run_id": "x", "must_be_new": True}, CONTEXT)
