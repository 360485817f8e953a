"""The wheel, built as pip builds it, from a copy: setuptools writes into the folder that it builds."""

import shutil
import subprocess
import sys
from pathlib import Path

from fanfold.checkout import ROOT

SOURCES = ("fanfold", "lambda_src", "stacks")

_BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


def build_wheel(folder: Path) -> Path:
    """Build the wheel in ``folder``."""
    copy = folder / "sources"
    copy.mkdir()
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name)
    stale = copy / "build" / "lib" / "removed_meanwhile.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    built = subprocess.run(
        [sys.executable, "-c", _BUILD, str(folder)], cwd=copy, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel
