"""What a person gives to make arrives as it is, whatever it holds."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fanfold.checkout import ROOT

HOSTILE = """it's "a" $(touch m) `touch m`; touch m & $HOME ${HOME} $(shell touch m) $$ | # \\ %.txt"""
RECORDER = '#!/bin/sh\nprintf \'%s\\0\' "$@" >> "$ARGUMENTS"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The Makefile, with everything installed, and commands that note down their arguments."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for command in (".venv/bin/python", ".venv/bin/fanfold", "node_modules/.bin/cdk"):
        recorder = tmp_path / command
        recorder.parent.mkdir(parents=True, exist_ok=True)
        recorder.write_text(RECORDER)
        recorder.chmod(0o755)
    for prerequisite in ("requirements-dev.txt", "package-lock.json", ".installed"):
        (tmp_path / prerequisite).touch()
    return tmp_path


def make(folder: Path, target: str, given: dict[str, str], how: str) -> list[str]:
    """The arguments of the command that ``target`` runs."""
    words = [f"{name}={value}" for name, value in given.items()] if how == "argument" else []
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        "ARGUMENTS": str(folder / "arguments"),
        **(given if how == "environment" else {}),
    }
    done = subprocess.run(
        ["make", "--silent", target, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(folder.rglob("m")), "a command in it was run"
    return (folder / "arguments").read_text().split("\0")[:-1]


@pytest.mark.parametrize("how", ["argument", "environment"])
@pytest.mark.parametrize(
    "name", ["it's.txt", "two words", "a;b", "a$b", "$(touch m)", "-x --output ", HOSTILE]
)
def test_file_and_json_are_just_characters(folder: Path, name: str, how: str) -> None:
    assert make(folder, "run", {"FILE": name, "JSON": name}, how) == [
        *("demo", f"--file={name}", "--json", f"--output={name}")
    ]


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_options_are_split_at_spaces_and_nowhere_else(folder: Path, how: str) -> None:
    options = ["words=a,b*", "note=$(touch", "m);'x'", '"b"', "*"]
    assert make(folder, "run", {"SET": "  ".join(options)}, how) == [
        "demo",
        *(word for option in options for word in ("--set", option)),
    ]


def test_numbers_are_passed_on_and_nothing_else(folder: Path) -> None:
    given = {"BLOCK_BYTES": "7;touch m", "CONCURRENCY": "2"}
    assert make(folder, "run", given, "argument")[1:] == ["--block-bytes=7;touch m", "--concurrency=2"]


def test_nothing_given_is_nothing_passed_on(folder: Path) -> None:
    assert make(folder, "run", {}, "argument") == ["demo"]


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_each_setting_of_the_context_is_one_argument(folder: Path, how: str) -> None:
    settings = ["a=1", "b=$(touch${IFS}m)", "c=`touch${IFS}m`", "d=it's;touch", "e=*", '"f', 'g"']
    arguments = make(folder, "synth", {"CONTEXT": "  ".join(settings)}, how)
    assert [word for word in arguments if word not in ("-c", "synth", "--quiet")] == settings
    assert arguments.count("-c") == len(settings)


@pytest.mark.parametrize("how", ["argument", "environment"])
@pytest.mark.parametrize("target", ["deploy", "destroy"])
def test_a_deployment_is_given_each_setting_as_one_argument(folder: Path, target: str, how: str) -> None:
    settings = ["a=1", "b=$(touch${IFS}m)", "c=`touch${IFS}m`", "d=it's;touch", "e=*", '"f', 'g"']
    told = {"CONTEXT": "  ".join(settings), "TAGS": "x=* y=$(touch${IFS}m)", "REQUIRE_APPROVAL": HOSTILE}
    context = [word for setting in settings for word in ("-c", setting)]
    tags = ["--tag", "x=*", "--tag", "y=$(touch${IFS}m)"] if target == "deploy" else []
    assert make(folder, target, told, how) == [target, f"--require-approval={HOSTILE}", *context, *tags]


def test_the_list_of_targets_fits_a_terminal() -> None:
    done = subprocess.run(["make", "--silent", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert {line.split()[1] for line in lines if line.startswith("  make ")} >= {"run", "test", "clean"}
