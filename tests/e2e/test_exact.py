"""The deployed job against the oracle."""

import random
from typing import Any

import pytest

from tests import oracle
from tests.deployed import Stack

KIB, MIB = 1 << 10, 1 << 20


@pytest.fixture(scope="module")
def text() -> bytes:
    """Six megabytes of words of many scripts, lengths and frequencies, with bytes that are no UTF-8."""
    rng = random.Random(7)
    alphabets = [
        "abcdefghijklmnopqrstuvwxyz",
        "ABCéüñßÅ",
        "абвгдИЯ",
        "αβγΣςΩ",
        "कखगि\u094d",
        "日本語文字",
        "ابتث",
    ]
    vocabulary = []
    for _ in range(20_000):
        alphabet = rng.choice(alphabets)
        vocabulary.append("".join(rng.choice(alphabet) for _ in range(rng.randint(1, 23))))
    separators = [" ", " ", " ", "\n", ", ", "-", "1", " == ", "]] [[", "。"]
    parts: list[bytes] = []
    size = 0
    while size < 6 * MIB:
        word = vocabulary[int(len(vocabulary) * rng.random() ** 3)]
        noise = b"\xff\xc3" if rng.random() < 0.001 else b""
        parts.append(word.encode() + noise + rng.choice(separators).encode())
        size += len(parts[-1])
    return b"".join(parts) + b"ende"


@pytest.fixture(scope="module")
def key(stack: Stack, text: bytes) -> str:
    return stack.put("input/text", text)


@pytest.mark.parametrize(
    ("block_bytes", "max_concurrency"),
    [(64 * KIB, 8), (MIB, 1), (MIB, 250), (5 * MIB, 8), (100 * MIB, 8)],
)
def test_every_count_equals_the_oracle(
    stack: Stack, text: bytes, key: str, block_bytes: int, max_concurrency: int
) -> None:
    summary = stack.run(key, block_bytes=block_bytes, max_concurrency=max_concurrency)
    expected = oracle.count_words(text)
    assert summary["top_words"] == oracle.top_words(expected)
    assert summary["words"] == oracle.ranked(expected).total()
    assert summary["longer_words"] == oracle.longer_words(expected)
    assert summary["bytes"] == len(text)
    assert summary["blocks"] == -(-len(text) // block_bytes)

    record, parts = stack.results(summary["run_id"])
    assert record is not None
    assert (record.status, record.stage, record.blocks_done) == ("SUCCEEDED", "done", summary["blocks"])
    assert record.extras["native_blocks"] == summary["blocks"], "the layer's library was not used"
    assert [report.part for report in parts] == [str(length) for length in range(1, 21)]


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        ({"shard_by": "part"}, ("part", 20)),
        ({"shard_by": "key", "shards": 1}, ("key", 1)),
        ({"shard_by": "key", "shards": 7}, ("key", 7)),
        ({"shards": 3}, ("key", 3)),
    ],
)
def test_every_count_equals_the_oracle_however_reducers_share_the_work(
    stack: Stack, text: bytes, key: str, wanted: dict[str, Any], seen: tuple[str, int]
) -> None:
    summary = stack.run(key, block_bytes=MIB, max_concurrency=8, **wanted)
    assert summary["top_words"] == oracle.top_words(oracle.count_words(text))
    shard_by, shards = seen
    assert (summary["shard_by"], summary["shards"]) == seen
    record, parts = stack.results(summary["run_id"])
    assert record
    assert (record.shards, len(parts)) == (shards, 20)
    reducers = [call.task for call in stack.trace(record.run_id).calls if call.function == "get_occurrences"]
    names = [f"length {n + 1}" if shard_by == "part" else f"shard {n}" for n in range(shards)]
    assert set(reducers) - {"warming"} == set(names)
    again = stack.run(key, run_id=summary["run_id"])
    assert again == summary


@pytest.mark.parametrize("data", [b"", b"12 34", b"\xff\xff"], ids=["empty", "digits", "no UTF-8"])
def test_nothing_to_count_is_a_run_with_empty_lists(stack: Stack, data: bytes) -> None:
    summary = stack.run(stack.put("input/nothing", data))
    assert (summary["status"], summary["words"], summary["longer_words"]) == ("SUCCEEDED", 0, 0)
    assert summary["top_words"] == {str(length): [] for length in range(1, 21)}
