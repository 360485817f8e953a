"""The processes of this machine, as tests look for what was left."""

from contextlib import suppress
from pathlib import Path


def processes_of(folder: Path) -> list[int]:
    """What runs with ``folder`` in its environment or arguments: a zombie, which has ended, has neither."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            texts = [(process / name).read_bytes() for name in ("cmdline", "environ")]
            if any(str(folder).encode() in text for text in texts):
                found.append(int(process.name))
    return found
