"""The inputs that people have: one object or many, plain or compressed."""

import bz2
import gzip
import lzma
import random
import re
from collections import Counter

import pytest

from tests import oracle
from tests.deployed import Stack
from tests.e2e.roles import Role

KIB = 1024
WORDS = "größte naïve words of many lengths, हिन्दी 日本語 straße more than once".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def text() -> bytes:
    """Half a megabyte."""
    generator = random.Random(5)
    return " ".join(generator.choices(WORDS, k=60_000)).encode()


def multistream(text: bytes, stream_bytes: int) -> bytes:
    """bzip2 as Wikipedia writes it, cut at any byte."""
    starts = range(0, len(text), stream_bytes)
    return b"".join(bz2.compress(text[start : start + stream_bytes]) for start in starts)


@pytest.mark.parametrize(
    ("name", "compress", "blocks_at_work"),
    [
        ("gzip", gzip.compress, 1),
        ("gzip of members", lambda text: gzip.compress(text[:100_001]) + gzip.compress(text[100_001:]), 1),
        ("bzip2 of one stream", lambda text: bz2.compress(text, 1), 4),
        ("xz", lzma.compress, 1),
        ("multistream bzip2", lambda text: multistream(text, 7_001), 2),
    ],
)
def test_a_compressed_object_is_counted_as_the_plain_one(
    stack: Stack, text: bytes, name: str, compress: object, blocks_at_work: int
) -> None:
    assert callable(compress)
    key = stack.put("input/compressed", compress(text))
    summary = stack.run(key, block_bytes=8 * KIB)
    expected = oracle.count_words(text)
    assert (summary["words"], summary["top_words"]) == (expected.total(), oracle.top_words(expected)), name
    manifest = stack.manifest(summary["run_id"])
    at_work = [block for block in manifest.blocks if sum(block.observations)]
    assert len(at_work) >= blocks_at_work


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (gzip.compress(b"words " * 9999)[:-5], "is cut: its gzip stream from byte 0 has not ended"),
        (gzip.compress(b"words") + b"more", "no stream of it begins at byte 25"),
        (bz2.compress(bytes(100 << 20)), "this is not text"),
    ],
    ids=["cut", "followed", "bomb"],
)
def test_an_archive_that_cannot_be_read_fails_by_name(stack: Stack, data: bytes, named: str) -> None:
    message, _ = stack.fail({"key": stack.put("input/broken", data)})
    assert "input/broken" in message
    assert re.search(named, message), message


def objects(stack: Stack, prefix: str) -> Counter[str]:
    """Put many small objects, an archive, an empty one and a folder's marker; the words in them, none of
    which goes on in the next object."""
    expected: Counter[str] = Counter()
    for number in range(300):
        text = f"begin number {'x' * (number % 19)} en".encode()
        stack.put(f"{prefix}{number:03}", gzip.compress(text) if number % 50 == 7 else text)
        expected += oracle.count_words(text)
    stack.put(f"{prefix}100/", b"")
    stack.put(f"{prefix}150-empty", b"")
    big = b"d begin with the end of a word " * 4000
    stack.put(f"{prefix}200-big", big)
    return expected + oracle.count_words(big)


def test_all_objects_under_a_prefix_are_one_input(stack: Stack) -> None:
    prefix = "input/many/2026/"
    expected = objects(stack, prefix)
    stack.put("input/many/2025", b"not meant")
    several = stack.run(prefix=prefix, block_bytes=16 * KIB)
    assert (several["words"], several["top_words"]) == (expected.total(), oracle.top_words(expected))
    assert several["blocks"] < 20
    assert stack.run(prefix=prefix)["top_words"] == several["top_words"]

    record, _ = stack.results(several["run_id"])
    assert record is not None
    assert (record.prefix, record.key, record.objects) == (prefix, None, 303)
    assert stack.run(prefix=prefix, run_id=several["run_id"]) == several
    stack.put(f"{prefix}999", b"one more")
    message, failed = stack.invoke({"prefix": prefix, "run_id": several["run_id"]})
    assert failed
    assert "leave run_id out to run on that version" in message["errorMessage"]


def test_many_objects_need_their_grants(stack: Stack) -> None:
    prefix = "input/granted/"
    objects(stack, prefix)
    for function, action, told_by in (
        ("ParseFile", "s3:ListBucket", "Bucket"),
        ("ParseBlock", "s3:GetObject", "runs/*"),
    ):
        with Role(stack, function).without(action, told_by):
            answer, failed = stack.invoke({"prefix": prefix})
        assert failed, answer
        assert "AccessDenied" in answer["errorMessage"]


def test_what_is_no_text_under_a_prefix_is_named(stack: Stack) -> None:
    stack.put("input/mixed/1", b"words")
    stack.put("input/mixed/2.zip", b"PK\x03\x04")
    message, _ = stack.fail({"prefix": "input/mixed/"})
    assert "input/mixed/2.zip is zip, not UTF-8 text" in message


def test_what_is_not_utf8_is_reported_by_the_answer_and_the_record(stack: Stack) -> None:
    key = stack.put("input/latin1", "señor\n".encode("latin-1") * 1000)
    summary = stack.run(key, block_bytes=1000)
    (warning,) = summary["warnings"]
    assert warning["message"].startswith(
        "1,000 of 6,000 bytes (16.7 %) are not UTF-8, the first one at byte 2"
    )
    assert (warning["code"], warning["key"], warning["offset"], warning["count"]) == (
        "invalid_utf8",
        key,
        2,
        1000,
    )
    record, _ = stack.results(summary["run_id"])
    assert record is not None
    assert [told.message for told in record.warnings] == [warning["message"]]
    assert not any(block.findings for block in stack.manifest(summary["run_id"]).blocks)
