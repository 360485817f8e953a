"""What a job has in C: compiled for the right machine and any glibc, to the same bytes in every folder."""

import re
import shutil
import struct
from pathlib import Path

import pytest

from fanfold.checkout import ROOT
from lambda_src.counts.compiled import library_name
from stacks import native_library
from stacks.dependency_layer import LayerNotBuilt
from stacks.native_library import build_libraries, sources_of_jobs

ELF_MACHINES = {"arm64": 183, "x86_64": 62}
"""EM_AARCH64 and EM_X86_64 of the ELF specification."""

each_architecture = pytest.mark.parametrize("architecture", ELF_MACHINES)


def kernel() -> Path:
    return next(source for source in sources_of_jobs(["top_words"]) if source.stem == "kernel")


def header() -> Path:
    return ROOT / "lambda_src" / "counts" / "counts.h"


def library(architecture: str, source: Path) -> bytes:
    return (build_libraries(architecture, [source]) / library_name(source)).read_bytes()


@pytest.fixture
def here() -> dict[str, bytes]:
    """As they are built in this folder."""
    return {architecture: library(architecture, kernel()) for architecture in ELF_MACHINES}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the source, in a folder where nothing is built yet; only the compiler is there."""
    compiler = native_library._compiler()
    monkeypatch.setattr(native_library, "BUILT", tmp_path / "built")
    monkeypatch.setattr(native_library, "_compiler", lambda: compiler)
    for file in kernel(), header():
        copy = tmp_path / "another" / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True)
        shutil.copy(file, copy)
    return tmp_path / "another" / kernel().relative_to(ROOT)


@each_architecture
def test_is_for_the_machine(architecture: str) -> None:
    header = library(architecture, kernel())[:20]
    assert header.startswith(b"\x7fELF\x02\x01")  # 64 bits, little-endian
    assert struct.unpack_from("<H", header, 18) == (ELF_MACHINES[architecture],)


@each_architecture
def test_asks_for_an_old_c_library_and_for_no_python(architecture: str) -> None:
    found = library(architecture, kernel())
    asked = {(int(major), int(minor)) for major, minor in re.findall(rb"GLIBC_(\d+)\.(\d+)", found)}
    assert asked
    assert max(asked) <= (2, 17)
    assert set(re.findall(rb"lib\w+\.so[.\w]*", found)) <= {b"libc.so.6", b"libpthread.so.0"}
    assert not re.search(rb"Py[A-Z_]|python", found)


@each_architecture
def test_has_the_same_bytes_in_every_folder(
    architecture: str, here: dict[str, bytes], elsewhere: Path
) -> None:
    there = library(architecture, elsewhere)
    assert len(list(native_library.BUILT.iterdir())) == 1, "not compiled there"
    assert there == here[architecture]
    assert str(native_library.BUILT.parent).encode() not in there


def test_a_changed_header_makes_another_library(elsewhere: Path) -> None:
    name, folder = library_name(elsewhere), build_libraries("host", [elsewhere])
    with (elsewhere.parents[2] / "counts" / "counts.h").open("a") as header:
        header.write("\n")
    assert library_name(elsewhere) != name
    assert build_libraries("host", [elsewhere]) != folder


def test_is_built_once_for_its_source(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_libraries("host", [elsewhere])
    with monkeypatch.context() as patch:
        patch.setattr(native_library, "_compiler", lambda: pytest.fail("The library was there already."))
        assert build_libraries("host", [elsewhere]) == first
    with elsewhere.open("a") as source:
        source.write("\n")
    assert build_libraries("host", [elsewhere]) != first


def test_a_source_that_does_not_compile_is_reported_and_leaves_nothing(elsewhere: Path) -> None:
    elsewhere.write_text("int nonsense", "utf-8")
    with pytest.raises(LayerNotBuilt, match=r"kernel.c does not compile for (.|\n)*kernel\.c:1:"):
        build_libraries("arm64", [elsewhere])
    assert list(native_library.BUILT.iterdir()) == []


def test_a_compiler_that_cannot_be_installed_is_reported_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text("no-such-package-of-ours==1.0 --hash=sha256:" + 64 * "0" + "\n", "utf-8")
    monkeypatch.setattr(native_library, "LOCK", lock)
    monkeypatch.setattr(native_library, "BUILT", tmp_path / "built")
    with pytest.raises(LayerNotBuilt, match="pip could not install the compiler"):
        build_libraries("arm64", [kernel()])
    assert list((tmp_path / "built").iterdir()) == []
