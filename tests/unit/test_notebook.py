"""The notebook is one that Jupyter opens: the format 4.5 of nbformat."""

import re
from typing import Any

from tests.notebook import code, read

CELL = {"id", "cell_type", "metadata", "source"}


def is_lines(text: Any) -> bool:
    """Lines, each with its end but for the last one."""
    return all(re.fullmatch(r"[^\n]+|[^\n]*\n", line) for line in text) and all(
        line.endswith("\n") for line in text[:-1]
    )


def test_its_structure() -> None:
    notebook = read()
    assert set(notebook) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["language_info"]["name"] == "python"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", cell["id"])
        assert cell["cell_type"] in ("markdown", "code")
        assert set(cell) == CELL | ({"execution_count", "outputs"} if cell["cell_type"] == "code" else set())
        assert is_lines(cell["source"])
    for number, cell in enumerate(code(notebook), 1):
        assert cell["execution_count"] == number
        for output in cell["outputs"]:
            assert set(output) == {"name", "output_type", "text"}
            assert (output["name"], output["output_type"]) == ("stdout", "stream")
            assert is_lines(output["text"])
