"""Two synths in two folders are the same, byte for byte: a diff in review then shows real changes only.

The folders differ in what must not matter: depth, time stamps, permissions, what tools have left there.
Each builds its own layers from the locks, and compiles with the compilers of this folder. Neither has
credentials.
"""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fanfold.checkout import ROOT
from stacks import native_library

from .synthesized import CDK_CONTEXT, Synthesized

# Two synths from nothing. test_native_library, test_layer and test_function_code build each part twice.
pytestmark = pytest.mark.slow

ASSEMBLY = "assembly"

LEFT_OVERS = (
    "notes.txt",
    ".mypy_cache/.gitignore",
    "lambda_src/.pytest_cache/conftest.py",
    "lambda_src/handlers/.parse_file.py.swp",
    "lambda_src/handlers/__pycache__/parse_file.cpython-311.pyc",
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two copies of the sources with the app synthesized in each, at the same time to save some."""
    one = tmp_path_factory.mktemp("one")
    other = tmp_path_factory.mktemp("other") / "deeper" / "down"
    compiler = native_library._compiler().parent.parent
    for folder in (one, other):
        _copy_sources(folder)
        (folder / ".build" / "native").mkdir(parents=True)
        (folder / ".build" / "native" / compiler.name).symlink_to(compiler)
        (folder / "node_modules").symlink_to(ROOT / "node_modules")
    for name in LEFT_OVERS:
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text("Not part of the app.", "utf-8")
    synths = [
        (one, _start_synth(one, umask=0o022, seed="1")),
        (other, _start_synth(other, umask=0o077, seed="2")),
    ]
    for folder, synth in synths:
        printed, _ = synth.communicate(timeout=900)
        assert synth.returncode == 0, f"{folder}:\n{printed}"
    return one, other


@pytest.mark.parametrize("name", ["Fanfold.assets.json", "Fanfold.template.json"])
def test_two_folders_give_the_same(folders: tuple[Path, Path], name: str) -> None:
    one, other = ((folder / ASSEMBLY / name).read_text("utf-8") for folder in folders)
    assert json.loads(one) == json.loads(other)
    assert one == other


def test_this_folder_gives_the_same_too(folders: tuple[Path, Path], default: Synthesized) -> None:
    def hashes(assets: dict[str, Any]) -> set[str]:
        return set(assets["files"])

    elsewhere = Synthesized(folders[0] / ASSEMBLY)
    assert hashes(elsewhere.assets) == hashes(default.assets)
    assert elsewhere.template == default.template


@pytest.mark.parametrize("built", ["layers", "code"])
def test_two_builds_are_identical(folders: tuple[Path, Path], built: str) -> None:
    one, other = (_hashed(folder / ".build" / built) for folder in folders)
    assert one == other
    assert len(one) > 3
    assert any(name.endswith(".pyc") for name in one)


def test_lambda_can_read_every_file_whatever_the_umask(folders: tuple[Path, Path]) -> None:
    """The CDK's zip has the modes of these files, and Lambda runs as another user than their owner."""
    for folder in folders:
        files = [path for path in (folder / ASSEMBLY).glob("asset.*/**/*") if path.is_file()]
        assert {".py", ".pyc", ".so"} <= {path.suffix for path in files}
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} <= {0o644, 0o755}


def _copy_sources(folder: Path) -> None:
    """All that git tracks or would track: what a person has after a clone, with the changes at hand."""
    git = shutil.which("git")
    assert git
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, os.fsdecode(listed.stdout).split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)


def _start_synth(folder: Path, *, umask: int, seed: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {
        "CDK_OUTDIR": str(folder / ASSEMBLY),
        "CDK_CONTEXT_JSON": json.dumps(CDK_CONTEXT),
        # No credentials from the files of the person who runs the tests either.
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONHASHSEED": seed,
    }
    return subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=folder,
        env=environment,
        umask=umask,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _hashed(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
