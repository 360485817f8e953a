"""``make new-job`` writes a job that is green as it stands, and nothing over what is there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fanfold.checkout import ROOT
from fanfold.new_job.__main__ import TEMPLATES, JobNotWritten, write_job

FOLDERS = ("lambda_src", "tests", "fanfold", "stacks")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lambda_src" / "jobs").mkdir(parents=True)
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    return tmp_path


def test_the_skeleton_is_green_and_clean(tmp_path: Path) -> None:
    """As a stranger meets it: in a checkout, by commands."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "requirements-native.txt"):
        shutil.copy(ROOT / file, tmp_path)
    (tmp_path / ".build").symlink_to(ROOT / ".build")  # what is compiled already

    def run(*command: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    run("fanfold.new_job", "fourth_job")
    job, test = "lambda_src/jobs/fourth_job.py", "tests/unit/test_fourth_job.py"
    run(
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        test,
        "tests/unit/test_architecture.py",
        "-k",
        "fourth or messages",
    )
    run("ruff", "check", "--no-cache", job, test)
    run("ruff", "format", "--no-cache", "--check", job, test)
    assert len((tmp_path / job).read_text().splitlines()) < 25


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1a",
        "a-b",
        "a.b",
        "../a",
        "a/b",
        "A",
        "ä",
        "a b",
        "class",
        "_a",
        "__init__",
        "a\n",
        "a" * 41,
        "$(a)",
    ],
)
def test_what_is_no_name_is_refused(root: Path, name: str) -> None:
    with pytest.raises(JobNotWritten, match="cannot name a job"):
        write_job(root, name)
    assert [path for path in root.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "path", ["lambda_src/jobs/a.py", "lambda_src/jobs/a/__init__.py", "tests/unit/test_a.py"]
)
def test_what_exists_is_not_written_over(root: Path, path: str) -> None:
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text("mine")
    with pytest.raises(JobNotWritten, match="already exists"):
        write_job(root, "a")
    assert [(file.relative_to(root).as_posix(), file.read_text()) for file in root.rglob("*.py")] == [
        (path, "mine")
    ]


def test_the_templates_are_no_python_that_tests_or_linters_collect() -> None:
    assert {path.name for path in TEMPLATES.glob("*.txt")} == {"job.py.txt", "test_job.py.txt"}
