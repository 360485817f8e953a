"""Folders that are built once and kept, each named by a hash of its sources."""

import tempfile
from collections.abc import Callable
from pathlib import Path


def build_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """``folder``, which ``build`` makes unless it exists. It is built elsewhere and then renamed, so that a
    parallel build, or one that fails, leaves nothing half built."""
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
