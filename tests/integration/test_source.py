"""The input object through the real S3 client."""

import bz2
import gzip
import lzma
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from obstore.store import S3Store

from lambda_src.aws import source
from lambda_src.aws.s3 import open_bucket
from lambda_src.errors import SourceChanged, SourceNotFound, SourceNotText, Transient
from lambda_src.input.addresses import Placed
from lambda_src.job import Owned, Span
from lambda_src.records import delimited
from lambda_src.wire.source import Source
from tests.archives import COMPRESSED, NO_TEXT, PARQUET, ZSTD
from tests.integration.conftest import BUCKET


def pin(objects: S3Store, key: str) -> tuple[Source, Placed]:
    """The source, and its one object."""
    pinned, listing = source.pin(objects, BUCKET, key)
    (one,) = listing.addresses.objects(Span(0, pinned.bytes))
    return pinned, one


def test_a_pinned_object_is_read_by_range(s3: Any, objects: S3Store) -> None:
    s3.put_object(Bucket=BUCKET, Key="input/text", Body=b"0123456789")
    pinned, one = pin(objects, "input/text")
    assert (pinned.bytes, pinned.bucket, pinned.key, pinned.objects) == (10, BUCKET, "input/text", 1)
    assert b"".join(source.read(objects, BUCKET, one, 3, 7)) == b"3456"
    assert b"".join(source.read(objects, BUCKET, one, 0, 10)) == b"0123456789"


def test_an_empty_object_is_pinned(s3: Any, objects: S3Store) -> None:
    s3.put_object(Bucket=BUCKET, Key="input/empty", Body=b"")
    assert source.pin(objects, BUCKET, "input/empty")[0].bytes == 0


@pytest.mark.parametrize("key", ["input/a b+c%41.txt", "input/日本語 ü.txt", "input/{x}~#?&=.txt"])
def test_any_key_is_addressed_as_it_is(s3: Any, objects: S3Store, key: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"text")
    assert b"".join(source.read(objects, BUCKET, pin(objects, key)[1], 0, 4)) == b"text"


def test_an_object_that_was_replaced_is_not_read(s3: Any, objects: S3Store) -> None:
    s3.put_object(Bucket=BUCKET, Key="input/text", Body=b"one version")
    _, one = pin(objects, "input/text")
    s3.put_object(Bucket=BUCKET, Key="input/text", Body=b"two version")
    with pytest.raises(SourceChanged, match="s3://bucket/input/text was replaced while the run read it"):
        b"".join(source.read(objects, BUCKET, one, 0, 3))
    s3.delete_object(Bucket=BUCKET, Key="input/text")
    with pytest.raises(SourceNotFound, match="s3://bucket/input/text does not exist"):
        b"".join(source.read(objects, BUCKET, one, 0, 3))


