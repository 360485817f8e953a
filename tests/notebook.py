"""The notebook of the docs, without Jupyter.

python -m tests.notebook    executes it on the local AWS of `fanfold up`, and stores what its cells print
"""

import ast
import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


def read(path: Path = PATH) -> dict[str, Any]:
    """The notebook as JSON."""
    notebook: dict[str, Any] = json.loads(path.read_text())
    return notebook


def code(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """Its cells of code."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def written(cell: dict[str, Any]) -> str:
    """What a cell has printed, as it is stored."""
    return "".join(line for output in cell["outputs"] for line in output["text"])


def printed(cell: dict[str, Any], names: dict[str, Any]) -> str:
    """What a cell prints, which is executed with the names of those before it. Nothing is displayed but by
    ``print``: how Jupyter shows a value depends on its version."""
    tree = ast.parse("".join(cell["source"]))
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(tree, cell["id"], "exec"), names)  # noqa: S102 - our own notebook
    return output.getvalue()


def main() -> None:
    """Execute the notebook and store what it prints."""
    notebook, names = read(), dict[str, Any]()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for number, cell in enumerate(code(notebook), 1):
            text = printed(cell, names).splitlines(keepends=True)
            stream = {"name": "stdout", "output_type": "stream", "text": text}
            cell.update(execution_count=number, outputs=[stream] if text else [])
    half = PATH.with_suffix(".part")
    half.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    half.replace(PATH)


if __name__ == "__main__":
    main()
