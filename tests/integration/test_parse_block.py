"""Blocks parsed by their handler, summed by the reducer's: through real adapters, against the oracle."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from obstore.store import S3Store

from lambda_src import formats, source
from lambda_src.blob_store import BlobStore
from lambda_src.blocks import split
from lambda_src.conservation import check_mapped, check_reduced
from lambda_src.handlers import parse_block as handler
from lambda_src.job import Span
from lambda_src.jobs.top_words import JOB
from lambda_src.messages import BlockReport, Manifest, ParseBlockRequest, encode, to_plain
from lambda_src.reduce_part import reduce_part
from tests import oracle
from tests.integration.conftest import BUCKET
from tests.texts import ANY_BYTES

CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000)


@given(ANY_BYTES, st.integers(30, 400))
@example("हिन्दी 日本語 straße ".encode() * 9, 31)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_blobs_sum_to_the_oracle(
    s3: Any, objects: S3Store, monkeypatch: pytest.MonkeyPatch, data: bytes, block_bytes: int
) -> None:
    monkeypatch.setenv("FANFOLD_URL_SUFFIX", "amazonaws.com")
    monkeypatch.setenv("FANFOLD_JOB", "top_words")
    monkeypatch.setenv("FANFOLD_BUCKET", BUCKET)
    for table in ("_COMPRESSED", "_NO_TEXT"):
        monkeypatch.setattr(formats, table, {})  # random bytes may begin as gzip does
    s3.put_object(Bucket=BUCKET, Key="input/data", Body=data)
    pinned, listing = source.pin(objects, BUCKET, "input/data")

    reports = []
    for block in split(len(data), block_bytes):
        portion = listing.portion(Span(block.start, block.end))
        answer = handler.handler(to_plain(ParseBlockRequest("run", pinned, *block, portion)), CONTEXT)
        reports.append(msgspec.convert(answer, BlockReport))
    blobs = BlobStore(objects, BUCKET, "run")
    manifest = Manifest("run", pinned, pinned.bytes, reports)
    check_mapped(JOB, manifest)
    blobs.put_manifest(encode(manifest))
    found = {}
    for length in JOB.parts:
        report = reduce_part(JOB, length, blobs)
        check_reduced(report, JOB, manifest)
        found[length] = report.result["top_words"]

    expected = oracle.count_words(data)
    assert found == oracle.top_words(expected)
    assert sum(report.extras["longer_words"] for report in reports) == oracle.longer_words(expected)


def test_a_worker_answers_its_failure(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_URL_SUFFIX", "amazonaws.com")
    monkeypatch.setenv("FANFOLD_JOB", "top_words")
    monkeypatch.setenv("FANFOLD_BUCKET", BUCKET)
    answer = handler.handler({"run_id": "run"}, CONTEXT)
    assert answer["outcome"] == "failure"
    assert answer["error"] == "InvalidRequest"
    assert "missing required field `source`" in answer["message"]
