"""What an invocation took: each request once, and the main thread's waiting only."""

import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from lambda_src.errors import FanfoldError, SourceChanged, Throttled
from lambda_src.run.answer import answer
from lambda_src.telemetry import meter
from lambda_src.telemetry.calls import Call, Usage
from lambda_src.telemetry.log import log
from lambda_src.telemetry.meter import Meter
from lambda_src.wire.codec import decode_answer
from lambda_src.wire.reports import LogResultsReport


class Clock:
    """A time that only tests move."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_stages_are_what_the_main_thread_waits(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")
    measured = Meter()
    measured.begin(init_ms=120.0)
    clock.pass_s(0.001)
    with measured.stage("fetch"):
        clock.pass_s(0.02)
        with measured.stage("fetch"):  # one adapter calls another
            clock.pass_s(0.03)
    with measured.stage("store"):
        clock.pass_s(0.004)
    assert measured.usage() == Usage(1769, 120.0, 55.0, 50.0, 4.0, {})
    measured.begin()
    assert measured.usage() == Usage(1769, 0.0, 0.0, 0.0, 0.0, {})


def test_a_wait_that_fails_was_waited(clock: Clock) -> None:
    measured = Meter()

    def fetch(*, fails: bool) -> None:
        with measured.stage("fetch"):
            clock.pass_s(1.0)
            if fails:
                raise FanfoldError

    with pytest.raises(FanfoldError):
        fetch(fails=True)
    fetch(fails=False)
    assert measured.usage().fetch_ms == 2000.0


def test_other_threads_count_and_do_not_wait(clock: Clock) -> None:
    measured = Meter()

    def read() -> None:
        for _ in range(1000):
            measured.count("s3_gets")
        with measured.stage("fetch"):
            clock.pass_s(1.0)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    measured.count("table_write_units", 2.5)
    assert measured.usage().requests == {"s3_gets": 8000, "table_write_units": 2.5}
    assert measured.usage().fetch_ms == 0.0


def test_only_the_first_invocation_of_a_process_was_cold() -> None:
    usages: list[Usage] = []

    @meter.metered
    def handler(_event: object, _context: Any) -> dict[str, Any]:
        usages.append(meter.usage())
        meter.count("s3_puts")
        return {}

    handler({}, None)
    handler({}, None)
    assert usages[0].init_ms > 0.0
    assert (usages[1].init_ms, usages[1].requests) == (0.0, {})


def test_a_cold_start_is_the_age_of_the_process() -> None:
    program = (
        "import time; started = time.time(); time.sleep(0.2); from lambda_src.telemetry import meter;"
        "print(meter._process_age_ms(), 1000 * (time.time() - started))"
    )
    before = time.time()
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    around_ms = 1000 * (time.time() - before)
    age_ms, at_least_ms = map(float, shown.stdout.split())
    assert at_least_ms <= age_ms <= around_ms + 10  # a tick of the clock that it is read from


def test_reports_and_failures_carry_what_they_took() -> None:
    inner = Call("get_occurrences", "length 3", 1, 1.0, 2.0, 3.0, "done")
    meter.begin()
    meter.count("s3_gets", 3)
    report = decode_answer(msgspec.json.encode(answer(lambda: LogResultsReport(20))), LogResultsReport)
    assert (report.parts, report.usage and report.usage.requests) == (20, {"s3_gets": 3})

    for error in (SourceChanged("replaced"), Throttled("slow down", 2.5)):
        with pytest.raises(type(error), match=str(error)) as caught:
            decode_answer(msgspec.json.encode(answer(raiser(error), [inner])), LogResultsReport)
        usage, calls = caught.value.usage, caught.value.calls
        assert isinstance(usage, Usage)
        assert (usage.requests, calls) == ({"s3_gets": 3}, [inner])
        assert getattr(caught.value, "retry_after_s", 2.5) == 2.5


def raiser(error: FanfoldError) -> Any:
    def work() -> LogResultsReport:
        raise error

    return work


@pytest.mark.parametrize(
    ("event", "about"),
    [
        ({"run_id": "r", "block": 7, "start": 1}, {"run_id": "r", "block": 7}),
        ({"run_id": "r", "part": "3"}, {"run_id": "r", "part": "3"}),
        ({"record": {"run_id": "r"}}, {"run_id": "r"}),
        ({"run_id": ["no", "text"], "block": True, "part": "x" * 99}, {"part": "x" * 64}),
        ({"record": "r"}, {}),
        ("no event", {}),
    ],
)
def test_each_line_of_log_names_run_work_and_request(
    capsys: pytest.CaptureFixture[str], event: object, about: dict[str, Any]
) -> None:
    @meter.metered
    def handler(_event: object, _context: object) -> dict[str, Any]:
        return dict(answer(raiser(SourceChanged("replaced"))))

    answered = handler(event, SimpleNamespace(aws_request_id="5f3a"))
    assert answered["usage"]["request_id"] == "5f3a"
    (line,) = map(msgspec.json.decode, capsys.readouterr().out.splitlines())
    assert line == {
        "event": "failed",
        "error": "SourceChanged",
        "message": "replaced",
        **about,
        "request_id": "5f3a",
    }
    log("later")
    assert capsys.readouterr().out == '{"event":"later"}\n'


def test_traces_without_request_ids_are_still_read() -> None:
    old = b'["get_occurrences","length 3",1,1.0,2.0,3.0,"done","",null]'
    assert msgspec.json.decode(old, type=Call) == Call(
        "get_occurrences", "length 3", 1, 1.0, 2.0, 3.0, "done"
    )
