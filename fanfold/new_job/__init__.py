"""The skeleton of a new job, and its test."""

import sys
from pathlib import Path

from fanfold.errors import JobNotWritten
from fanfold.job_code import NAME_RULE, is_name
from lambda_src.job import names

TEMPLATES = Path(__file__).parent


def write_job(folder: Path, name: str, *, plain: bool = False) -> list[Path]:
    """Write the job ``name`` and its test into ``folder``, and return both paths: a counting job, or a
    ``plain`` one that says itself how it maps and reduces. Raises JobNotWritten, OSError."""
    if not is_name(name):
        raise JobNotWritten(f"{name!r} cannot name a job: use {NAME_RULE}, and not a Python keyword.")
    if name in sys.stdlib_module_names:  # other programs in the folder would import the job in its place
        raise JobNotWritten(f"{name} is a module of Python itself: choose another name.")
    if name in names():
        raise JobNotWritten(f"{name} is a job of Fanfold already: choose another name.")
    kind = "plain" if plain else "counting"
    job, test = folder / f"{name}.py", folder / f"test_{name}.py"
    for path in (job, folder / name, test):
        if path.exists():
            raise JobNotWritten(f"{path.name} already exists here: choose another name.")
    for path, template in ((job, f"{kind}.py.txt"), (test, f"test_{kind}.py.txt")):
        text = (TEMPLATES / template).read_text("utf-8")
        with path.open("x", encoding="utf-8") as file:
            file.write(text.replace("NAME", name))
    return [job, test]
