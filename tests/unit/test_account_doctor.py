"""What the doctor finds, and the command that fixes it."""

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from fanfold.account import choice as account
from fanfold.account import doctor
from fanfold.account.choice import Account
from fanfold.account.connection import Aws
from fanfold.account.doctor import Finding
from fanfold.cli import app as commands
from fanfold.errors import AccountError
from lambda_src.settings import NEW_ACCOUNT_MB, ONE_VCPU_MB, stack_name
from tests.standing import deployment

DATE = "Wed, 25 Nov 2026 10:00:00 GMT"
AT_DATE = 1_795_600_800.0


class Service:
    """Gives ``answers`` by operation, or raises them."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    def client(self, _service: str, **_: Any) -> "Service":
        return self

    @property
    def region_name(self) -> str:
        return "eu-west-1"

    def __getattr__(self, operation: str) -> Any:
        def call(**_: Any) -> Any:
            answer = self._answers[operation]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def refused(code: str, status: int = 400) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": "secret AKIAX"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {"date": DATE}},
    }
    return ClientError(response, "Operation")


@pytest.mark.parametrize("version", [(3, 11), (3, 14)])
def test_a_python_that_will_do(version: tuple[int, int]) -> None:
    assert doctor.python_version(version).state == "ok"


@pytest.mark.parametrize("version", [(3, 10), (3, 15)])
def test_a_python_that_will_not(version: tuple[int, int]) -> None:
    assert doctor.python_version(version).state == "wrong"


@pytest.mark.parametrize(
    ("script", "state", "text"),
    [
        ("echo '2.1148.1 (build 1)'", "ok", "2.1148.1"),
        ("echo '3.0.0 (build 1)'", "wrong", "3.0.0 is installed, 2.1148.1 is locked"),
        ("exit 127", "wrong", "does not start: node is not installed"),
        (None, "wrong", "not installed"),
    ],
)
def test_the_cdk_is_there_in_the_locked_version(
    tmp_path: Path, script: str | None, state: str, text: str
) -> None:
    lock, cdk = tmp_path / "lock.json", tmp_path / "cdk"
    lock.write_text(json.dumps({"packages": {"node_modules/aws-cdk": {"version": "2.1148.1"}}}))
    if script:
        cdk.write_text(f"#!/bin/sh\n{script}\n")
        cdk.chmod(0o755)
    found = doctor.cdk_installed(cdk, lock)
    assert (found.state, found.text) == (state, text)


def test_packages_that_are_not_as_locked_are_named() -> None:
    lock = "boto3==1.2 \\\n    --hash=sha256:0\nwin==3 ; sys_platform == 'win32' \\\nrich==15.0.0 \\\n"
    installed = {"boto3": "1.2", "rich": "15.0.0"}
    assert doctor.packages(lock, installed.get).state == "ok"
    assert (
        doctor.packages(lock, {"boto3": "1.1"}.get).text
        == "boto3 is 1.1, not 1.2, rich is missing, not 15.0.0"
    )


@pytest.mark.parametrize(
    ("ahead_s", "state"),
    [(0, "ok"), (-59, "ok"), (61, "note"), (-299, "note"), (301, "wrong"), (-4e6, "wrong")],
)
def test_the_clock(ahead_s: float, state: str) -> None:
    assert doctor.clock(DATE, AT_DATE + ahead_s).state == state


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (NoCredentialsError(), "There are no AWS credentials"),
        (EndpointConnectionError(endpoint_url="https://sts"), "AWS cannot be reached: .* Check the network"),
        (refused("ExpiredToken"), "have expired: log in again"),
        (refused("InvalidClientTokenId", 403), "does not accept your credentials"),
        (refused("SignatureDoesNotMatch", 403), "does not accept your credentials"),
    ],
)
def test_credentials_that_do_not_work_are_reported_and_nothing_else_is_asked(
    error: Exception, sentence: str
) -> None:
    """But the clock, whose error may be the reason."""
    aws = Aws(Service(get_caller_identity=error))
    region, credentials, *others = doctor.of_account(Account(aws), "top_words")
    assert (region.state, credentials.state) == ("ok", "wrong")
    assert re.search(sentence, credentials.text)
    assert not credentials.fix  # the sentence has it
    assert [finding.check for finding in others] == (["Clock"] if isinstance(error, ClientError) else [])
    assert "AKIAX" not in credentials.text


@pytest.mark.parametrize(("limit", "state"), [(1, "wrong"), (10, "note"), (1000, "ok")])
def test_the_quota_of_lambdas(limit: int, state: str) -> None:
    answer = {"AccountLimit": {"ConcurrentExecutions": limit}}
    found = doctor.concurrency(Aws(Service(get_account_settings=answer)))
    assert found.state == state
    assert bool(found.fix) == (state != "ok")


@pytest.mark.parametrize(
    ("largest", "state"), [(ONE_VCPU_MB, "ok"), (NEW_ACCOUNT_MB, "ok"), (NEW_ACCOUNT_MB + 1, "note")]
)
def test_the_memory_quota_of_a_new_account(largest: int, state: str) -> None:
    sizes: tuple[dict[str, int], ...] = ({"MemorySize": 128}, {"MemorySize": largest}, {})
    functions = {
        f"F{number}": {"Type": "AWS::Lambda::Function", "Properties": size}
        for number, size in enumerate(sizes)
    }
    found = doctor.memory({"Resources": {**functions, "Bucket": {"Type": "AWS::S3::Bucket"}}})
    assert found.state == state
    assert f"{largest:,} MB" in found.text


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({"Parameter": {"Value": "30"}}, "ok"),
        ({"Parameter": {"Value": "5"}}, "wrong"),
        (refused("ParameterNotFound"), "wrong"),
        (refused("AccessDenied", 403), "note"),
    ],
)
def test_the_bootstrap(answer: Any, state: str) -> None:
    assert doctor.bootstrap(Aws(Service(get_parameter=answer)), "hnb659fds").state == state


def test_the_bootstrap_is_looked_for_under_its_qualifier() -> None:
    """That of the stack, if it is deployed, else what the CDK's files say."""
    asked: list[str] = []

    class Bootstrapped(Service):
        def get_parameter(self, Name: str) -> Any:  # noqa: N803
            asked.append(Name)
            raise refused("ParameterNotFound")

    template = {"Parameters": {"BootstrapVersion": {"Default": "/cdk-bootstrap/team/version"}}}
    told = {"Account": "1", "Arn": "arn", "ResponseMetadata": {}}
    limits = {"AccountLimit": {"ConcurrentExecutions": 1000}}
    answers = {"get_caller_identity": told, "get_account_settings": limits}
    for answer in ({"TemplateBody": template}, refused("ValidationError")):
        aws = Aws(Bootstrapped(**answers, get_template=answer))
        *_, found = doctor.of_account(Account(aws), "top_words")
    assert asked == ["/cdk-bootstrap/team/version", "/cdk-bootstrap/hnb659fds/version"]
    assert found.text == "not done in eu-west-1; `fanfold deploy` does it"


