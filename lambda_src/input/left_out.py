"""The bad objects that a run leaves out, and the blocks that they touch. Every such block must leave them
out, or part of an object would be counted."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from lambda_src.errors import ConservationBroken, NothingLeft
from lambda_src.input.addresses import Addresses, Placed
from lambda_src.input.blocks import Block
from lambda_src.job import Span


class LeftOutObjects:
    """Some of the ``objects`` of a run in ``blocks``: those at the addresses of ``reasons``, which say
    why."""

    def __init__(self, objects: Addresses, blocks: Sequence[Block], reasons: Mapping[int, str]) -> None:
        self._objects = objects
        self._starts = [block.start for block in blocks]
        self._reasons: dict[int, str] = {}
        self._by_block: dict[int, list[Span]] = defaultdict(list)
        self.add((), reasons.items())

    def add(self, told: Iterable[Span], found: Iterable[tuple[int, str]]) -> None:
        """Leave out the objects that a block ``found``, each an address and the reason. The block was
        ``told`` to leave out some spans already. Raises ConservationBroken if it did not."""
        known = {span.start for span in told}
        changed = set()
        for address, reason in found:
            if address in known:
                raise ConservationBroken(
                    f"{self._at(address).key} was read by a block that was to leave it out."
                )
            if address in self._reasons:
                continue
            self._reasons[address] = reason
            end = address + self._at(address).bytes
            for block in range(bisect_right(self._starts, address) - 1, bisect_left(self._starts, end)):
                self._by_block[block].append(Span(address, end))
                changed.add(block)
        for block in changed:
            self._by_block[block].sort()

    def of_block(self, number: int) -> list[Span]:
        """What block ``number`` must leave out: the whole objects that it touches."""
        return list(self._by_block.get(number, ()))

    def named(self) -> list[tuple[Placed, str]]:
        """Each object, with the reason, in the order of the input."""
        return [(self._at(address), self._reasons[address]) for address in sorted(self._reasons)]

    def check(self, input_name: str) -> None:
        """Raise NothingLeft if there is text, and all of it is left out."""
        named = self.named()
        if named and sum(one.bytes for one, _ in named) == self._objects.end:
            raise NothingLeft(
                f"No object of {input_name} can be read, so there is nothing to answer. The first: "
                f"{named[0][1]}"
            )

    def _at(self, address: int) -> Placed:
        return self._objects.objects(Span(address, address + 1))[0]
