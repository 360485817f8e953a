"""Bad input: one sentence, a failed record, no top words."""

import gzip
from itertools import product
from typing import Any

import msgspec
import pytest

from lambda_src.settings import stack_name
from tests.deployed import Stack


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ({"key": "input/none"}, "input/none does not exist: check bucket and key, or upload it."),
        ({"key": "elsewhere/text"}, "key: the inputs in "),
        ({"key": "input/" + "é" * 510}, "key: it has 1026 bytes in UTF-8, S3 allows 1024"),
        ({"key": "input/text", "bucket": "not-ours"}, "deploy with -c source_bucket=not-ours"),
        ({"key": "input/text", "blok_bytes": 5}, "unknown field `blok_bytes`"),
        ({"key": 5}, "Expected `str | null`, got `int` - at `$.key`"),
        ({"key": "input/text", "block_bytes": 0}, "Expected `int` >= 1 - at `$.block_bytes`"),
        ({"key": "input/text", "block_bytes": -1}, "Expected `int` >= 1 - at `$.block_bytes`"),
        ({"key": "input/text", "max_concurrency": 0}, "Expected `int` >= 1 - at `$.max_concurrency`"),
        ({}, "key, prefix: name one of them"),
        ({"key": "input/a", "prefix": "input/"}, "key, prefix: name one of them"),
        ({"prefix": "blobs/"}, "prefix: the inputs in "),
        ({"prefix": "input/none"}, "check bucket and prefix, or upload one."),
    ],
)
def test_a_wrong_request_is_one_sentence(stack: Stack, event: dict[str, Any], sentence: str) -> None:
    message, run_id = stack.fail(event)
    assert sentence in message
    assert message.endswith(f"(run {run_id})")
    assert "\n" not in message
    assert "Traceback" not in message


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("zip", b"PK\x03\x04"),
        ("Parquet", b"PAR1columns" + (7).to_bytes(4, "little") + b"PAR1"),
        ("UTF-16", "words".encode("utf-16")),
    ],
)
def test_what_is_no_text_is_refused_before_any_block_is_paid_for(
    stack: Stack, name: str, data: bytes
) -> None:
    message, run_id = stack.fail({"key": stack.put("input/data", data)})
    assert f"is {name}, not UTF-8 text" in message
    record, _ = stack.results(run_id)
    assert record is not None
    assert record.blocks == 0


def test_a_text_without_an_ascii_byte_is_counted(stack: Stack) -> None:
    text = "海内存知己，天涯若比邻。" * 40_000
    summary = stack.run(stack.put("input/poem", text.encode()), block_bytes=300_000)
    assert (summary["words"], summary["blocks"]) == (80_000, 5)


def test_a_token_without_end_is_refused_by_its_offset(stack: Stack) -> None:
    message, _ = stack.fail({"key": stack.put("input/run", b"words " + b"a" * 2_000_000)})
    assert "The token at byte 6 of input/run is longer than 1,048,576 bytes" in message


def test_an_event_that_came_to_nothing_is_kept_with_its_reason(stack: Stack) -> None:
    """A start that is not waited for, as a schedule makes it."""
    request = {"key": "elsewhere/text", "run_id": "dropped"}
    stack.aws.client("lambda").invoke(
        FunctionName=stack.deployment.parse_file,
        InvocationType="Event",
        Payload=msgspec.json.encode(request),
    )
    described = stack.aws.client("cloudformation").describe_stacks(StackName=stack_name())
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Stacks"][0]["Outputs"]}
    told: dict[str, Any] = {"requestPayload": None}
    while told["requestPayload"] != request:  # events of other tests may be there, too
        (message,) = stack.aws.client("sqs").receive_message(
            QueueUrl=outputs["DroppedEventsQueue"], WaitTimeSeconds=20, MaxNumberOfMessages=1
        )["Messages"]
        told = msgspec.json.decode(message["Body"])
    assert "key: the inputs in " in str(told["responsePayload"])


def test_a_block_that_needs_more_memory_than_its_function_has_is_refused_with_advice(stack: Stack) -> None:
    """As on Lambda, which kills the function."""
    functions, name = stack.aws.client("lambda"), stack.deployment.parse_block
    memory_mb = functions.get_function_configuration(FunctionName=name)["MemorySize"]
    key = stack.put(
        "input/packed", gzip.compress(b" ".join(map(bytes, product(b"abcdefghijklmnopq", repeat=5))), 1)
    )
    functions.update_function_configuration(FunctionName=name, MemorySize=128)
    try:
        message, _ = stack.fail({"key": key})
    finally:
        functions.update_function_configuration(FunctionName=name, MemorySize=memory_mb)
    assert f"{name} was killed because it needed more memory than it has (Runtime.OutOfMemory)" in message
    assert "input/packed is gzip, which is always one block: upload it unpacked, or in several obj" in message
