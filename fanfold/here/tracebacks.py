"""Stack traces for the author of a job."""

import traceback
from pathlib import Path

from fanfold.checkout import ROOT

ENGINE = (ROOT / "lambda_src", Path(__file__).resolve().parents[1])
JOBS = ROOT / "lambda_src" / "jobs"


class JobFailed(Exception):
    """The code of a job has raised something else than the errors for users: a mistake in it. The text is
    its stack trace."""


def author_traceback(error: BaseException) -> str:
    """The stack trace of ``error``, which begins in the job's own code; if none is in it, the whole."""
    if isinstance(error, JobFailed):
        return str(error)
    whole = traceback.TracebackException.from_exception(error)
    own = next((at for at, frame in enumerate(whole.stack) if not _is_of_engine(frame.filename)), None)
    if own is not None:
        whole.stack = traceback.StackSummary.from_list(whole.stack[own:])
    return "".join(whole.format(chain=False)).rstrip()


def _is_of_engine(file: str) -> bool:
    path = Path(file).resolve()
    if path.is_relative_to(JOBS):
        return False
    return (
        file.startswith("<frozen")
        or any(path.is_relative_to(folder) for folder in ENGINE)
        or ("/lib/python" in file and "site-packages" not in file)
    )
