"""Which shard a key is in, and what a run may ask for."""

import hashlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.errors import InvalidRequest
from lambda_src.job import Shards
from tests.parity import HONEST, PARITIES

KEYS = st.binary(max_size=70)
RUN_IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)


def hashed(key: bytes, run_id: str) -> int:
    """As the design has it, step by step."""
    secret = hashlib.blake2b(run_id.encode(), digest_size=32).digest()
    word = [int.from_bytes(secret[at : at + 8], "little") for at in range(0, 32, 8)]

    def fold(one: int, other: int) -> int:
        low, high = (one * other) % 2**64, (one * other) // 2**64
        return low ^ high

    def two_words(text: bytes) -> tuple[int, int]:
        padded = text[:16] + bytes(16 - len(text[:16]))
        return int.from_bytes(padded[:8], "little"), int.from_bytes(padded[8:], "little")

    first, second = two_words(key)
    value = fold(first ^ word[0], second ^ word[1])
    for at in range(16, len(key), 16):
        first, second = two_words(key[at:])
        value = fold(first ^ value, second ^ word[2])
    return fold(value ^ len(key), word[3] | 1)


@given(KEYS, st.integers(1, 1000), RUN_IDS)
def test_a_key_is_in_one_shard_that_depends_on_the_run(key: bytes, count: int, run_id: str) -> None:
    shard = Shards("key", count, run_id).of_key(key)
    assert 0 <= shard < count
    assert shard == hashed(key, run_id) // 2**32 * count // 2**32


@pytest.mark.parametrize("pattern", [b"%d", b"a word of %d", b"/a/rather/long/path/that/ends/with/%d"])
def test_keys_are_shared_evenly(pattern: bytes) -> None:
    for run_id in ("one", "another"):
        shards = Shards("key", 16, run_id)
        sizes = [0] * 16
        for number in range(16_000):
            sizes[shards.of_key(pattern % number)] += 1
        assert 850 < min(sizes) <= max(sizes) < 1150  # nearly five standard deviations


def test_keys_that_share_a_shard_of_one_run_do_not_in_another() -> None:
    """So nobody can write a text that fills one shard."""
    crowded = [
        key for key in map(str.encode, map(str, range(16_000))) if Shards("key", 16, "a").of_key(key) == 3
    ]
    assert len(crowded) > 800
    assert len({Shards("key", 16, "b").of_key(key) for key in crowded}) == 16


def test_shards_travel_as_they_are() -> None:
    for shards in (Shards("key", 7, "run"), HONEST.shards("run")):
        assert msgspec.json.decode(msgspec.json.encode(shards), type=Shards) == shards
    assert HONEST.shards("run") == Shards("part", len(PARITIES), "run")
    for wrong in (b'["key",0,"run"]', b'["key",1001,"run"]', b'["hour",1,"run"]', b'["key",1,"a/b"]'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(wrong, type=Shards)


class Options(msgspec.Struct, frozen=True):
    """Options of a job: one has a default."""

    zone: str
    top: int = 10
    share: float | None = None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"zone": "UTC", "tops": 3},
            "options: this job has no option 'tops': did you mean top? Its options are zone, top, share.",
        ),
        ({"zone": "UTC", "x": 3}, "options: this job has no option 'x': its options are zone, top, share."),
        (
            {"zone": "UTC", "share": float("nan")},
            "options: a number is not finite, so JSON cannot hold it.",
        ),
        ({"zone": 3}, "options: zone takes text, not 3."),
        ({}, "options: zone is missing: it takes text."),
    ],
)
def test_options_are_of_the_jobs_type(options: dict[str, Any], message: str) -> None:
    job = msgspec.structs.replace(HONEST, options=Options)
    assert job.read_options({"zone": "UTC"}) == Options("UTC", 10)
    with pytest.raises(InvalidRequest) as caught:
        job.read_options(options)
    assert str(caught.value) == message


def test_a_job_without_options_takes_none() -> None:
    with pytest.raises(InvalidRequest, match="this job has no option 'top': it has none"):
        HONEST.read_options({"top": 3})
