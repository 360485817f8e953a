"""Archives unpack to what was packed, or fail by name: never to something else, never without bound."""

import bz2
import gzip
import importlib
import lzma
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.testing.texts import ANY_BYTES
from lambda_src.errors import ArchiveDamaged, ArchiveTooLarge, SourceNotText
from lambda_src.input import compression as compressed
from lambda_src.input.compression import FLOOR_BYTES, RESERVE_S, WINDOW_BYTES
from lambda_src.input.formats import LOOK_BYTES, Readable, detect_format
from lambda_src.input.ownership import open_archive
from tests.archives import ENOUGH_BYTES

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda text: gzip.compress(text, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "bzip2": bz2.decompress,
    "xz": lzma.decompress,
}
FORMATS = sorted(PACK)

TEXT = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. 中文 \n".encode() * 3


def readable(data: bytes, most_bytes: int = WINDOW_BYTES) -> Readable:
    """``data`` as an object ``o`` of which nothing outside is read, and at most ``most_bytes`` at once."""

    def read(start: int, end: int) -> list[bytes]:
        assert 0 <= start < end <= len(data), "outside of the object"
        assert end - start <= most_bytes, "more than a window"
        third = (end - start) // 3
        return [data[start : start + third], data[start + third : end]]

    return Readable("o", len(data), read)


def unpack(source: Readable) -> Iterator[bytes]:
    """The text of a compressed object."""
    how = detect_format(source, source.read(0, min(LOOK_BYTES, source.bytes)))
    assert how != "plain"
    return open_archive(source, how).rest()


def unpacked(data: bytes) -> bytes:
    return b"".join(unpack(readable(data)))


@given(
    st.sampled_from(FORMATS),
    st.lists(ANY_BYTES, min_size=1, max_size=4),
    st.integers(10, 60),
    st.integers(1, 40),
    st.integers(1, 40),
)
@settings(max_examples=300)
def test_streams_unpack_to_their_texts_in_bounded_chunks(
    how: Any, texts: list[bytes], window: int, slice_bytes: int, chunk: int
) -> None:
    data = b"".join(map(PACK[how], texts))
    with patch.multiple(
        compressed, WINDOW_BYTES=window, STEP_BYTES=10, SLICE_BYTES=slice_bytes, CHUNK_BYTES=chunk
    ):
        chunks = list(open_archive(readable(data, window), how).rest())
    assert b"".join(chunks) == b"".join(texts) == UNPACK[how](data)
    assert all(0 < len(text) <= chunk for text in chunks)


@pytest.mark.parametrize("how", FORMATS)
def test_an_archive_cut_at_any_byte_fails_by_name_and_byte(how: str) -> None:
    first, second = PACK[how](TEXT), PACK[how](b"more")
    whole = first + second
    for size in range(ENOUGH_BYTES, len(whole)):
        if size == len(first):
            assert unpacked(whole[:size]) == TEXT  # a whole archive, and nothing tells that more was meant
            continue
        begin = 0 if size < len(first) else len(first)
        with pytest.raises(ArchiveDamaged, match=rf"(from|at) byte {begin}\b"):
            unpacked(whole[:size])


@pytest.mark.parametrize("how", FORMATS)
def test_an_archive_with_any_bit_flipped_fails_by_name_or_says_the_same(how: str) -> None:
    whole = PACK[how](TEXT) + PACK[how](b"more")
    same = 0
    for position in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << bit
            try:
                assert unpacked(bytes(flipped)) == TEXT + b"more", (position, bit)
                same += 1
            except (ArchiveDamaged, ArchiveTooLarge):
                pass
            except AssertionError:
                assert position < ENOUGH_BYTES, "where the format is told"
                assert detect_format(readable(bytes(flipped)), bytes(flipped[:LOOK_BYTES])) == "plain"
    assert same < 8 * 2 * 8, "of each stream, formats ignore eight bytes at most"


@pytest.mark.parametrize("how", FORMATS)
@pytest.mark.parametrize("more", [b"x", b"plain text\n", b"\x1f\x8b", b"\x1f\x8b\x07", b"BZh0", b"\xfd7zXZ"])
def test_what_follows_a_stream_is_another_or_is_refused(how: str, more: bytes) -> None:
    packed = PACK[how](TEXT)
    chunks = unpack(readable(packed + more))
    with pytest.raises(
        ArchiveDamaged, match=f"o is {how}, but no stream of it begins at byte {len(packed)}:"
    ):
        list(chunks)


