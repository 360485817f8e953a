"""Every job of the stack is right on its own input."""

from pathlib import Path

import pytest

from fanfold.jobs import client_job
from lambda_src.job import names
from lambda_src.settings import DEFAULT_JOB
from tests.e2e.conftest import StackOf


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
