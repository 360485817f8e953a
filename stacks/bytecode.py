"""Compiles what Lambda imports: Lambda keeps no bytecode, so every cold start would compile all of it.

The compiler is CPython 3.13 in WebAssembly: Pyodide, pinned in package-lock.json, in the Node that the CDK
runs in. So the same sources give the same bytes on every machine, whichever Python it has.

Pyodide runs this file, too: at its top it imports nothing but the standard library.
"""

import json
import os
import py_compile
import subprocess
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_suffix(".mjs")
LOCK = SCRIPT.parents[1] / "package-lock.json"


class BytecodeNotWritten(Exception):
    """Node or Pyodide does not work here, or a source does not compile."""


def identity() -> bytes:
    """Identifies the compiler: it changes whenever the same sources might give other bytes."""
    return Path(__file__).read_bytes() + SCRIPT.read_bytes() + json.dumps(_locked()).encode()


def add_bytecode(folder: Path, runs_in: str) -> None:
    """Put the bytecode of Lambda's Python beside every source in ``folder``, which will be ``runs_in`` there.
    Raises BytecodeNotWritten."""
    from fanfold.checkout import NODE_MODULES  # noqa: PLC0415 - Pyodide does not have it

    # The Node that jsii uses for the CDK.
    command = [os.environ.get("JSII_NODE", "node"), str(SCRIPT), str(folder), runs_in, _locked()["version"]]
    command += [str(NODE_MODULES / "pyodide" / "pyodide.mjs")]
    try:
        written = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BytecodeNotWritten(f"Node.js, which compiles {runs_in}, does not start: {error}") from error
    if written.returncode:
        raise BytecodeNotWritten(f"Pyodide could not compile {runs_in}:\n{written.stderr.strip()}")


def write_bytecode(folder: str, runs_in: str) -> None:
    """As ``add_bytecode``, with the Python that runs this."""
    for source in sorted(Path(folder).rglob("*.py")):
        py_compile.compile(
            str(source),
            dfile=f"{runs_in}/{source.relative_to(folder).as_posix()}",
            doraise=True,
            # It has no time stamp, and a source that someone edits in Lambda's console is compiled again.
            invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,
        )


def _locked() -> dict[str, Any]:
    """Pyodide's entry in the lock."""
    packages: dict[str, dict[str, Any]] = json.loads(LOCK.read_text("utf-8"))["packages"]
    return packages["node_modules/pyodide"]
