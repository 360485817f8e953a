"""The stack, deployed by `cdk deploy` into a local AWS with IAM and TLS enforced, once for all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from client.aws import account_of
from client.deployment import deploy_locally, find_deployment
from client.local_aws import local_aws
from tests.deployed import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("local-aws")
    with local_aws(folder) as local:
        deploy_locally(local, folder)
        aws = account_of(local.environment)
        yield Stack(local, aws, find_deployment(aws))
