"""The deployed stack as the client finds it: by its outputs, whatever else is among them."""

from typing import Any

import pytest

from fanfold.account.choice import Account
from fanfold.account.connection import Aws
from fanfold.account.deployment import Deployment, find_deployment
from fanfold.errors import DeploymentError, StackNotFound
from lambda_src.settings import stack_name
from tests import standing

OUTPUTS = {
    "Jobs": "top_words,access_log",
    "BucketName": "bucket",
    "SourceBucketName": "source-bucket",
    "TableName": "table",
    "ParseFileFunction": "parse-file",
    "ParseBlockFunction": "parse-block",
    "GetAllOccurrencesFunction": "get-all-occurrences",
    "GetOccurrencesFunction": "get-occurrences",
    "LogResultsFunction": "log-results",
    "LogResultsLogGroup": "/log/results",
}


class Session:
    """Of an account in which every stack has ``outputs``."""

    def __init__(self, outputs: dict[str, str]) -> None:
        self._outputs = outputs

    def client(self, _service: str, **_options: Any) -> "Session":
        return self

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 -- as boto3 spells it
        outputs = [{"OutputKey": name, "OutputValue": value} for name, value in self._outputs.items()]
        return {"Stacks": [{"StackName": StackName, "Outputs": outputs}]}


def test_every_output_is_found_under_its_name() -> None:
    assert find_deployment(Aws(Session({**OUTPUTS, "OfAnother": "x"}))) == Deployment(
        stack="Fanfold",
        jobs=("top_words", "access_log"),
        bucket="bucket",
        source_bucket="source-bucket",
        table="table",
        parse_file="parse-file",
        parse_block="parse-block",
        get_all_occurrences="get-all-occurrences",
        get_occurrences="get-occurrences",
        log_results="log-results",
        log_results_log_group="/log/results",
    )


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_stack_without_an_output_is_to_be_deployed_again(name: str) -> None:
    fewer = {other: value for other, value in OUTPUTS.items() if other != name}
    with pytest.raises(DeploymentError, match=f"lacks an output .*`{name}`.* again with `fanfold deploy"):
        find_deployment(Aws(Session(fewer)))


def test_a_stack_of_another_app_is_used_alone() -> None:
    account = Account(Aws(Session(OUTPUTS)), named="Website")
    assert [one.stack for one in account.deployments()] == ["Website"]
    assert account.deployment("access_log").table == "table"


def test_a_stack_of_another_app_needs_the_outputs() -> None:
    with pytest.raises(DeploymentError, match=r"Website lacks an output .* put_out\(\)"):
        Account(Aws(Session({})), named="Website").deployment("top_words")


@pytest.mark.parametrize(
    ("known", "job", "stack"),
    [
        ([None], "access_log", "Fanfold"),
        ([None, "access_log"], "access_log", "Fanfold-access-log"),
        ([None, "access_log"], "top_words", "Fanfold"),
        (["top_words"], "top_words", "Fanfold-top-words"),
    ],
)
def test_a_job_runs_in_its_own_stack_if_it_has_one(known: list[str | None], job: str, stack: str) -> None:
    account = Account(Aws(None), {stack_name(own): standing.deployment(own) for own in known})
    assert account.deployment(job).stack == stack


def test_a_job_that_a_stack_lacks_is_one_sentence_with_the_commands() -> None:
    account = Account(Aws(None, "https://local"), {"Fanfold": standing.deployment()})
    with pytest.raises(DeploymentError) as refused:
        account.deployment("grep")
    assert str(refused.value) == (
        "The stack Fanfold has the jobs top_words, access_log, not grep. Deploy it again with `fanfold up`, "
        "or grep as a stack of its own with `fanfold up --job=grep`."
    )
    with pytest.raises(StackNotFound, match="There is no stack Fanfold in the local AWS; deploy it with"):
        Account(Aws(None, "https://local"), {}).deployment("top_words")
