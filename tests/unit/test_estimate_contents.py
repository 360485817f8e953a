"""What an input is made of, as an estimate finds out before anything is paid for."""

import bz2
import gzip
import io
import lzma
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fanfold.errors import SourceError
from fanfold.estimate.contents import (
    LOOKS,
    contents_in_s3,
    contents_of,
    input_of,
    local_workload,
    with_key_of,
    workload_of,
)
from fanfold.estimate.workload import Stored
from fanfold.runs.source import Objects, local
from lambda_src.jobs.top_words import JOB

TEXT = b"".join(b"%x is a word\n" % random.Random(1).getrandbits(64 + number) for number in range(2_000))
PACK: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def made_of(path: Path) -> tuple[Stored, ...]:
    return contents_of(local(path)).objects


@pytest.mark.parametrize("how", PACK)
def test_an_object_is_what_its_first_bytes_say_whatever_its_name(how: str, tmp_path: Path) -> None:
    path = tmp_path / "text.zip"
    packed = PACK[how](TEXT)
    path.write_bytes(packed)
    (found,) = made_of(path)
    assert (found.format, found.bytes) == (how, len(packed))
    assert found.ratio == pytest.approx(len(TEXT) / len(packed))
    assert found.is_one_piece == (how in ("gzip", "xz"))


@pytest.mark.parametrize("how", ["gzip", "xz"])
def test_members_of_other_archives_are_never_shared(how: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(PACK[how](TEXT) * 3)
    assert made_of(tmp_path / "text")[0].is_one_piece


def test_a_second_block_of_bzip2_means_that_it_is_shared(tmp_path: Path) -> None:
    stream = bz2.compress(TEXT)
    (tmp_path / "text").write_bytes(stream * 3)
    (found,) = made_of(tmp_path / "text")
    assert not found.is_one_piece
    assert found.unit_bytes == len(stream)


def test_a_look_at_a_large_archive_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanfold.estimate.contents.SAMPLE_BYTES", 50_000)
    packed = gzip.compress(TEXT * 20, 1)
    (tmp_path / "text").write_bytes(packed[: len(packed) // 2])  # its end is never seen
    (found,) = made_of(tmp_path / "text")
    assert found.ratio == pytest.approx(20 * len(TEXT) / len(packed), rel=0.1)


def test_a_folder_is_reported_file_by_file(tmp_path: Path) -> None:
    for how, pack in PACK.items():
        for copies in (1, 2):
            (tmp_path / f"{how}{copies}").write_bytes(pack(TEXT * copies))
    (tmp_path / "nothing").write_bytes(b"")
    found = {one.name.rpartition("/")[2]: one for one in made_of(tmp_path)}
    assert {name: one.format for name, one in found.items()} == {
        "nothing": "plain",
        **{f"{how}{copies}": how for how in PACK for copies in (1, 2)},
    }
    assert {one.format for one in found.values() if one.is_one_piece} == {"gzip", "xz"}


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04" + bytes(100),
        "text".encode("utf-16"),
        gzip.compress(TEXT, mtime=0)[:3_000],
        b"\x1f\x8b\x08junk",
        "all of it is text".encode("utf-16-le"),
        gzip.compress("all of it is text".encode("utf-16"), mtime=0),
        gzip.compress(gzip.compress(TEXT), mtime=0),
        bz2.compress(b"PK\x03\x04" + bytes(100)),
        b"%PDF-1.7\n" + bytes(100),
    ],
)
def test_what_a_run_would_refuse_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT)
    (tmp_path / "b.bin").write_bytes(data)
    with pytest.raises(SourceError, match=r"b\.bin"):
        contents_of(local(tmp_path))


def test_a_file_is_read_as_the_job_reads_an_object(tmp_path: Path) -> None:
    (tmp_path / "text.gz").write_bytes(gzip.compress(TEXT))
    assert input_of(local(tmp_path)).whole(len(TEXT)) == TEXT


