"""What a command says when it has done its part."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from client import commands, runs
from client.upload import Input
from lambda_src.messages import RunRecord


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    """One with a deployment of which nothing is asked."""
    deployment = SimpleNamespace(source_bucket="bucket")
    monkeypatch.setattr(commands, "account_of_person", lambda: None)
    monkeypatch.setattr(commands, "find_deployment", lambda *_: deployment)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("RUNNING", "Asked to stop: it starts no more blocks."),
        ("CANCELLED", "Cancelled."),
        ("SUCCEEDED", "It had just ended: SUCCEEDED."),
    ],
)
def test_cancelling_says_what_the_record_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: Any, sentence: str
) -> None:
    record = RunRecord(run_id="run", started_at=1.0, status=status)
    monkeypatch.setattr(runs, "cancel", lambda *_: record)
    assert commands.main(["cancel", "run"]) == 0
    assert capsys.readouterr().out == f"{sentence}\n"


def test_a_file_that_is_gone_before_its_upload_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "text.txt"
    file.touch()
    monkeypatch.setattr(commands, "account_of_person", file.unlink)
    assert commands.main(["run", "--file", str(file)]) == 1
    assert capsys.readouterr().err == f"Error: {file} is not a file that can be read.\n"


def test_a_full_disk_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/somewhere")

    monkeypatch.setattr(commands, "run_folder", full)
    assert commands.main(["local"]) == 1
    assert capsys.readouterr().err == "Error: /somewhere: No space left on device\n"


def test_what_is_there_already_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    def run(_aws: Any, _deployment: Any, request: Any, _progress: Any) -> None:
        asked.append((request.key, request.etag))
        raise runs.RunError("enough")

    (tmp_path / "text.txt").touch()
    there = Input("input/0/text.txt", '"etag"', sent=False)
    monkeypatch.setattr(commands, "upload", lambda *_: there)
    monkeypatch.setattr(runs, "run", run)
    assert commands.main(["run", "--file", str(tmp_path / "text.txt")]) == 1
    assert "It is there already: input/0/text.txt" in capsys.readouterr().out
    assert asked == [("input/0/text.txt", '"etag"')]
