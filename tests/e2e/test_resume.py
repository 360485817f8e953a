"""Runs that are asked for again, handed over, cancelled, or at work already."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from client import runs
from lambda_src.lease import HANDOVER_S
from lambda_src.messages import RunRecord, new_run_id
from tests import oracle
from tests.deployed import Stack
from tests.e2e.roles import Role

TEXT = b"some words and some more of them, once more\n" * 3000


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    return stack.put("input/resume", TEXT)


def event(key: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "run_id": new_run_id(), "block_bytes": 2000, "max_concurrency": 2, **more}


@contextmanager
def timeout(stack: Stack, function: str, timeout_s: int) -> Iterator[None]:
    """Another time-out for a function."""
    client = stack.aws.client("lambda")
    before = client.get_function_configuration(FunctionName=function)["Timeout"]
    client.update_function_configuration(FunctionName=function, Timeout=timeout_s)
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=function, Timeout=before)


def wait_for(stack: Stack, run_id: str, *statuses: str) -> RunRecord:
    """The record as soon as it has one of ``statuses``."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        record, _ = stack.results(run_id)
        if record and record.status in statuses:
            return record
        time.sleep(0.1)
    raise AssertionError(f"{run_id} is not {statuses}: {record}")


def test_a_finished_run_answers_from_the_table(stack: Stack, key: str) -> None:
    request = event(key)
    first, _ = stack.invoke(request)
    again, failed = stack.invoke(request)
    assert not failed
    assert again == first


@pytest.mark.parametrize("action", ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem"])
def test_results_that_a_failed_run_has_left_cannot_stay_without_notice(
    stack: Stack, key: str, action: str
) -> None:
    request = event(key)
    denied = Role(stack, "ParseFile").without(action, "Results")
    with denied, Role(stack, "ParseFile").without("lambda:InvokeFunction", "LogResults"):
        _, failed = stack.invoke(request)
    assert failed
    with Role(stack, "ParseFile").without(action, "Results"):
        answer, failed = stack.invoke(request)
    assert failed
    assert "AccessDenied" in answer["errorMessage"]
    stack.run(**request)


def test_another_object_under_the_same_run_id_is_refused(stack: Stack, key: str) -> None:
    request = event(key)
    stack.invoke(request)
    answer, failed = stack.invoke({**request, "key": stack.put("input/other", b"x")})
    assert failed
    assert "it is the run of s3://" in answer["errorMessage"]
    record, lengths = stack.results(request["run_id"])
    assert record is not None
    assert record.status == "SUCCEEDED"
    assert len(lengths) == 20


def test_a_run_outlasts_its_invocation(stack: Stack, key: str) -> None:
    """parse_file hands over to a fresh invocation of itself, which keeps the blocks that are parsed."""
    request = event(key, block_bytes=300, max_concurrency=1)
    parse_file = stack.deployment.parse_file
    # The template says so, but the local AWS reads it only from here.
    stack.aws.client("lambda").put_function_recursion_config(FunctionName=parse_file, RecursiveLoop="Allow")
    with timeout(stack, parse_file, int(HANDOVER_S) + 15):
        answer, failed = stack.invoke(request)
        assert not failed, answer
        assert answer["status"] == "RUNNING"
        assert "top_words" not in answer
        record = wait_for(stack, request["run_id"], "SUCCEEDED", "FAILED")
    assert record.blocks_kept > 0
    if record.status == "FAILED":  # a busy machine does not reduce in 15 s, however often
        assert record.error.startswith("NoProgress: In stage reduce"), record.error
        assert record.blocks_kept == record.blocks
        stack.run(**request)
    summary = runs.follow(stack.aws, stack.deployment, request["run_id"], lambda _: None).summary
    expected = oracle.count_words(TEXT)
    assert summary["words"] == expected.total()
    assert summary["top_words"] == oracle.top_words(expected)


def test_handing_over_needs_its_grant(stack: Stack, key: str) -> None:
    with (
        timeout(stack, stack.deployment.parse_file, int(HANDOVER_S) + 2),
        Role(stack, "ParseFile").without("lambda:InvokeFunction", "ParseFile"),
    ):
        message, _ = stack.fail(event(key))
    assert "AccessDenied" in message


def test_keeping_blocks_needs_its_grant(stack: Stack, key: str) -> None:
    request = event(key)
    with Role(stack, "GetAllOccurrences").without("lambda:InvokeFunction", "GetOccurrences"):
        _, failed = stack.invoke(request)
    assert failed
    with Role(stack, "ParseFile").without("s3:GetObject", "blobs/*"):
        _, failed = stack.invoke(request)
    assert not failed
    record, _ = stack.results(request["run_id"])
    assert record is not None
    assert record.blocks_kept == 0  # parsed again, for they could not be seen


def test_of_two_invocations_at_once_one_is_told_so(stack: Stack, key: str) -> None:
    request = event(key)
    with ThreadPoolExecutor(2) as executor:
        answers = list(executor.map(stack.invoke, [request, request]))
    (refused,) = (answer for answer, failed in answers if failed)
    (summary,) = (answer for answer, failed in answers if not failed)
    assert "another invocation works on the run" in refused["errorMessage"]
    assert summary["words"] == oracle.count_words(TEXT).total()


def test_a_cancelled_run_stops_and_can_be_resumed(stack: Stack, key: str) -> None:
    request = event(key, max_concurrency=1)
    answers: list[tuple[dict[str, Any], bool]] = []
    running = threading.Thread(target=lambda: answers.append(stack.invoke(request)))
    running.start()
    while wait_for(stack, request["run_id"], "RUNNING").blocks_done == 0:
        assert running.is_alive()
    runs.cancel(stack.aws, stack.deployment, request["run_id"])
    running.join(60)
    ((answer, failed),) = answers
    assert failed
    assert "The run was cancelled." in answer["errorMessage"]
    record, lengths = stack.results(request["run_id"])
    assert record is not None
    assert record.status == "CANCELLED"
    assert record.blocks_done < record.blocks
    assert lengths == []
    with pytest.raises(runs.RunError, match=r"There is no run .* at work"):
        runs.cancel(stack.aws, stack.deployment, request["run_id"])

    summary, failed = stack.invoke({"key": key, "run_id": request["run_id"]})
    assert not failed
    assert summary["words"] == oracle.count_words(TEXT).total()
