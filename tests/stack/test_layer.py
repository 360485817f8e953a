"""The dependency layer: binaries of the right machine and Python, and nothing that differs between builds."""

import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from fanfold.checkout import ROOT
from lambda_src.counts.compiled import library_name
from lambda_src.job import names
from stacks import dependency_layer
from stacks.dependency_layer import LOCK, LayerNotBuilt, build_layer, for_lambda, lock_of_job
from stacks.native_library import build_libraries, sources_of_jobs

ELF_MACHINES = {"arm64": 183, "x86_64": 62}
"""EM_AARCH64 and EM_X86_64 of the ELF specification."""

NEWEST_GLIBC_OF_RUNTIME = (2, 34)
"""Amazon Linux 2023."""

LAYERS: dict[str, tuple[Path, list[Path]]] = {
    "lambda_src": (LOCK, []),
    **{job: (lock, []) for job in names() if (lock := lock_of_job(job))},
    **{f"{job} in C": (LOCK, sources) for job in names() if (sources := sources_of_jobs([job]))},
}
"""The lock and the sources of each layer that there is."""

each_architecture = pytest.mark.parametrize("architecture", ELF_MACHINES)
each_layer = pytest.mark.parametrize(("lock", "sources"), LAYERS.values(), ids=LAYERS)


def bytecode_of(source: Path) -> Path:
    return source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"


def layer_of(architecture: str, lock: Path, sources: list[Path]) -> Path:
    return build_layer(architecture, [lock], build_libraries(architecture, sources) if sources else None)


def files_of(layer: Path) -> list[Path]:
    return [path for path in layer.rglob("*") if path.is_file()]


def binaries_of(layer: Path) -> list[Path]:
    return [path for path in files_of(layer) if path.read_bytes().startswith(b"\x7fELF")]


@each_architecture
@each_layer
def test_binaries_are_for_the_machine(architecture: str, lock: Path, sources: list[Path]) -> None:
    binaries = binaries_of(layer_of(architecture, lock, sources))
    assert binaries
    for binary in binaries:
        header = binary.read_bytes()[:20]
        is_64_bit, is_little_endian = header[4] == 2, header[5] == 1
        assert is_64_bit, binary
        assert is_little_endian, binary
        (machine,) = struct.unpack_from("<H", header, 18)
        assert machine == ELF_MACHINES[architecture], binary


@each_architecture
@each_layer
def test_binaries_are_for_python_3_13_or_for_every_python(
    architecture: str, lock: Path, sources: list[Path]
) -> None:
    layer = layer_of(architecture, lock, sources)
    libraries = [path for path in files_of(layer) if ".so" in path.suffixes or ".so." in path.name]
    assert set(libraries) == set(binaries_of(layer))
    for module in libraries:
        if module.parent.name.endswith(".libs"):
            continue  # it knows nothing of Python
        assert re.search(r"\.(abi3|cpython-313-[a-z0-9_]+-linux-gnu)\.so$", module.name), module


@each_architecture
@each_layer
def test_binaries_ask_for_no_newer_c_library_than_the_runtime_has(
    architecture: str, lock: Path, sources: list[Path]
) -> None:
    for binary in binaries_of(layer_of(architecture, lock, sources)):
        asked = re.findall(rb"GLIBC_(\d+)\.(\d+)", binary.read_bytes())
        newest = max(((int(major), int(minor)) for major, minor in asked), default=(0, 0))
        assert newest <= NEWEST_GLIBC_OF_RUNTIME, binary


MODULES: dict[str, str] = {"google-re2": "re2"}
"""The modules of packages that have another name."""


@each_architecture
@each_layer
def test_holds_the_locked_packages(architecture: str, lock: Path, sources: list[Path]) -> None:
    found = re.findall(r"^([a-z0-9-]+)==([0-9.]+) \\", lock.read_text("utf-8"), re.MULTILINE)
    locked: dict[str, str] = dict(found)
    assert locked
    packages = layer_of(architecture, lock, sources) / "python"
    for name, version in locked.items():
        assert (packages / MODULES.get(name, name) / "__init__.py").is_file()
        assert (packages / f"{name.replace('-', '_')}-{version}.dist-info" / "METADATA").is_file()


@each_architecture
@each_layer
def test_lies_where_the_runtime_looks(architecture: str, lock: Path, sources: list[Path]) -> None:
    assert [path.name for path in layer_of(architecture, lock, sources).iterdir()] == ["python"]


@each_architecture
@each_layer
def test_leaves_out_what_differs_between_machines(architecture: str, lock: Path, sources: list[Path]) -> None:
    names = {path.name for path in layer_of(architecture, lock, sources).rglob("*")}
    assert not names & {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "bin"}


@each_architecture
def test_has_no_package_that_only_another_python_needs(architecture: str) -> None:
    """Whichever builds it. msgspec imports typing_extensions if it is there, which takes 10 ms."""
    assert not list(build_layer(architecture).rglob("typing_extensions*"))


