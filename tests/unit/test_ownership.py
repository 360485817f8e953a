"""However an input is cut into objects, archives, streams and blocks: every record is fed once, whole."""

import bz2
import gzip
import lzma
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import accumulate, pairwise
from typing import NamedTuple, Self
from unittest.mock import patch

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fanfold.testing.texts import ANY_BYTES
from lambda_src.errors import ArchiveDamaged, ConservationBroken, FanfoldError, SourceNotText
from lambda_src.input import compression as compressed
from lambda_src.input import ownership
from lambda_src.input.addresses import Addresses, Placed, place
from lambda_src.input.formats import LOOK_BYTES, Readable, detect_format
from lambda_src.input.ownership import check_chain, feed_block, first_read
from lambda_src.job import Owned, Place, Span
from lambda_src.records import Rule, delimited
from tests.archives import ENOUGH_BYTES
from tests.bzip2_bits import block_of, stream_of

BZIP2_STREAM = re.compile(rb"BZh[1-9]1AY&SY")
RUN_BYTES = bytes(byte for byte in range(256) if byte >= 0x80 or chr(byte).isalpha())
SEPARATORS = bytes(byte for byte in range(256) if byte not in RUN_BYTES)


def is_letter_at(data: bytes, at: int) -> bool:
    """Whether the byte at ``at`` is one of a letter's or mark's, for a rule that must know characters."""
    for start in range(at, max(at - 4, -1), -1):
        for end in range(at + 1, start + 5):
            try:
                character = data[start:end].decode()
            except UnicodeDecodeError:
                continue
            if len(character) == 1:
                return bool(regex.fullmatch(r"[\p{L}\p{M}]", character))
    return False


def first_unicode_cut(data: bytes, at: int, is_all: bool) -> int | None:
    for cut in range(at, len(data) if is_all else len(data) - 3):
        if cut == 0 or not (is_letter_at(data, cut - 1) and is_letter_at(data, cut)):
            return cut
    return len(data) if is_all else None


def last_unicode_cut(data: bytes) -> int:
    for cut in range(len(data) - 4, 0, -1):
        if not (is_letter_at(data, cut - 1) and is_letter_at(data, cut)):
            return cut
    return 0


class Kind(NamedTuple):
    """A rule, and the records of a text by other means."""

    rule: Rule
    records: Callable[[bytes], list[bytes] | list[str]]


LINES = Kind(delimited("line", b"\n", 1 << 20), lambda text: re.findall(rb"[^\n]*\n|[^\n]+", text))
RUNS = Kind(delimited("run", SEPARATORS, 1 << 20), re.compile(rb"[A-Za-z\x80-\xff]+").findall)
TOKENS = Kind(
    Rule("token", 1 << 20, 4, first_unicode_cut, last_unicode_cut),
    lambda text: regex.findall(r"[\p{L}\p{M}]+", text.decode(errors="replace")),
)
KINDS = [LINES, RUNS, TOKENS]


def text_with_a_false_beginning() -> bytes:
    """A text of which bzip2 writes, behind its 19th byte, how a stream begins. bzip2 stores which bytes occur
    as a map of bits, which is what one wants it to be."""
    bits = "".join(f"{byte:08b}" for byte in b"BZh91AY&SY")
    occurring = {7 + number for number, bit in enumerate(bits) if bit == "1"}
    text = bytes(sorted(occurring | set(range(0x60, 0x100, 5)))) * 2
    assert [found.start() for found in BZIP2_STREAM.finditer(bz2.compress(text))] == [0, 20]
    return text


FALSE_BEGINNING = text_with_a_false_beginning()


class Stored(NamedTuple):
    """An object, and the text that it stands for. ``begins`` are the bytes at which blocks of bzip2 begin
    in the middle of a stream, each with where its text does."""

    data: bytes
    text: bytes
    begins: Mapping[int, int] = {}


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda text: gzip.compress(text, mtime=0),
    "bzip2": bz2.compress,
    "xz": lambda text: lzma.compress(text, check=lzma.CHECK_CRC32),
}


def packed(how: str, text: bytes, cuts: Sequence[int], zeros: int = 0) -> Stored:
    """``text`` in streams that are cut anywhere, also inside of a character; empty ones too, and ``zeros``
    behind each. ``blocks`` is bzip2 in one stream, whose blocks are cut so."""
    borders = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    if how == "blocks":
        starts = [start for start, end in pairwise(borders) if start < end]
        blocks = [block_of(text[start:end]) for start, end in pairwise([*starts, len(text)])]
        bits = accumulate((block.size for block in blocks), initial=32)
        begins = {bit // 8: start for bit, start in zip(bits, starts, strict=False)}
        return Stored(stream_of(blocks) + bytes(zeros), text, begins)
    streams = (PACKERS[how](text[start:end]) + bytes(zeros) for start, end in pairwise(borders))
    return Stored(b"".join(streams), text)


def is_plain(data: bytes) -> bool:
    source = Readable("", len(data), lambda start, end: [data[start:end]])
    try:
        return detect_format(source, data[:LOOK_BYTES]) == "plain"
    except SourceNotText:
        return False


TEXTS = ANY_BYTES.filter(is_plain) | st.builds(
    lambda before, after: before + FALSE_BEGINNING + after, st.sampled_from([b"", b"word"]), ANY_BYTES
)
CUTS = st.lists(st.integers(0, 300), max_size=5)


PLAIN = ANY_BYTES.filter(is_plain).map(lambda text: Stored(text, text))
OBJECTS = st.lists(
    PLAIN
    | st.builds(packed, st.sampled_from(["bzip2", "blocks"]), TEXTS, CUTS, st.sampled_from([0, 0, 3, 100]))
    | st.builds(packed, st.sampled_from(sorted(PACKERS)), TEXTS, CUTS),
    max_size=5,
)


class Run:
    """Feeds the blocks of a run over ``stored``."""

    def __init__(self, stored: Sequence[Stored], rule: Rule) -> None:
        self.objects = place((f"{number:03d}", len(one.data), "") for number, one in enumerate(stored))
        self.stored = stored
        self.rule = rule
        self.reads: list[tuple[str, int, int]] = []
        self.most_bytes = self.chunk_bytes = 1 << 62

    def read(self, placed: Placed, start: int, end: int) -> list[bytes]:
        data = self.stored[int(placed.key)].data
        assert 0 <= start < end <= len(data), "outside of the object"
        if (start, end) != (0, min(LOOK_BYTES, len(data))):
            assert end - start <= self.most_bytes, "more than a window and what surrounds it"
        self.reads.append((placed.key, start, end))
        return [data[at : min(at + self.chunk_bytes, end)] for at in range(start, end, self.chunk_bytes)]

    def block(self, start: int, end: int) -> tuple[Owned, list[bytes]]:
        chunks: list[bytes] = []
        self.reads.clear()
        pieces = Addresses(self.objects).pieces(Span(start, end))

        def feed(chunk: bytes, at: Place) -> None:
            if self.stored[int(at.key)].text:
                assert chunk == self.text_from(at)[: len(chunk)]
            chunks.append(chunk)

        owned = feed_block(pieces, self.read, self.rule, feed)
        for piece in pieces:
            if first := first_read(piece):
                assert (piece.object.key, *first) == next(
                    one for one in self.reads if one[0] == piece.object.key
                )
        return owned, chunks

    def text_from(self, at: Place) -> bytes:
        """The text of an object from ``at`` on, unpacked by Python's own module if need be."""
        one = self.stored[int(at.key)]
        if not at.unpacked_from or at.unpacked_from in one.begins:
            return one.text[one.begins.get(at.unpacked_from, 0) + at.offset :]
        left, text = one.data[at.unpacked_from :], b""
        while left:
            stream = bz2.BZ2Decompressor()
            text += stream.decompress(left)
            left = stream.unused_data.lstrip(b"\0")
        return text[at.offset :]

    def looked_at(self) -> Self:
        """This run, where it is known what each object is."""
        for number, one in enumerate(self.objects):
            source = Readable("", one.bytes, lambda start, end, one=one: self.read(one, start, end))  # type: ignore[misc]
            self.objects[number] = one._replace(
                format=detect_format(source, self.stored[number].data[:LOOK_BYTES])
            )
        return self

    def all(self, cuts: Sequence[int]) -> tuple[list[Owned], list[bytes]]:
        """What the blocks between ``cuts`` owned, and all the chunks that they were fed."""
        size = Addresses(self.objects).end
        borders = sorted({0, size, *(cut for cut in cuts if cut < size)})
        blocks = [self.block(start, end) for start, end in pairwise(borders)]
        owned = [owned for owned, _ in blocks]
        check_chain(owned, size)
        return owned, [chunk for _, chunks in blocks for chunk in chunks]


def of_all(kind: Kind, texts: Sequence[bytes]) -> list[bytes | str]:
    return [record for text in texts for record in kind.records(text)]


@given(
    OBJECTS,
    st.sampled_from(KINDS),
    st.lists(st.integers(1, 1000), max_size=20),
    st.tuples(st.integers(10, 200), st.integers(1, 80), st.integers(1, 100)),
    st.booleans(),
)
@example([packed("bzip2", b"one two", [1, 2, 2, 3, 5])], RUNS, list(range(300)), (10, 1, 10), False)
@example(
    [packed("bzip2", b"", [0, 0]), packed("bzip2", b"x", [0, 0, 1])],
    LINES,
    list(range(300)),
    (10, 1, 3),
    True,
)
@example([packed("bzip2", "é本\u0301x é".encode(), range(11))], TOKENS, list(range(500)), (10, 1, 1), True)
@example([packed("blocks", "é本\u0301x é".encode(), range(11))], TOKENS, list(range(500)), (10, 1, 1), True)
@example([packed("bzip2", FALSE_BEGINNING * 2, [20, 120])], RUNS, list(range(600)), (10, 1, 10), False)
@settings(max_examples=500)
def test_every_record_is_fed_once_and_whole(
    stored: list[Stored], kind: Kind, cuts: list[int], sizes: tuple[int, int, int], known: bool
) -> None:
    window, step, chunk = sizes
    run = Run(stored, kind.rule)
    if known:
        run.looked_at()
    run.most_bytes, run.chunk_bytes = window + step + kind.rule.around_bytes + 18, chunk
    with ExitStack() as patches:
        for module, names in (
            (ownership, ["STEP_BYTES", "OVER_READ_BYTES", "JOIN_BYTES"]),
            (compressed, ["STEP_BYTES", "SLICE_BYTES", "CHUNK_BYTES"]),
        ):
            patches.enter_context(patch.object(module, "WINDOW_BYTES", window))
            for name in names:
                patches.enter_context(patch.object(module, name, step))
        patches.enter_context(patch.object(ownership, "HEAD_BYTES", window))
        _, chunks = run.all(cuts)
    assert b"".join(chunks) == b"".join(one.text for one in stored)
    assert of_all(kind, chunks) == of_all(kind, [one.text for one in stored])


@given(TEXTS, CUTS, st.lists(st.integers(1, 1000), max_size=20))
def test_a_block_owns_the_streams_that_begin_in_it(
    text: bytes, cuts: list[int], block_cuts: list[int]
) -> None:
    streams = [
        bz2.compress(part) for start, end in pairwise([0, *sorted(cuts), 999]) if (part := text[start:end])
    ]
    data = b"".join(streams) or bz2.compress(b"")
    beginnings = [sum(map(len, streams[:number])) for number in range(len(streams))] or [0]
    borders = sorted({0, len(data), *(cut for cut in block_cuts if cut < len(data))})
    run = Run([Stored(data, text)], RUNS.rule)
    for start, end in pairwise(borders):
        owned, _ = run.block(start, end)
        if any(start <= beginning < end for beginning in beginnings):
            assert owned.start == min(one for one in beginnings if one >= start)
            assert owned.end == min(one for one in [*beginnings, len(data)] if one >= end)
        else:
            assert owned.start == owned.end


@pytest.mark.parametrize("how", ["gzip", "xz"])
def test_a_compressed_object_belongs_to_the_block_of_its_first_byte(how: str) -> None:
    data = PACKERS[how](b"one\ntwo")
    run = Run([Stored(b"plain", b""), Stored(data, b""), Stored(b"end", b"")], LINES.rule)
    size = 5 + len(data)
    assert run.block(0, 5) == (Owned(0, 5), [b"plain"])
    assert run.block(5, 6) == (Owned(5, size), [b"one\n", b"two"])
    assert run.block(6, 20) == (Owned(size, size), [])
    assert run.reads == [("001", 0, len(data))]
    assert run.looked_at().block(6, 20) == (Owned(size, size), [])
    assert run.reads == []
    assert run.block(size - 1, size + 1) == (Owned(size, size + 3), [b"end"])


@pytest.mark.parametrize("size", [1 << 10, 3 << 10])
@pytest.mark.parametrize("kind", KINDS)
def test_most_blocks_take_one_read_an_object_and_one_more(kind: Kind, size: int) -> None:
    text = b"a few words to a line\n" * (size * 5 // 22)
    run = Run([Stored(b"small\n", b""), Stored(text, b""), Stored(b"small\n", b"")], kind.rule)
    whole = len(text) + 12
    run.block(0, 6 + size)
    assert run.reads == [("000", 0, 6), ("001", 0, size + 1024)]
    run.block(6 + size, 6 + 2 * size)
    window = ("001", size - kind.rule.around_bytes, 2 * size + 1024)
    assert run.reads == [("001", 0, LOOK_BYTES), window]
    run.looked_at().block(6 + size, 6 + 2 * size)
    assert run.reads == [window]
    run.block(whole - 6 - size, whole)
    assert [key for key, _, _ in run.reads] == ["001", "002"]


@pytest.mark.parametrize("kind", [LINES, RUNS])
def test_a_record_may_span_many_streams_and_blocks(kind: Kind) -> None:
    text = b"x\n" + b"a" * 1000 + b"\ny"
    one = packed("bzip2", text, range(1, 1000))
    run = Run([one], kind.rule)
    owned, chunks = run.all(range(0, len(one.data), 10_000))
    assert of_all(kind, chunks) == kind.records(text)
    assert chunks[1] == b"a" * 1000 + b"\n"
    assert len(owned) == 4
    assert all(span.skipped > span.overrun > 0 for span in owned[1:3])


@pytest.mark.parametrize("how", ["plain", "gzip", "bzip2"])
@pytest.mark.parametrize("block_bytes", [50, 1000, 10_000])
def test_a_record_is_refused_for_its_length_wherever_blocks_are_cut(how: str, block_bytes: int) -> None:
    rule = delimited("line", b"\n", 1000)
    cuts = range(0, 5000, 100)
    for line_bytes in (1000, 1001):
        text = b"short\n" + b"a" * (line_bytes - 1) + b"\nshort\n" * 500
        one = Stored(text, text) if how == "plain" else packed(how, text, cuts)
        run = Run([one], rule)
        blocks = range(0, len(one.data), block_bytes)
        if line_bytes == 1000:
            assert b"".join(run.all(blocks)[1]) == text
        else:
            place = "byte 6 of 000" if how == "plain" else r"byte 6 of the text of 000 .* from byte 0 on"
            with pytest.raises(SourceNotText, match=f"The line at {place} is longer than 1,000 bytes"):
                run.all(blocks)


def test_a_record_that_is_too_long_is_not_read_to_its_end() -> None:
    run = Run([Stored(b"short\n" + b"a" * 1_000_000, b"")], delimited("line", b"\n", 1000))
    with (
        patch.multiple(ownership, WINDOW_BYTES=2000, HEAD_BYTES=2000),
        pytest.raises(SourceNotText, match="at byte 6 of"),
    ):
        run.block(0, 900_000)
    assert max(end for _, _, end in run.reads) <= 4000


def test_a_long_record_in_a_later_object_is_named_by_its_own_place() -> None:
    run = Run(
        [Stored(b"x\n" * 50, b""), Stored(b"x\n" * 50 + b"a" * 2000, b"")], delimited("line", b"\n", 1000)
    )
    with pytest.raises(SourceNotText, match="at byte 100 of 001 is longer"):
        run.block(150, 210)


GREETINGS = "Grüße aus Köln, 東京 und Zürich\n".encode() * 4
MULTISTREAM, MULTIBLOCK = (packed(how, GREETINGS, [3, 4, 34, 70]) for how in ("bzip2", "blocks"))


@pytest.mark.parametrize("one", [MULTISTREAM, MULTIBLOCK], ids=["streams", "blocks"])
@pytest.mark.parametrize("block_bytes", [7, 60, 1000])
def test_a_flipped_bit_of_a_split_archive_fails_or_changes_nothing(block_bytes: int, one: Stored) -> None:
    for position in range(ENOUGH_BYTES, len(one.data)):  # with another beginning it is another object
        for bit in range(8):
            flipped = bytearray(one.data)
            flipped[position] ^= 1 << bit
            run = Run([Stored(bytes(flipped), b"")], RUNS.rule)
            try:
                _, chunks = run.all(range(0, len(flipped), block_bytes))
            except (ArchiveDamaged, ConservationBroken):
                continue
            assert b"".join(chunks) == GREETINGS, (position, bit)


@pytest.mark.parametrize("block_bytes", [7, 60, 1000])
def test_a_cut_split_archive_fails_unless_it_ends_with_a_stream(block_bytes: int) -> None:
    data = MULTISTREAM.data
    for size in range(ENOUGH_BYTES, len(data)):
        run = Run([Stored(data[:size], b"")], RUNS.rule)
        if BZIP2_STREAM.match(data, size):
            assert MULTISTREAM.text.startswith(b"".join(run.all(range(0, size, block_bytes))[1]))
        else:
            with pytest.raises(ArchiveDamaged):
                run.all(range(0, size, block_bytes))


def test_a_block_in_which_no_stream_begins_unpacks_none() -> None:
    first, second = bytearray(bz2.compress(b"one two")), bz2.compress(b"three")
    first[30] ^= 1
    run = Run([Stored(bytes(first) + second, b"")], RUNS.rule)
    assert run.block(5, len(first)) == (Owned(len(first), len(first)), [])
    with pytest.raises(ArchiveDamaged, match="block of 000 from byte 0 does not unpack"):
        run.block(5, len(first) + 1)


@pytest.mark.parametrize("garbage", [b"x", b"BZh9", b"\0" * 100 + b"x"])
@pytest.mark.parametrize("block_bytes", [7, 60, 1000])
def test_what_lies_between_streams_is_refused(garbage: bytes, block_bytes: int) -> None:
    first, second = bz2.compress(b"one"), bz2.compress(b"two")
    for data in (first + garbage, first + garbage + second):
        begins = len(first) + len(garbage) - len(garbage.lstrip(b"\0"))
        with pytest.raises(ArchiveDamaged, match=f"no stream of it begins at byte {begins}"):
            Run([Stored(data, b"")], RUNS.rule).all(range(0, len(data), block_bytes))


def test_beginnings_that_are_none_are_seen_through() -> None:
    """Wherever the block begins, and also where the next stream's end depends on it."""
    one = packed("bzip2", FALSE_BEGINNING * 3, [len(FALSE_BEGINNING), 2 * len(FALSE_BEGINNING)])
    beginnings = [found.start() for found in BZIP2_STREAM.finditer(one.data)]
    assert len(beginnings) == 6
    run = Run([one], RUNS.rule)
    for cut in range(1, len(one.data)):
        owned, chunks = run.all([cut])
        assert b"".join(chunks) == one.text
        assert {span.start for span in owned} <= {*beginnings[::2], len(one.data)}


def test_blocks_that_saw_different_texts_are_found_out() -> None:
    """As they would behind a false beginning that unpacks: the one takes a record that the other has, too."""
    seen = [bz2.compress(text) + bz2.compress(b"bar") for text in (b"foo", b"   ")]
    size = len(seen[0])
    assert size == len(seen[1])
    by_first, by_second = (Run([Stored(data, b"")], RUNS.rule) for data in seen)
    for first, second in ((by_first, by_second), (by_second, by_first)):
        owned = [first.block(0, 20)[0], second.block(20, size)[0]]
        with pytest.raises(ConservationBroken, match=r"Block 1 left [03] bytes .* which took [03]"):
            check_chain(owned, size)
        check_chain([first.block(0, 20)[0], first.block(20, size)[0]], size)


@pytest.mark.parametrize(
    ("owned", "message"),
    [
        ([Owned(0, 4), Owned(5, 9)], "Block 1 owned bytes 5 to 9, which leaves a gap after byte 4"),
        ([Owned(0, 4), Owned(4, 4), Owned(3, 9)], "Block 2 owned bytes 3 to 9, which overlaps byte 4"),
        ([Owned(1, 9)], "Block 0 owned bytes 1 to 9"),
        ([Owned(0, 4), Owned(4, 3), Owned(3, 9)], "Block 1 owned bytes 4 to 3"),
        ([Owned(0, 4, 0, 2), Owned(4, 9, 1, 0)], "Block 1 left 1 bytes .* from byte 4 on .* which took 2"),
        ([Owned(0, 9, 1, 0)], "Block 0 left 1 bytes"),
        ([Owned(0, 8)], "The blocks owned 8 of 9 bytes"),
        ([Owned(0, 9), Owned(9, 10)], "The blocks owned 10 of 9 bytes"),
        ([Owned(0, 9, 0, 1)], "The blocks owned 9 of 9 bytes, and 1 bytes of text beyond"),
        ([], "The blocks owned 0 of 9 bytes"),
    ],
)
def test_a_broken_chain_is_named(owned: list[Owned], message: str) -> None:
    with pytest.raises(ConservationBroken, match=message):
        check_chain(owned, 9)


def test_a_broken_chain_is_reported_in_the_jobs_unit() -> None:
    with pytest.raises(
        ConservationBroken, match="Block 1 owned choices 5 to 9, which leaves a gap after choice 4, w"
    ):
        check_chain([Owned(0, 4), Owned(5, 9)], 9, "choices")
    with pytest.raises(ConservationBroken, match="The blocks owned 4 of 9 choices"):
        check_chain([Owned(0, 4)], 9, "choices")


@pytest.mark.parametrize("block", [Span(0, 3), Span(20, 25)])
def test_an_object_that_is_no_text_is_refused_by_whichever_block_looks(block: Span) -> None:
    run = Run([Stored("words and more words".encode("utf-16"), b"")], RUNS.rule)
    with pytest.raises(SourceNotText, match="000 is UTF-16, not UTF-8 text"):
        run.block(*block)


def test_a_rule_that_contradicts_itself_is_found_out() -> None:
    beyond = Rule("line", 100, 1, lambda data, at, is_all: at + 1, len)
    with pytest.raises(ConservationBroken, match="up to byte 3 and the next one from byte 2 on"):
        Run([Stored(b"ab", b""), Stored(b"cd", b"")], beyond._replace(last_cut=lambda data: 0)).all([])


def test_who_owns_nothing_stands_in_nobodys_way() -> None:
    check_chain([Owned(5, 5), Owned(0, 4, 0, 2), Owned(9, 9), Owned(4, 9, 2, 0), Owned(7, 7)], 9)
    check_chain([], 0)


def test_what_reading_raises_is_what_one_sees() -> None:
    class LostError(FanfoldError):
        pass

    def lost(placed: Placed, start: int, end: int) -> list[bytes]:
        if end > 10:
            raise LostError
        return [MULTISTREAM.data[start:end]]

    objects = place([("000", len(MULTISTREAM.data), "")])
    with pytest.raises(LostError):
        feed_block(Addresses(objects).pieces(Span(100, 200)), lost, RUNS.rule, lambda *_: None)


@pytest.mark.parametrize("how", ["gzip", "bzip2", "xz"])
def test_an_archive_is_refused_for_what_it_unpacks_to(how: str) -> None:
    words = b"words " * 1000
    for inner, named in (
        (gzip.compress(words), f"gzip inside {how}"),
        (words.decode().encode("utf-16"), f"{how} of what is UTF-16"),
    ):
        run = Run([Stored(words, words), packed(how, inner, [400])], LINES.rule)
        begins = len(words)
        with pytest.raises(SourceNotText, match=f"001 is {named}"):
            run.block(begins, begins + 1)
        run.block(0, begins)


def test_each_block_tells_the_format_by_the_same_bytes() -> None:
    """The first 16 look like UTF-16."""
    text = b"a\0b\0c\0d\0e\0f\0g\0h\0 and plain text\n" * 200
    run = Run([Stored(text, text)], LINES.rule)
    assert b"".join(run.all(range(0, len(text), 500))[1]) == text


def test_a_block_inside_of_a_record_that_is_too_long_does_not_say_that_it_begins_there() -> None:
    text = b"short\n" + b"a" * 5000
    run = Run([Stored(text, text)], delimited("line", b"\n", 1000))
    with pytest.raises(SourceNotText, match="The line at byte 6 of 000 is longer"):
        run.block(0, 100)
    with pytest.raises(SourceNotText, match=r"The line that goes on at byte \d+ of 000 is longer"):
        run.block(2000, 2100)
