"""Blobs through the real S3 client."""

import subprocess
import sys
from typing import Any

import msgspec
import pytest
from obstore.store import S3Store

from lambda_src.errors import BlobDamaged
from lambda_src.job import Owned, Shards
from lambda_src.run.ranges import ranges_by_shard, ranges_of
from lambda_src.store.blobs import HEADER_STEP_BYTES, BlobStore, header_bytes
from lambda_src.store.digests import digest_of
from lambda_src.telemetry import meter
from lambda_src.telemetry.calls import Call, Trace, Usage
from lambda_src.wire.codec import encode
from lambda_src.wire.reports import BlockReport, Range
from tests.integration.conftest import BUCKET

LINES = [b'{"a":1}', b"{}", b'{"abc":12}']
LINE_BYTES = [len(line) for line in LINES]


def range_of(number: int, block: int = 7, header: int = HEADER_STEP_BYTES) -> Range:
    start = header + sum(LINE_BYTES[:number]) + number
    return Range(block, start, LINE_BYTES[number], digest_of(LINES[number]), "", 0)


def test_each_line_comes_back_alone(objects: S3Store) -> None:
    blobs = BlobStore(objects, BUCKET, "run")
    blobs.put(7, b'{"header":true}', HEADER_STEP_BYTES, LINES)
    assert [blobs.get(range_of(number)) for number in range(3)] == LINES


def test_a_blob_is_json_lines_under_a_spread_key(s3: Any, objects: S3Store) -> None:
    blobs = BlobStore(objects, BUCKET, "run")
    blobs.put(7, b'{"header":true}', HEADER_STEP_BYTES, LINES)
    stored = s3.get_object(Bucket=BUCKET, Key=blobs.key(7))["Body"].read()
    assert stored.splitlines()[1:] == LINES
    assert stored.startswith(b'00001024 {"header":true} ')
    assert len(stored) == HEADER_STEP_BYTES + sum(LINE_BYTES) + len(LINES)
    prefix, spread, run, name = blobs.key(7).split("/")
    assert (prefix, run, name) == ("blobs", "run", "000007.jsonl")
    assert len({blobs.key(block).split("/")[1] for block in range(100)}) == 100
    assert BlobStore(objects, BUCKET, "another").key(7).split("/")[1] != spread


def test_writing_again_is_harmless(s3: Any, objects: S3Store) -> None:
    blobs = BlobStore(objects, BUCKET, "run")
    for _ in range(2):
        blobs.put(7, b"{}", HEADER_STEP_BYTES, LINES)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET, Prefix="blobs/")["Contents"]].count(
        blobs.key(7)
    ) == 1


def test_a_missing_and_a_cut_blob_are_named(s3: Any, objects: S3Store) -> None:
    blobs = BlobStore(objects, BUCKET, "damaged")
    with pytest.raises(BlobDamaged, match=r"000007.jsonl is missing"):
        blobs.get(range_of(0))
    blobs.put(7, b"{}", HEADER_STEP_BYTES, LINES)
    stored = s3.get_object(Bucket=BUCKET, Key=blobs.key(7))["Body"].read()
    for kept in (len(stored) - 2, len(stored) - len(LINES[2]) - 1, 10, 0):
        s3.put_object(Bucket=BUCKET, Key=blobs.key(7), Body=stored[:kept])
        with pytest.raises(BlobDamaged, match=r"000007.jsonl ends before byte"):
            blobs.get(range_of(2))


@pytest.mark.parametrize("number", range(3))
def test_a_line_that_was_changed_is_refused_by_block_and_key(s3: Any, objects: S3Store, number: int) -> None:
    blobs = BlobStore(objects, BUCKET, "changed")
    blobs.put(7, b"{}", HEADER_STEP_BYTES, LINES)
    stored = bytearray(s3.get_object(Bucket=BUCKET, Key=blobs.key(7))["Body"].read())
    stored[HEADER_STEP_BYTES + sum(LINE_BYTES[:number]) + number] ^= 1
    s3.put_object(Bucket=BUCKET, Key=blobs.key(7), Body=bytes(stored))
    for other in {0, 1, 2} - {number}:
        assert blobs.get(range_of(other)) == LINES[other]
    with pytest.raises(BlobDamaged, match=rf"{blobs.key(7)} was changed: its bytes .* Resume"):
        blobs.get(range_of(number))
    with pytest.raises(BlobDamaged):  # of what has no digest nobody knows
        blobs.get(range_of((number + 1) % 3)._replace(digest=b""))


def test_a_line_may_hold_newlines_or_nothing(objects: S3Store) -> None:
    """Nothing takes no request."""
    lines = [b"", b"two\nlines\n", b""]
    blobs = BlobStore(objects, BUCKET, "shards")
    blobs.put(3, b"{}", HEADER_STEP_BYTES, lines)
    report = BlockReport(
        3,
        Owned(0, 9),
        HEADER_STEP_BYTES,
        [len(line) for line in lines],
        [4, 5],
        {},
        line_digests=b"".join(map(digest_of, lines)),
        shard_observations=[0, 9, 0],
    )
    ranges = [ranges for (ranges,) in ranges_by_shard([report], Shards("key", 3, "run"))]
    assert ranges == [one for shard in range(3) for one in ranges_of([report], shard)]
    assert [one.observed for one in ranges] == [0, 9, 0]
    meter.begin()
    assert [blobs.get(one) for one in ranges] == lines
    assert meter.usage().requests == {"s3_gets": 1}


def test_the_manifest_comes_back(objects: S3Store) -> None:
    blobs = BlobStore(objects, BUCKET, "manifest-run")
    with pytest.raises(BlobDamaged, match=r"runs/manifest-run/manifest.json is missing"):
        blobs.get_manifest()
    blobs.put_manifest(b'{"blocks":[]}')
    assert blobs.get_manifest() == b'{"blocks":[]}'


