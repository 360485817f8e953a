"""The code of all functions: built once for the sources that there are."""

import os
from pathlib import Path

import pytest

from stacks import function_code
from stacks.bytecode import BytecodeNotWritten
from stacks.function_code import KEPT, build_code


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of one source, where nothing is built yet, without a compiler."""
    sources = tmp_path / "lambda_src"
    (sources / "handlers").mkdir(parents=True)
    (sources / "handlers" / "one.py").write_text("1\n")
    monkeypatch.setattr(function_code, "ROOT", tmp_path)
    monkeypatch.setattr(function_code, "SOURCES", sources)
    monkeypatch.setattr(function_code, "BUILT", tmp_path / "built")
    monkeypatch.setattr(function_code, "add_bytecode", lambda folder, _: (folder / "bytecode").touch())
    return sources


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_holds_bytecode_for_lambda_only(sources: Path) -> None:
    assert files_of(build_code("host")) == {"lambda_src/handlers/one.py"}
    assert files_of(build_code("arm64")) == {"lambda_src/handlers/one.py", "bytecode"}
    assert build_code("arm64") == build_code("x86_64")


def test_is_built_once_for_the_same_sources(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_code("arm64")
    (sources / "handlers" / "notes.txt").touch()
    (sources / ".cache").mkdir()
    (sources / ".cache" / "conftest.py").touch()
    with monkeypatch.context() as patch:
        patch.setattr(function_code, "add_bytecode", lambda *_: pytest.fail("The code was there already."))
        assert build_code("arm64") == first
    (sources / "handlers" / "one.py").write_text("2\n")
    changed = build_code("arm64")
    assert (changed / "lambda_src" / "handlers" / "one.py").read_text() == "2\n"
    assert (first / "lambda_src" / "handlers" / "one.py").read_text() == "1\n"
    (sources / "handlers" / "one.py").rename(sources / "handlers" / "two.py")
    assert files_of(build_code("arm64")) == {"lambda_src/handlers/two.py", "bytecode"}


def test_holds_the_authorities_that_it_believes(sources: Path) -> None:
    (sources / "amazon_roots.pem").write_text("1\n")
    first = build_code("host")
    assert files_of(first) == {"lambda_src/handlers/one.py", "lambda_src/amazon_roots.pem"}
    (sources / "amazon_roots.pem").write_text("2\n")
    assert build_code("host") != first


def test_another_compiler_gives_other_code(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = build_code("host"), build_code("arm64")
    monkeypatch.setattr(function_code, "identity_of_bytecode", lambda: b"another")
    assert build_code("arm64") != there
    assert build_code("host") == here


def test_what_was_not_used_for_long_goes(sources: Path) -> None:
    first = build_code("host")
    for second in range(2, KEPT + 2):
        (sources / "handlers" / "one.py").write_text(f"{second}\n")
        os.utime(build_code("host"), (second, second))
    os.utime(first, (0, 0))
    (sources / "handlers" / "one.py").write_text("1\n")
    assert build_code("host") == first  # used again
    (sources / "handlers" / "one.py").write_text("another\n")
    last = build_code("host")
    left = set(function_code.BUILT.iterdir())
    assert len(left) == KEPT
    assert {first, last} <= left


def test_a_broken_build_leaves_nothing(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise BytecodeNotWritten

    monkeypatch.setattr(function_code, "add_bytecode", broken)
    with pytest.raises(BytecodeNotWritten):
        build_code("arm64")
    assert list(function_code.BUILT.iterdir()) == []
