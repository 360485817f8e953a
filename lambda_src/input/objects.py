"""The input of a run as a job sees it: objects end to end, plain or compressed."""

import io
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from lambda_src.errors import InvalidRequest, SourceTooLarge
from lambda_src.input.addresses import Addresses, Listing, Piece, Placed, Portion, addresses_of
from lambda_src.input.formats import Format, no_end
from lambda_src.input.ownership import Read, feed_block, first_read
from lambda_src.job import Feed, Owned, Place, Span
from lambda_src.records import Rule
from lambda_src.telemetry import meter

if TYPE_CHECKING:
    from concurrent.futures import Future

AHEAD_THREADS = 32
AHEAD_BYTES = 64 << 20
"""Most bytes that are read ahead of the next objects of a block: otherwise each of many small objects would
wait for the one before."""

ANYWHERE = Rule("byte", AHEAD_BYTES, 0, lambda _, at, __: at, len)
"""The rule for a text that is read as a whole: every byte is a record."""


class _Enough(Exception):
    """Ends the feeding of an input whose first ``record`` is known."""

    def __init__(self, record: bytes) -> None:
        super().__init__()
        self.record = record


class ObjectsInput:
    """An input of ``size_bytes`` in ``objects`` objects. ``addresses`` has all of them, or those that the
    block to be fed touches.

    ``read`` is called by several threads at once; ``remaining_s`` tells how much time is left for unpacking.
    The objects at the addresses ``left_out`` are not fed. With ``skip_bad``, ``feed`` raises BadObjects,
    which names them. Every method raises what ``read`` does, too.
    """

    def __init__(
        self,
        addresses: Addresses,
        read: Read,
        *,
        size_bytes: int,
        objects: int,
        remaining_s: Callable[[], float] = no_end,
        left_out: Collection[int] = (),
        skip_bad: bool = False,
    ) -> None:
        self.size_bytes = size_bytes
        self.objects = objects
        self._addresses = addresses
        self._read = read
        self._remaining_s = remaining_s
        self._left_out = left_out
        self._skip_bad = skip_bad

    def feed(self, block: Span, rule: Rule, feed: Feed) -> Owned:
        """As ``Input.feed``. Raises as ``feed_block``."""
        pieces = self._addresses.pieces(block)
        if not pieces:
            return Owned(block.start, block.end)
        wanted = [piece for piece in pieces if piece.object.address not in self._left_out]
        with _read_ahead(wanted[1:], self._read) if wanted[1:] else nullcontext(self._read) as read:
            return feed_block(
                pieces,
                read,
                rule,
                feed,
                self._remaining_s,
                left_out=self._left_out,
                skip_bad=self._skip_bad,
            )

    def first_record(self, rule: Rule) -> bytes:
        """As ``Input.first_record``. Raises as ``feed_block``."""

        def add(chunk: bytes, _at: Place) -> None:
            raise _Enough(chunk[: rule.first_cut(chunk, 1, True)])

        try:
            self.feed(Span(0, self.size_bytes), rule, add)
        except _Enough as enough:
            return enough.record
        return b""

    def whole(self, most_bytes: int) -> bytes:
        """As ``Input.whole``. Raises SourceTooLarge, InvalidRequest (several objects that are not empty), and
        as ``feed_block``."""
        pieces = self._addresses.pieces(Span(0, self.size_bytes))
        if len(pieces) > 1:
            raise InvalidRequest(
                f"prefix: {len(pieces):,} objects begin with it; this job reads a single object: name "
                "its key."
            )
        text = io.BytesIO()

        def add(chunk: bytes, _at: Place) -> None:
            if text.tell() + len(chunk) > most_bytes:
                raise _too_large(pieces[0], most_bytes)
            text.write(chunk)

        if pieces and pieces[0].object.format == "plain" and self.size_bytes > most_bytes:
            raise _too_large(pieces[0], most_bytes)
        if pieces:
            feed_block(pieces, self._read, ANYWHERE, add, self._remaining_s)
        return text.getvalue()


def input_of_bytes(
    texts: Sequence[bytes], format_: Format | None = None, touched: Span | None = None
) -> ObjectsInput:
    """An input of objects with these bytes, all in ``format_``, or each in its detected format. With
    ``touched``, only the objects at these bytes, as a block gets them."""
    placed, address = [], 0
    for number, data in enumerate(texts):
        placed.append(Placed(address, f"{number}", len(data), "", format_))
        address += len(data)
    listing = Listing(placed)
    portion = Portion(placed, None) if touched is None else listing.portion(touched)
    return ObjectsInput(
        addresses_of(portion, lambda start, end: listing.body[start:end]),
        lambda one, start, end: [texts[int(one.key)][start:end]],
        size_bytes=address,
        objects=len(texts),
    )


def _too_large(piece: Piece, most_bytes: int) -> SourceTooLarge:
    return SourceTooLarge(f"{piece.object.key} has more than the {most_bytes:,} bytes that this job reads.")


@contextmanager
def _read_ahead(pieces: Iterable[Piece], read: Read) -> Iterator[Read]:
    """A ``read`` that reads the first bytes of ``pieces`` ahead, at most ``AHEAD_BYTES`` at once, if they are
    requested in order."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 8 ms, for blocks of several objects

    coming = deque((piece.object, first) for piece in pieces if (first := first_read(piece)))
    ahead: deque[tuple[Placed, Span, Future[bytes]]] = deque()
    ahead_bytes = 0
    threads = ThreadPoolExecutor(AHEAD_THREADS)  # none begins before there is work

    def go_on() -> None:
        nonlocal ahead_bytes
        while coming and len(ahead) < 2 * AHEAD_THREADS:
            one, (start, end) = coming[0]
            if ahead and ahead_bytes + end - start > AHEAD_BYTES:
                return
            coming.popleft()
            ahead_bytes += end - start
            ahead.append((one, Span(start, end), threads.submit(whole, one, start, end)))

    def whole(one: Placed, start: int, end: int) -> bytes:
        return b"".join(read(one, start, end))

    def read_one(one: Placed, start: int, end: int) -> Iterable[bytes]:
        nonlocal ahead_bytes
        if not ahead or ahead[0][:2] != (one, (start, end)):
            return read(one, start, end)
        try:
            with meter.stage("fetch"):
                return [ahead.popleft()[2].result()]
        finally:
            ahead_bytes -= end - start
            go_on()

    try:
        go_on()
        yield read_one
    finally:
        threads.shutdown(cancel_futures=True)
