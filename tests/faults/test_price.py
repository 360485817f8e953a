"""What a run says that it used is what passed the proxy."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from lambda_src.aws.dynamodb import from_attribute
from tests.faults.faulty import Faulty
from tests.faults.proxy import THROTTLED, Call, often


@pytest.mark.parametrize(
    ("throttled_share", "shards"),
    [(0.0, {"shard_by": "part"}), (0.3, {"shard_by": "part"}), (0.3, {"shard_by": "key", "shards": 4})],
)
def test_requests_are_those_that_passed(
    faulty: Faulty, throttled_share: float, shards: dict[str, Any]
) -> None:
    faulty.proxy.decide = often(throttled_share, THROTTLED, faulty.is_function("parse_block"))
    event = faulty.event(**shards)
    faulty.must_be_exact(f"429 of Lambda, {throttled_share:.0%} of parse_block, and its price", event)
    faulty.proxy.wait_until_idle()
    of_method = {"PUT": "s3_puts", "GET": "s3_gets", "HEAD": "s3_gets", "POST": "s3_deletes"}
    passed = Counter(
        of_method[call.method] if call.service == "s3" else call.service for call in faulty.proxy.calls
    )
    assert passed["s3_deletes"] == 1  # of the blobs, once the run has answered; free of charge
    record, _ = faulty.stack.results(event["run_id"])
    assert record is not None
    calls = faulty.stack.trace(event["run_id"]).calls
    # Copies of stragglers that were still running when the run ended: their requests are unknown.
    unknown = Counter(call.function for call in calls if call.usage is None and call.outcome != "throttled")
    assert unknown.total() <= record.calls["copies"]
    for item in ("s3_puts", "s3_gets"):
        assert record.used[item] == passed[item] or (unknown and record.used[item] < passed[item])
    of_table = sum(
        call.usage.requests.get("table_reads", 0) + call.usage.requests.get("table_writes", 0)
        for call in calls
        if call.usage
    )
    after_trace = sum(map(stores_a_logged_run, faulty.proxy.calls))
    assert after_trace >= 1
    # A reducer of a part makes one request to the table, others make none.
    by_part = shards["shard_by"] == "part"
    assert 0 <= passed["dynamodb"] - after_trace - of_table <= unknown["get_occurrences"] * by_part
    # Each part is written in a transaction of its own with the condition on the record, or all are in one.
    assert 20 * (4 if by_part else 2) < record.used["table_write_units"] < 400
    assert record.used["table_read_units"] > 0
    throttled = record.calls["throttled"]
    assert (throttled > 0) == (throttled_share > 0)
    assert 0 <= faulty.proxy.injected - throttled <= unknown["parse_block"]
    assert record.used["invocations"] == passed["lambda"] - throttled + 1  # the proxy saw not parse_file's
    assert sum(call.outcome == "throttled" for call in calls) == throttled


def stores_a_logged_run(call: Call) -> bool:
    """Whether it stores the record of a run whose last stage is over: the final one, or one that renews the
    lease while the trace is stored. The trace cannot contain either."""
    if call.target != "PutItem":
        return False
    seconds = from_attribute(msgspec.json.decode(call.body)["Item"]["seconds"])
    return "log" in seconds
