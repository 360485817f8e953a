"""What deploying and the local AWS need besides an installed wheel: the packages of its extra ``deploy``, and
the CDK's command line and Pyodide from npm."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from fanfold.checkout import INSTALLED, NODE_MODULES, ROOT, with_node
from fanfold.errors import ToolsMissing

EXTRA = ("aws_cdk", "cdk_nag", "constructs", "ministack", "pip", "trustme")
"""Modules of the extra ``deploy``."""

INSTALL_EXTRA = "pip install 'fanfold[deploy]'"


def missing_packages() -> list[str]:
    """The modules of the extra ``deploy`` that are not installed."""
    return [name for name in EXTRA if not importlib.util.find_spec(name)]


def prepare_tools(tell: Callable[[str], None]) -> None:
    """Make sure that everything to deploy is here. ``tell`` gets a sentence before something is fetched,
    which happens once. Raises ToolsMissing."""
    if not INSTALLED:  # make has installed everything
        return
    if missing_packages():
        raise ToolsMissing(
            "Deploying and the local AWS need more packages: install Fanfold with its extra `deploy`, as in "
            f"`{INSTALL_EXTRA}`."
        )
    if not NODE_MODULES.exists():
        tell(f"Fetching the CDK from npm into {NODE_MODULES.parent} (once, about 60 MB) ...")
        fetch_from_npm(NODE_MODULES)


def fetch_from_npm(node_modules: Path) -> None:
    """Install what the lock has into ``node_modules``: completely, or not at all. Raises ToolsMissing."""
    environment = with_node(os.environ)
    npm = shutil.which("npm", path=environment["PATH"])
    if not npm:
        raise ToolsMissing(f"There is no npm, which fetches the CDK: get it with `{INSTALL_EXTRA}`.")
    node_modules.parent.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=node_modules.parent.parent) as temporary:
        folder = Path(temporary, "npm")
        folder.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(ROOT / name, folder)
        command = [npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        command.append("--no-update-notifier")
        if subprocess.run(command, cwd=folder, env=environment, stdout=sys.stderr, check=False).returncode:
            raise ToolsMissing("npm could not fetch the CDK, for the reason above: correct it and try again.")
        try:
            folder.rename(node_modules.parent)
        except OSError:  # another process was faster
            if not node_modules.exists():
                raise
