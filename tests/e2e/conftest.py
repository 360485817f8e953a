"""The stack of all jobs, deployed by `cdk deploy` into a local AWS with IAM and TLS enforced, once for all
tests."""

from collections.abc import Callable, Iterator

import pytest

from fanfold.account import choice
from fanfold.account.choice import Account
from fanfold.account.connection import account_of
from fanfold.account.deployment import deploy_locally, find_deployment
from fanfold.local_aws.server import LocalAws, local_aws
from tests.deployed import Stack

StackOf = Callable[[str], Stack]


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with local_aws(tmp_path_factory.mktemp("local-aws")) as running:
        yield running


@pytest.fixture(scope="session")
def stack_of(local: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> StackOf:
    """The stack, for a job by its name."""
    deploy_locally(local, tmp_path_factory.mktemp("stack"))
    aws = account_of(local.environment)
    deployed = Stack(local, aws, find_deployment(aws))
    return lambda job: deployed._replace(job=job)


@pytest.fixture(scope="session")
def stack(stack_of: StackOf) -> Stack:
    return stack_of("top_words")


@pytest.fixture
def in_this_process(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands and Python's API in the process of the test use the stack."""
    account = Account(stack.aws, {stack.deployment.stack: stack.deployment})
    monkeypatch.setattr(choice, "open_account", lambda **_: account)
