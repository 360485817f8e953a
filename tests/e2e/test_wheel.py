"""The wheel as a person meets it: installed into an environment of its own, in an empty folder."""

import filecmp
import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from fanfold.checkout import ROOT
from stacks import native_library
from tests.wheel import build_wheel

# Fetches from npm, builds all layers, and synthesizes three times.
pytestmark = pytest.mark.slow


class Installed(NamedTuple):
    """The environment, an empty folder, and the variables of a person's shell."""

    site_packages: Path
    command: Path
    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self.command), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """What the wheel depends on comes from the environment of the tests."""
    root = tmp_path_factory.mktemp("wheel")
    environment, folder, caches = (root / name for name in ("venv", "empty", "caches"))
    folder.mkdir()
    venv.create(environment, with_pip=False)
    (site_packages,) = environment.glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(build_wheel(root))], check=True)
    compiler = native_library._compiler().parent.parent
    native = caches / "fanfold" / "native"
    native.mkdir(parents=True)
    (native / compiler.name).symlink_to(compiler)
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # for node
        "XDG_CACHE_HOME": str(caches),
    }
    one = Installed(site_packages, environment / "bin" / "fanfold", folder, variables)
    yield one
    one.run("down", "--delete-data")


def test_in_an_empty_folder(installed: Installed) -> None:
    """Alone among a person's packages, it has one name."""
    assert {path.name.partition("-")[0] for path in installed.site_packages.iterdir()} == {"fanfold"}
    ours = installed.site_packages / "dependencies.pth"
    ours.write_text(sysconfig.get_path("purelib"))
    before = {path for path in installed.site_packages.rglob("*") if path.suffix != ".pyc"}
    file = installed.folder / "words.txt"
    file.write_text("some words and more words\n")

    assert "fanfold up" in installed.run("--help")
    assert "modelled for top_words" in installed.run("estimate", file.name)
    installed.run("up")
    assert json.loads(installed.run("run", "--local", "--json", file.name))["words"] == 5
    assert installed.run("runs", "--local").count("SUCCEEDED") == 1
    installed.run("report", "--local", "last", "--output", "report.html")
    assert "uPlot" in (installed.folder / "report.html").read_text()
    installed.run("doctor", "--local")

    assert {path.name for path in installed.folder.iterdir()} == {"report.html", "words.txt"}
    after = {path for path in installed.site_packages.rglob("*") if path.suffix != ".pyc"}
    assert {path for path in after - before if path.name != "__pycache__"} == set()


def test_what_it_deploys_is_what_a_clone_deploys(installed: Installed, tmp_path: Path) -> None:
    synth = [sys.executable, "-m", "fanfold", "synth", "--output", str(tmp_path)]
    with subprocess.Popen(synth, cwd=ROOT, env=installed.environment) as clone:
        installed.run("synth")
    assert clone.returncode == 0
    ours, theirs = sorted_files(tmp_path), sorted_files(installed.folder / "cdk.out")
    assert ours == theirs
    assert any(name.endswith("lambda_src/job.py") for name in ours)
    different = filecmp.cmpfiles(tmp_path, installed.folder / "cdk.out", ours, shallow=False)[1:]
    assert different == ([], [])


def sorted_files(folder: Path) -> list[str]:
    """The files of an assembly, except the times that the CDK has measured."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.name != "performance-counters.json")
