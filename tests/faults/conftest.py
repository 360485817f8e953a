"""The stack deployed behind a proxy that injects faults.

`make faults` injects all; the tests marked `long` are left out of `make test`.
"""

from collections.abc import Generator, Iterator

import pytest

from client.aws import account_of
from client.corpus import write_corpus
from client.deployment import deploy_locally, find_deployment
from client.local_aws import local_aws
from tests import oracle
from tests.deployed import Stack
from tests.faults.faulty import BLOCK_BYTES, KEY, Faulty
from tests.faults.proxy import proxy


@pytest.fixture(scope="session")
def _faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
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
            deploy_locally(local, folder)
            aws = account_of(local.environment)
            stack = Stack(local, aws, find_deployment(aws))
            write_corpus(folder / "corpus.xml", 20 * BLOCK_BYTES, 3)
            text = (folder / "corpus.xml").read_bytes()
            yield Faulty(stack, between, text, oracle.count_words(text))


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell the fixture below how its test ended."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def faulty(_faulty: Faulty, request: pytest.FixtureRequest) -> Iterator[Faulty]:
    """Without faults, with the input as it should be, and with nobody at work."""
    _faulty.proxy.reset()
    _faulty.stack.put(KEY, _faulty.text)
    yield _faulty
    _faulty.proxy.decide = lambda _: None
    _faulty.proxy.room = 10_000
    try:
        if not request.node.stash[FAILED]:
            _faulty.proxy.wait_until_idle()  # what does not end is this test's failure, not the next one's
    finally:
        if request.node.stash[FAILED] or _faulty.proxy.invocations:
            _faulty.start_afresh()
