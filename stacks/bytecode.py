"""Compiles what Lambda imports, which keeps no bytecode itself: every cold start would compile all of it.

CPython 3.13 in WebAssembly compiles: Pyodide, pinned in package-lock.json, in the Node that the CDK runs in.
So the same sources give the same bytes on every machine, whatever Python it has.

Pyodide runs this file, too: it imports nothing but the standard library.
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
    """There is no Node or no Pyodide that works here, or a source does not compile."""


def identity() -> bytes:
    """Another one where the same sources might give other bytes."""
    return Path(__file__).read_bytes() + SCRIPT.read_bytes() + json.dumps(_locked()).encode()


def add_bytecode(folder: Path, runs_in: str) -> None:
    """Put the bytecode of Lambda's Python beside every source in ``folder``, which will be ``runs_in`` there.
    Raises BytecodeNotWritten."""
    # As jsii finds the CDK's own.
    command = [os.environ.get("JSII_NODE", "node"), str(SCRIPT), str(folder), runs_in, _locked()["version"]]
    try:
        written = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BytecodeNotWritten(f"Node.js, which compiles {runs_in}, does not start: {error}") from error
    if written.returncode:
        raise BytecodeNotWritten(f"Pyodide could not compile {runs_in}:\n{written.stderr.strip()}")


def write_bytecode(folder: str, runs_in: str) -> None:
    """The same, by the Python that runs this."""
    for source in sorted(Path(folder).rglob("*.py")):
        py_compile.compile(
            str(source),
            dfile=f"{runs_in}/{source.relative_to(folder).as_posix()}",
            doraise=True,
            # No time stamp is in it, and a source that someone edits in Lambda's console is compiled.
            invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,
        )


def _locked() -> dict[str, Any]:
    """What the lock says of Pyodide."""
    packages: dict[str, dict[str, Any]] = json.loads(LOCK.read_text("utf-8"))["packages"]
    return packages["node_modules/pyodide"]