@pytest.mark.parametrize("content_bytes", [2, 1013, 1014, 1015, 5000])
def test_a_header_of_any_size_comes_back(s3: Any, objects: S3Store, content_bytes: int) -> None:
    blobs = BlobStore(objects, BUCKET, "headers")
    header = b"[" + b"1" * (content_bytes - 2) + b"]"
    size = header_bytes(len(header))
    blobs.put(1, header, size, LINES)
    found = blobs.get_header(1)
    assert found is not None
    assert (found[0].strip(), found[1]) == (header, sum(LINE_BYTES) + len(LINES))
    assert [blobs.get(range_of(number, 1, size)) for number in range(3)] == LINES
    stored = s3.get_object(Bucket=BUCKET, Key=blobs.key(1))["Body"].read()
    for kept in (0, 5, size - 1):
        s3.put_object(Bucket=BUCKET, Key=blobs.key(1), Body=stored[:kept])
        assert blobs.get_header(1) is None
    for damaged in (b"00000000", b"00000008", b"00000512", b"99999999", b"-0001024"):
        s3.put_object(Bucket=BUCKET, Key=blobs.key(1), Body=damaged + stored[8:])
        assert blobs.get_header(1) is None


def test_the_trace_comes_back(s3: Any, objects: S3Store) -> None:
    blobs = BlobStore(objects, BUCKET, "trace-run")
    assert blobs.get_trace() is None
    usage = Usage(1769, 82.4, 1000.25, 400.0, 30.5, {"s3_gets": 2.0})
    told = Call("parse_block", "block 7", 2, 1700000000.125, 1700000000.5, 1700000001.75, "done", "", usage)
    lost = Call("parse_block", "block 8", 1, 1.0, 2.0, 3.0, "failed", "Transient: a crash \u2028 \x1b[31m")
    trace = Trace("trace-run", [told, lost])
    blobs.put_trace(encode(trace))
    stored = s3.get_object(Bucket=BUCKET, Key="runs/trace-run/trace.json")["Body"].read()
    assert msgspec.json.decode(stored, type=Trace) == trace
    assert blobs.get_trace() == stored


def test_every_request_is_counted(objects: S3Store) -> None:
    meter.begin()
    blobs = BlobStore(objects, BUCKET, "counted")
    blobs.put(7, b"{}", HEADER_STEP_BYTES, LINES)
    blobs.get(range_of(0))
    blobs.get_header(7)
    assert blobs.get_header(8) is None
    usage = meter.usage()
    assert usage.requests == {"s3_puts": 1, "s3_gets": 3}
    assert usage.fetch_ms > 0
    assert usage.store_ms > 0
    assert usage.fetch_ms + usage.store_ms <= usage.handler_ms


def test_a_large_line_is_neither_joined_to_be_stored_nor_held_twice_to_be_read(s3: Any) -> None:
    """Memory is for what is counted. Three lines of 20 MiB."""
    code = """
from pathlib import Path
from lambda_src.job import Owned, Shards
from lambda_src.run.ranges import ranges_by_shard, ranges_of
from lambda_src.store.blobs import HEADER_STEP_BYTES, BlobStore
from lambda_src.store.digests import digest_of
from lambda_src.aws.s3 import open_bucket
from lambda_src.wire.reports import BlockReport, Range
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) >> 10
blobs = BlobStore(open_bucket("bucket", ""), "bucket", "large")
blobs.put(1, b"{}", HEADER_STEP_BYTES, [b"{}"])
lines = [b"%d" % number * (20 << 20) for number in range(3)]
before = peak()
blobs.put(7, b"{}", HEADER_STEP_BYTES, lines)
stored = peak()
size = len(lines[1])
line = blobs.get(Range(7, HEADER_STEP_BYTES + size + 1, size, digest_of(lines[1]), "", 0))
print(stored - before, peak() - before)
assert line == b"1" * size
"""
    python = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    to_store, to_read = map(int, python.stdout.split())
    assert to_store < 20
    assert to_read < 20 + 15


def blobs_in(s3: Any, run_id: str) -> int:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="blobs/")
    return sum(f"/{run_id}/" in item["Key"] for page in pages for item in page.get("Contents", []))


def test_the_blobs_of_a_run_are_deleted_and_nothing_else(
    s3: Any, objects: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambda_src.store.blobs.DELETED_AT_ONCE", 2)
    blobs, other = BlobStore(objects, BUCKET, "done"), BlobStore(objects, BUCKET, "done-too")
    for block in (0, 1, 2, 4):
        blobs.put(block, b"{}", HEADER_STEP_BYTES, LINES)
    other.put(0, b"{}", HEADER_STEP_BYTES, LINES)
    blobs.put_manifest(b"{}")
    blobs.put(2, b"{}", HEADER_STEP_BYTES, LINES, variant="-other")
    # The fourth one is gone already.
    blobs.delete([*((block, "") for block in range(5)), (2, "-other")], lambda: 900.0)
    assert (blobs_in(s3, "done"), blobs_in(s3, "done-too")) == (0, 1)
    assert blobs.get_manifest() == b"{}"
    assert other.get_header(0)


def test_deleting_ends_in_time(s3: Any, objects: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_src.store.blobs.DELETED_AT_ONCE", 2)
    blobs, remaining = BlobStore(objects, BUCKET, "late"), iter([101.0, 99.0])
    for block in range(4):
        blobs.put(block, b"{}", HEADER_STEP_BYTES, LINES)
    blobs.delete([(block, "") for block in range(4)], lambda: next(remaining))
    assert blobs_in(s3, "late") == 2
