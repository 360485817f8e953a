"""Groups of objects stay as they are while objects come and go around them."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src.input.addresses import Placed, place
from lambda_src.input.groups import Group, groups_of, split_groups

BLOCK = 50
SIZES = st.dictionaries(
    st.integers(0, 300).map("logs/{:04}".format), st.integers(0, 70), min_size=1, max_size=60
)


def placed(sizes: dict[str, int]) -> list[Placed]:
    return place((key, size, "etag") for key, size in sizes.items())


def groups(sizes: dict[str, int], ranked_by: str = "a") -> list[Group]:
    return list(groups_of(placed(sizes), BLOCK, ranked_by))


def contents(found: list[Group]) -> dict[tuple[str, ...], int]:
    """The keys of each group, and its size."""
    return {tuple(one.key for one in group.objects): group.end - group.start for group in found}


@given(SIZES)
def test_groups_have_all_bytes_in_order_and_are_no_larger_than_a_block(sizes: dict[str, int]) -> None:
    found = groups(sizes)
    keys = [one.key for group in found for one in group.objects]
    assert keys == sorted(key for key, size in sizes.items() if size)
    assert all(before.end == after.start for before, after in pairwise(found))
    assert sum(group.end - group.start for group in found) == sum(sizes.values())
    for group in found:
        assert group.end - group.start <= BLOCK or len(group.objects) == 1


@given(SIZES)
def test_the_blocks_of_groups_end_where_objects_do_or_cut_a_large_one(sizes: dict[str, int]) -> None:
    found = list(split_groups(groups(sizes), BLOCK))
    assert [block.number for block, _ in found] == list(range(len(found)))
    ends = {one.address + one.bytes for one in placed(sizes)} | {0}
    reached = 0
    for block, group in found:
        assert block.start == reached
        assert group.start <= block.start < block.end <= group.end
        assert block.end - block.start <= BLOCK
        assert len(group.objects) == 1 or (block.start in ends and block.end in ends)
        reached = block.end
    assert reached == sum(sizes.values())


@given(SIZES, st.integers(0, 300).map("logs/{:04}x".format), st.integers(0, 70))
@settings(max_examples=400)
def test_a_new_key_disturbs_only_groups_within_a_block_of_it(
    sizes: dict[str, int], key: str, size: int
) -> None:
    """And so does one that goes: read it the other way round."""
    before, after = contents(groups(sizes)), contents(groups({**sizes, key: size}))
    for some, others in ((before, after), (after, before)):
        disturbed = {keys: size for keys, size in some.items() if keys not in others}
        lower = sum(size for keys, size in disturbed.items() if keys[-1] < key)
        higher = sum(size for keys, size in disturbed.items() if keys[0] > key)
        assert lower <= BLOCK
        assert higher <= BLOCK


def test_logs_that_sort_by_date_disturb_only_the_last_group() -> None:
    month = {f"logs/11-{day:02}/{hour:02}.log": 7 for day in range(1, 31) for hour in range(24)}
    before = contents(groups(month))
    after = contents(groups({**month, **{f"logs/12-01/{hour:02}.log": 7 for hour in range(24)}}))
    assert len(before.keys() - after.keys()) <= 1
    assert sum(before.values()) / len(before) > 0.4 * BLOCK


def test_the_groups_cannot_be_told_from_the_keys() -> None:
    many = {f"logs/{number:04}": 7 for number in range(200)}
    assert contents(groups(many, "a")) != contents(groups(many, "b"))
