"""A run with options, as commands show it."""

import json
from pathlib import Path

import pytest

from fanfold.cli import app as commands
from tests.unit.test_report_page import files_in

pytestmark = pytest.mark.usefixtures("in_this_process")

OPTIONS = ("--set", "pattern=c[aou]t", "--set", "ignore_case=true")


def test_options_are_wherever_a_run_is_shown_and_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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


def test_the_words_of_a_wiki_with_stop_words_from_a_file_and_longer_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = "".join(
        f"<page><ns>0</ns><text>The ship isn&amp;#39;t a {{{{template}}}} "
        f"[[dog|Donau\u00addampf{number % 2}schiff]] {'x' * 30} {'y' * 31}</text></page>"
        for number in range(50)
    )
    (tmp_path / "wiki.xml").write_text(f"<mediawiki>{pages}</mediawiki>")
    (tmp_path / "stop.txt").write_text("the\na\n")
    ask = ["run", "--job", "top_words", "--run-id", "wiki", str(tmp_path / "wiki.xml"), "--yes"]
    options = [
        "words=unicode",
        "markup=mediawiki",
        "longest=30",
        "top=1",
        f"stop_words=@{tmp_path / 'stop.txt'}",
    ]

    def output(*arguments: str) -> str:
        assert commands.main(arguments) == 0
        return capsys.readouterr().out

    set_ = [part for option in options for part in ("--set", option)]
    answer = json.loads(output(*ask, *set_, "--block-bytes", "2000", "--json"))
    assert {length: found for length, found in answer["top_words"].items() if found} == {
        "4": [{"word": "ship", "count": 50}],
        "5": [{"word": "isn't", "count": 50}],
        "17": [{"word": "donaudampf0schiff", "count": 25}],
        "30": [{"word": "x" * 30, "count": 50}],
    }
    assert (answer["articles"], answer["words"], answer["longer_words"], len(answer["top_words"])) == (
        50,
        300,
        50,
        30,
    )
    assert answer["options"]["stop_words"] == ["the", "a"]
    (tmp_path / "stop.txt").unlink()
    assert json.loads(output(*ask, "--json"))["top_words"] == answer["top_words"]
    assert json.loads(output("results", "wiki", "--json"))["top_words"] == answer["top_words"]
    output("report", "wiki", "--output", str(tmp_path / "report.html"))
    assert "30 of 30 sums are the same" in (tmp_path / "report.html").read_text()
