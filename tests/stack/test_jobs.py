"""One stack per job, made by the same lines."""

import pytest

from lambda_src.job import names
from lambda_src.settings import stack_name
from stacks.dependency_layer import lock_of_job

from .conftest import Synthesize
from .synthesized import FUNCTIONS
from .test_grants import GRANTS

each_job = pytest.mark.parametrize("job", names())


@each_job
def test_every_function_is_told_the_job(synthesize: Synthesize, job: str) -> None:
    stack = synthesize(job=job)
    for name in FUNCTIONS:
        assert stack.function(name)["Environment"]["Variables"]["FANFOLD_JOB"] == job


@each_job
def test_grants_are_the_same_for_every_job(synthesize: Synthesize, job: str) -> None:
    stack = synthesize(job=job)
    assert {name: stack.grants(name) for name in FUNCTIONS} == GRANTS


@each_job
def test_packages_of_a_job_go_to_the_functions_that_map(synthesize: Synthesize, job: str) -> None:
    stack = synthesize(job=job)
    layers = {name: len(stack.function(name)["Layers"]) for name in FUNCTIONS}
    mapping = 2 if lock_of_job(job) else 1
    assert layers == {name: mapping if name in ("ParseFile", "ParseBlock") else 1 for name in FUNCTIONS}
    assert len(stack.resources("AWS::Lambda::LayerVersion")) == mapping


@each_job
def test_a_stack_names_nothing_that_another_could_have(synthesize: Synthesize, job: str) -> None:
    """CloudFormation makes up the names; nothing is exported or imported."""
    stack = synthesize(job=job)
    for item in stack.resources().values():
        named = {"BucketName", "TableName", "RoleName", "LogGroupName"} & set(item["Properties"])
        assert not named, item
    assert not any("Export" in output for output in stack.template["Outputs"].values())
    assert "Fn::ImportValue" not in str(stack.template)


def test_stacks_have_different_names() -> None:
    assert len({stack_name(job) for job in names()}) == len(names())
