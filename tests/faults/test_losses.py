"""The inputs on which others lose words in silence."""

import random

import pytest

from tests import oracle
from tests.faults.cases import BLOCK_BYTES, right_words
from tests.faults.faulty import Faulty


def words(generator: random.Random, size: int, separator: str) -> bytes:
    """About ``size`` bytes of words."""
    vocabulary = ["lorem", "ipsum", "größe", "слово", "ἀρχή", "語", "a", "naïveté", "हिन्दी"]
    parts: list[bytes] = []
    while size > 0:
        parts.append((generator.choice(vocabulary) + separator).encode())
        size -= len(parts[-1])
    return b"".join(parts)


def inputs() -> dict[str, bytes]:
    generator = random.Random(1)
    long_lines = b"\n".join(words(generator, 280_000, " ") for _ in range(5))
    return {
        "short lines": words(generator, 20 * BLOCK_BYTES, "\n"),
        "no trailing newline": words(generator, 5 * BLOCK_BYTES, "\n").rstrip() + b" theend",
        "lines of 280 KB": long_lines,
        # Words of 13 bytes: over many blocks, cuts fall at every place of a character.
        "UTF-8 cut in two by blocks": ("日本語ふ " * BLOCK_BYTES).encode(),
        "one line of 20 MB": words(generator, 20_000_000, " "),
        "binary noise": generator.randbytes(10 * BLOCK_BYTES),
    }


SLOW = {"one line of 20 MB"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in inputs()]
)
def test_nothing_is_lost_or_invented(faulty: Faulty, name: str) -> None:
    data = inputs()[name]
    key = faulty.stack.put("input/losses", data)
    block_bytes = BLOCK_BYTES if len(data) < 3_000_000 else 1_000_003
    right = right_words(oracle.count_words(data))
    faulty.must_be_exact(f"Input: {name}", faulty.event(key=key, block_bytes=block_bytes), right)
