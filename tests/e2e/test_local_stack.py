"""A local AWS that stays, with the real stack in it: what is deployed and stored outlives `fanfold down`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fanfold.account.connection import account_of
from fanfold.local_aws.assembly import assembled
from fanfold.local_aws.state import LocalStack, down, find_running, up
from fanfold.runs.run import start
from lambda_src.wire.requests import ParseFileRequest
from tests import oracle
from tests.deployed import Stack
from tests.e2e.roles import Role
from tests.processes import processes_of
from tests.stack.synthesized import FUNCTIONS

TEXT = "naïve naïve — don’t, ΟΔΟΣ".encode()


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("state")
    folder.chmod(0o700)
    yield folder
    down(delete_data=True, state=folder)
    assert processes_of(folder) == []


def deployed(up: LocalStack) -> Stack:
    return Stack(up.aws, account_of(up.aws.environment), up.deployments["Fanfold"])


def run(stack: Stack, run_id: str) -> Any:
    request = ParseFileRequest(key=stack.put("input/text.txt", TEXT), run_id=run_id, block_bytes=7)
    return start(stack.aws, stack.deployment, request).follow().summary


def as_deployed(stack: Stack) -> list[Any]:
    """What AWS says of the stack's resources, but for what changes by itself."""

    def ask(service: str, operation: str, **arguments: Any) -> Any:
        answer = getattr(stack.aws.client(service), operation)(**arguments)
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    found, bucket = [], stack.deployment.bucket
    for resource in ask("cloudformation", "list_stack_resources", StackName="Fanfold")[
        "StackResourceSummaries"
    ]:
        found.append(
            (resource["LogicalResourceId"], resource["PhysicalResourceId"], resource["ResourceStatus"])
        )
        if resource["ResourceType"] == "AWS::IAM::Role":
            role = resource["PhysicalResourceId"]
            policies = ask("iam", "list_role_policies", RoleName=role)["PolicyNames"]
            found += [ask("iam", "get_role_policy", RoleName=role, PolicyName=name) for name in policies]
        elif resource["ResourceType"] == "AWS::Lambda::Function":
            function = resource["PhysicalResourceId"]
            configuration = ask("lambda", "get_function", FunctionName=function)["Configuration"]
            found += [
                configuration[name] for name in ("CodeSha256", "Environment", "Timeout", "Layers", "Role")
            ]
            found.append(ask("lambda", "get_function_recursion_config", FunctionName=function))
    function, table = stack.deployment.parse_file, stack.deployment.table
    invocation = ask("lambda", "list_function_event_invoke_configs", FunctionName=function)
    assert invocation["FunctionEventInvokeConfigs"][0]["MaximumRetryAttempts"] == 0
    return [
        *found,
        invocation,
        ask("s3", "get_bucket_policy", Bucket=bucket),
        ask("s3", "get_public_access_block", Bucket=bucket),
        ask("s3", "get_bucket_encryption", Bucket=bucket),
        ask("dynamodb", "describe_table", TableName=table)["Table"]["KeySchema"],
        ask("dynamodb", "describe_continuous_backups", TableName=table),
    ]


def test_a_run_goes_through_it_and_is_there_after_it_was_down(state: Path, tmp_path: Path) -> None:
    told: list[str] = []
    first = up(None, told.append, state=state)
    stack = deployed(first)
    summary = run(stack, "before")
    assert summary["top_words"] == oracle.top_words(oracle.count_words(TEXT))
    before = as_deployed(stack)
    assert find_running(state=state) == first
    assert up(None, told.append, state=state) == first
    assert len(told) == 2
    assert down(delete_data=False, state=state)
    assert processes_of(state) == []

    again = deployed(up(None, told.append, state=state))
    assert len(told) == 3
    assert as_deployed(again) == before
    assert run(again, "before") == summary  # it answers from the table
    assert run(again, "after")["top_words"] == summary["top_words"]
    # The CDK finds nothing to do, either; and what was synthesized before is not synthesized again.
    with assembled({}, tmp_path, None) as written:
        assert written()
    assert list(tmp_path.iterdir()) == []


def test_a_job_with_a_stack_of_its_own_shares_nothing(state: Path) -> None:
    both = up("access_log", print, state=state)
    stack = deployed(both)
    own = stack._replace(deployment=both.deployments["Fanfold-access-log"])
    assert run(stack, "beside")["words"] == 5
    answer = own.run(own.put("input/log", b""))  # which need not name it
    assert "hours" in answer
    assert own.fail({"job": "top_words", "key": "input/log"})[0].startswith(
        "job: this stack has no job 'top_words': its jobs are access_log."
    )
    for one, other in ((stack, own), (own, stack)):
        assert not names_of(one) & names_of(other)
        for function in FUNCTIONS:
            granted = {resource for _, resource in Role(one, function).grants()}
            assert not any(of_other(other, resource) for resource in granted)


def names_of(stack: Stack) -> set[str]:
    """What CloudFormation has called the stack's bucket, table, functions and log group."""
    outputs = msgspec.structs.asdict(stack.deployment)
    return {
        name
        for field, name in outputs.items()
        if field not in ("stack", "jobs", "own_jobs", "source_bucket", "requester_pays")
    }


def of_other(stack: Stack, resource: str) -> bool:
    """Whether an ARN names something of ``stack``."""
    return any(name in resource for name in names_of(stack))
