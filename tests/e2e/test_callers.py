"""Who has the policy of docs/security.md may start and watch runs, and nothing that could bend an answer."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from fanfold.account.connection import account_of
from fanfold.account.deployment import find_deployment
from fanfold.checkout import ROOT
from fanfold.local_aws.server import ACCOUNT, REGION
from lambda_src.store.keys import RUNS_INDEX
from tests.deployed import Stack


def documented_policy(stack: Stack) -> str:
    """The policy as the docs write it, for this stack."""
    policy: str
    (policy,) = re.findall(
        r"```json\n(.*?)```", (ROOT / "docs" / "security.md").read_text("utf-8"), re.DOTALL
    )
    for name, value in {
        "REGION": REGION,
        "ACCOUNT": ACCOUNT,
        "PARSE_FILE": stack.deployment.parse_file,
        "TABLE": stack.deployment.table,
    }.items():
        policy = policy.replace(name, value)
    return policy


@pytest.fixture(scope="module")
def caller(stack: Stack) -> Iterator[Stack]:
    """The stack, as a person sees it who has that policy and nothing else."""
    iam = stack.aws.client("iam")
    iam.create_user(UserName="caller")
    iam.put_user_policy(UserName="caller", PolicyName="caller", PolicyDocument=documented_policy(stack))
    key = iam.create_access_key(UserName="caller")["AccessKey"]
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    aws = account_of({**stack.local.environment, **keys})
    yield Stack(stack.local, aws, find_deployment(aws))
    iam.delete_access_key(UserName="caller", AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName="caller", PolicyName="caller")
    iam.delete_user(UserName="caller")


def test_a_caller_starts_and_watches_runs(stack: Stack, caller: Stack) -> None:
    answer = caller.run(stack.put("input/called", b"to be or not to be"))
    record, parts = caller.results(answer["run_id"])
    assert record is not None
    assert record.status == "SUCCEEDED"
    assert parts
    newest = caller.aws.client("dynamodb").query(
        TableName=caller.deployment.table,
        IndexName=RUNS_INDEX,
        KeyConditionExpression="#item = :run",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={":run": {"S": "run"}},
    )
    assert answer["run_id"] in {item["run_id"]["S"] for item in newest["Items"]}


@pytest.mark.parametrize(
    ("service", "operation", "request_"),
    [
        ("lambda", "invoke", {"FunctionName": "parse_block", "Payload": b"{}"}),
        ("lambda", "invoke", {"FunctionName": "get_occurrences", "Payload": b"{}"}),
        ("s3", "put_object", {"Bucket": "bucket", "Key": "blobs/0000/x", "Body": b""}),
        ("s3", "get_object", {"Bucket": "bucket", "Key": "input/called"}),
        (
            "dynamodb",
            "delete_item",
            {"TableName": "table", "Key": {"run_id": {"S": "x"}, "item": {"S": "run"}}},
        ),
    ],
)
def test_a_caller_does_nothing_else(
    caller: Stack, service: str, operation: str, request_: dict[str, Any]
) -> None:
    names = msgspec.structs.asdict(caller.deployment)
    request = {
        name: names.get(value, value) if isinstance(value, str) else value for name, value in request_.items()
    }
    with pytest.raises(ClientError, match="AccessDenied"):
        getattr(caller.aws.client(service), operation)(**request)
