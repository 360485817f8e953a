"""bzip2 written bit by bit, without the product's own code for it."""

import bz2
from collections.abc import Iterable, Sequence
from typing import NamedTuple

BLOCK, END = 0x314159265359, 0x177245385090


class Bits:
    """Written one behind another."""

    def __init__(self) -> None:
        self.value, self.count = 0, 0

    def add(self, count: int, value: int) -> "Bits":
        assert 0 <= value < 1 << count
        self.value, self.count = self.value << count | value, self.count + count
        return self

    def bytes(self) -> bytes:
        return (self.value << -self.count % 8).to_bytes(-(-self.count // 8))


class Packed(NamedTuple):
    """A block: its bits, their number, and its CRC."""

    value: int
    size: int
    crc: int


def crc_of(text: bytes) -> int:
    """bzip2's own, which takes the high bit first."""
    crc = 0xFFFFFFFF
    for byte in text:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc ^ 0xFFFFFFFF


def crc_of_blocks(crcs: Iterable[int], crc: int = 0) -> int:
    """That of a stream, from those of its blocks."""
    for each in crcs:
        crc = (crc << 1 & 0xFFFFFFFF | crc >> 31) ^ each
    return crc


def stream_of(blocks: Sequence[Packed], level: int = 9, crc: int | None = None) -> bytes:
    """A stream of ``blocks``, whose CRC is theirs, or another."""
    bits = Bits().add(32, int.from_bytes(b"BZh%d" % level))
    for block in blocks:
        bits.add(block.size, block.value)
    return bits.add(48, END).add(32, crc_of_blocks(one.crc for one in blocks) if crc is None else crc).bytes()


def blocks_of(stream: bytes) -> list[Packed]:
    """The blocks of a stream without false magic numbers."""
    bits, magic = _bits_of(stream), f"{BLOCK:048b}"
    return [_packed(magic + rest) for rest in bits.split(magic)[1:]]


def block_of(text: bytes) -> Packed:
    """A single block, of up to 900 kB and not empty."""
    return _packed(_bits_of(bz2.compress(text))[32:])


def _bits_of(stream: bytes) -> str:
    """Those before its end."""
    bits = f"{int.from_bytes(stream):0{8 * len(stream)}b}"
    return bits[: bits.rindex(f"{END:048b}")]


def _packed(bits: str) -> Packed:
    return Packed(int(bits, 2), len(bits), int(bits[48:80], 2))


def one_stream(texts: Iterable[bytes]) -> bytes:
    """One stream with a block for each of ``texts`` that is not empty."""
    return stream_of([block_of(text) for text in texts if text])
