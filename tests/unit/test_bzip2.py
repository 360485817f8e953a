"""bzip2 of any number of blocks and streams, cut anywhere: the text of Python's own module, or a refusal."""

import bz2
import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src.errors import ArchiveDamaged, ConservationBroken
from lambda_src.input.addresses import Addresses, place
from lambda_src.input.bzip2 import beginnings, crc_after, magics, turned
from lambda_src.input.ownership import check_chain, feed_block
from lambda_src.job import Crcs, Owned, Place, Span
from lambda_src.records import LINES, Rule, delimited
from tests.bzip2_bits import BLOCK, END, Bits, Packed, blocks_of, crc_of, crc_of_blocks, one_stream, stream_of


def unpacked(symbols: Sequence[int], occurring: Sequence[int]) -> bytes:
    """The text of a block of ``symbols``, without its end, whose first row of the sorted ones is number 0."""
    recent, column, run, weight = [*occurring], bytearray(), 0, 1
    for symbol in [*symbols, -1]:
        if symbol in (0, 1):
            run, weight = run + (symbol + 1) * weight, 2 * weight
            continue
        column += bytes(recent[:1]) * run
        run, weight = 0, 1
        if symbol > 0:
            recent.insert(0, recent.pop(symbol - 1))
            column.append(recent[0])
    order = sorted(range(len(column)), key=column.__getitem__)
    text, at, same = bytearray(), order[0], 0
    for _ in column:
        byte, at = column[at], order[at]
        if same == 4:
            text += text[-1:] * byte
            same = 0
            continue
        same = same + 1 if same and text[-1] == byte else 1
        text.append(byte)
    assert same < 4, "four bytes alike want their count"
    return bytes(text)


