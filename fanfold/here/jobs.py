"""The job to try: one of Fanfold, or one of its author."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fanfold.errors import JobNotUsable
from fanfold.here.libraries import add_libraries, add_own_library
from fanfold.job_code import add_job, check_packages, is_path, known_jobs, load
from lambda_src.job import Job


class Named(NamedTuple):
    """A job and its name."""

    name: str
    job: Job


def find_job(text: str, say: Callable[[str], None]) -> Named:
    """The job that ``text`` means, a name or the path of a file or a folder, with its C compiled: ``say``
    gets a message if that takes long or is not possible. Raises JobNotUsable."""
    if text not in known_jobs() and not is_path(text):
        raise JobNotUsable(
            f"There is no job {text}: choose one of {', '.join(known_jobs())}, or name a file, as in "
            f"./{text}.py."
        )
    name = add_job(Path(text)) if is_path(text) else text
    check_packages(name)
    add_libraries(say)
    add_own_library(name, say)
    return Named(name, load(name))
