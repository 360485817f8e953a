"""What a person is told of their account."""

import re
import socket
from typing import Any

import boto3
import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from fanfold.account import connection as aws
from fanfold.account.connection import Aws, Stopped, account_of_person, explain, explain_code
from fanfold.errors import AccountError


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as the service says it"}}, "Operation")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (exceptions.NoCredentialsError(), "There are no AWS credentials: give --profile"),
        (
            exceptions.NoRegionError(),
            "No AWS region is set: give --region, or set AWS_REGION; for the local AWS, give --local",
        ),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="x"), "have expired: log in again"),
        (exceptions.UnauthorizedSSOTokenError(), "have expired: log in again"),
        (
            exceptions.ProfileNotFound(profile="nope"),
            r"\(nope\) could not be found: `aws configure list-profiles`",
        ),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://x"),
            "cannot be reached: .* spelling of the region",
        ),
        (exceptions.ConnectTimeoutError(endpoint_url="https://x"), "cannot be reached: "),
        (refused("ExpiredTokenException"), "have expired: log in again"),
        (refused("RequestExpired"), "have expired: log in again"),
        (refused("UnrecognizedClientException"), "does not accept your credentials"),
        (refused("AccessDeniedException"), "as the service says it"),
    ],
)
def test_an_error_is_a_sentence_that_says_what_to_do(error: Exception, told: str) -> None:
    assert re.search(told, explain(error))


def test_an_expired_login_is_known_by_its_code() -> None:
    told = explain_code("ExpiredTokenException")
    assert told
    assert "expired" in told
    assert explain_code("ThrottlingException") is None


@pytest.mark.parametrize(
    ("given", "variable", "login"),
    [
        (None, None, "`aws sso login`,"),
        ("work", None, "`aws sso login --profile work`,"),
        (None, "it's", """`aws sso login --profile 'it'"'"'s'`,"""),
        ("work", "other", "`aws sso login --profile work`,"),
    ],
)
def test_the_advice_for_an_expired_login_names_its_profile(
    configured: pytest.MonkeyPatch, given: str | None, variable: str | None, login: str
) -> None:
    if variable:
        configured.setenv("AWS_PROFILE", variable)
    token = aws.PROFILE.set(given)
    try:
        expired = exceptions.TokenRetrievalError(provider="sso", error_msg="x")
        assert login in explain(expired)
        assert login in explain(refused("ExpiredToken"))
        assert login in str(explain_code("ExpiredTokenException"))
    finally:
        aws.PROFILE.reset(token)
    if given and not variable:
        account_of_person(given)
        assert login in explain(expired)
        account_of_person(None, "eu-west-1")
        assert "--profile work" not in explain(expired)


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> pytest.MonkeyPatch:
    """A person with a configuration that says nothing."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config").write_text("[profile work]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return monkeypatch


def test_the_region_is_the_one_that_is_given_or_set(configured: pytest.MonkeyPatch) -> None:
    """As AWS's other tools look for it: boto3 alone does not look at AWS_REGION."""
    with pytest.raises(AccountError, match="No AWS region is set"):
        account_of_person()
    assert account_of_person("work").session.region_name == "eu-north-1"
    configured.setenv("AWS_DEFAULT_REGION", "us-west-1")
    assert account_of_person().session.region_name == "us-west-1"
    configured.setenv("AWS_REGION", "us-west-2")
    assert account_of_person().session.region_name == "us-west-2"
    assert account_of_person(region="eu-west-1").session.region_name == "eu-west-1"


def test_a_profile_that_is_not_there_is_reported(configured: pytest.MonkeyPatch) -> None:
    with pytest.raises(AccountError, match=r"\(play\) could not be found"):
        account_of_person("play")


def test_a_local_aws_has_died_when_nobody_listens() -> None:
    assert not Aws(None).stopped()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert not Aws(None, f"https://127.0.0.1:{port}").stopped()
        told = Stopped("It was stopped.", data_kept=True)
        assert Aws(None, f"https://127.0.0.1:{port}", liveness=lambda: told).stopped() == told
    assert Aws(None, f"https://127.0.0.1:{port}").stopped() == Stopped(
        "The local AWS has stopped.", data_kept=False
    )


def test_a_local_aws_that_does_not_answer_is_given_up_soon() -> None:
    """Others are tried as often as boto3 does by itself."""
    session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="x")  # noqa: S106
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    local = Aws(session, f"http://127.0.0.1:{port}", False).dynamodb()  # type: ignore[arg-type]
    assert local.meta.config.retries["total_max_attempts"] == 1
    assert local.meta.config.read_timeout < 60  # boto3's own
    assert "total_max_attempts" not in (Aws(session).dynamodb().meta.config.retries or {})
