"""What `make deploy` asks of the CDK: no bootstrap without need, and nothing that waits for a terminal."""

from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from fanfold.account import deploy, doctor
from fanfold.account.connection import Aws
from fanfold.account.deploy import NO_TERMINAL, given
from fanfold.account.doctor import QUALIFIER
from fanfold.errors import NotDeployed

from .test_account_doctor import Service, refused

TOLD = {"Account": "111122223333", "Arn": "arn", "ResponseMetadata": {}}
BOOTSTRAPPED = {"Parameter": {"Value": "30"}}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[list[str]]:
    """The commands of the CDK, which all succeed; the parameter has what the account answers besides."""
    answers: dict[str, Any] = {"get_caller_identity": TOLD, "get_parameter": BOOTSTRAPPED}
    answers |= getattr(request, "param", {})
    commands: list[list[str]] = []
    monkeypatch.setattr(deploy, "account_of_person", lambda: Aws(Service(**answers)))

    def cdk(command: list[str]) -> int:
        commands.append(command)
        return 0

    monkeypatch.setattr(deploy, "_cdk", cdk)
    monkeypatch.setattr(doctor, "qualifier_of_files", lambda: doctor.DEFAULT_QUALIFIER)
    for name in ("CONTEXT", "TAGS", "REQUIRE_APPROVAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(deploy, "_has_terminal", lambda: True)
    return commands


def test_an_account_that_is_bootstrapped_is_not_bootstrapped_again(ran: list[list[str]]) -> None:
    assert deploy.main("deploy") == 0
    assert ran == [["deploy"]]


@pytest.mark.parametrize("ran", [{"get_parameter": refused("AccessDenied", 403)}], indirect=True)
def test_nor_one_of_which_that_cannot_be_read(
    ran: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Who may deploy may not need to read that parameter, and mostly may not bootstrap."""
    assert deploy.main("deploy") == 0
    assert ran == [["deploy"]]
    assert capsys.readouterr().err.startswith("CDK bootstrap: cannot be read: ")


@pytest.mark.parametrize(
    "ran",
    [{"get_parameter": refused("ParameterNotFound")}, {"get_parameter": {"Parameter": {"Value": "5"}}}],
    indirect=True,
)
def test_one_that_is_not_is(ran: list[list[str]]) -> None:
    assert deploy.main("deploy") == 0
    assert ran == [["bootstrap", "aws://111122223333/eu-west-1"], ["deploy"]]


@pytest.mark.parametrize("ran", [{"get_parameter": refused("ParameterNotFound")}], indirect=True)
def test_what_is_given_is_passed_on(ran: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTEXT", f"job=access_log  permissions_boundary=Limits {QUALIFIER}=team")
    monkeypatch.setenv("TAGS", "owner=me cost-center=7=a")
    monkeypatch.setenv("REQUIRE_APPROVAL", "any-change")
    tags = ["--tags", "owner=me", "--tags", "cost-center=7=a"]
    assert deploy.main("deploy") == 0
    assert ran == [
        [
            *("bootstrap", "aws://111122223333/eu-west-1", "--qualifier", "team"),
            *("--toolkit-stack-name", "CDKToolkit-team", "--custom-permissions-boundary", "Limits"),
            *("--apply-permissions-boundary-to-all-roles", *tags),
        ],
        [
            *("deploy", "--require-approval", "any-change", *tags, "-c", "job=access_log"),
            *("-c", "permissions_boundary=Limits", "-c", f"{QUALIFIER}=team"),
        ],
    ]


@pytest.mark.parametrize("command", ["deploy", "destroy"])
@pytest.mark.parametrize("approval", ["", "broadening"])
def test_without_a_terminal_one_sentence_says_what_to_give(
    ran: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    approval: str,
) -> None:
    monkeypatch.setattr(deploy, "_has_terminal", lambda: False)
    monkeypatch.setenv("REQUIRE_APPROVAL", approval)
    assert deploy.main(command) == 1
    assert ran == []
    assert capsys.readouterr().err == f"Error: {NO_TERMINAL}\n"


@pytest.mark.parametrize(
    ("command", "arguments"), [("deploy", ["--require-approval", "never"]), ("destroy", ["--force"])]
)
def test_without_a_terminal_nobody_is_asked_if_that_is_given(
    ran: list[list[str]], monkeypatch: pytest.MonkeyPatch, command: str, arguments: list[str]
) -> None:
    monkeypatch.setattr(deploy, "_has_terminal", lambda: False)
    monkeypatch.setenv("REQUIRE_APPROVAL", "never")
    monkeypatch.setenv("CONTEXT", "job=access_log")
    assert deploy.main(command) == 0
    assert ran == [[command, *arguments, "-c", "job=access_log"]]


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"CONTEXT": "job"}, 'CONTEXT: job is not name=value; write CONTEXT="name=value name=value".'),
        ({"TAGS": "=x"}, 'TAGS: =x is not name=value; write TAGS="name=value name=value".'),
        (
            {"REQUIRE_APPROVAL": "no"},
            "REQUIRE_APPROVAL=no: choose one of never, any-change, broadening, destructive.",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(variables: dict[str, str], sentence: str) -> None:
    with pytest.raises(NotDeployed) as refusal:
        given(variables, has_terminal=True)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("ran", [{"get_caller_identity": NoCredentialsError()}], indirect=True)
def test_credentials_that_do_not_work_are_told_before_anything_is_done(
    ran: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy.main("deploy") == 1
    assert ran == []
    assert capsys.readouterr().err.startswith("Error: There are no AWS credentials: ")


@pytest.mark.parametrize(
    "ran",
    [{"get_account_settings": {"AccountLimit": {"UnreservedConcurrentExecutions": 140}}}],
    indirect=True,
)
@pytest.mark.parametrize(("wanted", "status"), [("40", 0), ("41", 1)])
def test_more_than_the_account_can_reserve_is_refused(
    ran: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wanted: str,
    status: int,
) -> None:
    monkeypatch.setattr(deploy, "_reserved_now", lambda *_: 0)
    monkeypatch.setenv("CONTEXT", f"reserved_concurrency={wanted}")
    assert deploy.main("deploy") == status
    assert len(ran) == (0 if status else 1)
    told = capsys.readouterr().err
    assert ("would leave 99: choose at most 40, or ask AWS for a larger quota.\n" in told) == bool(status)
