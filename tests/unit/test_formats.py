"""What an object is, told by how it begins; a text that only begins alike is a text."""

import re
import sys
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.testing.texts import ANY_BYTES
from lambda_src.errors import SourceNotText
from lambda_src.input import formats
from lambda_src.input.formats import LOOK_BYTES, Readable, check_unpacked, detect_format
from tests.archives import COMPRESSED, NO_TEXT, PARQUET, SCRIPTS, ZSTD


def told(data: bytes) -> str:
    def read(start: int, end: int) -> list[bytes]:
        assert 0 <= start < end <= len(data), "outside of the object"
        return [data[start:end]]

    return detect_format(Readable("o", len(data), read), data[:LOOK_BYTES])


@pytest.mark.parametrize(
    ("how", "data"),
    [
        *COMPRESSED,
        ("zstd", ZSTD),
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
        told(ZSTD)


@pytest.mark.parametrize(("name", "data"), NO_TEXT)
def test_what_is_no_utf8_text_is_refused_by_name_with_advice(name: str, data: bytes) -> None:
    named = rf"{re.escape(name)}, not UTF-8 text: .*(then upload that|text in UTF-8)\.$"
    with pytest.raises(SourceNotText, match=f"^o is {named}"):
        told(data)
    if name != "Parquet":  # which only its end tells for sure
        with pytest.raises(SourceNotText, match=f"^o is gzip of what is {named}"):
            check_unpacked("o", "gzip", data[:LOOK_BYTES])


@pytest.mark.parametrize(("how", "data"), [*COMPRESSED, ("zstd", ZSTD)])
def test_what_is_compressed_twice_is_refused(how: str, data: bytes) -> None:
    with pytest.raises(SourceNotText, match=f"^o is {how} inside xz: unpack it once, then upload that\\.$"):
        check_unpacked("o", "xz", data[:LOOK_BYTES])


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
        bytes(2000),
        bytes(9) + b"a log that was truncated while it was written",
        b"one\0two\0three\0four\0five\0six\0seven\0",
        b"1.5\0" * 200,
        b"a\0\0\0b\0\0" * 99,
        b"ORCHIDS and ustar are words\n" * 20,
        b"%PDF- is how a PDF begins",
        b"GIF89a is a format, MZ too",
        b"]\0\0 is how lzma begins",
        b"x\x9c is an odd pair in Latin-1",
        b" " * 257 + b"ustar is written here",
        b"12345678" * 100,
        b"PAR1",
        b"PAR1PAR1PAR1",
        b"P*M\x18 is a text, if an odd one.",
        b"PAR1 " * 3,
        b"%PDF-1.4\nis how a PDF begins, up to the first line's end.",
        b"Salted__caramel ice cream",
        "qǐ chuáng".encode(),
        b"070701" + b"01234567" * 13 + b" are digits",
        b"0707" * 99,
        b"x^3 + y^3 = z^3",
        b"hCk",
        b"MATLAB 5.0 MAT-file is a format of files. " * 9,
        b"bplist00 is how a property list begins",
        b"aa-lh5- is LHA\n",
        b"1,\0,\0,\0\n" * 100,
        b"caf\xe9\0th\xe9\0na\xefve\0" * 30,
        b"./a/file\0./b/file2\0./c/x\0" * 30,
        b"".join(number.to_bytes(4, "little") for number in range(500)),
        b"".join(number.to_bytes(2, "little") for number in range(500)),
        *(
            (text * 30).encode(encoding, errors="ignore")
            for text in SCRIPTS.values()
            for encoding in ("shift_jis", "euc_jp", "gb18030", "big5", "euc_kr", "cp1251", "cp1252", "cp037")
        ),
        PARQUET[:-1],
        b"PAR1" + (1 << 20).to_bytes(4, "little") + b"PAR1",
    ],
)
def test_what_begins_alike_is_plain(data: bytes) -> None:
    assert told(data) == "plain"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\1\2\3\4\5\6\x1f"), max_size=30))
def test_a_text_is_plain(text: str) -> None:
    assert told(text.encode()) == "plain"


@given(ANY_BYTES)
def test_any_bytes_are_reported_or_refused_by_name(data: bytes) -> None:
    with patch.object(formats, "load_zstd"):
        try:
            assert told(data) in ("plain", "gzip", "bzip2", "xz", "zstd")
        except SourceNotText:
            assert data[:4] == b"PAR1" or not data.isascii() or data.startswith(b"PK") or b"\0" in data