def test_a_workload_of_a_job_on_bytes_has_the_objects(tmp_path: Path) -> None:
    (tmp_path / "text.gz").write_bytes(gzip.compress(TEXT))
    found = local_workload("top_words", local(tmp_path))
    assert found.unit == JOB.unit
    assert [one.format for one in found.objects] == ["gzip"]


class Bucket:
    """An S3 client of objects; it counts the keys that are read."""

    def __init__(self, objects: dict[str, bytes], **answer: Any) -> None:
        self.objects, self.answer, self.read = objects, answer, set[str]()

    def get_paginator(self, _name: str) -> "Bucket":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        names = sorted(self.objects)
        halves = names[: len(names) // 2], names[len(names) // 2 :]
        return [
            {"Contents": [{"Key": key, "Size": len(self.objects[key])} for key in half]} for half in halves
        ]

    def list_objects_v2(self, *, Prefix: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's own name
        found = [key for key in sorted(self.objects) if key.startswith(Prefix)][:1]
        return {"Contents": [{"Key": key, "Size": len(self.objects[key])} for key in found]}

    def get_bucket_encryption(self, **_: Any) -> dict[str, Any]:
        default = {"SSEAlgorithm": self.answer["ServerSideEncryption"]}
        rule = {
            "ApplyServerSideEncryptionByDefault": default,
            "BucketKeyEnabled": self.answer["BucketKeyEnabled"],
        }
        return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}

    def get_object(self, *, Key: str, Range: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - as above
        self.read.add(Key)
        start, end = Range.removeprefix("bytes=").split("-")
        return {"Body": io.BytesIO(self.objects[Key][int(start) : int(end) + 1]), **self.answer}


def test_of_a_prefix_the_largest_of_each_ending_is_looked_at() -> None:
    objects = {f"logs/{number}.gz": gzip.compress(TEXT[: 1000 * (1 + number)]) for number in range(20)}
    objects |= {f"logs/{number}.bz2": bz2.compress(TEXT) * (1 + number) for number in range(5)}
    objects |= {f"logs/access.log.{number}": TEXT for number in range(5)} | {"logs/": b""}
    bucket = Bucket(objects)
    found = contents_in_s3(bucket, Objects("b", "logs/"))
    assert bucket.read == {"logs/19.gz", "logs/4.bz2", "logs/access.log.0"}
    assert (found.looked_at, len(found.objects), found.kms_requests) == (3, 31, 0)
    assert found.bytes == sum(map(len, objects.values()))
    by_name = {one.name: one for one in found.objects}
    assert by_name["s3://b/logs/3.gz"].is_one_piece
    assert by_name["s3://b/logs/3.bz2"].unit_bytes == len(bz2.compress(TEXT))
    assert by_name["s3://b/logs/access.log.3"] == Stored("s3://b/logs/access.log.3", len(TEXT))


def test_looks_at_a_prefix_are_bounded() -> None:
    bucket = Bucket({f"logs/x.kind{number}x": TEXT[:100] for number in range(3 * LOOKS)})
    assert contents_in_s3(bucket, Objects("b", "logs/")).looked_at == len(bucket.read) == LOOKS


@pytest.mark.parametrize(
    ("algorithm", "has_bucket_key", "requests"),
    [("AES256", False, 0.0), ("aws:kms", False, 1.0), ("aws:kms:dsse", False, 1.0), ("aws:kms", True, 0.01)],
)
def test_s3_tells_whether_a_key_is_used(algorithm: str, has_bucket_key: bool, requests: float) -> None:
    bucket = Bucket({"a": TEXT}, ServerSideEncryption=algorithm, BucketKeyEnabled=has_bucket_key)
    contents = contents_in_s3(bucket, Objects("b", "a"))
    assert contents.kms_requests == requests
    workload = with_key_of(workload_of("top_words", contents), bucket, "b")
    assert [workload.figures[name].value for name in ("kms_input", "kms_blobs")] == [requests, requests]
