"""A job's view of its objects: many are read at once, one is taken as a whole, none is nothing."""

import bz2
import gzip
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.errors import ArchiveTooLarge, BlockTooSlow, InvalidRequest, SourceTooLarge, Transient
from lambda_src.input.addresses import Addresses, Placed, place
from lambda_src.input.objects import AHEAD_BYTES, AHEAD_THREADS, ObjectsInput, input_of_bytes
from lambda_src.input.ownership import Read
from lambda_src.job import Input, Owned, Place, Span
from lambda_src.records import delimited

LINE = delimited("line", b"\n", 1 << 20)
WAIT_S = 30


def placed(sizes: list[int]) -> list[Placed]:
    return place((f"{number:05d}", size, "e") for number, size in enumerate(sizes))


def refuse(*_: Any) -> NoReturn:
    pytest.fail("nobody should ask")


def an_input(objects: list[Placed], read: Read) -> ObjectsInput:
    known = Addresses(objects)
    return ObjectsInput(known, read, size_bytes=known.end, objects=len(objects))


def test_it_is_what_jobs_read() -> None:
    given_input: Input = input_of_bytes([b"one", b"", b"two"])
    assert (given_input.size_bytes, given_input.objects) == (6, 3)


@given(st.lists(st.binary(max_size=40), max_size=20), st.lists(st.integers(0, 400), max_size=5))
def test_blocks_feed_every_object_in_order(texts: list[bytes], cuts: list[int]) -> None:
    source = input_of_bytes(texts, "plain")
    size = source.size_bytes
    borders = sorted({0, size, *(cut for cut in cuts if cut < size)})
    chunks: list[bytes] = []
    for start, end in pairwise(borders):
        source.feed(Span(start, end), LINE, lambda chunk, _: chunks.append(chunk))
    assert b"".join(chunks) == b"".join(texts)


@pytest.mark.parametrize("texts", [[], [b""], [b"", b""]])
def test_nothing_to_read_is_no_error(texts: list[bytes]) -> None:
    source = input_of_bytes(texts)
    assert source.feed(Span(0, 0), LINE, refuse) == Owned(0, 0)
    assert source.whole(0) == b""


def test_many_small_objects_are_read_at_once_and_fed_in_order() -> None:
    """Reads wait until as many are under way as there may be: one after the other would never be."""
    together = threading.Barrier(AHEAD_THREADS, timeout=WAIT_S)
    reads: list[str] = []

    def read(one: Placed, start: int, end: int) -> list[bytes]:
        assert (start, end) == (0, one.bytes)
        reads.append(one.key)
        if 0 < int(one.key) <= AHEAD_THREADS:
            together.wait()
        return [f"{one.key}\n".encode()]

    objects = placed([6] * 5000)
    chunks: list[bytes] = []
    an_input(objects, read).feed(Span(0, 30_000), LINE, lambda chunk, _: chunks.append(chunk))
    assert b"".join(chunks).decode().splitlines() == [one.key for one in objects]
    assert sorted(reads) == [one.key for one in objects]


def test_what_is_read_ahead_is_bounded_in_bytes_and_threads() -> None:
    size = 6 << 20
    lock = threading.Lock()
    running = most_running = most_held = held = 0
    fed = threading.Event()

    def read(one: Placed, start: int, end: int) -> list[bytes]:
        nonlocal running, most_running, held, most_held
        with lock:
            running += 1
            held += end - start
            most_running, most_held = max(running, most_running), max(held, most_held)
        data = bytes(end - start - 1) + b"\n"
        with lock:
            running -= 1
        return [data]

    def feed(chunk: bytes, _at: Place) -> None:
        nonlocal held
        fed.set()
        with lock:
            held -= len(chunk)

    an_input(placed([size] * 40), read).feed(Span(0, 40 * size), LINE._replace(longest_bytes=2 * size), feed)
    assert fed.is_set()
    assert held == 0
    assert most_running <= AHEAD_THREADS
    assert most_held <= AHEAD_BYTES + 2 * size  # one is fed, and another read in its place


@pytest.mark.parametrize("bad", [0, 1, 40, 4999])
def test_an_error_is_that_of_the_read_and_no_thread_stays(bad: int) -> None:
    before = set(threading.enumerate())
    reads: list[int] = []

    def read(one: Placed, _start: int, _end: int) -> list[bytes]:
        reads.append(int(one.key))
        if int(one.key) == bad:
            raise Transient(f"S3 did not serve {one.key}")
        return [b"x"]

    chunks: list[bytes] = []
    with pytest.raises(Transient, match=f"did not serve {bad:05d}"):
        an_input(placed([1] * 5000), read).feed(Span(0, 5000), LINE, lambda chunk, _: chunks.append(chunk))
    assert set(threading.enumerate()) <= before  # those of other tests may end meanwhile
    assert len(chunks) == bad
    assert max(reads) <= bad + 3 * AHEAD_THREADS


