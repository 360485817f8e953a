"""A run with options, as commands show it."""

import json
from pathlib import Path

import pytest

from fanfold.account import choice
from fanfold.account.choice import Account
from fanfold.cli import app as commands
from tests.e2e.conftest import StackOf
from tests.unit.test_report_page import files_in

OPTIONS = ("--set", "pattern=c[aou]t", "--set", "ignore_case=true")


def test_options_are_wherever_a_run_is_shown_and_stay(
    stack_of: StackOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = stack_of("grep")
    account = Account(stack.aws, {"Fanfold": stack.deployment})
    monkeypatch.setattr(choice, "open_account", lambda **_: account)
    file = tmp_path / "animals.txt"
    file.write_text("one Cat\ntwo dogs\nthree cots\n")
    ask = ["run", "--job", "grep", "--run-id", "animals", str(file)]

    def output(*arguments: str) -> str:
        assert commands.main(arguments) == 0
        return capsys.readouterr().out

    result = json.loads(output(*ask, *OPTIONS, "--json"))
    assert (result["lines"], result["options"]["pattern"], result["options"]["ignore_case"]) == (
        2,
        "c[aou]t",
        True,
    )
    runs = {run["run_id"]: run for run in json.loads(output("runs", "--json", "--job", "grep"))}
    assert runs["animals"]["options"] == result["options"]
    assert output("results", "animals", "--job", "grep").count("ignore_case=true") == 1
    assert json.loads(output("results", "animals", "--job", "grep", "--json"))["options"] == result["options"]
    for format_, shown in (("markdown", "pattern=c&#91;aou&#93;t"), ("html", "pattern=c[aou]t")):
        assert shown in output("results", "animals", "--job", "grep", "--format", format_)
    for format_ in ("csv", "jsonl"):
        assert "animals.txt" in output("results", "animals", "--job", "grep", "--format", format_)
    output("report", "animals", "--job", "grep", "--output", str(tmp_path / "report.html"))
    title = (tmp_path / "report.html").read_text().partition("<title>")[2].partition("</title>")[0]
    assert "pattern=c[aou]t" in title
    files = files_in((tmp_path / "report.html").read_text())
    for format_ in ("csv", "json"):
        text = output("results", "animals", "--job", "grep", "--format", format_)
        assert files[f"fanfold-animals.{format_}"] == text.encode()

    assert commands.main([*ask, "--set", "pattern=dog"]) == 1
    assert "options: the run has the options {" in capsys.readouterr().err
    assert json.loads(output(*ask, *OPTIONS, "--json"))["lines"] == 2
    assert json.loads(output(*ask, "--json"))["lines"] == 2
