"""The stack deployed behind a proxy that injects faults.

`make faults` injects all; the tests marked `long` are left out of `make test`.
"""

from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path

import pytest

from fanfold.account.connection import account_of
from fanfold.account.deployment import deploy_locally, find_deployment
from fanfold.local_aws.server import local_aws
from lambda_src.settings import DEFAULT_JOB
from tests.deployed import Stack
from tests.faults.cases import CASES
from tests.faults.faulty import ROW, ROWS, Faulty
from tests.faults.proxy import proxy

FaultyOf = Callable[[str], Faulty]


@pytest.fixture(scope="session")
def faulty_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyOf]:
    """The stack behind a proxy, for a job by its name."""
    folder = tmp_path_factory.mktemp("faulty-aws")
    with proxy(folder / "proxy") as between:
        authority = str(between.authority)
        lambdas = {
            "AWS_ENDPOINT_URL": between.endpoint,
            "AWS_CA_BUNDLE": authority,
            "SSL_CERT_FILE": authority,
        }
        with local_aws(folder, **lambdas) as local:
            between.forward_to(local.environment["AWS_ENDPOINT_URL"], local.environment["AWS_CA_BUNDLE"])
            aws = account_of(local.environment)
            deploy_locally(local, folder)
            stack = Stack(local, aws, find_deployment(aws))

            @cache
            def deployed(job: str) -> Faulty:
                own: Path = tmp_path_factory.mktemp(job)
                return Faulty(stack._replace(job=job), between, CASES[job](own))

            yield deployed


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell the fixture below how its test ended, and send the test's rows of the table along."""
    report = yield
    report.user_properties += [(ROW, list(row)) for row in ROWS]
    ROWS.clear()
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def faulty(faulty_of: FaultyOf, request: pytest.FixtureRequest) -> Iterator[Faulty]:
    """Without faults, with the input as it should be, and with nobody at work."""
    running = faulty_of(getattr(request, "param", DEFAULT_JOB))
    running.proxy.reset()
    for key, data in running.case.objects.items():
        running.stack.put(key, data)
    yield running
    running.proxy.decide = lambda _: None
    running.proxy.room = 10_000
    try:
        if not request.node.stash[FAILED]:
            running.proxy.wait_until_idle()  # what does not end is this test's failure, not the next one's
    finally:
        if request.node.stash[FAILED] or running.proxy.invocations:
            running.start_afresh()