def test_the_qualifier_is_that_of_the_cdk_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "cdk.json").write_text('{"app": "app.py"}')
    assert doctor.qualifier_of_files() == "hnb659fds"
    (tmp_path / "home" / ".cdk.json").write_text(json.dumps({"context": {doctor.QUALIFIER: "mine"}}))
    assert doctor.qualifier_of_files() == "mine"
    (tmp_path / "cdk.context.json").write_text(json.dumps({doctor.QUALIFIER: "team"}))
    assert doctor.qualifier_of_files() == "team"


@pytest.mark.parametrize(
    ("unreserved", "wanted", "held", "state", "text"),
    [
        (1000, 900, 0, "ok", "900 for parse_block, 100 for everything else in the account"),
        (100, 900, 900, "ok", "900 for parse_block, 100 for everything else in the account"),
        (1000, 901, 0, "wrong", "would leave 99: choose at most 900, or"),
        (10, 1, 0, "wrong", "would leave 9: leave it out, or"),
    ],
)
def test_lambda_keeps_a_part_unreserved(
    unreserved: int, wanted: int, held: int, state: str, text: str
) -> None:
    limits = {"AccountLimit": {"UnreservedConcurrentExecutions": unreserved}}
    found = doctor.reservation(Aws(Service(get_account_settings=limits)), wanted, held)
    assert found.state == state
    assert text in found.text


def test_a_stack_that_is_not_deployed_is_reported_with_the_command() -> None:
    account = Account(Aws(Service(describe_stacks=refused("ValidationError"))))
    (found,) = doctor.of_stack(account, "access_log")
    assert found == Finding(
        "Stack",
        "wrong",
        "Fanfold-access-log is not deployed in eu-west-1",
        "fanfold deploy -c job=access_log",
    )


TEMPLATE: dict[str, Any] = {
    "Metadata": {"fanfold:settings": {"architecture": "x86_64"}},
    "Resources": {
        "Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "RetainExceptOnCreate"},
        "ParseBlock": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Architectures": ["x86_64"], "Code": {"S3Key": "1.zip"}},
        },
    },
}


