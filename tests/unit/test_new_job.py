"""``fanfold new-job`` writes a job that is green as it stands, and nothing over what is there."""

import subprocess
import sys
from pathlib import Path

import pytest

from fanfold.cli import app as commands
from fanfold.errors import JobNotWritten
from fanfold.new_job import write_job


@pytest.mark.parametrize("options", [[], ["--plain"]])
def test_the_skeleton_is_green_in_any_folder(options: list[str], tmp_path: Path) -> None:
    """As its author meets it, by commands; in an environment of their own, test_wheel has it."""

    def run(*command: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    run("fanfold", "new-job", "fourth_job", *options)
    assert {path.name for path in tmp_path.iterdir()} == {"fourth_job.py", "test_fourth_job.py"}
    run("pytest", "-q", "-p", "no:cacheprovider", "test_fourth_job.py")
    for file in ("fourth_job.py", "test_fourth_job.py"):
        run("ruff", "check", "--no-cache", "--isolated", file)
        run("ruff", "format", "--no-cache", "--isolated", "--line-length=110", "--check", file)


def test_a_counting_job_has_about_ten_lines(tmp_path: Path) -> None:
    job, _ = write_job(tmp_path, "fourth_job")
    lines = [line for line in job.read_text("utf-8").splitlines() if line and not line.startswith('"""')]
    assert len(lines) <= 13


@pytest.mark.parametrize(
    "name",
    [
        *("", "1a", "a-b", "a.b", "../a", "a/b", "A", "ä", "a b", "class", "_a", "__init__", "a\n", "$(a)"),
        "a" * 41,
    ],
)
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(JobNotWritten, match="cannot name a job"):
        write_job(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_module_of_python_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(JobNotWritten, match="json is a module of Python itself"):
        write_job(tmp_path, "json")


@pytest.mark.parametrize("path", ["a.py", "a/__init__.py", "test_a.py"])
def test_what_exists_is_not_written_over(tmp_path: Path, path: str) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text("mine")
    with pytest.raises(JobNotWritten, match="already exists"):
        write_job(tmp_path, "a")
    assert [(file.relative_to(tmp_path).as_posix(), file.read_text()) for file in tmp_path.rglob("*.py")] == [
        (path, "mine")
    ]


def test_a_job_of_fanfold_is_no_new_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["new-job", "top_words"]) == 1
    assert capsys.readouterr().err == ("Error: top_words is a job of Fanfold already: choose another name.\n")