@pytest.mark.parametrize(
    ("how", "other"), [(how, other) for how in FORMATS for other in FORMATS if how != other]
)
def test_an_archive_has_one_format(how: str, other: str) -> None:
    with pytest.raises(ArchiveDamaged, match=f"o is {how}, but no stream of it begins"):
        unpacked(PACK[how](b"one") + PACK[other](b"two"))


@pytest.mark.parametrize("zeros", [1, 2, 3, 4, 512, 200_000])
def test_zeros_may_pad_gzip_and_bzip2_and_in_multiples_of_four_xz(zeros: int) -> None:
    def padded(how: str) -> bytes:
        return unpacked(PACK[how](b"one ") + bytes(zeros) + PACK[how](b"two") + bytes(zeros))

    assert padded("gzip") == padded("bzip2") == b"one two"
    if zeros % 4:
        with pytest.raises(ArchiveDamaged, match=r"padding of o at byte \d+ is not a multiple of 4"):
            padded("xz")
    else:
        assert padded("xz") == b"one two"


def bomb(how: str, text_bytes: int) -> bytes:
    """Zeros, as small as ``how`` can pack them."""
    stream = PACK[how](bytes(16 << 20))
    return stream * (text_bytes // (16 << 20))


@pytest.mark.parametrize("how", ["bzip2", "xz"])
def test_a_bomb_is_refused_soon_and_in_little_memory(how: str) -> None:
    data = bomb(how, 100 * FLOOR_BYTES)
    tracemalloc.start()
    chunks: list[int] = []
    with pytest.raises(ArchiveTooLarge, match=r"bytes of o, up to byte \d+, unpack to [\d,]+ bytes or more"):
        chunks.extend(map(len, unpack(readable(data))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(chunks) <= 4 * FLOOR_BYTES
    assert peak < 16 << 20  # of which xz takes 8 MiB for its dictionary


def test_what_packs_well_is_no_bomb() -> None:
    """deflate packs 1,030 times at best; text that repeats itself is less than ``FLOOR_BYTES`` longer."""
    chunks = unpack(readable(bomb("gzip", 3 * FLOOR_BYTES)))
    assert sum(map(len, chunks)) == 3 * FLOOR_BYTES


def test_a_dictionary_larger_than_the_memory_is_refused() -> None:
    data = lzma.compress(TEXT, preset=6)
    with (
        patch.object(compressed, "MAX_MEMORY_BYTES", 1 << 20),
        pytest.raises(ArchiveTooLarge, match="more than 1,048,576 bytes of memory"),
    ):
        unpacked(data)


def test_xz_at_its_best_needs_no_more_than_the_memory() -> None:
    assert unpacked(lzma.compress(TEXT, preset=9 | lzma.PRESET_EXTREME)) == TEXT


@pytest.mark.parametrize("check", [lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64, lzma.CHECK_SHA256])
def test_xz_with_any_check(check: int) -> None:
    assert unpacked(lzma.compress(TEXT, check=check)) == TEXT


def test_an_archive_that_does_not_end_in_time_is_refused_by_name() -> None:
    """However little text it has: empty streams, too, take time."""
    for data in (gzip.compress(TEXT * 100_000), gzip.compress(b"") * 1000):
        left = iter([900.0, RESERVE_S, RESERVE_S - 0.1])
        source = readable(data)._replace(remaining_s=left.__next__)
        with pytest.raises(
            ArchiveTooLarge, match=rf"o takes longer .*: its time was up at byte \d+ of {len(data)}\."
        ):
            list(unpack(source))
        assert not list(left)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="unpacks zstd")
def test_zstd_is_refused_by_name_where_python_cannot_unpack_it() -> None:
    with pytest.raises(SourceNotText, match=r"o is zstd, which Python 3\.\d+\.\d+ cannot unpack: repack it"):
        unpacked(b"\x28\xb5\x2f\xfd" + bytes(20))


@pytest.mark.skipif(sys.version_info < (3, 14), reason="cannot unpack zstd")
def test_zstd_frames_unpack_also_between_frames_to_be_skipped() -> None:
    zstd = importlib.import_module("compression.zstd")
    frame, skipped = zstd.compress(TEXT), b"\x50\x2a\x4d\x18\x03\0\0\0abc"
    assert unpacked(skipped + frame + skipped + frame) == 2 * TEXT
    with pytest.raises(ArchiveDamaged, match="cut"):
        unpacked(frame[:-1])
    with pytest.raises(ArchiveDamaged, match=f"byte {len(frame)}"):
        unpacked(frame + b"x")
