"""What docs/notebook.ipynb prints is what it prints on the deployed stack, cell by cell."""

from pathlib import Path
from typing import Any

import pytest

from tests.deployed import Stack
from tests.notebook import code, printed, read, written

pytestmark = pytest.mark.usefixtures("in_this_process")


def test_each_cell_prints_what_is_stored(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for cell in code(read()):
        assert printed(cell, names) == written(cell), cell["id"]
    assert "<html" in (tmp_path / "report.html").read_text()
