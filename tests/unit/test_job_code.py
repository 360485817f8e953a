"""Jobs that are files anywhere: one import name, and what works here but not in Lambda is refused here."""

import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from fanfold import job_code
from fanfold.cli import app as commands
from fanfold.errors import JobNotUsable
from fanfold.here import libraries
from fanfold.job_code import add_job, as_given, check_packages, job_named, known_jobs, load, sources_of
from fanfold.testing import check_job, load_job
from stacks import native_library
from stacks.dependency_layer import LayerNotBuilt, lock_of_job
from stacks.native_library import sources_of_jobs

JOB = """
from lambda_src.counts import counts_job

def count(text, add):
    add("all", {key})

JOB = counts_job(rules="1", part="kind", parts=("all",), count=count)
"""
HASH = f"--hash=sha256:{'0' * 64}"


def written(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_file_is_a_job_with_the_name_of_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, {"my_job.py": JOB.format(key="__name__")}) / "my_job.py"
    assert job_named(str(file)) == "my_job"
    assert known_jobs()[-1] == "my_job"
    answer = check_job(load("my_job"), {"a": b"x\n"}, 2)
    assert answer["results"]["all"]["top"] == [{"key": "lambda_src.jobs.my_job", "count": 1}]
    assert sources_of("my_job") == {"lambda_src/jobs/my_job.py": file}
    assert [path.name for path in tmp_path.iterdir()] == ["my_job.py"]  # and no bytecode


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "my_job.py"
    for rules in ("1", "2"):
        file.write_text(JOB.format(key="'a'").replace('"1"', f'"{rules}"'))
        assert load(job_named(file)).rules == rules


IN_C = """
from pathlib import Path
from lambda_src.counts import counts_job
from lambda_src.counts.compiled import c_library
from .keys import KEY

def count(text, add):
    add("all", KEY, c_library(Path(__file__).with_name("scan.c")).three())

JOB = counts_job(rules="1", part="kind", parts=("all",), columns=("found",), count=count)
"""


def test_a_folder_is_a_job(tmp_path: Path) -> None:
    """Its modules import each other relatively, wherever it runs, and find its C."""
    folder = tmp_path / "my_job"
    written(
        folder,
        {
            "__init__.py": IN_C,
            "keys.py": "KEY = __name__",
            "requirements.txt": f"# ours\nmsgspec==0.20.0 \\\n    {HASH}\n",
            "scan.c": '#include "scan.h"\nint three(void) { return THREE; }',
            "scan.h": "#define THREE 3",
            "data/words.txt": "a b",
            **dict.fromkeys(("test_it.py", "tests/test_more.py", "conftest.py"), "import pandas"),
            **dict.fromkeys((".git/config", "__pycache__/x.pyc"), ""),
        },
    )
    answer = check_job(load_job(folder), {"a": b"x\n"}, 2)
    assert answer["results"]["all"]["top"] == [{"key": "lambda_src.jobs.my_job.keys", "found": 3}]
    names = ("__init__.py", "data/words.txt", "keys.py", "scan.c", "scan.h")
    assert list(sources_of("my_job")) == [f"lambda_src/jobs/my_job/{name}" for name in names]
    assert lock_of_job("my_job") == folder / "requirements.txt"
    assert sources_of_jobs(["my_job"]) == [*sources_of_jobs([]), folder / "scan.c"]


