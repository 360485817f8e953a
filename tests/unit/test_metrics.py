"""What CloudWatch reads from a run's last log line, by the rules of the Embedded Metric Format."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.errors import FanfoldError, RunCancelled, RunConflict
from lambda_src.handlers import parse_file
from lambda_src.run import metrics
from lambda_src.settings import ParseFileSettings
from lambda_src.telemetry.log import log
from lambda_src.wire.record import RunRecord
from tests.unit.test_orchestrator import Run, handed_over

UNITS_OF_CLOUDWATCH = {
    *("Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"),
    *(f"{prefix}{unit}{per}" for prefix in ("Kilo", "Mega", "Giga", "Tera") for unit in ("bytes", "bits")
      for per in ("", "/Second")),
    *("Bytes", "Bits", "Bytes/Second", "Bits/Second"),
}  # fmt: skip
"""API reference of CloudWatch, MetricDatum."""

FREE_CUSTOM_METRICS = 10
COUNTS = st.integers(0, 10**15)
AMOUNTS = st.floats(0, 1e12)
RECORDS = st.builds(
    RunRecord,
    run_id=st.text("abc123-", min_size=1, max_size=64),
    status=st.sampled_from(["SUCCEEDED", "FAILED", "CANCELLED"]),
    bucket=st.text(max_size=63),
    key=st.none() | st.text(max_size=1024),
    prefix=st.text(max_size=1024),
    bytes=COUNTS,
    blocks=COUNTS,
    blocks_done=COUNTS,
    error=st.text(max_size=100),
    started_at=st.floats(1.7e9, 1.8e9),
    finished_at=st.floats(1.8e9, 1.9e9),
    seconds=st.dictionaries(st.sampled_from(["parse", "reduce", "log", "another"]), AMOUNTS),
    calls=st.dictionaries(
        st.sampled_from(["running", "at_most", "done", "tried_again", "throttled", "copies"]), COUNTS
    ),
    dollars=st.dictionaries(st.sampled_from(["gb_s", "s3_gets"]), AMOUNTS),
)


def line_of(record: RunRecord) -> str:
    """What is written to standard output."""
    written: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout.write", written.append)
        log("run_ended", **metrics.of_run("top_words", record))
    (line,) = written
    return line


def extracted(line: str) -> dict[str, tuple[float, str]]:
    """The metrics that CloudWatch takes from a log event, with their units; refuses what breaks a MUST of the
    specification."""
    document = json.loads(line)
    metadata = document["_aws"]
    assert set(metadata) == {"Timestamp", "CloudWatchMetrics"}
    assert type(metadata["Timestamp"]) is int
    found: dict[str, tuple[float, str]] = {}
    for directive in metadata["CloudWatchMetrics"]:
        assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
        assert re.fullmatch(r"[A-Za-z0-9._/#:-]{1,255}", directive["Namespace"])
        assert not directive["Namespace"].startswith("AWS/")
        for dimensions in directive["Dimensions"]:
            assert len(dimensions) <= 30
            for name in dimensions:
                assert isinstance(document[name], str)
                assert 1 <= len(document[name]) <= 1024
                assert document[name].isascii()
        assert 1 <= len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert set(metric) == {"Name", "Unit"}
            assert metric["Unit"] in UNITS_OF_CLOUDWATCH
            assert metric["Name"] not in found
            value = document[metric["Name"]]
            assert type(value) in (int, float)
            assert abs(value) < 2**360
            found[metric["Name"]] = value, metric["Unit"]
    return found


@given(RECORDS)
def test_every_record_gives_a_valid_document(record: RunRecord) -> None:
    line = line_of(record)
    assert len(line.encode()) < 256 * 1024
    found = extracted(line)
    assert {name: unit for name, (_, unit) in found.items()}.items() <= metrics.UNITS.items()
    assert {"Runs", "FailedRuns", "Bytes", "Dollars"} <= found.keys()
    document = json.loads(line)
    assert (document["event"], document["run_id"]) == ("run_ended", record.run_id)


@given(RECORDS)
def test_the_metrics_are_the_record(record: RunRecord) -> None:
    values = {name: value for name, (value, _) in extracted(line_of(record)).items()}
    assert values.pop("Runs") == 1
    assert values.pop("FailedRuns") == (record.status == "FAILED")
    assert values.pop("Bytes") == record.bytes
    assert values.pop("Blocks") == record.blocks_done
    assert values.pop("Retries") == record.calls.get("tried_again", 0)
    assert values.pop("Throttles") == record.calls.get("throttled", 0)
    assert values.pop("Dollars") == pytest.approx(sum(record.dollars.values()))
    # A stage that did not begin has no time: 0 would be wrong, and halve the average.
    stages = {"parse": "ParseSeconds", "reduce": "ReduceSeconds", "log": "LogSeconds"}
    assert values == {stages[stage]: value for stage, value in record.seconds.items() if stage in stages}


def test_there_are_no_more_than_an_account_has_for_nothing() -> None:
    assert len(metrics.UNITS) <= FREE_CUSTOM_METRICS


def test_a_run_that_succeeds_is_published_once() -> None:
    job = Run(blocks=2)
    job.run()
    (ended,) = job.ended
    assert (ended.status, ended.blocks_done, set(ended.seconds)) == (
        "SUCCEEDED",
        2,
        {"claim", "parse", "reduce", "log"},
    )
    # A finished run is answered from the table: it does not end again.
    job.run()
    assert len(job.ended) == 1


@pytest.mark.parametrize(("error", "status"), [(FanfoldError, "FAILED"), (RunCancelled, "CANCELLED")])
def test_a_run_that_fails_or_is_cancelled_is_published_once(error: type[Exception], status: str) -> None:
    def fails(_: object) -> Any:
        raise error("It ended.")

    job = Run(blocks=2)
    with pytest.raises(error):
        job.run(log_results=fails)
    assert [ended.status for ended in job.ended] == [status]
    assert job.ended[0].finished_at >= job.ended[0].started_at


def test_a_run_of_another_invocation_is_not_published() -> None:
    job = Run(blocks=2)

    def overtaken(_: object) -> Any:
        raise RunConflict("Another invocation works on it.")

    with pytest.raises(RunConflict):
        job.run(log_results=overtaken)
    assert job.ended == []


def test_a_run_that_is_handed_over_ends_where_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Run(blocks=100)
    request = handed_over(job, monkeypatch)
    assert job.ended == []
    job.run(request)
    assert [ended.status for ended in job.ended] == ["SUCCEEDED"]


@pytest.mark.parametrize(("setting", "lines"), [("on", 1), ("off", 0)])
def test_only_where_they_are_on_are_metrics_published(
    capsys: pytest.CaptureFixture[str], setting: Any, lines: int
) -> None:
    settings = ParseFileSettings(
        ("top_words",), "Fanfold", "", "b", "s", "t", "f1", "f2", "f3", "f4", setting
    )
    record = RunRecord(run_id="run", started_at=1.8e9, finished_at=1.8e9 + 1, status="SUCCEEDED", bytes=7)
    parse_file._Invocation(settings, ends_at=0.0).publish(record)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == lines
    assert all(extracted(line)["Bytes"] == (7, "Bytes") for line in printed)
