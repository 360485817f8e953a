"""The app, synthesized once for each configuration that any test looks at."""

import functools
from collections.abc import Callable

import pytest

from .synthesized import Synthesized, synthesize_app

Synthesize = Callable[..., Synthesized]

EXISTING_BUCKET = "an-existing-bucket"
EMAIL = "me@example.com"
KEY_ARN = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """Synthesizes the app with the context settings that it is called with."""

    # Typed: True, "true" and 1 are different settings.
    @functools.lru_cache(maxsize=None, typed=True)
    def synthesized(**context: object) -> Synthesized:
        return synthesize_app(tmp_path_factory.mktemp("cdk.out"), context)

    return synthesized


@pytest.fixture(scope="session")
def default(synthesize: Synthesize) -> Synthesized:
    return synthesize()


@pytest.fixture(scope="session")
def x86_64(synthesize: Synthesize) -> Synthesized:
    return synthesize(architecture="x86_64")


@pytest.fixture(scope="session")
def existing_source(synthesize: Synthesize) -> Synthesized:
    return synthesize(source_bucket=EXISTING_BUCKET)


@pytest.fixture(scope="session")
def disposable(synthesize: Synthesize) -> Synthesized:
    return synthesize(retain_data="false")


@pytest.fixture(scope="session")
def dashboard(synthesize: Synthesize) -> Synthesized:
    return synthesize(dashboard="true")


@pytest.fixture(scope="session")
def alarms(synthesize: Synthesize) -> Synthesized:
    return synthesize(dashboard="true", alarm_email=EMAIL)


@pytest.fixture(scope="session")
def traced(synthesize: Synthesize) -> Synthesized:
    return synthesize(tracing="active")


UNATTENDED = {
    "schedule": "rate(1 day)",
    "schedule_request": '{"job": "access_log", "prefix": "input/logs/", "max_dollars": 1}',
    "on_arrival": '{"prefix": "input/text/"}',
    "run_events": "default",
}


@pytest.fixture(scope="session")
def unattended(synthesize: Synthesize) -> Synthesized:
    return synthesize(**UNATTENDED)


@pytest.fixture(scope="session")
def hardened_unattended(synthesize: Synthesize) -> Synthesized:
    return synthesize(hardened="true", **UNATTENDED)


@pytest.fixture(scope="session")
def hardened(synthesize: Synthesize) -> Synthesized:
    return synthesize(hardened="true")


@pytest.fixture(scope="session")
def hardened_alarms(synthesize: Synthesize) -> Synthesized:
    return synthesize(hardened="true", dashboard="true", alarm_email=EMAIL, reserved_concurrency=50)
