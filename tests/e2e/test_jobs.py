"""Every job, deployed beside the others: each right on its own input, and none within reach of another."""

from itertools import combinations
from pathlib import Path

import msgspec
import pytest

from fanfold.jobs import client_job
from lambda_src.job import names
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
        stack.put(f"input/sample/{file.name}", file.read_bytes())
    summary = stack.run(prefix="input/sample/", max_concurrency=4)
    assert sample.wrong(summary) == []
    again = stack.run(prefix="input/sample/", run_id=summary["run_id"])
    assert again == summary  # read back from the table


def test_jobs_share_nothing(stack_of: StackOf) -> None:
    stacks = [stack_of(job) for job in sorted(names())]
    for one, other in combinations(stacks, 2):
        assert not names_of(one) & names_of(other)
        for function in FUNCTIONS:
            granted = {resource for _, resource in Role(one, function).grants()}
            assert not any(of_other(other, resource) for resource in granted)


def names_of(stack: Stack) -> set[str]:
    """What CloudFormation has called the stack's bucket, table, functions and log group."""
    outputs = msgspec.structs.asdict(stack.deployment)
    return {
        name for field, name in outputs.items() if field not in ("job", "source_bucket", "requester_pays")
    }


def of_other(stack: Stack, resource: str) -> bool:
    """Whether an ARN names something of ``stack``."""
    return any(name in resource for name in names_of(stack))
