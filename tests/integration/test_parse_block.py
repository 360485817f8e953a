"""Blocks parsed by their handler, summed by the reducer's: through real adapters, against the oracle."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from obstore.store import S3Store

from lambda_src import source
from lambda_src.blob_store import BlobStore
from lambda_src.blocks import partition
from lambda_src.conservation import check_parsed, check_reduced
from lambda_src.handlers import parse_block as handler
from lambda_src.handlers.get_occurrences import get_occurrences
from lambda_src.messages import BlockReport, Manifest, ParseBlockRequest, encode, to_plain
from tests import oracle
from tests.integration.conftest import BUCKET
from tests.texts import ANY_BYTES


@given(ANY_BYTES, st.integers(30, 400))
@example("हिन्दी 日本語 straße ".encode() * 9, 31)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_blobs_sum_to_the_oracle(
    s3: Any, objects: S3Store, monkeypatch: pytest.MonkeyPatch, data: bytes, block_bytes: int
) -> None:
    monkeypatch.setenv("FANFOLD_URL_SUFFIX", "amazonaws.com")
    monkeypatch.setenv("FANFOLD_BUCKET", BUCKET)
    monkeypatch.setattr(source, "_FORMATS", {})  # random bytes may begin as gzip does
    s3.put_object(Bucket=BUCKET, Key="input/data", Body=data)
    pinned = source.pin(objects, BUCKET, "input/data")

    reports = []
    for block in partition(len(data), block_bytes):
        answer = handler.handler(to_plain(ParseBlockRequest("run", pinned, *block)), None)
        reports.append(msgspec.convert(answer, BlockReport))
    blobs = BlobStore(objects, BUCKET, "run")
    manifest = Manifest("run", pinned, reports)
    check_parsed(manifest)
    blobs.put_manifest(encode(manifest))
    found = {}
    for length in range(1, 21):
        report = get_occurrences(length, blobs)
        check_reduced(report, manifest)
        found[str(length)] = [msgspec.to_builtins(top) for top in report.top_words]

    expected = oracle.count_words(data)
    assert found == oracle.top_words(expected)
    assert sum(report.longer_words for report in reports) == oracle.longer_words(expected)


def test_a_worker_answers_its_failure(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFOLD_URL_SUFFIX", "amazonaws.com")
    monkeypatch.setenv("FANFOLD_BUCKET", BUCKET)
    answer = handler.handler({"run_id": "run"}, None)
    assert answer["outcome"] == "failure"
    assert answer["error"] == "InvalidRequest"
    assert "missing required field `source`" in answer["message"]
