"""Blocks parsed by their handler, summed by the reducer's: through real adapters, against the oracle."""

import gzip
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from obstore.store import S3Store

from fanfold.testing.texts import ANY_BYTES
from lambda_src.aws import source
from lambda_src.aws.listing import open_client, pin_prefix
from lambda_src.errors import BlobDamaged
from lambda_src.handlers import parse_block as handler
from lambda_src.input import formats
from lambda_src.input.addresses import Portion
from lambda_src.input.blocks import split
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Span
from lambda_src.jobs.top_words import JOB
from lambda_src.run.map_block import find_report, map_block
from lambda_src.run.proof import check_mapped, check_parts
from lambda_src.run.reduce_shard import reduce_shard
from lambda_src.store.blobs import BlobStore
from lambda_src.wire.codec import encode, to_plain
from lambda_src.wire.reports import BlockReport, Manifest, PartReport
from lambda_src.wire.requests import GetOccurrencesRequest, ParseBlockRequest
from lambda_src.wire.source import Source
from tests import oracle
from tests.archives import zipped
from tests.contexts import sent_context
from tests.integration.conftest import BUCKET

SENT = sent_context(JOB)


def reduce_part(part: str, blobs: BlobStore) -> PartReport:
    request = GetOccurrencesRequest("run", "owner", JOB.parts.index(part), JOB.rules, SENT)
    report = reduce_shard(JOB, request, blobs)
    assert isinstance(report, PartReport)
    return report


CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000)


@given(ANY_BYTES, st.integers(30, 400))
@example("हिन्दी 日本語 straße ".encode() * 9, 31)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_blobs_sum_to_the_oracle(
    s3: Any, objects: S3Store, monkeypatch: pytest.MonkeyPatch, data: bytes, block_bytes: int
) -> None:
    monkeypatch.setenv("FANFOLD_URL_SUFFIX", "amazonaws.com")
    monkeypatch.setenv("FANFOLD_JOBS", "top_words")
    monkeypatch.setenv("FANFOLD_BUCKET", BUCKET)
    monkeypatch.setenv("FANFOLD_REQUESTER_PAYS", "off")
    for table in ("_COMPRESSED", "_NO_TEXT"):
        monkeypatch.setattr(formats, table, {})  # random bytes may begin as gzip does
    monkeypatch.setattr(formats, "_wide_encoding", lambda _: None)  # or look like UTF-16
    s3.put_object(Bucket=BUCKET, Key="input/data", Body=data)
    pinned, listing = source.pin(objects, BUCKET, "input/data")

    reports = []
    for block in split(len(data), block_bytes):
        portion = listing.portion(Span(block.start, block.end))
        answer = handler.handler(
            to_plain(ParseBlockRequest("run", pinned, *block, portion, JOB.rules, SENT)), CONTEXT
        )
        reports.append(msgspec.convert(answer, BlockReport))
    blobs = BlobStore(objects, BUCKET, "run")
    manifest = Manifest("run", pinned, pinned.bytes, reports)
    check_mapped(JOB, manifest)
    blobs.put_manifest(encode(manifest))
    found = {}
    for length in JOB.parts:
        report = reduce_part(length, blobs)
        check_parts([report], JOB, manifest)
        found[length] = report.result["top_words"]

    expected = oracle.count_words(data)
    assert found == oracle.top_words(expected)
    assert sum(report.extras["longer_words"] for report in reports) == oracle.longer_words(expected)