@pytest.mark.parametrize(
    ("path", "option"),
    [("my_job.py", "my_job.py"), ("my_job", "./my_job"), ("a b/my_job.py", "'a b/my_job.py'")],
)
def test_commands_to_paste_name_the_file(
    path: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = path if path.endswith(".py") else f"{path}/__init__.py"
    written(tmp_path, {file: JOB.format(key="'a'")})
    add_job(Path(path))
    assert as_given("my_job") == option
    assert as_given("access_log") == "access_log"


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            {"my_job.py": "import pandas"},
            "my_job.py, line 1: Lambda has no pandas: a package goes into the req",
        ),
        ({"my_job.py": "\ndef f():\n    from numpy import mean"}, "my_job.py, line 3: Lambda has no numpy"),
        ({"my_job.py": "from fanfold.testing import check_job"}, "my_job.py, line 1: Lambda has no fanfold"),
        ({"my_job.py": "def f(:"}, "my_job.py is not valid Python."),
        ({"my_job.py": "\0"}, "my_job.py is not valid Python."),
        ({"my_job/main.py": ""}, "my_job: a job is a Python file, or a folder that has an __init__.py."),
        (
            {"my_job/__init__.py": "import numpy", "my_job/requirements.txt": f"numpy==2.4.6 {HASH}"},
            "my_job/__init__.py, line 1: Lambda has no numpy: import packages inside the functions",
        ),
        (
            {"my_job/__init__.py": "", "my_job/requirements.txt": "numpy==2.4.6"},
            "my_job/requirements.txt: numpy==2.4.6 has no version or no hash: write the file with `uv pip",
        ),
        (
            {"my_job/__init__.py": "", "my_job/requirements.txt": f"numpy==2 \\\n {HASH}\npandas>=2 {HASH}"},
            "my_job/requirements.txt: pandas>=2 has no version or no hash",
        ),
        (
            {"my_job/__init__.py": "", "my_job/data.bin": "x" * 10_000_001},
            "my_job: its files are deployed with the code of the functions, so they can have at most ",
        ),
    ],
)
def test_what_would_fail_in_lambda_is_refused(
    files: Mapping[str, str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(written(tmp_path, files))
    with pytest.raises(JobNotUsable) as refused:
        add_job(Path(next(iter(files)).split("/")[0]))
    assert str(refused.value).startswith(sentence)


def test_what_lambda_has_and_what_is_tried_is_imported() -> None:
    code = """
import json, msgspec, regex
from lambda_src.job import Job
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import pandas
try:
    import numpy
except ImportError:
    numpy = None
"""
    import ast

    found = {module for _, module in job_code._imported(ast.parse(code), in_functions=True)}
    assert found <= job_code.AVAILABLE


def test_packages_that_are_not_installed_are_named(tmp_path: Path) -> None:
    lock = f"msgspec==0.20.0 {HASH}\nno-such-package==1 {HASH}\nother==2 ; sys_platform == 'win32' {HASH}\n"
    folder = written(tmp_path / "my_job", {"__init__.py": JOB, "requirements.txt": lock})
    with pytest.raises(JobNotUsable) as missing:
        check_packages(add_job(folder))
    assert str(missing.value) == (
        "The job my_job needs no-such-package, which this Python does not have: install it with "
        f"`pip install -r {folder}/requirements.txt`."
    )


def test_c_that_does_not_compile_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str, sources: Sequence[Path]) -> Path:
        raise LayerNotBuilt(f"{sources[-1].name} does not compile:\nscan.c:1:1: error: no")

    monkeypatch.setattr(native_library, "build_libraries", refuse)
    folder = written(tmp_path / "my_job", {"__init__.py": JOB.format(key="'a'"), "scan.c": "int one(void) {"})
    (tmp_path / "in").write_text("x")
    assert commands.main(["try", str(folder), str(tmp_path / "in")]) == 1
    assert capsys.readouterr().err.splitlines()[-3:] == [
        "scan.c does not compile:",
        "scan.c:1:1: error: no",
        "Error: The C of the job my_job does not compile: see the lines above.",
    ]


@pytest.mark.parametrize(
    ("compilers", "first"),
    [
        ([], "Downloading a C compiler, 100 MB, to compile the jobs (once) ..."),
        (["zig-0"], "Compiling the C of the jobs (once) ..."),
    ],
)
def test_a_person_sees_that_a_long_compilation_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compilers: list[str], first: str
) -> None:
    told: list[str] = []
    enough = threading.Event()

    def say(text: str) -> None:
        told.append(text)
        if len(told) == 3:
            enough.set()

    def build(_: str, __: Sequence[Path]) -> Path:
        assert enough.wait(60)
        return tmp_path

    for name in compilers:
        (tmp_path / name).mkdir()
    monkeypatch.setattr(native_library, "BUILT", tmp_path)
    monkeypatch.setattr(native_library, "build_libraries", build)
    monkeypatch.setattr(libraries, "LATE_S", 0.0)
    monkeypatch.setattr(libraries, "AGAIN_S", 0.0)
    monkeypatch.setattr(sys, "path", [*sys.path])
    libraries.add_libraries(say)
    assert told[0] == first
    assert told[1:3] == ["... 0 s"] * 2


def test_a_name_without_code_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        JobNotUsable, match=r"code of the job my_job, .* give its file, as in --job ./my_job.py."
    ):
        load("my_job")
    assert commands.main(["estimate", "1GB", "--job", "my_job"]) == 2
    assert "there is no job my_job; choose one of access_log, " in capsys.readouterr().err


def test_a_mistake_in_a_file_is_shown_to_its_author(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, {"my_job.py": "x = 1 / 0"}) / "my_job.py"
    assert commands.main(["jobs", str(file)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[1] == f'  File "{file}", line 1, in <module>'
    assert told[-1] == f"Error: {file} cannot be imported: ZeroDivisionError: division by zero."


def test_jobs_shows_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(written(tmp_path, {"my_job.py": f'"""Counts x."""\n{JOB.format(key="0")}'}))
    assert commands.main(["jobs", "./my_job.py"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "my_job: Counts x.",
        "The result is by kind: all",
        "It has no options.",
        "Example: fanfold run --job my_job.py FILE",
    ]
