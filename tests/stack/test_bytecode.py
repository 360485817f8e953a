"""Bytecode as Lambda's Python takes it: beside every source, and nothing of this machine in it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stacks import bytecode
from stacks.bytecode import BytecodeNotWritten, add_bytecode, write_bytecode
from stacks.dependency_layer import LOCK, RUNTIME_PYTHON, build_layer
from stacks.function_code import build_code

MAGIC_OF_RUNTIME = bytes.fromhex("f30d0d0a")
"""Of every CPython 3.13 (3571, in importlib's _bootstrap_external.py)."""

CHECKED = 3
"""PEP 552: it has the hash of its source, and is not used for another."""

SAME_AS_OURS = """
import json, marshal, sys

def told(code):
    if isinstance(code, frozenset):
        return sorted(map(repr, code))
    if not hasattr(code, "co_code"):
        return repr(code)
    constants = list(map(told, code.co_consts))
    return code.co_filename, code.co_qualname, code.co_firstlineno, code.co_names, code.co_varnames, constants

for folder, runs_in, name, cached in json.load(sys.stdin):
    theirs = marshal.loads(open(f"{folder}/{cached}", "rb").read()[16:])
    ours = compile(open(f"{folder}/{name}", "rb").read(), f"{runs_in}/{name}", "exec", dont_inherit=True)
    assert told(theirs) == told(ours), name
"""
"""Other releases of 3.13 may give other instructions for the same, which each of them takes."""


def assets() -> dict[str, Path]:
    """What is deployed to Lambda, by where it lies there."""
    return {"/var/task": build_code("arm64"), "/opt": build_layer("arm64", [LOCK])}


def cached(source: Path) -> Path:
    return source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"


def sources(folder: Path) -> list[Path]:
    return [path.relative_to(folder) for path in folder.rglob("*.py")]


@pytest.mark.parametrize("runs_in", ["/var/task", "/opt"])
def test_is_as_lambda_takes_it_and_knows_where_it_runs(runs_in: str) -> None:
    folder = assets()[runs_in]
    assert sources(folder)
    for source in sources(folder):
        content = (folder / cached(source)).read_bytes()
        assert content[:4] == MAGIC_OF_RUNTIME
        assert int.from_bytes(content[4:8], "little") == CHECKED
        assert f"{runs_in}/{source}".encode() in content
        assert str(bytecode.LOCK.parent).encode() not in content


def test_a_python_of_this_machine_compiles_to_the_same() -> None:
    python = sys.executable if sys.version_info[:2] == (3, 13) else shutil.which(f"python{RUNTIME_PYTHON}")
    # What is found may be a name only, behind which a manager of Pythons has none.
    if not python or subprocess.run([python, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"There is no Python {RUNTIME_PYTHON} on this machine.")
    files = [
        (str(folder), runs_in, str(source), str(cached(source)))
        for runs_in, folder in assets().items()
        for source in sources(folder)
    ]
    compared = subprocess.run(
        [python, "-I", "-W", "ignore", "-c", SAME_AS_OURS],
        input=json.dumps(files),
        text=True,
        check=False,
        stderr=subprocess.PIPE,
    )
    assert compared.returncode == 0, compared.stderr


@pytest.mark.parametrize(("edited", "compiled"), [(False, 0), (True, 1)])
def test_it_is_read_for_the_source_that_it_is_of(tmp_path: Path, edited: bool, compiled: int) -> None:
    source = tmp_path / "told.py"
    source.write_text("def where():\n    raise ValueError('old')\n")
    write_bytecode(str(tmp_path), "/var/task")
    if edited:
        source.write_text("def where():\n    raise ValueError('new')\n")
    program = """if True:
        import sys
        sources = []
        sys.addaudithook(lambda event, of: sources.append(of) if event == "compile" else None)
        sys.path.insert(0, sys.argv[1])
        import told
        print(len(sources))
        told.where()
        """
    ran = subprocess.run(
        [sys.executable, "-I", "-c", program, str(tmp_path)], text=True, check=False, capture_output=True
    )
    assert ran.stdout == f"{compiled}\n"
    # A traceback names the file that was imported, wherever it was compiled.
    assert f'File "{source}", line 2, in where' in ran.stderr
    assert f"ValueError: {'new' if edited else 'old'}" in ran.stderr


def test_a_source_that_does_not_compile_is_named(tmp_path: Path) -> None:
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "half.py").write_text("def half(:\n")
    with pytest.raises(
        BytecodeNotWritten, match=r"not compile /var/task:\n(.|\n)*/var/task/handlers/half.py"
    ):
        add_bytecode(tmp_path, "/var/task")


def test_without_node_nothing_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JSII_NODE", str(tmp_path / "node"))
    with pytest.raises(
        BytecodeNotWritten, match=r"Node.js, which compiles /opt, does not start: .*No such file"
    ):
        add_bytecode(tmp_path, "/opt")


def test_only_the_pyodide_of_the_lock_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = {"packages": {"node_modules/pyodide": {"version": "0.28.0"}}}
    (tmp_path / "package-lock.json").write_text(json.dumps(packages))
    before = bytecode.identity()
    monkeypatch.setattr(bytecode, "LOCK", tmp_path / "package-lock.json")
    assert bytecode.identity() != before
    with pytest.raises(BytecodeNotWritten, match=r"Pyodide 0\.\d+\.\d+ is installed, 0\.28\.0 is locked"):
        add_bytecode(tmp_path, "/opt")
