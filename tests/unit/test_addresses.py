"""Objects end to end: a block touches what lies in it, and requests stay small."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.errors import BlobDamaged, ConservationBroken, InvalidRequest
from lambda_src.input.addresses import (
    INLINE_BYTES,
    Addresses,
    Listing,
    Piece,
    Placed,
    Portion,
    addresses_of,
    place,
)
from lambda_src.input.formats import Format
from lambda_src.input.names import MAX_OBJECTS
from lambda_src.job import Span

SIZES = st.lists(st.integers(0, 9), max_size=12)


def placed(sizes: Sequence[int], key: str = "") -> list[Placed]:
    return place((f"{key}{number:05d}", size, f'"{number}"') for number, size in enumerate(sizes))


@given(SIZES, st.data())
def test_a_block_touches_the_bytes_at_its_addresses(sizes: list[int], data: st.DataObject) -> None:
    objects = placed(sizes)
    end = data.draw(st.integers(0, sum(sizes)))
    start = data.draw(st.integers(0, end))
    addresses = [(one, offset) for one in objects for offset in range(one.bytes)]
    touched = [
        (piece.object, offset)
        for piece in Addresses(objects).pieces(Span(start, end))
        for offset in range(piece.start, piece.end)
    ]
    assert touched == addresses[start:end]


@given(SIZES, st.sampled_from(["", "k" * 900]), st.data())
def test_a_portion_of_the_listing_is_all_that_a_block_needs(
    sizes: list[int], key: str, data: st.DataObject
) -> None:
    listing = Listing(placed(sizes, key))
    end = data.draw(st.integers(0, sum(sizes)))
    block = Span(data.draw(st.integers(0, end)), end)
    portion = listing.portion(block)
    known = addresses_of(portion, lambda start, end: listing.body[start:end])
    assert known.pieces(block) == listing.addresses.pieces(block)
    assert sum(len(one.key) for one in portion.objects) < INLINE_BYTES


@pytest.mark.parametrize(
    ("how", "work"),
    [
        ("plain", [10, 10, 10, 10, 4]),
        ("gzip", [10, 24, 10, 14, 4]),  # the second object begins in the second block
        ("bzip2", [10, 24, 10, 14, 4]),
        (None, [10, 24, 10, 14, 4]),
    ],
)
def test_a_block_s_work_is_what_it_may_have_to_read(how: Format | None, work: list[int]) -> None:
    objects = place([("a", 10, ""), ("b", 24, ""), ("c", 0, ""), ("d", 10, "")])
    addresses = Addresses([one._replace(format=how) for one in objects])
    assert [addresses.work(Span(start, min(start + 10, 44))) for start in range(0, 44, 10)] == work


def test_keys_are_ordered_by_their_bytes_in_utf8() -> None:
    keys = ["a/", "a/b", "a-", "é", "z", "\uffee", "\U0001f600", "Z"]
    objects = place((key, 0, "") for key in keys)
    assert [one.key for one in objects] == ["Z", "a-", "a/", "a/b", "z", "é", "\uffee", "\U0001f600"]


def test_empty_objects_own_nothing() -> None:
    objects = place([("logs/", 0, "e0"), ("logs/a", 2, "e1"), ("logs/b", 0, "e2"), ("logs/c", 3, "e3")])
    addresses = Addresses(objects)
    assert addresses.pieces(Span(0, 3)) == [Piece(objects[1], 0, 2), Piece(objects[3], 0, 1)]
    assert addresses.pieces(Span(2, 5)) == [Piece(objects[3], 0, 3)]
    assert Addresses(place([("logs/", 0, "")])).end == Addresses([]).end == 0


def test_a_block_that_the_objects_do_not_hold_is_named() -> None:
    for block in (Span(0, 8), Span(7, 9), Span(8, 9)):
        with pytest.raises(ConservationBroken, match=f"the block from byte {block.start} to {block.end}"):
            Addresses(placed([3, 4])).pieces(block)
    with pytest.raises(ConservationBroken, match="from byte 3 to 7 do not hold the block from byte 2 to 4"):
        Addresses(placed([3, 4])[1:]).pieces(Span(2, 4))


def test_a_key_listed_twice_and_too_many_objects_are_refused() -> None:
    with pytest.raises(ConservationBroken, match="b is listed twice"):
        place([("b", 1, "x"), ("a", 1, "x"), ("b", 1, "y")])
    with pytest.raises(InvalidRequest, match="prefix: more than 100,000 objects begin with it"):
        placed([1] * (MAX_OBJECTS + 1))


def test_requests_stay_small_with_as_many_objects_as_there_may_be() -> None:
    listing = Listing(placed([1000] * MAX_OBJECTS, "logs/2026/11/" + "k" * 200))
    small = listing.portion(Span(50_000, 60_000))
    large = listing.portion(Span(5_000_000, 10_000_000))
    assert [one.key[-5:] for one in small.objects] == [f"{number:05d}" for number in range(50, 60)]
    assert large.objects == ()
    assert large.listing is not None
    known = addresses_of(large, lambda start, end: listing.body[start:end])
    assert len(known.pieces(Span(5_000_000, 10_000_000))) == 5000


def test_the_digest_names_keys_sizes_and_etags() -> None:
    digests = {
        Listing(place(objects)).digest()
        for objects in (
            [],
            [("a", 1, "x")],
            [("a", 2, "x")],
            [("b", 1, "x")],
            [("a", 1, "y")],
            [("a", 1, "x"), ("b", 0, "")],
        )
    }
    assert len(digests) == 6
    one, other = [("b", 1, "x"), ("a", 2, "y")], [("a", 2, "y"), ("b", 1, "x")]
    assert Listing(place(one)).digest() == Listing(place(other)).digest()


@pytest.mark.parametrize("lines", [b"", b"[0]\n", b'[0,"a",1,"e"', b'[0,"a",-1.5,"e"]\n', b"\xff\n", b"{}"])
def test_a_damaged_listing_is_named(lines: bytes) -> None:
    portion = Portion((), Span(10, 30))
    with pytest.raises((BlobDamaged, ConservationBroken)):
        addresses_of(portion, lambda start, end: lines).pieces(Span(0, 1))
