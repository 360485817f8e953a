"""What a run says that it used is what passed the proxy."""

from collections import Counter

import pytest

from tests.faults.faulty import Faulty
from tests.faults.proxy import THROTTLED, often


@pytest.mark.parametrize("throttled_share", [0.0, 0.3])
def test_requests_are_those_that_passed(faulty: Faulty, throttled_share: float) -> None:
    faulty.proxy.decide = often(throttled_share, THROTTLED, faulty.is_function("parse_block"))
    event = faulty.event()
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
    unknown = sum(call.usage is None and call.outcome != "throttled" for call in calls)
    assert unknown <= record.calls["copies"]  # of stragglers on a busy machine that nobody waited for
    for item in ("s3_puts", "s3_gets"):
        assert record.used[item] == passed[item] or (unknown and record.used[item] < passed[item])
    of_table = sum(
        call.usage.requests.get("table_reads", 0) + call.usage.requests.get("table_writes", 0)
        for call in calls
        if call.usage
    )
    # The books are closed before the record, which holds them, is written for the last time.
    assert of_table == passed["dynamodb"] - 1
    assert 20 * 4 < record.used["table_write_units"] < 400  # each part is written in a transaction
    assert record.used["table_read_units"] > 0
    throttled = faulty.proxy.injected
    assert (throttled > 0) == (throttled_share > 0)
    assert record.used["invocations"] == passed["lambda"] - throttled + 1  # the proxy saw not parse_file's
    assert record.calls["throttled"] == throttled
    assert sum(call.outcome == "throttled" for call in calls) == throttled
