"""What `fanfold deploy` asks of the CDK: no bootstrap without need, and nothing that waits for a terminal."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from fanfold.account import deploy, doctor
from fanfold.account.connection import Aws
from fanfold.account.deploy import NO_TERMINAL, OF_APP
from fanfold.account.doctor import QUALIFIER
from fanfold.cli.app import main
from fanfold.new_job import write_job

from .test_account_doctor import Service, refused

TOLD = {"Account": "111122223333", "Arn": "arn", "ResponseMetadata": {}}
BOOTSTRAPPED = {"Parameter": {"Value": "30"}}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[list[str]]:
    """The commands of the CDK, which all succeed; the parameter has what the account answers besides."""
    answers: dict[str, Any] = {"get_caller_identity": TOLD, "get_parameter": BOOTSTRAPPED}
    answers |= {"describe_stacks": refused("ValidationError")}  # the stack is not there yet
    answers |= getattr(request, "param", {})
    commands: list[list[str]] = []
    monkeypatch.setattr(deploy, "account_of_person", lambda: Aws(Service(**answers)))

    def cdk(command: list[str]) -> int:
        commands.append(command)
        return 0

    monkeypatch.setattr(deploy, "_cdk", cdk)
    monkeypatch.setattr(doctor, "qualifier_of_files", lambda: doctor.DEFAULT_QUALIFIER)
    monkeypatch.setattr(deploy, "has_terminal", lambda: True)
    return commands


def test_an_account_that_is_bootstrapped_is_not_bootstrapped_again(ran: list[list[str]]) -> None:
    assert main(["deploy"]) == 0
    assert ran == [["deploy", *OF_APP]]


@pytest.mark.parametrize("ran", [{"get_parameter": refused("AccessDenied", 403)}], indirect=True)
def test_nor_one_of_which_that_cannot_be_read(
    ran: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Who may deploy may not need to read that parameter, and mostly may not bootstrap."""
    assert main(["deploy"]) == 0
    assert ran == [["deploy", *OF_APP]]
    assert capsys.readouterr().err.startswith("CDK bootstrap: cannot be read: ")


@pytest.mark.parametrize(
    "ran",
    [{"get_parameter": refused("ParameterNotFound")}, {"get_parameter": {"Parameter": {"Value": "5"}}}],
    indirect=True,
)
def test_one_that_is_not_is(ran: list[list[str]]) -> None:
    assert main(["deploy"]) == 0
    assert ran == [["bootstrap", "aws://111122223333/eu-west-1"], ["deploy", *OF_APP]]


@pytest.mark.parametrize("ran", [{"get_parameter": refused("ParameterNotFound")}], indirect=True)
def test_what_is_given_is_passed_on(ran: list[list[str]]) -> None:
    context = ["-c", "job=access_log", "-c", "permissions_boundary=Limits", "-c", f"{QUALIFIER}=team"]
    tags = ["--tags", "owner=me", "--tags", "cost-center=7=a"]
    told = ["--tag", "owner=me", "--tag", "cost-center=7=a", "--require-approval=any-change"]
    assert main(["deploy", *context, *told]) == 0
    assert ran == [
        [
            *("bootstrap", "aws://111122223333/eu-west-1", "--qualifier", "team"),
            *("--toolkit-stack-name", "CDKToolkit-team", "--custom-permissions-boundary", "Limits"),
            *("--apply-permissions-boundary-to-all-roles", *tags),
        ],
        [
            *("deploy", *OF_APP, "--require-approval", "any-change", *tags, *context),
        ],
    ]


@pytest.mark.parametrize("command", ["deploy", "destroy"])
@pytest.mark.parametrize("approval", [[], ["--require-approval=broadening"]])
def test_without_a_terminal_one_sentence_says_what_to_give(
    ran: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    approval: list[str],
) -> None:
    monkeypatch.setattr(deploy, "has_terminal", lambda: False)
    assert main([command, *approval]) == 1
    assert ran == []
    assert capsys.readouterr().err == f"Error: {NO_TERMINAL}\n"


@pytest.mark.parametrize(
    ("command", "arguments"), [("deploy", ["--require-approval", "never"]), ("destroy", ["--force"])]
)
def test_without_a_terminal_nobody_is_asked_if_that_is_given(
    ran: list[list[str]], monkeypatch: pytest.MonkeyPatch, command: str, arguments: list[str]
) -> None:
    monkeypatch.setattr(deploy, "has_terminal", lambda: False)
    assert main([command, "--require-approval=never", "-c", "job=access_log"]) == 0
    assert ran == [[command, *OF_APP, *arguments, "-c", "job=access_log"]]


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--context=job", "--context: job is not name=value."),
        ("--tag==x", "--tag: =x is not name=value."),
        (
            "--require-approval=no",
            "--require-approval=no: choose one of never, any-change, broadening, destructive.",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(
    ran: list[list[str]], capsys: pytest.CaptureFixture[str], option: str, sentence: str
) -> None:
    assert main(["deploy", option]) == 1
    assert ran == []
    assert capsys.readouterr().err == f"Error: {sentence}\n"


@pytest.mark.parametrize("ran", [{"get_caller_identity": NoCredentialsError()}], indirect=True)
def test_credentials_that_do_not_work_are_reported_before_anything_is_done(
    ran: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deploy"]) == 1
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
    assert main(["deploy", "-c", f"reserved_concurrency={wanted}"]) == status
    assert len(ran) == (0 if status else 1)
    told = capsys.readouterr().err
    assert ("would leave 99: choose at most 40, or ask AWS for a larger quota.\n" in told) == bool(status)


def test_own_jobs_are_deployed_by_their_absolute_paths(
    ran: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for job in ("one", "other"):
        write_job(tmp_path, job)
    files = f"job_files={tmp_path}/one.py:{tmp_path}/other.py"
    jobs = ["--job", "one.py", "--job", "./other.py"]
    assert main(["deploy", "-c", "dashboard=true", *jobs]) == 0
    assert main(["synth", *jobs, "-o", "out"]) == 0
    assert capsys.readouterr().err.endswith("Written to out.\n")
    assert main(["destroy", *jobs]) == 0
    assert [command[-2:] for command in ran] == [["-c", files]] * 3


@pytest.mark.parametrize(
    ("jobs", "sentence"),
    [
        (
            ["access_log"],
            "access_log is not a file: for a job of your own, give one, as in ./access_log.py",
        ),
        (["one.py", "a/one.py"], "two jobs have the name one: rename one of the files."),
        (["b:c/one.py"], "has a : in its name, which separates files: rename it."),
        (["missing.py"], "There is no job missing.py: no such file or folder."),
    ],
)
def test_what_is_no_own_job_is_not_deployed(
    jobs: list[str],
    sentence: str,
    *,
    ran: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (".", "a", "b:c"):
        (tmp_path / folder).mkdir(exist_ok=True)
        write_job(tmp_path / folder, "one")
    assert main(["deploy", *(f"--job={job}" for job in jobs)]) in (1, 2)
    assert sentence in capsys.readouterr().err
    assert ran == []
