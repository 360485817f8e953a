"""The job of a file, as Lambda has it."""

import sys
from pathlib import Path

from fanfold.here.libraries import add_own_library
from fanfold.job_code import add_job, check_packages, load
from lambda_src.job import Job


def load_job(path: str | Path) -> Job:
    """The job of a file, or of a folder that is a package, with its own C compiled. It is the module
    ``lambda_src.jobs.<name>``, as in Lambda. Raises JobNotUsable."""
    name = add_job(Path(path))
    check_packages(name)
    add_own_library(name, lambda text: print(text, file=sys.stderr))
    return load(name)
