"""The wheel as a person meets it: installed into an environment of its own, in an empty folder."""

import filecmp
import json
import os
import shutil
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
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    one = Installed(site_packages, environment / "bin" / "fanfold", folder, variables)
    yield one
    one.run("down", "--delete-data")


def test_in_an_empty_folder(installed: Installed) -> None:
    """Alone among a person's packages, it has one name."""
    names = {path.name.partition("-")[0] for path in installed.site_packages.iterdir()}
    assert names == {"fanfold", "dependencies.pth"}
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


IN_C = """
from pathlib import Path

from lambda_src.counts import counts_job
from lambda_src.counts.compiled import c_library


def count(text, add):
    import numpy

    found = c_library(Path(__file__).with_name("lines.c")).lines(text, len(text))
    add("all", "lines", int(numpy.int64(found)))


JOB = counts_job(rules="1", part="kind", parts=("all",), columns=("found",), count=count)
"""
C = """
int lines(const char *text, int size) {
    int found = 0;
    for (int at = 0; at < size; at++) found += text[at] == 10;
    return found;
}
"""


def test_jobs_of_ones_own(installed: Installed, tmp_path: Path) -> None:
    """From nothing to a result in the local AWS, as docs/jobs.md says; and a folder, with a package and C."""
    folder = installed.folder
    installed.run("new-job", "log_messages")
    tested = [str(installed.command.with_name("python")), "-m", "pytest", "-q", "test_log_messages.py"]
    subprocess.run(tested, cwd=folder, env=installed.environment, check=True)
    (folder / "lines_in_c").mkdir()
    (folder / "lines_in_c" / "__init__.py").write_text(IN_C)
    (folder / "lines_in_c" / "lines.c").write_text(C)
    shutil.copy(ROOT / "lambda_src/jobs/column_permutations/requirements.txt", folder / "lines_in_c")
    (folder / "app.log").write_text("09:00 ERROR disk 7 is full\n09:05 ERROR disk 12 is full\n")
    jobs = ("./log_messages.py", "./lines_in_c")
    tried = [json.loads(installed.run("try", job, "app.log", "--json"))["results"] for job in jobs]
    assert tried[0]["ERROR"]["top"] == [{"key": "#:# ERROR disk # is full", "lines": 2}]
    assert tried[1]["all"]["top"] == [{"key": "lines", "found": 2}]

    deployed = [f"--job={job}" for job in jobs]
    installed.run("synth", *deployed, "--output", str(tmp_path))
    assert len(list(tmp_path.glob("asset.*/lambda_src/jobs/lines_in_c/__pycache__/__init__.*.pyc"))) == 1
    installed.run("up", *deployed)
    for job, results in zip(deployed, tried, strict=True):
        ran = json.loads(installed.run("run", "--local", "--json", job, "app.log"))
        assert ran["results"] == results
    assert "log_messages" in installed.run("runs", "--local")
    installed.run("report", "--local", deployed[1], "last", "--output", "own.html")
    with pytest.raises(AssertionError, match="give its file, as in --job"):
        installed.run("results", "--local", "last")


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


def test_another_app_uses_it(installed: Installed, tmp_path: Path) -> None:
    """The example of docs/operating.md, in an app that has a package called ``stacks`` itself."""
    (installed.site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "__init__.py").write_text("")
    example = (ROOT / "docs" / "examples" / "other_app.py").read_text()
    (tmp_path / "app.py").write_text(f"{example}\nimport stacks\nprint(stacks.__file__)\n")
    made = tmp_path / "cdk.out"
    done = subprocess.run(
        [str(installed.command.parent / "python"), "app.py"],
        cwd=tmp_path,
        env={**installed.environment, "CDK_OUTDIR": str(made), "CDK_CONTEXT_JSON": '{"logs": "their-logs"}'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "stacks" / "__init__.py")
    template = json.loads((made / "Website.template.json").read_text())
    assert list(template["Outputs"]) == ["CountRequests"]


def sorted_files(folder: Path) -> list[str]:
    """The files of an assembly, except the times that the CDK has measured."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.name != "performance-counters.json")