def test_what_the_job_raises_ends_the_reads_too() -> None:
    before = set(threading.enumerate())

    def feed(_: bytes, _at: Place) -> None:
        raise InvalidRequest("of the job")

    with pytest.raises(InvalidRequest, match="of the job"):
        an_input(placed([1] * 500), lambda *_: [b"x"]).feed(Span(0, 500), LINE, feed)
    assert set(threading.enumerate()) <= before  # those of other tests may end meanwhile


def test_one_object_takes_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    chunks: list[bytes] = []
    input_of_bytes([b"one\ntwo"]).feed(Span(0, 7), LINE, lambda chunk, _: chunks.append(chunk))
    assert b"".join(chunks) == b"one\ntwo"


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_the_only_object_is_taken_whole_and_unpacked(pack: Callable[[bytes], bytes]) -> None:
    text = b"a,b\n1,2\n" * 1000
    for objects in ([pack(text)], [b"", pack(text), b""]):
        source = input_of_bytes(objects)
        assert source.whole(len(text)) == text
        with pytest.raises(SourceTooLarge, match=r"\d has more than the 7,999 bytes that this job reads"):
            source.whole(len(text) - 1)


def test_an_object_of_known_size_is_refused_before_it_is_read() -> None:
    one = Placed(0, "table.csv", 1 << 40, "e", "plain")
    with pytest.raises(SourceTooLarge, match=r"table\.csv has more than the 1,000 bytes"):
        an_input([one], refuse).whole(1000)


def test_a_bomb_is_refused_for_its_size_as_soon_as_it_has_it() -> None:
    data = gzip.compress(bytes(100 << 20))
    unpacked_bytes = 0

    def remaining_s() -> float:
        nonlocal unpacked_bytes
        unpacked_bytes += 1 << 20
        return 900.0

    source = ObjectsInput(
        Addresses(placed([len(data)])),
        lambda _, start, end: [data[start:end]],
        size_bytes=len(data),
        objects=1,
        remaining_s=remaining_s,
    )
    with pytest.raises(SourceTooLarge):
        source.whole(5 << 20)
    assert unpacked_bytes < 20 << 20


def test_several_objects_are_no_whole() -> None:
    with pytest.raises(
        InvalidRequest, match="prefix: 2 objects begin with it; this job reads a single object"
    ):
        input_of_bytes([b"one", b"", b"two"]).whole(100)


def test_an_object_that_takes_too_long_is_refused() -> None:
    """A retry would take as long, and Lambda's own words for it name no object."""
    texts = [gzip.compress(b"word\n" * 1000), b"word\n" * 1000]
    objects = placed([len(text) for text in texts])
    source = ObjectsInput(
        Addresses(objects),
        lambda one, start, end: [texts[int(one.key)][start:end]],
        size_bytes=sum(map(len, texts)),
        objects=2,
        remaining_s=lambda: 9.9,
    )
    with pytest.raises(BlockTooSlow, match="its time was up at byte 0 of 00001"):
        source.feed(Span(len(texts[0]), source.size_bytes), LINE, lambda *_: None)
    with pytest.raises(ArchiveTooLarge, match="00000 takes longer to unpack and read than a function may"):
        source.feed(Span(0, 1), LINE, lambda *_: None)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(("long_bytes", "is_begun"), [(2 << 20, True), (5 << 20, False)])
def test_a_long_record_is_begun_only_if_it_is_done_in_time(
    pack: Callable[[bytes], bytes], long_bytes: int, is_begun: bool
) -> None:
    """Nothing can stop it: Lambda would end the function without a word, and the run would try again."""
    left_s, fed = 40.0, []
    text = b"word\n" * (300 << 10) + b"x" * long_bytes + b"\n"
    line, stored = delimited("line", b"\n", 8 << 20), pack(text)
    source = ObjectsInput(
        Addresses(placed([len(stored)])),
        lambda one, start, end: [stored[start:end]],
        size_bytes=len(stored),
        objects=1,
        remaining_s=lambda: left_s,
    )

    def feed(chunk: bytes, at: Place) -> None:  # 5 s for a MiB
        nonlocal left_s
        left_s -= len(chunk) / (1 << 20) * 5
        fed.append(chunk)

    if is_begun:
        source.feed(Span(0, len(stored)), line, feed)
        assert b"".join(fed) == text
        return
    with pytest.raises(BlockTooSlow, match=r"its time was up at byte \d+ of 00000\."):
        source.feed(Span(0, len(stored)), line, feed)
    assert left_s > 10