def test_a_read_that_breaks_off_goes_on_where_it_was(
    objects: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GET has 30 s, and a job may be slower than that: there is no end to it as long as it gets on."""
    asked: list[int] = []

    def get(_objects: Any, _bucket: str, _key: str, span: tuple[int, int], _wanted: Any) -> Iterator[bytes]:
        asked.append(span[0])
        yield b"0123456789"[span[0] : min(span[0] + 3, span[1])]
        raise Transient("timed out")

    monkeypatch.setattr(source, "_get", get)
    assert b"".join(source.read(objects, BUCKET, Placed(0, "o", 10, "e"), 1, 10)) == b"123456789"
    assert asked == [1, 4, 7]


@pytest.mark.parametrize(
    ("chunks", "error"),
    [([b"0", b""], "timed out"), ([], "answered 0 bytes"), ([b"0" * 11], "answered 11 bytes")],
)
def test_a_read_that_does_not_get_on_or_has_too_much_fails(
    objects: S3Store, monkeypatch: pytest.MonkeyPatch, chunks: list[bytes], error: str
) -> None:
    def get(_objects: Any, _bucket: str, _key: str, span: tuple[int, int], _wanted: Any) -> Iterator[bytes]:
        if span[0] == 0:
            yield from chunks
        if chunks:
            raise Transient("timed out")

    monkeypatch.setattr(source, "_get", get)
    with pytest.raises(Transient, match=error):
        list(source.read(objects, BUCKET, Placed(0, "o", 10, "e"), 0, 10))


def test_a_versioned_object_that_was_replaced_is_read_as_it_was(s3: Any, objects: S3Store) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=BUCKET, Key="input/versioned", Body=b"one version")
    pinned, listing = source.pin(objects, BUCKET, "input/versioned")
    s3.put_object(Bucket=BUCKET, Key="input/versioned", Body=b"two")
    s3.delete_object(Bucket=BUCKET, Key="input/versioned")
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    assert source.input_of(objects, pinned, listing.addresses).whole(100) == b"one version"


def test_a_missing_object_and_a_missing_bucket_are_named(objects: S3Store) -> None:
    with pytest.raises(SourceNotFound, match="s3://bucket/input/none does not exist: check bucket and key"):
        source.pin(objects, BUCKET, "input/none")
    with pytest.raises(SourceNotFound, match="s3://nowhere/input/none does not exist: check bucket and key"):
        source.pin(open_bucket("nowhere", "amazonaws.com"), "nowhere", "input/none")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        *NO_TEXT[:3],
        ("gzip of what is UTF-16", gzip.compress("words".encode("utf-16"), mtime=0)),
        ("bzip2 of what is UTF-16", bz2.compress("words".encode("utf-16"))),
    ],
)
def test_what_is_no_utf8_text_is_refused_by_what_it_begins_with(
    s3: Any, objects: S3Store, name: str, data: bytes
) -> None:
    s3.put_object(Bucket=BUCKET, Key="input/data", Body=data)
    with pytest.raises(SourceNotText, match=f"s3://bucket/input/data is {name}, not UTF-8 text"):
        source.pin(objects, BUCKET, "input/data")


@pytest.mark.parametrize(
    ("how", "data"),
    [
        *COMPRESSED,
        ("plain", b"words"),
        ("plain", b""),
    ],
)
def test_how_an_object_is_compressed_is_told_by_what_it_begins_with(
    s3: Any, objects: S3Store, how: str, data: bytes
) -> None:
    s3.put_object(Bucket=BUCKET, Key="input/data", Body=data)
    _, listing = source.pin(objects, BUCKET, "input/data")
    assert [one.format for one in listing.addresses.objects(Span(0, max(len(data), 1)))] == [how]


@pytest.mark.parametrize("text", ["words and more\n", "words and more\n" * 100_000])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_pinned_object_is_read_as_the_text_that_it_stands_for(
    s3: Any, objects: S3Store, pack: Callable[[bytes], bytes], text: str
) -> None:
    s3.put_object(Bucket=BUCKET, Key="input/data", Body=pack(text.encode()))
    pinned, listing = source.pin(objects, BUCKET, "input/data")
    given = source.input_of(objects, pinned, listing.addresses)
    chunks: list[bytes] = []
    owned = given.feed(
        Span(0, pinned.bytes), delimited("line", b"\n", 1000), lambda chunk, _: chunks.append(chunk)
    )
    assert owned._replace(crcs=None) == Owned(0, pinned.bytes)
    assert b"".join(chunks) == given.whole(len(text)) == text.encode()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python 3.14 unpacks zstd")
def test_zstd_that_cannot_be_unpacked_is_refused(s3: Any, objects: S3Store) -> None:
    s3.put_object(Bucket=BUCKET, Key="input/data", Body=ZSTD)
    with pytest.raises(SourceNotText, match=r"s3://bucket/input/data is zstd, which Python .* cannot unpack"):
        source.pin(objects, BUCKET, "input/data")


@pytest.mark.parametrize(
    "text",
    [
        "BZh",
        "BZhen ist ein Name.",
        "BZh9 is how a bzip2 file begins.",
        "BZh91AY&SY",
        "BZh91AY&SY is how a bzip2 file begins, up to the first checksum.",
        "PAR1",
        "PAR1 is how a Parquet file begins.",
        "PAR1 is how a Parquet file begins, and how it ends: PAR1",
        "PAR1PAR1PAR1",
        "PKs are primary keys.",
        "(\u00b5/",
        "7zXZ",
    ],
)
def test_a_text_that_begins_as_a_format_does_is_text(s3: Any, objects: S3Store, text: str) -> None:
    s3.put_object(Bucket=BUCKET, Key="input/data", Body=text.encode())
    _, one = pin(objects, "input/data")
    assert (one.bytes, one.format) == (len(text.encode()), "plain")


def test_a_cut_parquet_file_is_not_taken_for_a_whole_one(s3: Any, objects: S3Store) -> None:
    """Nor is one whose footer does not fit: what remains is read as text, which it may be."""
    for data in (PARQUET[:-1], b"PAR1" + (1 << 20).to_bytes(4, "little") + b"PAR1"):
        s3.put_object(Bucket=BUCKET, Key="input/data", Body=data)
        assert source.pin(objects, BUCKET, "input/data")[0].bytes == len(data)


def test_a_byte_order_mark_of_utf8_is_text(s3: Any, objects: S3Store) -> None:
    s3.put_object(Bucket=BUCKET, Key="input/data", Body=b"\xef\xbb\xbfwords")
    assert source.pin(objects, BUCKET, "input/data")[0].bytes == 8
