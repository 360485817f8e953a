"""What an object is, told by how it begins; a text that only begins alike is a text."""

import bz2
import gzip
import lzma
import sys
import zipfile
from io import BytesIO
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src import formats
from lambda_src.errors import SourceNotText
from lambda_src.formats import FIRST_BYTES, Readable, tell
from tests.texts import ANY_BYTES

PARQUET = b"PAR1" + b"columns" * 9 + (16).to_bytes(4, "little") + b"PAR1"
"""With a footer of 16 bytes."""


def told(data: bytes) -> str:
    def read(start: int, end: int) -> bytes:
        assert 0 <= start < end <= len(data), "outside of the object"
        return data[start:end]

    return tell(Readable("o", len(data), read), data[:FIRST_BYTES])


def zipped() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("text", "words")
    return file.getvalue()


@pytest.mark.parametrize(
    ("how", "data"),
    [
        ("gzip", gzip.compress(b"words")),
        ("bzip2", bz2.compress(b"words")),
        ("bzip2", bz2.compress(b"words", 1)),
        ("bzip2", bz2.compress(bytes(range(256)) * 4000)),
        ("bzip2", bz2.compress(b"")),
        ("xz", lzma.compress(b"words")),
        ("zstd", b"\x28\xb5\x2f\xfd\x04\x00words"),
        ("zstd", b"\x5f\x2a\x4d\x18\x04\x00\x00\x00pzstd"),
    ],
)
def test_a_compressed_object_is_told_by_its_first_bytes(how: str, data: bytes) -> None:
    with patch.object(formats, "load_zstd"):
        assert told(data) == how
        assert told(b" " + data) == "plain"


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="unpacks zstd")
def test_zstd_is_refused_where_python_cannot_unpack_it() -> None:
    with pytest.raises(SourceNotText, match=r"o is zstd, which Python 3\.\d+\.\d+ cannot unpack: repack it"):
        told(b"\x28\xb5\x2f\xfd\x04\x00words")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("zip", zipped()),
        ("Parquet", PARQUET),
        ("UTF-16", "words".encode("utf-16")),
        ("UTF-16", b"\xfe\xff" + "words".encode("utf-16-be")),
        ("UTF-32", "words".encode("utf-32")),
        ("UTF-32", b"\x00\x00\xfe\xff" + "words".encode("utf-32-be")),
    ],
)
def test_what_is_no_utf8_text_is_refused_by_name(name: str, data: bytes) -> None:
    with pytest.raises(SourceNotText, match=f"o is {name}, not UTF-8 text: unpack or convert it"):
        told(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xef\xbb\xbfwords",
        b"\x1f\x8b",
        b"BZh",
        b"BZh01AY&SY",
        b"BZh91AY&SY",
        b"BZh91AY&SY is how a bzip2 file begins, up to the first checksum.",
        lzma.compress(b"", lzma.FORMAT_ALONE),
        b"PAR1",
        b"PAR1PAR1PAR1",
        b"P*M\x18 is a text, if an odd one.",
        PARQUET[:-1],
        b"PAR1" + (1 << 20).to_bytes(4, "little") + b"PAR1",
    ],
)
def test_what_begins_alike_is_plain(data: bytes) -> None:
    assert told(data) == "plain"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\1\2\3\4\5\6"), max_size=30))
def test_a_text_is_plain(text: str) -> None:
    assert told(text.encode()) == "plain"


@given(ANY_BYTES)
def test_any_bytes_are_told_or_refused_by_name(data: bytes) -> None:
    with patch.object(formats, "load_zstd"):
        try:
            assert told(data) in ("plain", "gzip", "bzip2", "xz", "zstd")
        except SourceNotText:
            assert data[:4] == b"PAR1" or not data.isascii() or data.startswith(b"PK")