def test_libraries_are_found_without_pip() -> None:
    """`fanfold try` looks for those that are built; tools such as uv install it without pip."""
    program = "import sys; sys.modules['pip'] = None; import stacks.dependency_layer, stacks.native_library"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("marker", "is_wanted"),
    [
        ("python_full_version < '3.13'", False),
        ('python_version >= "3.13" and python_version < "3.14"', True),
        ("sys_platform == 'linux' and platform_machine == 'aarch64'", True),
        ("platform_machine == 'x86_64' or sys_platform != 'linux'", False),
        ("platform_python_implementation == 'PyPy' or os_name == 'nt'", False),
    ],
)
def test_a_lock_is_read_as_lambda_would(marker: str, is_wanted: bool) -> None:
    marked, others = (
        f"marked==1 ; {marker} \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n",
        "# a ; b\nother==2\n",
    )
    found = for_lambda(others + marked + others, "aarch64").split("\n")
    assert [" ".join(line.split()) for line in found] == [
        *others.splitlines(),
        *(["marked==1 --hash=sha256:00 --hash=sha256:11"] if is_wanted else []),
        *others.splitlines(),
    ]


@each_architecture
def test_numpy_comes_without_its_tests(architecture: str) -> None:
    names = {path.name for path in build_layer(architecture, [LAYERS["column_permutations"][0]]).rglob("*")}
    assert not [name for name in names if re.search(r"^tests$|_tests\.|_simd\.|\.pyi$", name)]


def test_numpy_has_all_that_a_job_may_import() -> None:
    """Also what none of ours imports."""
    layer = build_layer("host", [LAYERS["column_permutations"][0]])
    program = f"""
import sys
sys.path.insert(0, {str(layer / "python")!r})
from numpy import *
import numpy, numpy.ctypeslib, numpy.fft, numpy.lib, numpy.linalg, numpy.ma, numpy.matlib, numpy.polynomial
import numpy.random, numpy.rec, numpy.strings, numpy.testing, numpy.typing
print(numpy.__file__, numpy.linalg.solve(numpy.eye(2), numpy.ones(2)))
"""
    ran = subprocess.check_output([sys.executable, "-I", "-S", "-B", "-c", program], text=True)
    assert ran == f"{layer}/python/numpy/__init__.py [1. 1.]\n"


@each_architecture
@each_layer
def test_has_bytecode_of_every_source_and_no_other(
    architecture: str, lock: Path, sources: list[Path]
) -> None:
    files = files_of(layer_of(architecture, lock, sources))
    modules = {path for path in files if path.suffix == ".py"}
    assert modules
    assert {path for path in files if path.suffix == ".pyc"} == set(map(bytecode_of, modules))


def test_has_none_for_this_machine() -> None:
    assert not [path for path in files_of(build_layer("host")) if path.suffix == ".pyc"]


@each_architecture
def test_holds_what_a_job_has_in_c(architecture: str) -> None:
    sources = sources_of_jobs(["top_words"])
    assert "kernel" in [source.stem for source in sources]
    for source in sources:
        assert (layer_of(architecture, LOCK, sources) / "python" / library_name(source)).is_file()


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of the one where layers are kept; nothing that comes there is compiled."""
    monkeypatch.setattr(dependency_layer, "BUILT", tmp_path / "layers")
    monkeypatch.setattr(dependency_layer, "add_bytecode", lambda *_: None)
    return tmp_path / "layers"


def test_a_package_that_does_not_match_its_hash_is_refused(built: Path, tmp_path: Path) -> None:
    tampered = tmp_path / "requirements.txt"
    tampered.write_text(re.sub(r"sha256:\w+", "sha256:" + 64 * "0", LOCK.read_text("utf-8")), "utf-8")
    with pytest.raises(LayerNotBuilt, match=r"(?i)arm64 layer(.|\n)*do not match the hashes"):
        build_layer("arm64", [tampered])
    assert list(built.iterdir()) == []


def test_a_broken_build_leaves_nothing(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(target: Path, *_: object) -> None:
        target.mkdir(parents=True)
        (target / "half").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(dependency_layer, "_install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_layer("arm64")
    assert list(built.iterdir()) == []


@pytest.mark.usefixtures("built")
def test_of_two_builds_at_the_same_time_one_wins_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    overtaking: list[Path] = []

    def install(target: Path, architecture: str, _: Path) -> None:
        target.mkdir(parents=True)
        if overtaking:
            (target / "fast").touch()
        else:
            overtaking.append(target)
            build_layer(architecture)
            (target / "slow").touch()

    monkeypatch.setattr(dependency_layer, "_install", install)
    assert [path.name for path in files_of(build_layer("arm64"))] == ["fast"]


def test_is_built_once_for_a_lock(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(target: Path, *_: object) -> None:
        target.mkdir(parents=True)

    def install_again(*_: object) -> None:
        pytest.fail("The layer was there already.")

    monkeypatch.setattr(dependency_layer, "_install", install)
    first = build_layer("arm64")
    monkeypatch.setattr(dependency_layer, "_install", install_again)
    assert build_layer("arm64") == first
    assert first.parent == built
