"""The objects of a run, end to end in key order: one address space. A block is a range of it.

A run stores the listing once, one object per line. The request of a block contains the objects that it
touches if they take few bytes, or else the range of the listing that names them. So requests do not grow with
the number of objects.
"""

import hashlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import msgspec

from lambda_src.errors import BlobDamaged, ConservationBroken, InvalidRequest
from lambda_src.input.formats import ENDINGS, Format
from lambda_src.input.names import MAX_OBJECTS
from lambda_src.job import Span

INLINE_BYTES = 8 << 10
"""Most bytes of the listing in a request: for 250 requests at once, this is cheaper than reading it."""

LOOKED_AT = 1000
"""Number of objects whose names are looked at to tell how an input is stored."""


class Placed(NamedTuple):
    """An object, pinned by its ETag. Its first byte is at ``address``. ``format`` is None if unknown."""

    address: int
    key: str
    bytes: int
    etag: str
    format: Format | None = None


class Piece(NamedTuple):
    """Bytes ``[start, end)`` of ``object``."""

    object: Placed
    start: int
    end: int


class Portion(NamedTuple):
    """The objects that a block touches or, if there are many, the bytes of the listing that name them."""

    objects: Sequence[Placed]
    listing: Span | None


def place(pinned: Iterable[tuple[str, int, str]]) -> list[Placed]:
    """Objects, each as key, size and ETag, in the order of S3: by the keys' bytes in UTF-8. Empty objects,
    such as folder markers, have an address but no bytes.

    Raises InvalidRequest for more than ``MAX_OBJECTS``, ConservationBroken for an object that is listed
    twice.
    """
    objects: list[Placed] = []
    address = 0
    for key, size, etag in sorted(pinned):  # by code points, which is the order of their bytes in UTF-8
        objects.append(Placed(address, key, size, etag))
        address += size
    if len(objects) > MAX_OBJECTS:
        raise InvalidRequest(
            f"prefix: more than {MAX_OBJECTS:,} objects begin with it, the most that a run reads: name a "
            "longer one."
        )
    for one, following in pairwise(objects):
        if one.key == following.key:
            raise ConservationBroken(f"{one.key} is listed twice: start a new run.")
    return objects


def likely_format(objects: Iterable[tuple[str, int, Format | None]]) -> Format:
    """The likely format of most bytes of ``objects``, each a key, a size and a format. If the format is None,
    the name decides.

    >>> likely_format([("a", 5, None), ("b.gz", 9, None)]), likely_format([("b.gz", 9, "plain")])
    ('gzip', 'plain')
    """
    found: Counter[Format] = Counter()
    for key, size, known in objects:
        named: Format = ENDINGS.get(key.rpartition(".")[2], "plain")
        found[known or named] += size
    return max(found, key=found.__getitem__, default="plain")


class Addresses:
    """Placed objects, without a gap between them: all of a run, or those that a block touches."""

    def __init__(self, objects: Sequence[Placed]) -> None:
        self._objects = objects
        self._starts = [one.address for one in objects]
        self.start = objects[0].address if objects else 0
        self.end = objects[-1].address + objects[-1].bytes if objects else 0

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Placed]:
        return iter(self._objects)

    def likely_format(self) -> Format:
        """The likely format of most bytes."""
        return likely_format((one.key, one.bytes, one.format) for one in self._objects[:LOOKED_AT])

    def pieces(self, block: Span) -> list[Piece]:
        """The pieces of objects at the addresses of ``block``, in order. Raises ConservationBroken if an
        address is unknown."""
        touched = self.objects(block)
        pieces = [
            Piece(one, max(block.start - one.address, 0), min(block.end - one.address, one.bytes))
            for one in touched
            if one.bytes
        ]
        if sum(piece.end - piece.start for piece in pieces) != block.end - block.start:
            raise ConservationBroken(
                f"The objects from byte {self.start} to {self.end} do not hold the block from byte "
                f"{block.start} to {block.end}."
            )
        return pieces

    def work(self, block: Span) -> int:
        """The number of bytes that a block may have to read. Plain objects count by their bytes in it;
        another object may be a single record, which is read completely by the block in which it begins."""
        return sum(
            one.bytes
            if one.format != "plain" and block.start <= one.address < block.end
            else min(block.end, one.address + one.bytes) - max(block.start, one.address)
            for one in self.objects(block)
        )

    def objects(self, block: Span) -> Sequence[Placed]:
        """The objects at the addresses of ``block``, and the empty ones between them."""
        return self._objects[slice(*self.numbers(block))]

    def numbers(self, block: Span) -> tuple[int, int]:
        """The numbers of these objects: the first one's, and the one after the last."""
        first = max(bisect_right(self._starts, block.start) - 1, 0)
        return first, bisect_left(self._starts, block.end)


class Listing:
    """The listing of a run: its ``body``, and the portion that each block needs."""

    def __init__(self, objects: Sequence[Placed]) -> None:
        lines = [msgspec.json.encode(one) + b"\n" for one in objects]
        self.body = b"".join(lines)
        self.addresses = Addresses(objects)
        self._offsets = list(accumulate(map(len, lines), initial=0))

    def digest(self) -> str:
        """Identifies the objects, their order, sizes and ETags, as an ETag does for a run on one object."""
        return hashlib.sha256(self.body).hexdigest()

    def portion(self, block: Span) -> Portion:
        """The objects of ``block`` as its request names them."""
        first, last = self.addresses.numbers(block)
        listing = Span(self._offsets[first], self._offsets[last])
        if listing.end - listing.start > INLINE_BYTES:
            return Portion((), listing)
        return Portion(self.addresses.objects(block), None)


def addresses_of(portion: Portion, read_listing: Callable[[int, int], bytes]) -> Addresses:
    """The objects of ``portion``; ``read_listing(start, end)`` reads bytes of the run's listing.

    Raises BlobDamaged if these are not lines of a listing.
    """
    if portion.listing is None:
        return Addresses(portion.objects)
    start, end = portion.listing
    try:
        return Addresses(_LINES.decode_lines(read_listing(start, end)))
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or not of a listing
        raise BlobDamaged(
            f"Bytes {start} to {end} of the run's listing of objects are damaged: start a new run."
        ) from error


_LINES = msgspec.json.Decoder(Placed)
