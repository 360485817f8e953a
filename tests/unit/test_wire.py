"""Requests are refused by name; answers carry failures."""

import contextlib
import re

import msgspec
import pytest
from hypothesis import given

from fanfold.testing.texts import ANY_JSON
from lambda_src.errors import (
    BudgetExceeded,
    CapacityExhausted,
    CodeChanged,
    FanfoldError,
    FanOutFailed,
    FunctionFailed,
    InvalidRequest,
    JobContractViolated,
    RunCancelled,
    RunConflict,
    SourceChanged,
    Throttled,
    by_name,
    for_people,
)
from lambda_src.wire.codec import decode_answer, decode_event, encode, failure
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import BlockReport, Failure, PartReport
from lambda_src.wire.requests import ParseFileRequest, new_run_id


@pytest.mark.parametrize(
    ("former", "error"), [("JobBroken", JobContractViolated), ("NoRoom", CapacityExhausted)]
)
def test_former_names_of_errors_are_still_known(former: str, error: type[FanfoldError]) -> None:
    """Answers and records of earlier versions have them."""
    assert type(by_name(former, "text")) is error
    assert for_people(f"FanOutFailed: 1 of 2 tasks failed. block 0: {former}: Text.") == (
        "1 of 2 tasks failed. block 0: Text."
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("BlobDamaged: blobs/x is missing.", "BlobDamaged"),
        ("NoRoom: Every call was throttled.", "CapacityExhausted"),
        ("Something: went wrong: twice", "Something"),
        ("It failed.", ""),
        ("", ""),
    ],
)
def test_a_record_of_an_earlier_version_gets_the_code_of_its_error(text: str, code: str) -> None:
    record = msgspec.convert({"run_id": "r", "started_at": 1, "error": text}, RunRecord)
    assert (record.error, record.error_code) == (text, code)


def test_the_code_of_an_error_does_not_depend_on_its_text() -> None:
    record = RunRecord(run_id="r", started_at=1.0)
    record.fail(BudgetExceeded("RunConflict: misleading"))
    record.error = "RunConflict: misleading"
    read = msgspec.convert(msgspec.to_builtins(record), RunRecord)
    assert read.failed_with(BudgetExceeded)
    assert not read.failed_with(RunConflict)
    assert not read.failed_with(RunCancelled), "its base class ends runs for another reason"


@pytest.mark.parametrize(
    ("prices", "region"),
    [
        ("us-west-2, arm64, 2026-11", "us-west-2"),
        ("us-east-1, arm64, 2026-11 (no prices for eu-north-1)", "us-east-1"),
        ("us-east-1 for want of eu-north-1, arm64, 2026-11", "us-east-1"),
    ],
)
def test_a_record_of_an_earlier_version_gets_the_region_of_its_prices(prices: str, region: str) -> None:
    record = msgspec.convert({"run_id": "r", "started_at": 1, "prices": prices}, RunRecord)
    assert (record.price_region, record.price_architecture) == (region, "arm64")


@pytest.mark.parametrize("error", ["CodeChanged", "InvalidRequest"])
def test_a_worker_that_does_not_know_a_request_is_of_another_version(error: str) -> None:
    """An older one calls it InvalidRequest."""
    text = "The request is not valid: Object contains unknown field `rules`. Its fields are: run_id."
    with pytest.raises(CodeChanged, match=r"unknown field `rules`"):
        decode_answer(encode(Failure(error, text)), PartReport)
    with pytest.raises(InvalidRequest):
        decode_answer(encode(Failure("InvalidRequest", "bucket: it is in another region.")), PartReport)


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (None, "Expected `object`"),
        ([], "Expected `object`"),
        ({"key": 1}, "$.key"),
        ({"key": ""}, "$.key"),
        ({"key": "k" * 1025}, "$.key"),
        ({"prefix": 1}, "$.prefix"),
        ({"prefix": "k" * 1025}, "$.prefix"),
        ({"key": "k", "blockbytes": 1}, "`blockbytes`"),
        ({"key": "k", "block_bytes": "1"}, "$.block_bytes"),
        ({"key": "k", "block_bytes": 0}, "$.block_bytes"),
        ({"key": "k", "block_bytes": -5}, "$.block_bytes"),
        ({"key": "k", "block_bytes": 1.5}, "$.block_bytes"),
        ({"key": "k", "block_bytes": True}, "$.block_bytes"),
        ({"key": "k", "max_concurrency": 0}, "$.max_concurrency"),
        ({"key": "k", "max_concurrency": 951}, "$.max_concurrency"),
        ({"key": "k", "block_bytes": 10**40}, "$.block_bytes"),
        ({"key": "half of a pair: \ud800"}, "surrogates not allowed"),
        ({"key": "k", "half of a pair: \ud800": 1}, "surrogates not allowed"),
        ({"key": "k", "run_id": "../x"}, "$.run_id"),
        ({"key": "k", "run_id": "a/b"}, "$.run_id"),
        ({"key": "k", "run_id": ".."}, "$.run_id"),
        ({"key": "k", "run_id": "a\n"}, "$.run_id"),
        ({"key": "k", "run_id": "a" * 65}, "$.run_id"),
        ({"key": "k", "bucket": []}, "$.bucket"),
        ({"key": "k", "max_dollars": 0}, "$.max_dollars"),
        ({"key": "k", "max_dollars": -1.5}, "$.max_dollars"),
        ({"key": "k", "max_dollars": float("inf")}, "$.max_dollars"),
        ({"key": "k", "max_dollars": float("nan")}, "$.max_dollars"),
        ({"key": "k", "max_dollars": "1"}, "$.max_dollars"),
    ],
)
def test_a_wrong_request_is_refused_with_the_field_s_name(event: object, named: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(named)) as caught:
        decode_event(event, ParseFileRequest)
    assert "regex" not in str(caught.value)  # a rule is said in words
    fields = "key, prefix, bucket, etag, run_id, block_bytes, max_concurrency, "
    fields += "include_hidden, on_bad_object, must_be_new, max_dollars, shards, shard_by, options, "
    fields += "reuse_days, keep, job"
    assert f"Its fields are: {fields}." in str(caught.value)


