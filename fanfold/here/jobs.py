"""The job to try: one of Fanfold, or a file of its author."""

import importlib.util
import sys
from pathlib import Path
from typing import NamedTuple

from fanfold.errors import JobNotUsable
from fanfold.here.tracebacks import JobFailed, author_traceback
from lambda_src.job import Job, load, names


class Named(NamedTuple):
    """A job and its name; a job of Fanfold ``is_known`` to the client, which shows its results well."""

    name: str
    job: Job
    is_known: bool


def find_job(text: str) -> Named:
    """The job that ``text`` names: one of Fanfold, or the path of a module or a package that defines ``JOB``.
    Raises JobNotUsable, JobFailed."""
    if text in names():
        return Named(text, load(text), is_known=True)
    path = Path(text)
    if not path.exists():
        raise JobNotUsable(
            f"There is no job {text}: choose one of {', '.join(names())}, or name a file, as in ./my_job.py."
        )
    file = path / "__init__.py" if path.is_dir() else path
    name = path.resolve().stem
    if file.suffix != ".py" or not file.is_file() or not name.isidentifier():
        raise JobNotUsable(f"{path}: a job is a Python file or package, named as in my_job.py.")
    if name in names():
        raise JobNotUsable(f"{path}: {name} is a job of Fanfold already: rename the file.")
    return Named(name, _job_in(file, name), is_known=False)


def _job_in(file: Path, name: str) -> Job:
    spec = importlib.util.spec_from_file_location(name, file.resolve())
    if spec is None or spec.loader is None:
        raise JobNotUsable(f"{file} is not a Python module.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(file.resolve().parent))  # for modules beside it
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise JobFailed(author_traceback(error)) from error
    job = getattr(module, "JOB", None)
    if not isinstance(job, Job):
        raise JobNotUsable(f"{file} does not define JOB, a Job (docs/jobs.md).")
    return job