def test_a_stack_of_an_older_version_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deployed without its settings, it would lose its source bucket."""
    monkeypatch.setattr(doctor, "synthesized", lambda _: pytest.fail("with which settings?"))
    found = doctor.drift({"Resources": {}}, deployment(), local=False)
    assert (found.state, found.fix) == ("wrong", "fanfold deploy -c name=value ...")


def test_what_is_deployed_is_compared_with_this_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    other = json.loads(json.dumps(TEMPLATE).replace("1.zip", "2.zip"))
    asked: list[Any] = []
    fresh: list[Any] = [TEMPLATE, other, "app.py: an error"]

    def synthesized(context: Any) -> Any:
        asked.append(context)
        return fresh.pop(0)

    monkeypatch.setattr(doctor, "synthesized", synthesized)
    found = [doctor.drift(TEMPLATE, deployment(), local=False) for _ in range(3)]
    assert [finding.state for finding in found] == ["ok", "wrong", "note"]
    assert found[1].text.endswith(": ParseBlock")
    assert found[1].fix == "fanfold deploy -c architecture=x86_64"
    assert asked[0] == {"architecture": "x86_64"}


@pytest.mark.parametrize(("qualifier", "given"), [("team", {doctor.QUALIFIER: "team"}), ("hnb659fds", {})])
def test_it_is_compared_for_the_same_bootstrap(
    monkeypatch: pytest.MonkeyPatch, qualifier: str, given: dict[str, str]
) -> None:
    """Whose qualifier is in the names of the assets' bucket."""
    asked: list[Any] = []

    def synthesized(context: Any) -> Any:
        asked.append(context)
        return TEMPLATE

    monkeypatch.setattr(doctor, "synthesized", synthesized)
    parameters = {"BootstrapVersion": {"Default": f"/cdk-bootstrap/{qualifier}/version"}}
    doctor.drift({**TEMPLATE, "Parameters": parameters}, deployment(), local=False)
    assert asked == [{"architecture": "x86_64", **given}]


@pytest.fixture
def _a_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends no request to AWS."""

    def of_account(*_: object) -> Generator[Finding, None, bool]:
        yield from ()
        return True

    monkeypatch.setattr(doctor, "of_account", of_account)
    monkeypatch.setattr(doctor, "of_stack", lambda _, own: iter([Finding("Stack", "ok", stack_name(own))]))


@pytest.mark.usefixtures("_a_doctor")
@pytest.mark.parametrize(("state", "status"), [("ok", 0), ("note", 0), ("wrong", 1)])
def test_it_says_what_mends_and_fails_if_something_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], state: Any, status: int
) -> None:
    monkeypatch.setattr(doctor, "of_this_machine", lambda: iter([Finding("A", state, "b\x1b[2J", "fix")]))
    monkeypatch.setattr(account, "open_account", lambda **_: Account(Aws(None), {"Fanfold": deployment()}))
    assert commands.main(["doctor"]) == status
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{state:5} A: b\\x1b[2J"
    assert lines[1:-1] == ([] if state == "ok" else ["      fix"])
    assert commands.main(["doctor", "--json"]) == status
    found = json.loads(capsys.readouterr().out)
    fix = None if state == "ok" else "fix"
    assert found[0] == {"check": "A", "state": state, "text": "b\x1b[2J", "fix": fix}


def test_without_an_account_something_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_account() -> Account:
        raise AccountError("No AWS region is set.")

    monkeypatch.setattr(doctor, "of_this_machine", lambda: iter([]))
    assert list(doctor.examine(no_account, None)) == [Finding("Account", "wrong", "No AWS region is set.")]


@pytest.mark.usefixtures("_a_doctor")
@pytest.mark.parametrize(
    ("known", "job", "examined"),
    [
        (["access_log"], None, ["access_log"]),
        (["access_log", None], None, [None, "access_log"]),
        ([], None, [None]),
        (["access_log"], "top_words", [None]),
        ([None], "top_words", [None]),
        (["access_log", None], "access_log", ["access_log"]),
    ],
)
def test_the_stacks_that_are_deployed_are_examined(
    known: list[str | None],
    job: str | None,
    examined: list[str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is wrong with a local AWS whose stacks are those of other jobs."""
    monkeypatch.setattr(doctor, "of_this_machine", lambda: iter([]))
    stacks = {stack_name(own): deployment(own) for own in known}
    found = doctor.examine(lambda: Account(Aws(None), stacks), job)
    assert [finding.text for finding in found] == [stack_name(own) for own in examined]