@given(ANY_JSON)
def test_any_event_is_a_request_or_refused(event: object) -> None:
    with contextlib.suppress(InvalidRequest):
        decode_event(event, ParseFileRequest)


def test_answers_come_back_as_they_were() -> None:
    report = PartReport("2", 5, 11, {"top_words": [{"word": "é", "count": 2}]})
    assert decode_answer(encode(report), PartReport) == report


def test_a_reported_failure_is_raised_as_what_it_was() -> None:
    with pytest.raises(SourceChanged, match=r"^it was replaced$"):
        decode_answer(encode(failure(SourceChanged("it was replaced"))), BlockReport)
    with pytest.raises(Throttled) as caught:
        decode_answer(encode(failure(Throttled("slow down", retry_after_s=2.5))), BlockReport)
    assert caught.value.retry_after_s == 2.5
    with pytest.raises(FunctionFailed, match="of another version"):
        decode_answer(encode(Failure("Unheard", "of another version")), BlockReport)


def test_every_error_is_found_by_its_name() -> None:
    for kind in (SourceChanged, Throttled, FanOutFailed, InvalidRequest):
        assert type(by_name(kind.__name__, "text")) is kind


def test_run_ids_are_valid_and_do_not_repeat() -> None:
    ids = {new_run_id() for _ in range(100)}
    assert len(ids) == 100
    for run_id in ids:
        decode_event({"key": "k", "run_id": run_id}, ParseFileRequest)


def test_a_record_keeps_all_failures() -> None:
    record = RunRecord(run_id="r", started_at=1.0)
    record.fail(FanOutFailed("2 of 9 tasks failed.", ("block 1: x", "block 7: y")))
    assert (record.status, record.error) == ("FAILED", "FanOutFailed: 2 of 9 tasks failed.")
    assert record.failures == ["block 1: x", "block 7: y"]
    assert record.finished_at > record.started_at


def test_nothing_runs_in_a_run_that_has_failed() -> None:
    """Also if its owner died, and somebody else ends it."""
    record = RunRecord(run_id="r", started_at=1.0, calls={"running": 8, "at_most": 9, "slow": 2, "done": 3})
    record.fail(RunCancelled("The run was cancelled while no invocation was working on it."))
    assert record.calls == {"running": 0, "at_most": 9, "slow": 0, "done": 3}


def test_a_record_of_many_failures_fits_one_item() -> None:
    record = RunRecord(run_id="r", started_at=1.0)
    record.fail(FanOutFailed("字" * 10_000, ("語" * 1000,) * 5000))
    assert len(encode(record)) < 300_000
    assert len(record.failures) == 1000


@pytest.mark.parametrize("event", [{"key": "k", "x" * 10**6: 1}, {"key": "k", "run_id": "x" * 10**6}])
def test_a_refusal_is_no_longer_than_a_sentence(event: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        decode_event(event, ParseFileRequest)
    assert len(str(refusal.value)) < 500


def test_the_stored_names_of_the_block_size_are_those_of_the_request() -> None:
    """Whatever the unit: records of earlier versions have them."""
    record = RunRecord(run_id="run", started_at=0.0, block_units=7, block_units_because="requested")
    stored = msgspec.to_builtins(record)
    assert (stored["block_bytes"], stored["block_bytes_because"]) == (7, "requested")
    assert msgspec.convert(stored, RunRecord) == record
