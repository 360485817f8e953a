"""What CloudWatch holds of a run."""

import time
from typing import Any

import msgspec

from tests.deployed import Stack


def lines_of(stack: Stack, run_id: str) -> list[dict[str, Any]]:
    """What log_results has logged of a run."""
    events = stack.aws.client("logs").filter_log_events(
        logGroupName=stack.deployment.log_results_log_group, filterPattern=f'"{run_id}"'
    )["events"]
    lines = [msgspec.json.decode(event["message"]) for event in events if event["message"].startswith("{")]
    return [line for line in lines if line["run_id"] == run_id]


def test_a_line_a_length_and_a_summary(stack: Stack) -> None:
    summary = stack.run(stack.put("input/logged", "to be or not to be, größte".encode()))
    deadline = time.monotonic() + 60
    lines = lines_of(stack, summary["run_id"])
    while not any(line["event"] == "summary" for line in lines):  # logs arrive after the answer
        assert time.monotonic() < deadline
        time.sleep(0.1)
        lines = lines_of(stack, summary["run_id"])

    tops = {line["length"]: line for line in lines if line["event"] == "top_words"}
    assert sorted(tops) == list(range(1, 21))
    assert tops[2]["top_words"] == [
        {"word": "be", "count": 2},
        {"word": "to", "count": 2},
        {"word": "or", "count": 1},
    ]
    assert tops[2]["words"] == 5
    assert tops[6]["top_words"] == [{"word": "größte", "count": 1}]
    (line,) = (line for line in lines if line["event"] == "summary")
    assert (line["job"], line["words"], line["bytes"], line["key"]) == (
        "top_words",
        7,
        summary["bytes"],
        "input/logged",
    )
    assert 0 < line["dollars"] <= summary["dollars"]


def test_log_groups_are_the_stack_s_and_expire(stack: Stack) -> None:
    groups = stack.aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws")["logGroups"]
    ours = [group for group in groups if "/Fanfold/" in group["logGroupName"]]
    assert len(ours) == 5
    assert {group["retentionInDays"] for group in ours} == {30}
