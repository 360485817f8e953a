"""Folders that are built once and kept in ``.build``, each named by a hash of what it is made of."""

import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def build_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """``folder``, which ``build`` makes unless it exists: somewhere else first, so that a second build at the
    same time, or one that fails, leaves nothing half built."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            built = Path(temporary, "built")
            build(built)
            try:
                built.rename(folder)
            except OSError:  # another process was faster
                if not folder.exists():
                    raise
    return folder
