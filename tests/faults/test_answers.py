"""What must end FAILED, by name, with no top words: never a result that only looks whole."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from lambda_src.store.keys import blob_key
from tests.faults.cases import BLOCK_BYTES, KEY
from tests.faults.faulty import Faulty
from tests.faults.proxy import INTERNAL, Answer, Call, Fault, Stall, tamper_json


def once(matches: Callable[[Call], bool], do: Callable[[], None]) -> Callable[[Call], Fault | None]:
    """Do something just before the first call that matches goes on."""
    state = {"done": False}

    def decide(call: Call) -> Fault | None:
        if matches(call) and not state["done"]:
            state["done"] = True
            do()
            return Stall(0.0)  # to be counted as injected
        return None

    return decide


def bucket(faulty: Faulty) -> str:
    return faulty.stack.deployment.bucket


def s3(faulty: Faulty) -> Any:
    return faulty.stack.aws.client("s3")


def is_read_of_block(call: Call, block: int) -> bool:
    """Whether it begins where that block does, or a few bytes before: to see whether a word is cut there."""
    begin = call.range.removeprefix("bytes=").partition("-")[0]
    return call.target == KEY and begin.isdecimal() and 0 <= block * BLOCK_BYTES - int(begin) <= 8


def at_the_tenth_read(call: Call, reads: list[Call]) -> bool:
    """In the middle of the map stage."""
    if call.service == "s3" and call.target == KEY and call.method == "GET":
        reads.append(call)
    return len(reads) == 10


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("replaced", "was replaced while the run read it"),
        ("deleted", "does not exist"),
        ("truncated", "was replaced while the run read it"),
    ],
)
def test_an_input_that_changes_fails_the_run_by_name(faulty: Faulty, change: str, named: str) -> None:
    def do() -> None:
        if change == "deleted":
            s3(faulty).delete_object(Bucket=bucket(faulty), Key=KEY)
        else:
            text = faulty.case.objects[KEY]
            faulty.stack.put(KEY, text[:-1] if change == "truncated" else text.upper())

    reads: list[Call] = []
    faulty.proxy.decide = once(lambda call: at_the_tenth_read(call, reads), do)
    event = faulty.event()
    faulty.must_fail(f"Input {change} in the middle", event, KEY, named)
    record, _ = faulty.stack.results(event["run_id"])
    assert record is not None
    assert record.failures
    assert "block " in record.failures[0]
    assert "bytes " in record.failures[0]


def test_a_poisoned_block_is_named(faulty: Faulty) -> None:
    poisoned = 7 * BLOCK_BYTES
    faulty.proxy.decide = lambda call: INTERNAL if is_read_of_block(call, 7) else None
    faulty.must_fail(
        "A block that cannot be read", faulty.event(), f"block 7 (bytes {poisoned} to", "S3 did not serve"
    )


def test_a_function_that_always_times_out_is_named(faulty: Faulty) -> None:
    client = faulty.stack.aws.client("lambda")
    function = faulty.stack.deployment.parse_block
    before = client.get_function_configuration(FunctionName=function)["Timeout"]
    faulty.proxy.decide = lambda call: Stall(4.0) if call.target == KEY and call.method == "GET" else None
    client.update_function_configuration(FunctionName=function, Timeout=1)
    try:
        event = faulty.event(block_bytes=10 * BLOCK_BYTES, max_concurrency=2)
        # The stalled look at the input's first bytes is parse_file's and passes.
        faulty.must_fail("parse_block always times out", event, "block 0 (", "Task timed out after 1")
    finally:
        client.update_function_configuration(FunctionName=function, Timeout=before)


@pytest.mark.parametrize(("operation", "recorded"), [("TransactWriteItems", True), ("PutItem", False)])
def test_a_table_that_refuses_writes_fails_the_run(faulty: Faulty, operation: str, recorded: bool) -> None:
    refused = Answer(
        400, b'{"__type":"com.amazonaws.dynamodb.v20120810#ValidationException","message":"no writes"}', {}
    )
    faulty.proxy.decide = lambda call: refused if call.target == operation else None
    faulty.must_fail(
        f"DynamoDB refuses {operation}", faulty.event(), "DynamoDB refused", "no writes", recorded=recorded
    )


def test_a_deleted_blob_fails_the_run(faulty: Faulty) -> None:
    event = faulty.event()

    def delete() -> None:
        s3(faulty).delete_object(Bucket=bucket(faulty), Key=blob_key(event["run_id"], 5))

    faulty.proxy.decide = once(faulty.is_function("get_all_occurrences"), delete)
    faulty.must_fail("A blob deleted before the reducers", event, "BlobDamaged", "000005.jsonl is missing")


def test_a_cut_blob_fails_the_run(faulty: Faulty) -> None:
    event = faulty.event()

    def cut() -> None:
        key = blob_key(event["run_id"], 5)
        body = s3(faulty).get_object(Bucket=bucket(faulty), Key=key)["Body"].read()
        s3(faulty).put_object(Bucket=bucket(faulty), Key=key, Body=body[: len(body) // 2])

    faulty.proxy.decide = once(faulty.is_function("get_all_occurrences"), cut)
    faulty.must_fail("A blob cut before the reducers", event, "BlobDamaged", "000005.jsonl ends before byte")


def test_a_digit_changed_in_one_shard_fails_the_run_and_its_block_alone_is_mapped_again(
    faulty: Faulty,
) -> None:
    event = faulty.event(shard_by="key", shards=3)

    def change() -> None:
        key = blob_key(event["run_id"], 5)
        body = s3(faulty).get_object(Bucket=bucket(faulty), Key=key)["Body"].read()
        at = body.rindex(b'":1') + 2  # in the last shard
        s3(faulty).put_object(Bucket=bucket(faulty), Key=key, Body=body[:at] + b"2" + body[at + 1 :])

    faulty.proxy.decide = once(faulty.is_function("get_all_occurrences"), change)
    faulty.must_fail("A digit of one shard changed", event, "BlobDamaged", "000005.jsonl was changed: its")
    faulty.proxy.decide = lambda _: None
    before = len(faulty.proxy.calls)
    faulty.must_be_exact("A digit of one shard changed, then resumed", event)
    assert faulty.proxy.blocks_stored_since(before) == 1


def test_one_word_miscounted_in_one_blob_fails_the_run(faulty: Faulty) -> None:
    event = faulty.event()

    def miscount() -> None:
        key = blob_key(event["run_id"], 5)
        body = s3(faulty).get_object(Bucket=bucket(faulty), Key=key)["Body"].read()
        header, *lines = body.splitlines()
        counts = msgspec.json.decode(lines[3])
        word = next(word for word, count in counts.items() if 1 < count < 9)
        counts[word] -= 1
        lines[3] = msgspec.json.encode(counts)
        s3(faulty).put_object(
            Bucket=bucket(faulty), Key=key, Body=b"".join(line + b"\n" for line in (header, *lines))
        )

    faulty.proxy.decide = once(faulty.is_function("get_all_occurrences"), miscount)
    faulty.must_fail(
        "One word miscounted in one blob", event, "BlobDamaged", "000005.jsonl was changed: its bytes"
    )


@pytest.mark.parametrize(
    ("field", "change", "named"),
    [
        ("blobs_read", lambda blobs: blobs - 1, "read 20 of 21 blobs"),
        ("observations", lambda words: words + 1, ", but its reducer counted"),
        ("lines_read", lambda lines: f"1{lines}", "are not those of the blocks"),
    ],
)
def test_a_reducer_that_tells_something_else_fails_the_run(
    faulty: Faulty, field: str, change: Callable[[Any], Any], named: str
) -> None:
    """Conservation is no decoration."""
    fault = tamper_json(**{field: change})
    faulty.proxy.decide = lambda call: fault if faulty.is_function("get_occurrences")(call) else None
    faulty.must_fail(f"Reducers tell of other {field}", faulty.event(), "ConservationBroken", named)


@pytest.mark.parametrize(
    ("name", "change", "named"),
    [
        ("overlaps its neighbour", {"owned": lambda owned: [owned[0] - 1, *owned[1:]]}, "overlaps byte"),
        ("leaves a gap", {"owned": lambda owned: [owned[0] + 1, *owned[1:]]}, "leaves a gap"),
        (
            "is of another form",
            {"observations": lambda _: "many"},
            "answered something other than its report",
        ),
    ],
)
def test_a_block_with_a_wrong_answer_fails_the_run(
    faulty: Faulty, name: str, change: dict[str, Callable[[Any], Any]], named: str
) -> None:
    state = {"blocks": 0}

    def decide(call: Call) -> Fault | None:
        if not faulty.is_function("parse_block")(call):
            return None
        state["blocks"] += 1
        return tamper_json(**change) if state["blocks"] == 12 else None

    faulty.proxy.decide = decide
    faulty.must_fail(f"A block's answer {name}", faulty.event(), named)


def test_a_failed_run_can_be_resumed_once_the_fault_is_gone(faulty: Faulty) -> None:
    event = faulty.event()
    denied = Answer(403, b"<Error><Code>AccessDenied</Code></Error>", {})
    faulty.proxy.decide = lambda call: denied if is_read_of_block(call, 7) else None
    answer, failed = faulty.stack.invoke(event)
    assert failed
    assert "AccessDenied" in answer["errorMessage"]
    faulty.proxy.wait_until_idle()
    faulty.proxy.decide = lambda _: None
    before = len(faulty.proxy.calls)
    faulty.must_be_exact("A failed run resumed", event)
    parsed = faulty.proxy.blocks_stored_since(before)
    record, _ = faulty.stack.results(event["run_id"])
    assert record is not None
    assert record.blocks_kept > 0
    assert parsed == record.blocks - record.blocks_kept
