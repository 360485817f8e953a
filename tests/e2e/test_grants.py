"""Every grant is needed, and enforced: without it the run fails and says what was denied."""

import pytest

from tests.deployed import Stack
from tests.e2e.roles import Role, matches

GRANTS = [
    ("ParseFile", "s3:GetObject", "input/*"),
    ("ParseFile", "s3:PutObject", "runs/*"),
    ("ParseFile", "dynamodb:GetItem", "Results"),
    ("ParseFile", "dynamodb:PutItem", "Results"),
    ("ParseFile", "dynamodb:Query", "Results"),
    ("ParseFile", "lambda:InvokeFunction", "ParseBlock"),
    ("ParseFile", "lambda:InvokeFunction", "GetAllOccurrences"),
    ("ParseFile", "lambda:InvokeFunction", "LogResults"),
    ("ParseBlock", "s3:GetObject", "input/*"),
    ("ParseBlock", "s3:PutObject", "blobs/*"),
    ("GetAllOccurrences", "lambda:InvokeFunction", "GetOccurrences"),
    ("GetOccurrences", "s3:GetObject", "blobs/*"),
    ("GetOccurrences", "dynamodb:ConditionCheckItem", "Results"),
    ("GetOccurrences", "dynamodb:PutItem", "Results"),
    ("LogResults", "dynamodb:Query", "Results"),
]
"""Function, action, and what the resource's ARN tells it by. Writing logs is not enforced locally."""

BY_KEY = [
    ("GetAllOccurrences", "dynamodb:ConditionCheckItem", "Results"),
    ("GetAllOccurrences", "dynamodb:PutItem", "Results"),
]
"""What a run needs whose reducers have some of the keys."""

NEEDED_LATER = [
    ("ParseFile", "s3:GetObjectVersion", "input/*"),
    ("ParseBlock", "s3:GetObjectVersion", "input/*"),
    ("ParseFile", "dynamodb:ConditionCheckItem", "Results"),
    ("ParseFile", "dynamodb:DeleteItem", "Results"),
    ("ParseFile", "s3:GetObject", "blobs/*"),
    ("ParseFile", "s3:DeleteObject", "blobs/*"),
    ("ParseFile", "s3:GetObject", "runs/*"),
    ("ParseFile", "s3:GetObject", "reused/*"),
    ("ParseFile", "s3:GetObject", "families/*"),
    ("ParseFile", "s3:PutObject", "families/*"),
    ("ParseFile", "lambda:InvokeFunction", "ParseFile"),
    ("ParseFile", "lambda:InvokeFunction", "GetOccurrences"),
    ("ParseFile", "s3:ListBucket", "Bucket"),
    ("ParseFile", "sqs:SendMessage", "DroppedEvents"),
    ("ParseBlock", "s3:GetObject", "runs/*"),
    ("ParseBlock", "s3:PutObject", "reused/*"),
    ("ParseBlock", "s3:PutObject", "pieces/*"),
    ("GetOccurrences", "s3:GetObject", "runs/*"),
    ("GetOccurrences", "s3:GetObject", "reused/*"),
    ("GetOccurrences", "s3:PutObject", "results/*"),
]
"""What a run needs that is asked for again, resumed or handed over (test_resume.py), has room for only two
Lambdas (tests/faults), reads many objects (test_inputs.py) or a versioned bucket, is never started
(test_refusals.py), tidies up (test_resume.py), reuses blocks (test_reuse.py), stores pieces, keeps
complete sums, or has more blocks than fit into requests."""


@pytest.mark.parametrize(("function", "action", "told_by"), [*GRANTS, *BY_KEY])
def test_without_a_grant_the_run_is_denied(stack: Stack, function: str, action: str, told_by: str) -> None:
    key = stack.put("input/grants", b"some words")
    by = "key" if (function, action, told_by) in BY_KEY else "part"
    with Role(stack, function).without(action, told_by):
        answer, failed = stack.invoke({"key": key, "shard_by": by})
    assert failed, answer
    assert "AccessDenied" in answer["errorMessage"]
    assert stack.run(key)["words"] == 2


def test_the_list_of_grants_is_complete(stack: Stack) -> None:
    grants = [*GRANTS, *BY_KEY, *NEEDED_LATER]
    for function in {function for function, _, _ in grants}:
        listed = [(action, told_by) for name, action, told_by in grants if name == function]
        granted = [grant for grant in Role(stack, function).grants() if not grant[0].startswith("logs:")]
        assert len(granted) == len(listed), granted
        for action, told_by in listed:
            assert any(a == action and matches(r, told_by) for a, r in granted), (action, told_by)
