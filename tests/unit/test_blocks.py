"""Units are cut into blocks, which are not too many."""

from hypothesis import given
from hypothesis import strategies as st

from lambda_src.input.blocks import MAX_BLOCKS, bounded_block_units, split


@given(st.integers(0, 5 * 10**13), st.integers(1, 10**10))
def test_block_size_is_raised_only_as_far_as_needed(units: int, block_units: int) -> None:
    bounded = bounded_block_units(units, block_units)
    assert bounded >= block_units
    assert -(-units // bounded) <= MAX_BLOCKS
    assert bounded == block_units or -(-units // (bounded - 1)) > MAX_BLOCKS


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_blocks_cover_each_unit_once(units: int, block_units: int) -> None:
    blocks = split(units, block_units)
    assert [unit for block in blocks for unit in range(block.start, block.end)] == list(range(units))
    assert [block.number for block in blocks] == list(range(len(blocks)))
    assert all(block.end - block.start == block_units for block in blocks[:-1])