def test_bad_objects_are_reported_and_left_out_when_that_is_asked(
    s3: Any, objects: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a block at once: a cut archive, one that is gone, and a zip."""
    for name, value in {"URL_SUFFIX": "amazonaws.com", "JOBS": "top_words", "REQUESTER_PAYS": "off"}.items():
        monkeypatch.setenv(f"FANFOLD_{name}", value)
    monkeypatch.setenv("FANFOLD_BUCKET", BUCKET)
    texts = {
        "a": b"good words ",
        "b": gzip.compress(b"cut")[:-3],
        "c": b"gone",
        "d": zipped(),
        "e": b"more words",
    }
    for key, text in texts.items():
        s3.put_object(Bucket=BUCKET, Key=f"input/bad/{key}", Body=text)
    pinned = pin_prefix(open_client(), BUCKET, "input/bad/", skip_bad=True)
    s3.delete_object(Bucket=BUCKET, Key="input/bad/c")
    whole = Span(0, pinned.source.bytes)
    request = ParseBlockRequest(
        "bad", pinned.source, 0, *whole, pinned.listing.portion(whole), JOB.rules, SENT, skip_bad_objects=True
    )
    found = msgspec.convert(handler.handler(to_plain(request), CONTEXT), BlockReport)
    one = {one.key[-1]: one for one in pinned.listing.addresses.objects(whole)}
    assert [bad.address for bad in found.bad_objects] == [one[key].address for key in "bcd"]
    for word, bad in zip(("is cut", "does not exist", "is zip"), found.bad_objects, strict=True):
        assert word in bad.reason
    left_out = [Span(one[key].address, one[key].address + one[key].bytes) for key in "bcd"]
    report = msgspec.convert(handler.handler(to_plain(request.without(left_out)), CONTEXT), BlockReport)
    assert report.owned[:2] == whole
    assert (sum(report.observations), report.left_out) == (4, left_out)
    blobs = BlobStore(objects, BUCKET, "bad")
    assert find_report(JOB, request, blobs, check_lines=False) is None
    assert find_report(JOB, request.without(left_out), blobs, check_lines=True)


def test_a_worker_answers_its_failure(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_URL_SUFFIX", "amazonaws.com")
    monkeypatch.setenv("FANFOLD_JOBS", "top_words")
    monkeypatch.setenv("FANFOLD_BUCKET", BUCKET)
    monkeypatch.setenv("FANFOLD_REQUESTER_PAYS", "off")
    answer = handler.handler({"run_id": "run"}, CONTEXT)
    assert answer["outcome"] == "failure"
    assert answer["error"] == "CodeChanged"
    assert "missing required field `source`" in answer["message"]


def change(s3: Any, key: str, old: bytes, new: bytes) -> None:
    stored = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert old in stored
    s3.put_object(Bucket=BUCKET, Key=key, Body=stored.replace(old, new))


def test_a_blob_that_was_changed_gives_no_answer_and_is_mapped_again(s3: Any, objects: S3Store) -> None:
    texts = [b"alpha ", b"alphabetical ", b"omega "]
    source_input = input_of_bytes(texts, "plain")
    pinned, blobs = (
        Source("bucket", "key", "etag", source_input.size_bytes),
        BlobStore(objects, BUCKET, "lies"),
    )
    requests, start = [], 0
    for number, text in enumerate(texts):
        end = start + len(text)
        requests.append(
            ParseBlockRequest("lies", pinned, number, start, end, Portion((), None), JOB.rules, SENT)
        )
        start = end
    reports = [map_block(JOB, request, source_input, blobs) for request in requests]
    blobs.put_manifest(encode(Manifest("lies", pinned, pinned.bytes, reports)))
    assert reduce_part("5", blobs).result["words"] == 2

    def kept(*, check_lines: bool) -> list[bool]:
        found = [find_report(JOB, request, blobs, check_lines=check_lines) for request in requests]
        assert all(report in (None, reports[number]) for number, report in enumerate(found))
        return [report is not None for report in found]

    assert kept(check_lines=False) == kept(check_lines=True) == [True, True, True]
    change(s3, blobs.key(0), b"alpha", b"omega")  # which no count shows
    with pytest.raises(BlobDamaged, match=rf"{blobs.key(0)} was changed: its bytes"):
        reduce_part("5", blobs)
    assert reduce_part("12", blobs).result["words"] == 1  # which reads another line of it
    assert kept(check_lines=False) == [True, True, True]
    assert kept(check_lines=True) == [False, True, True]
    change(s3, blobs.key(1), b'"longer_words":0', b'"longer_words":7')
    assert kept(check_lines=False) == [True, False, True]
    change(s3, blobs.key(2), b'"rules"', b'"rule\xff"')
    assert kept(check_lines=False) == [True, False, False]


def test_lines_of_other_rules_are_mapped_again(objects: S3Store) -> None:
    source_input = input_of_bytes([b"word"], "plain")
    pinned, blobs = Source("bucket", "key", "etag", 4), BlobStore(objects, BUCKET, "rules")
    request = ParseBlockRequest("rules", pinned, 0, 0, 4, Portion((), None), "older", SENT)
    older = replace(JOB, rules="older")
    map_block(older, request, source_input, blobs)
    assert find_report(older, request, blobs, check_lines=False)
    assert find_report(JOB, request, blobs, check_lines=False) is None
    of_another = replace(request, context=replace(SENT, job="another"))  # whose rules have the same text
    assert find_report(older, of_another, blobs, check_lines=False) is None
