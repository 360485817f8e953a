"""Every job of the stack is right on its own input. A job with a stack of its own shares nothing."""

from pathlib import Path

import msgspec
import pytest

from fanfold.account.deployment import deploy_locally, find_deployment
from fanfold.jobs import client_job
from fanfold.local_aws.server import LocalAws
from lambda_src.job import names
from lambda_src.settings import DEFAULT_JOB
from tests.deployed import Stack
from tests.e2e.conftest import StackOf
from tests.e2e.roles import Role
from tests.stack.synthesized import FUNCTIONS


@pytest.mark.parametrize("job", sorted(names()))
def test_a_job_is_right_on_its_own_input(stack_of: StackOf, tmp_path: Path, job: str) -> None:
    stack = stack_of(job)
    generate = client_job(job).sample
    assert generate
    sample = generate(tmp_path, 2_000_000, 7, lambda _: None)
    files = [sample.path] if sample.path.is_file() else sorted(sample.path.iterdir())
    for file in files:
        stack.put(f"input/sample-{job}/{file.name}", file.read_bytes())
    summary = stack.run(prefix=f"input/sample-{job}/", max_concurrency=4)
    assert sample.wrong(summary) == []
    # Read back from the table, and by the job that the run began with.
    again, failed = stack._replace(job=DEFAULT_JOB).invoke(
        {"prefix": f"input/sample-{job}/", "run_id": summary["run_id"]}
    )
    assert not failed, again
    assert again == summary


def test_a_job_with_a_stack_of_its_own_shares_nothing(stack: Stack, local: LocalAws, tmp_path: Path) -> None:
    deploy_locally(local, tmp_path, "access_log")
    own = stack._replace(deployment=find_deployment(stack.aws, "access_log"))
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
