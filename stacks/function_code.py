"""Collects our code, which all functions share, with bytecode for Lambda's Python."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from fanfold.checkout import BUILDS, ROOT
from fanfold.job_code import sources_of
from stacks.builds import build_once
from stacks.bytecode import add_bytecode
from stacks.bytecode import identity as identity_of_bytecode

SOURCES = ROOT / "lambda_src"
BUILT = BUILDS / "code"

ENDINGS = (".py", ".pem")

KEPT = 10
"""Number of builds that are kept, the last ones used. Each change of a source makes another."""


def build_code(architecture: str, own_jobs: Sequence[str] = ()) -> Path:
    """The folder of the code for ``architecture``: ``arm64`` or ``x86_64`` for Lambda, ``host`` for running
    on this machine, whose Python may be another version and keeps its own bytecode. ``own_jobs`` are jobs of
    other authors that it has, too. Built once. Raises BytecodeNotWritten."""
    for_lambda = architecture != "host"
    found = (path for ending in ENDINGS for path in SOURCES.rglob(f"*{ending}"))
    names = sorted(path.relative_to(ROOT) for path in found)
    # Caches of tools may contain Python files, too.
    wanted = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    sources = {name: (ROOT / name).read_bytes() for name in wanted}
    for job in own_jobs:
        sources |= {Path(place): path.read_bytes() for place, path in sources_of(job).items()}
    identity = hashlib.sha256(Path(__file__).read_bytes() + (identity_of_bytecode() if for_lambda else b""))
    for name, content in sources.items():
        identity.update(f"\0{name.as_posix()}\0{len(content)}\0".encode() + content)

    def build(folder: Path) -> None:
        for name, content in sources.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        if for_lambda:
            add_bytecode(folder, "/var/task")

    code = build_once(BUILT / f"{'lambda' if for_lambda else 'host'}-{identity.hexdigest()[:16]}", build)
    code.touch()
    _remove_old()
    return code


def _remove_old() -> None:
    by_use = sorted(BUILT.glob("*-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_use[KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
