"""Groups of whole objects: the blocks of a run that reuses what earlier runs have mapped.

However the input grows, most groups stay as they are: an object that comes or goes changes only groups that
lie within one block's size of it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from lambda_src.input.addresses import Placed
from lambda_src.input.blocks import Block, split


class Group(NamedTuple):
    """Objects that are not empty, end to end: bytes ``[start, end)`` of the input."""

    start: int
    end: int
    objects: Sequence[Placed]


def groups_of(objects: Iterable[Placed], block_bytes: int, secret: str) -> Iterator[Group]:
    """The ``objects`` in groups of at most ``block_bytes``; a larger object is a group by itself.

    A range of objects that is too large is cut in front of the object with the highest rank, and each half
    likewise. A rank is a hash of the key and of ``secret``: nobody can choose keys that make small groups.
    """
    full = (one for one in objects if one.bytes)
    for is_large, some in groupby(full, lambda one: one.bytes > block_bytes):
        if is_large:
            yield from (_group([one]) for one in some)
        else:
            yield from _cut(list(some), block_bytes, secret.encode())


def _cut(objects: Sequence[Placed], block_bytes: int, secret: bytes) -> Iterator[Group]:
    ranks = [hashlib.blake2b(one.key.encode(), key=secret, digest_size=16).digest() for one in objects]
    to_cut = [(0, len(objects))]
    while to_cut:
        first, end = to_cut.pop()
        group = _group(objects[first:end])
        if group.end - group.start <= block_bytes:
            yield group
        else:
            middle = max(range(first + 1, end), key=ranks.__getitem__)
            to_cut += [(middle, end), (first, middle)]


def _group(objects: Sequence[Placed]) -> Group:
    return Group(objects[0].address, objects[-1].address + objects[-1].bytes, objects)


def split_groups(groups: Iterable[Group], block_bytes: int) -> Iterator[tuple[Block, Group]]:
    """The blocks of ``groups``, each with its group: one block, or those of a large object."""
    number = 0
    for group in groups:
        for _, start, end in split(group.end - group.start, block_bytes):
            yield Block(number, group.start + start, group.start + end), group
            number += 1
