"""The stack, deployed by `cdk deploy` into a local AWS with IAM and TLS enforced, once for all tests; those
of other jobs beside it, when a test first asks for one."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

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
    """The stack of a job, by its name."""

    @cache
    def deployed(job: str) -> Stack:
        folder: Path = tmp_path_factory.mktemp(job)
        deploy_locally(local, folder, job)
        aws = account_of(local.environment)
        return Stack(local, aws, find_deployment(aws, job))

    return deployed


@pytest.fixture(scope="session")
def stack(stack_of: StackOf) -> Stack:
    return stack_of("top_words")
