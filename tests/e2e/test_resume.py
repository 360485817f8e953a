"""Runs that are asked for again."""

from typing import Any

import pytest

from lambda_src.wire.requests import new_run_id
from tests.deployed import Stack
from tests.e2e.roles import Role

TEXT = b"some words and some more of them, once more\n" * 3000


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    return stack.put("input/resume", TEXT)


def event(key: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "run_id": new_run_id(), "block_bytes": 2000, "max_concurrency": 2, **more}


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


def blobs_of(stack: Stack, run_id: str) -> int:
    pages = stack.aws.client("s3").get_paginator("list_objects_v2")
    return sum(
        f"/{run_id}/" in found["Key"]
        for page in pages.paginate(Bucket=stack.deployment.bucket, Prefix="blobs/")
        for found in page.get("Contents", [])
    )


def test_what_has_succeeded_leaves_no_blobs(stack: Stack, key: str) -> None:
    """Without the grant they stay, until they expire."""
    answer = stack.run(**event(key))
    assert blobs_of(stack, answer["run_id"]) == 0
    assert len(stack.manifest(answer["run_id"]).blocks) == answer["blocks"] > 10
    with Role(stack, "ParseFile").without("s3:DeleteObject", "blobs/*"):
        answer = stack.run(**event(key))
    assert blobs_of(stack, answer["run_id"]) == answer["blocks"]


def test_a_run_that_costs_more_than_it_may_is_cancelled(stack: Stack, key: str) -> None:
    request = event(key, max_dollars=1e-7)
    answer, failed = stack.invoke(request)
    assert failed
    assert "max_dollars: the run has cost $" in answer["errorMessage"]
    record, parts = stack.results(request["run_id"])
    assert record is not None
    assert (record.status, record.error.partition(":")[0]) == ("CANCELLED", "BudgetExceeded")
    assert parts == []
    again, failed = stack.invoke(request)
    assert failed
    assert "resume it with a higher one" in again["errorMessage"]
    assert stack.run(**{**request, "max_dollars": 1.0})["blocks"] == record.blocks
