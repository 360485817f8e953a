"""What a worker says of its failures."""

import runpy
from pathlib import Path

import pytest

from lambda_src.run import answer as module
from lambda_src.run.answer import JobCrashed, answer

JOB = """
import json
def read(line):
    return json.loads(line)
"""


def test_a_crash_of_a_jobs_code_names_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one of the job's own, though the standard library has raised it."""
    monkeypatch.setattr(module, "JOBS", tmp_path)
    (tmp_path / "mine.py").write_text(JOB)
    read = runpy.run_path(str(tmp_path / "mine.py"))["read"]
    with pytest.raises(
        JobCrashed, match=r"^JSONDecodeError: Expecting value: .* \(mine\.py, line 4, in read\)$"
    ):
        answer(lambda: read("secret=1"))


def test_another_crash_is_as_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def read() -> None:
        raise ValueError("why")

    with pytest.raises(ValueError, match=r"^why$"):
        answer(read)  # type: ignore[arg-type]
    monkeypatch.setattr(module, "JOBS", Path(__file__).parent)

    def full() -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        answer(full)  # type: ignore[arg-type]
