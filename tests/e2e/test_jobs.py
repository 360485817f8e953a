"""Every job of the stack is right on its own input."""

from pathlib import Path

import pytest

from fanfold.jobs import client_job
from fanfold.testing import Objects, run_job
from lambda_src.job import load, names
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


def test_reducers_share_the_choices_of_a_table(stack_of: StackOf) -> None:
    """Each reads the sums of all blocks, and has the package that adds them."""
    stack = stack_of("column_permutations")
    rows = [f"{n},{n * n % 17},{n * 9 % 7 / 10},{n * 9 % 7},{2 * n + n * n % 17},word{n}" for n in range(60)]
    table = "\n".join(["day,rain,cm,mm,sales,note", *rows]).encode()
    stack.put("input/shop.csv", table)
    options = {"target": ["sales"], "most": 2, "always": ["day"]}
    summary = stack.run(key="input/shop.csv", block_bytes=300, shards=3, options=options)
    assert (summary["blocks"], summary["shards"], summary["shard_by"]) == (-(-len(table) // 300), 3, "share")
    whole = run_job(load("column_permutations"), Objects([table]), options=options)
    left_out = whole.pop("columns_left_out")
    assert {name: summary[name] for name in whole} == whole
    assert [one["column"] for one in summary["columns_left_out"]] == [one["column"] for one in left_out]
    first = whole["models"]["1"][0]
    assert (first["predictors"], first["r_squared"]) == (["day", "rain"], 1)
    assert whole["twins"] == [["cm", "mm"]]
    answer, failed = stack.invoke({"key": "input/shop.csv", "options": {"target": ["sale"]}})
    assert failed
    assert "the table has no column 'sale': did you mean sales?" in answer["errorMessage"]
