"""Puts the CDK app into the package when a wheel is built, so that nothing else lands in site-packages.
Everything else is in pyproject.toml. A clone, installed as it lies there, needs no copy."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

APP = (
    *(
        "app.py",
        "cdk.json",
        "package.json",
        "package-lock.json",
        "requirements.txt",
        "requirements-native.txt",
    ),
    *("lambda_src", "stacks"),
)


class BuildWithApp(build_py):  # type: ignore[misc]  # setuptools has no types
    """Builds the package, with the app in its folder ``cdk_app``."""

    def run(self) -> None:
        if self.editable_mode:
            super().run()
            return
        shutil.rmtree(self.build_lib, ignore_errors=True)  # what an earlier build has left there
        super().run()
        folder = Path(self.build_lib, "fanfold", "cdk_app")
        folder.mkdir(parents=True)
        for name in APP:
            if Path(name).is_dir():
                shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copy(name, folder)


setup(cmdclass={"build_py": BuildWithApp})