def test_text_is_fed_while_the_rest_of_it_arrives() -> None:
    events: list[str] = []

    def read(_: Placed, _start: int, _end: int) -> Iterator[bytes]:
        for number in range(3):
            events.append(f"chunk {number} arrives")
            yield f"line\n{number}".encode()

    one = Placed(0, "o", 18, "e", "plain")
    an_input([one], read).feed(
        Span(0, 18), LINE, lambda chunk, at: events.append(f"{chunk!r} at {at.offset}")
    )
    assert events == [
        "chunk 0 arrives",
        "b'line\\n' at 0",
        "chunk 1 arrives",
        "b'0line\\n' at 5",
        "chunk 2 arrives",
        "b'1line\\n' at 11",
        "b'2' at 17",
    ]


def test_a_read_is_closed_when_the_job_fails() -> None:
    closed: list[bool] = []

    def read(_: Placed, _start: int, _end: int) -> Iterator[bytes]:
        try:
            while True:
                yield b"line\n"
        finally:
            closed.append(True)

    def fail(_chunk: bytes, _at: Place) -> NoReturn:
        raise InvalidRequest("of the job")

    with pytest.raises(InvalidRequest) as raised:  # which holds the frames
        an_input([Placed(0, "o", 1 << 30, "e", "plain")], read).feed(Span(0, 1 << 30), LINE, fail)
    assert closed == [True], raised


def test_a_block_of_1_gib_takes_few_reads() -> None:
    reads: list[tuple[int, int]] = []

    def read(_: Placed, start: int, end: int) -> Iterator[bytes]:
        reads.append((start, end))
        return (LINES_OF_1_MIB for _ in range(start, end, 1 << 20))

    one = Placed(0, "o", 1 << 30, "e", "plain")
    fed = 0

    def feed(chunk: bytes, _at: Place) -> None:
        nonlocal fed
        fed += len(chunk)

    assert an_input([one], read).feed(Span(0, 1 << 30), LINE, feed) == Owned(0, 1 << 30)
    assert fed == 1 << 30
    assert reads == [(part << 28, (part + 1) << 28) for part in range(4)]


LINES_OF_1_MIB = b"a line of 16 b.\n" * (1 << 16)


@given(st.binary(max_size=60), st.lists(st.integers(1, 9), min_size=1), st.integers(1, 20))
def test_long_records_in_small_chunks_are_fed_whole(text: bytes, sizes: list[int], block_bytes: int) -> None:
    """Chunks are gathered until a record ends: it may take many of them."""

    def read(_: Placed, start: int, end: int) -> Iterator[bytes]:
        size = itertools.cycle(sizes)
        while start < end:
            begin, start = start, min(start + next(size), end)
            yield text[begin:start]

    source = an_input([Placed(0, "o", len(text), "e", "plain")], read)
    chunks: list[bytes] = []
    for start in range(0, len(text), block_bytes):
        source.feed(
            Span(start, min(start + block_bytes, len(text))), LINE, lambda chunk, _: chunks.append(chunk)
        )
    assert b"".join(chunks) == text
    assert all(chunk.endswith(b"\n") for chunk in chunks[:-1])


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_the_first_record_is_the_first_one_of_all_objects(pack: Callable[[bytes], bytes]) -> None:
    source = input_of_bytes([b"", pack(b""), pack(b"a,b\n") + pack(b"1,2\n"), pack(b"c\n")])
    assert source.first_record(LINE) == b"a,b\n"
    assert input_of_bytes([pack(b"one")]).first_record(LINE) == b"one"
    assert input_of_bytes([b"", pack(b"")]).first_record(LINE) == b""


def test_the_first_record_is_known_without_the_rest() -> None:
    reads: list[int] = []

    def read(_: Placed, start: int, end: int) -> Iterator[bytes]:
        for at in range(start, end, 4):
            reads.append(at)
            yield b"one\n"

    assert an_input([Placed(0, "a", 4_000_000, "", "plain")], read).first_record(LINE) == b"one\n"
    assert reads == [0]
