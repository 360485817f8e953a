"""A run that reuses what earlier runs have mapped, in the deployed stack."""

from typing import Any

from tests import oracle
from tests.deployed import Stack

PREFIX = "input/reused/"


def put_day(stack: Stack, day: int) -> bytes:
    text = f"day {day} of words\n".encode() * 50
    stack.put(f"{PREFIX}11-{day:02}.log", text)
    return text


def test_a_new_day_is_mapped_and_the_others_are_not(stack: Stack) -> None:
    """Blobs and families are stored and read under grants of their own; a blob that is gone is mapped
    again."""
    texts = [put_day(stack, day) for day in range(1, 7)]
    asked: dict[str, Any] = {
        "prefix": PREFIX,
        "reuse_days": 30,
        "block_bytes": 2000,
        "shard_by": "key",
        "shards": 3,
    }
    first = stack.run(**asked)
    assert first["blocks_reused"] == 0
    texts.append(put_day(stack, 7))
    second = stack.run(**asked)
    assert 0 < second["blocks_reused"] < second["blocks"]
    assert second["bytes_reused"] >= second["bytes"] - len(texts[-1]) - 2000
    trace = stack.trace(second["run_id"])
    mapped = sum(call.function == "parse_block" for call in trace.calls)
    assert mapped == second["blocks"] - second["blocks_reused"]

    blobs = [block.blob for block in stack.manifest(second["run_id"]).blocks]
    stack.aws.client("s3").delete_object(Bucket=stack.deployment.bucket, Key=blobs[0])
    third = stack.run(**asked)
    expected = oracle.top_words(oracle.count_words(b"".join(texts)))
    assert second["top_words"] == third["top_words"] == expected
    assert [block.blob for block in stack.manifest(third["run_id"]).blocks] == blobs
    assert stack.run(**asked)["blocks_reused"] == second["blocks"]