def crafted(symbols: Sequence[int], code_bits: int, rows: int) -> Packed:
    """A block with any ``symbols``, all with codes of ``code_bits`` bits: so their bits can be chosen, too.
    The bit mask ``rows`` tells which of the 16 rows of bytes occur."""
    alphabet = 1 << code_bits
    wanted, used = alphabet - 2, [row for row in range(16) if rows >> 15 - row & 1]
    each = [wanted // len(used) + (number < wanted % len(used)) for number in range(len(used))]
    occurring = [
        16 * row + 16 - count + n for row, count in zip(used, each, strict=True) for n in range(count)
    ]
    crc = crc_of(unpacked(symbols, occurring))
    groups = -(-(len(symbols) + 1) // 50)
    bits = Bits().add(48, BLOCK).add(32, crc).add(1, 0).add(24, 0).add(16, rows)
    for count in each:
        bits.add(16, (1 << count) - 1)
    bits.add(3, 2).add(15, groups).add(groups, 0)
    for _ in range(2):
        bits.add(5, code_bits).add(alphabet, 0)
    for symbol in [*symbols, alphabet - 1]:
        bits.add(code_bits, symbol)
    return Packed(bits.value, bits.count, crc)


def text_of(seed: int, size: int) -> bytes:
    generator = random.Random(seed)
    words = [
        bytes(generator.choices(b"abcdefghijklmnopqrstuvwxyz", k=generator.randint(1, 9))) for _ in range(999)
    ]
    return b" ".join(generator.choices(words, k=size // 6)).replace(b" a", b"\n")


class Found:
    """What the blocks of a run over ``data``, cut at ``cuts``, were fed and owned."""

    def __init__(self, data: bytes, cuts: Sequence[int], rule: Rule = LINES) -> None:
        (one,) = place([("o", len(data), "")])
        borders = sorted({0, len(data), *(cut for cut in cuts if 0 < cut < len(data))})
        self.owned: list[Owned] = []
        chunks: list[bytes] = []

        def feed(chunk: bytes, _at: Place) -> None:
            chunks.append(chunk)

        for start, end in pairwise(borders):
            pieces = Addresses([one]).pieces(Span(start, end))
            self.owned.append(feed_block(pieces, lambda _, a, b: [data[a:b]], rule, feed))
        check_chain(self.owned, len(data))
        self.text = b"".join(chunks)
        self.at_work = sum(span.start < span.end for span in self.owned)


LARGE = text_of(1, 1_500_000)


@pytest.mark.parametrize("level", [1, 2, 5, 9])
def test_a_single_stream_is_shared_at_its_blocks(level: int) -> None:
    data = bz2.compress(LARGE, level)
    blocks = len(list(beginnings(data, 0, len(data))))
    assert blocks == -(-len(LARGE) // (100_000 * level - 19)) or level > 2
    found = Found(data, range(0, len(data), len(data) // (2 * blocks)))
    assert found.text == LARGE
    assert found.at_work == blocks


@given(
    st.lists(
        st.tuples(st.integers(0, 260_000), st.integers(1, 9), st.sampled_from([0, 0, 1, 999])), max_size=4
    ),
    st.integers(0, 99),
    st.lists(st.integers(1, 200_000), max_size=12),
)
@settings(max_examples=40, deadline=None)
def test_however_it_is_cut_the_text_is_that_of_the_whole(
    streams: list[tuple[int, int, int]], seed: int, cuts: list[int]
) -> None:
    text, data = b"", b""
    for size, level, zeros in [*streams, (150_000, 1, 0)]:
        more = LARGE[1000 * seed : 1000 * seed + size]
        text += more
        data += bz2.compress(more, level) + bytes(zeros)
    found = Found(data, cuts)
    assert found.text == text


def test_every_bit_at_which_a_block_can_begin_does() -> None:
    """The same block behind others of every length, in bits."""
    seen = set()
    for size in range(1, 60):
        blocks = blocks_of(bz2.compress(LARGE[:size])) + blocks_of(bz2.compress(b"the same\n"))
        data = stream_of(blocks)
        seen.add((32 + blocks[0][1]) % 8)
        assert Found(data, range(len(data))).text == bz2.decompress(data) == LARGE[:size] + b"the same\n"
    assert seen == set(range(8))


def test_blocks_that_bzip2_0_9_randomised_are_read() -> None:
    """Of a block of less than 617 bytes, that changes nothing but a flag."""
    blocks = blocks_of(bz2.compress(b"one\n")) + blocks_of(bz2.compress(b"two three\n"))
    data = stream_of([one._replace(value=one.value | 1 << one.size - 81) for one in blocks])
    assert bz2.decompress(data) == b"one\ntwo three\n"
    assert Found(data, range(0, len(data), 9)).text == b"one\ntwo three\n"


def test_many_tiny_blocks_in_one_stream() -> None:
    texts = [b"%d\n" % number for number in range(2_000)]
    data = one_stream(texts)
    assert bz2.decompress(data) == b"".join(texts)
    found = Found(data, range(0, len(data), len(data) // 50))
    assert found.text == b"".join(texts)
    assert found.at_work == 51


def test_a_magic_number_is_found_at_every_bit_and_those_that_nearly_are_one_are_not() -> None:
    for magic in (BLOCK, END):
        for shift in range(24):
            data = Bits().add(shift + 1, 1).add(48, magic).add(30, 5).bytes()
            assert list(magics(data, 0, len(data))) == [(shift + 1, magic)]
            for bit in range(48):
                data = Bits().add(shift + 1, 1).add(48, magic ^ 1 << bit).add(30, 5).bytes()
                assert list(magics(data, 0, len(data))) == []
    # Two may share bits: 001 ends one and begins another.
    data = Bits().add(5, 0).add(48, BLOCK).add(45, BLOCK & (1 << 45) - 1).add(9, 0).bytes()
    assert list(beginnings(data, 0, len(data))) == [5, 50]


@given(st.lists(st.integers(0, (1 << 32) - 1), min_size=1, max_size=40), st.data())
def test_crcs_of_parts_give_that_of_the_stream(crcs: list[int], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(crcs)))
    whole, before, after = (crc_of_blocks(some) for some in (crcs, crcs[:cut], crcs[cut:]))
    turns = len(crcs) - cut
    assert crc_after(before, Crcs(None, turns % 32, after)) == whole
    assert turned(whole ^ after, -turns) == before


def test_the_checksum_of_a_stream_is_checked_across_blocks() -> None:
    """bzip2 checks that no block is missing, or in another's place."""
    blocks = blocks_of(bz2.compress(LARGE[:450_000], 1))
    assert len(blocks) == 5
    good = stream_of(blocks)
    cuts = range(0, len(good), len(good) // 10)
    assert Found(good, cuts).at_work == 5
    for bit in (0, 7, 31):
        data = stream_of(blocks, crc=crc_of_blocks(one.crc for one in blocks) ^ 1 << bit)
        with pytest.raises(OSError, match="Invalid data stream"):
            bz2.decompress(data)
        with pytest.raises(ConservationBroken, match=r"stream that ends in block \d+.* its checksum is not"):
            Found(data, cuts)
        with pytest.raises(ArchiveDamaged, match="block of o from byte"):
            Found(data, [])


def test_blocks_in_another_order_are_refused() -> None:
    first, second, *rest = blocks_of(bz2.compress(LARGE[:450_000], 1))
    crc = crc_of_blocks(one.crc for one in (first, second, *rest))
    data = stream_of([second, first, *rest], crc=crc)
    for cuts in (range(1), range(0, len(data), len(data) // 10)):
        with pytest.raises((ArchiveDamaged, ConservationBroken)):
            Found(data, cuts)


SPARSE = 0b1110_1111_0111_1011
"""A bitmap of rows: no eight in a row are set."""


def inner(generator: random.Random, *, ends_with_outer: bool) -> Bits:
    """A block that fits between the bits of another one."""
    symbols = generator.choices(range(2, 29), k=generator.randint(60, 120))
    if ends_with_outer:
        symbols[-1] = 0b00111  # whose last bits, with the end's 11111, are the outer block's end
    value, count, _ = crafted(symbols, 5, SPARSE)
    return Bits().add(count, value)


def outer(generator: random.Random, embedded: Bits, *, ends_with_outer: bool) -> Packed:
    """A block whose symbols' bits are, among others, ``embedded``."""
    for _ in range(99):
        bits = Bits().add(8, 5)
        for _ in range(generator.randint(50, 200)):
            bits.add(8, generator.randint(2, 254))
        if ends_with_outer:
            bits.add(-(bits.count + embedded.count) % 8, 0)
            bits.add(embedded.count - 8, embedded.value >> 8)
        else:
            bits.add(generator.randint(0, 7), 0).add(embedded.count, embedded.value)
            bits.add(-bits.count % 8, 0)
            for _ in range(generator.randint(50, 200)):
                bits.add(8, generator.randint(2, 254))
        if 0xFF not in bits.bytes():  # which would end it
            return crafted([*bits.bytes()], 8, 0xFFFF)
    raise AssertionError("these bits end a block wherever they are")


def outcomes(data: bytes, step: int, rule: Rule = LINES) -> set[str]:
    """The outcome for ``data`` cut anywhere into three blocks: its text, or a refusal."""
    text, found = bz2.decompress(data), set()
    for cut in range(1, len(data), step):
        try:
            assert Found(data, [cut, cut + 60], rule).text == text
            found.add("right")
        except (ArchiveDamaged, ConservationBroken) as error:
            found.add(type(error).__name__)
    return found


FIRST, LAST = (blocks_of(bz2.compress(text)) for text in (b"first\nline\n" * 99, b"the last\nwords\n"))


@pytest.mark.parametrize("magic", [BLOCK, END])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_magic_number_inside_a_block_is_seen_through(magic: int, times: int) -> None:
    generator = random.Random(times)
    embedded = Bits()
    for _ in range(times):
        embedded.add(48, magic).add(generator.randint(0, 99), 1)
    data = stream_of([*FIRST, outer(generator, embedded, ends_with_outer=False), *LAST])
    assert len(list(magics(data, 0, len(data)))) == 4 + times
    assert outcomes(data, 1) == {"right"}


def test_thousands_of_magic_numbers_inside_a_block_take_no_longer() -> None:
    """Each is seen through in one step, and text before and behind it is right."""
    embedded = Bits()
    for _ in range(2_000):
        embedded.add(48, BLOCK)
    data = stream_of([*FIRST, outer(random.Random(1), embedded, ends_with_outer=False), *LAST])
    assert Found(data, [10]).text == bz2.decompress(data)
    with pytest.raises(ArchiveDamaged, match=r"block of o from byte \d+ does not unpack"):
        Found(data, [len(data) // 2])


@pytest.mark.parametrize(
    ("ends_with_outer", "refused"), [(False, "ArchiveDamaged"), (True, "ConservationBroken")]
)
def test_whole_blocks_inside_another_are_refused_or_seen_through(ends_with_outer: bool, refused: str) -> None:
    """They unpack by themselves, so a block of the run that begins there trusts them: until what follows does
    not unpack, or the block before has seen another text."""
    generator = random.Random(7)
    seen: set[str] = set()
    for _ in range(4):
        embedded = inner(generator, ends_with_outer=False)
        last = inner(generator, ends_with_outer=ends_with_outer)
        embedded.add(last.count, last.value)
        if not ends_with_outer:
            embedded.add(48, BLOCK)
        data = stream_of([*FIRST, outer(generator, embedded, ends_with_outer=ends_with_outer), *LAST])
        seen |= outcomes(data, 3, delimited("half", bytes(range(0, 256, 2)), 1 << 20))
    assert seen == {"right", refused}
