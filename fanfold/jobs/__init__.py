"""What the client knows about each job: ``fanfold/jobs/<job>.py`` defines ``JOB``, a ``ClientJob``."""

import importlib
import importlib.util
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # slow to import
    from rich.console import Console

    from fanfold.demo.sample import Generate
    from fanfold.estimate.workload import Options, Workload
    from fanfold.report.figures import Result
    from fanfold.runs.source import Local
    from lambda_src.job import Job

Summary = Mapping[str, Any]
Cell = str | int | float | None
Rows = Iterator[tuple[Cell, ...]]


def accept_any(source: "Local", options: "Options") -> None:
    """The check of a job that reads any file or folder."""


@dataclass(frozen=True, kw_only=True)
class ClientJob:
    """Everything that the client knows about a job.

    ``heading`` is that of a report, with ``{name}`` in place of its input's name. ``show`` prints a result in
    a terminal, ``rows`` yields it as a flat table, the header first, and ``draw`` makes its figures for a
    report. ``workload`` is the work that a local input or a number of bytes is for the job with some options;
    it raises SourceError, and NotModelled if too little is known. ``check`` raises SourceError for a file or
    folder that the job cannot read with these options, before it is uploaded. ``sample`` generates an input.

    Runs of a job without ``workload`` cannot be estimated. Without ``sample``, the demo needs a file.
    """

    show: "Callable[[Console, Summary], None]"
    rows: Callable[[Summary], Rows]
    draw: "Callable[[Summary], Result]"
    heading: str
    workload: "Callable[[Local | int, Options], Workload] | None" = None
    check: "Callable[[Local, Options], None]" = accept_any
    sample: "Generate | None" = None


def client_job(name: str) -> ClientJob:
    """What the client knows about the job ``name``; a default for a job without a module here."""
    module = f"{__name__}.{name}"
    if not importlib.util.find_spec(module):
        return any_job(name, _loaded(name))
    job: ClientJob = importlib.import_module(module).JOB
    return job


def _loaded(name: str) -> "Job | None":
    """The job, if its code is here."""
    from fanfold.job_code import known_jobs, load  # noqa: PLC0415 - slow to import

    return load(name) if name in known_jobs() else None


def chosen_options(
    name: str, options: Mapping[str, Any], noted: Collection[str] | None = None
) -> dict[str, Any]:
    """Options of a run of the job ``name`` that differ from the job's defaults, by name. If its code is not
    here, those that the run ``noted``, or all."""
    from lambda_src.options import defaults_of  # noqa: PLC0415 - as above

    job = _loaded(name) if options else None
    if not job and noted is not None:
        return {one: value for one, value in sorted(options.items()) if one in noted}
    defaults = defaults_of(job.options) if job else {}
    return {
        one: value for one, value in sorted(options.items()) if one not in defaults or value != defaults[one]
    }


def chosen_text(name: str, options: Mapping[str, Any], noted: Collection[str] | None = None) -> str:
    """The same for a person."""
    from fanfold.format import options_text  # noqa: PLC0415 - as above

    return options_text(chosen_options(name, options, noted))


def sentence_of(name: str) -> str:
    """How the documentation of the module of the job ``name`` begins, if its code is here."""
    try:
        text = importlib.import_module(f"lambda_src.jobs.{name}").__doc__ or ""
    except ModuleNotFoundError:
        return ""
    return " ".join(text.strip().partition("\n\n")[0].split())


def records_of(name: str, summary: Summary, field: str) -> list[dict[str, Cell]]:
    """The rows of the table that a result of the job ``name`` has in ``field``. Raises RunError."""
    from fanfold.errors import RunError  # noqa: PLC0415 - as above
    from fanfold.jobs._tables import find  # noqa: PLC0415
    from lambda_src.run.summary import ENGINE_FIELDS  # noqa: PLC0415

    job = _loaded(name)
    own = {name: value for name, value in summary.items() if name not in ENGINE_FIELDS}
    tables = (find(own, job.part, job.parts) if job else find(own)).tables
    for table in tables:
        if table.field == field:
            return [dict(zip(table.table.headings, row, strict=True)) for row in table.table.rows]
    fields = ", ".join(dict.fromkeys(table.field for table in tables))
    raise RunError(f"The result has no table {field!r}: its tables are {fields}.")


def any_job(name: str, job: "Job | None" = None) -> ClientJob:
    """What the client makes of the results of a job by itself: every list of objects is a table, and what the
    ``job`` says in ``shown`` comes first."""
    found: ClientJob = importlib.import_module(f"{__name__}._any_job").client_job(name, job)
    return found


def by_number(parts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The entries of ``parts`` in the order of their keys, which are numbers.

    >>> by_number({"10": "b", "9": "a"})
    [('9', 'a'), ('10', 'b')]
    """
    return sorted(parts.items(), key=lambda entry: int(entry[0]))
