"""Options and arguments that several commands share, and how their values are checked."""

import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from fanfold.cli.formats import ALL_ENDINGS
from fanfold.cli.formats import Format as Formats
from fanfold.cli.session import LAST, LOCAL_VARIABLE, complain
from fanfold.job_code import is_name, is_path, job_named, known_jobs
from lambda_src.fields import DEFAULT_MAX_CONCURRENCY, MAX_CONCURRENCY, MOST_REUSE_DAYS

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast

MOST_DOLLARS = 1e9
MOST_DAYS = 36_500


class BadObjectChoice(StrEnum):
    """What to do with a bad object."""

    FAIL = "fail"
    SKIP = "skip"


def known_job(text: str | None) -> str | None:
    """The name of a job whose code is here, given by that name or by its file."""
    name = named_job(text)
    if name is not None and name not in known_jobs():
        raise typer.BadParameter(
            f"there is no job {name}; choose one of {', '.join(known_jobs())}, or give a file, as in "
            f"./{name}.py."
        )
    return name


def named_job(text: str | None) -> str | None:
    """The name of a job, whose code may be elsewhere, given by that name or by its file."""
    name = None if text is None else job_named(text)
    if name is not None and not is_name(name):
        raise typer.BadParameter(
            f"{text} is not the name of a job, such as {', '.join(known_jobs())}, nor a file such as "
            "./my_job.py."
        )
    return name


def stack_jobs(texts: list[str] | None) -> list[str]:
    """The names of own jobs, each given by its file; or the name of a single job of Fanfold."""
    if texts and len(texts) == 1 and not is_path(texts[0]):
        return [str(known_job(texts[0]))]
    return own_jobs(texts)


def own_jobs(texts: list[str] | None) -> list[str]:
    """The names of own jobs, each given by its file."""
    names = []
    for text in texts or ():
        if not is_path(text):
            raise typer.BadParameter(
                f"{text} is not a file: for a job of your own, give one, as in ./{text}.py. A job of Fanfold "
                f"is in the stack of all jobs already; to deploy it alone, give -c job={text}."
            )
        if (name := job_named(text)) in names:
            raise typer.BadParameter(f"two jobs have the name {name}: rename one of the files.")
        names.append(name)
    return names


def valid_run_id(run_id: str | None) -> str | None:
    """``run_id``, if there is one.

    >>> valid_run_id("wiki-2026.11_b")
    'wiki-2026.11_b'
    """
    if run_id is None:
        return None
    import msgspec

    from lambda_src.fields import RUN_ID_RULE, RunId

    try:
        return msgspec.convert(run_id, RunId)
    except msgspec.ValidationError:
        raise typer.BadParameter(f"{run_id!r} is not a run id: use {RUN_ID_RULE}.") from None


def new_name(run_id: str | None) -> str | None:
    if run_id == LAST:
        raise typer.BadParameter(f"{LAST} stands for the newest run: choose another name.")
    return valid_run_id(run_id)


def note_local(context: typer.Context, local: bool) -> bool:
    """Say so if only the environment selects the local AWS: a person may have forgotten that."""
    source = context.get_parameter_source("local")
    if local and source and source.name == "ENVIRONMENT":
        complain(f"On the local AWS, because {LOCAL_VARIABLE} is set.")
    return local


def complete_job(beginning: str) -> list[str]:
    return [name for name in known_jobs() if name.startswith(beginning)]


def whole_number(smallest: int, largest: int | None = None) -> Callable[[str | int], int]:
    """A parser of whole numbers, for a typer.Option."""

    def parse(text: str | int) -> int:
        number = int(text) if re.fullmatch("-?[0-9]+", str(text)) else None
        if number is None or number < smallest or (largest and number > largest):
            wanted = f"from {smallest} to {largest}" if largest else f"of at least {smallest}"
            raise typer.BadParameter(f"{text} is not a whole number {wanted}.")
        return number

    return parse


def dollars(text: str | float) -> float:
    found = re.fullmatch(r"[0-9]+(\.[0-9]+)?|\.[0-9]+", str(text))
    if not found or not 0 < float(text) <= MOST_DOLLARS:
        raise typer.BadParameter(f"{text} is not an amount of dollars above 0, such as 0.25.")
    return float(text)


def size_in_bytes(text: str | int) -> int:
    from fanfold.format import parse_size, size_text
    from lambda_src.fields import LARGEST_OBJECT_BYTES

    size = parse_size(str(text))
    if not size:
        raise typer.BadParameter(f"{text} is not a size of at least 1, such as 5MB or 5000000.")
    if size > LARGEST_OBJECT_BYTES:
        raise typer.BadParameter(
            f"{text} is more than {size_text(LARGEST_OBJECT_BYTES)}, the largest object that S3 stores."
        )
    return size


def days(text: str | float) -> float:
    days = float(text) if re.fullmatch(r"[0-9]{1,5}(\.[0-9]+)?", str(text)) else None
    if days is None or days > MOST_DAYS:
        raise typer.BadParameter(f"{text} is not a number of days from 0 to {MOST_DAYS:,}.")
    return days


*_FIRST, _LAST = Formats
_FORMATS = f"{', '.join(_FIRST)} or {_LAST}"
JOB_HELP = f"One of {', '.join(known_jobs())}; or a file or a folder of your own, such as ./my_job.py."
Job = Annotated[
    str, typer.Option(metavar="JOB", help=JOB_HELP, callback=known_job, autocompletion=complete_job)
]
AnyDeployedJob = Annotated[
    str, typer.Option(metavar="JOB", help=JOB_HELP, callback=named_job, autocompletion=complete_job)
]
StackJobs = Annotated[
    list[str] | None,
    typer.Option(
        "--job",
        metavar="FILE|NAME",
        help="A file or a folder of your own, such as ./my_job.py: the stack of all jobs has it, too; repeat "
        "it for more. Or the name of a job, to deploy it as a stack of its own.",
        callback=stack_jobs,
        autocompletion=complete_job,
    ),
]
AnyJob = Annotated[
    str | None,
    typer.Option(
        "--job",
        metavar="JOB",
        help=f"{JOB_HELP}  [default: all jobs]",
        callback=named_job,
        autocompletion=complete_job,
    ),
]
Local = Annotated[
    bool,
    typer.Option(
        "--local",
        envvar=LOCAL_VARIABLE,
        help="Use the local AWS that `fanfold up` starts.",
        callback=note_local,
    ),
]
Profile = Annotated[str | None, typer.Option(metavar="NAME", help="The AWS profile to use.")]
Region = Annotated[str | None, typer.Option(metavar="NAME", help="The AWS region, such as eu-west-1.")]
RunId = Annotated[
    str,
    typer.Argument(
        metavar="RUN_ID", help="As `fanfold runs` lists it, or `last`: the newest.", callback=valid_run_id
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="The same as --format json: print the result as JSON; everything else goes to standard error.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="PATH", help=f"Also write the result to this file: {ALL_ENDINGS}."
    ),
]
Format = Annotated[
    Formats | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help=f"Print the result as {_FORMATS}; everything else goes to standard error. With "
        "--output, the format of that file.  [default: what the file's ending says]",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="An option of the job. Repeat it for more. Commas separate the elements of a list. "
        "`fanfold jobs NAME` lists the options.  [default: the job's, or those of a resumed run]",
    ),
]
SetNew = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="An option of the job. Repeat it for more. Commas separate the elements of a list. "
        "`fanfold jobs NAME` lists the options.  [default: the job's]",
    ),
]
KeepAll = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Also store everything that the run counts, not only what the result shows. With --output, all "
        "rows go to that file, in the order of their keys: .csv, .jsonl or .parquet.",
    ),
]


def _block_bytes(default: str) -> Any:
    help_ = f"Size of a block, such as 5MB.  [default: {default}]"
    return typer.Option(parser=size_in_bytes, metavar="SIZE", help=help_)


BlockBytes = Annotated[int | None, _block_bytes("chosen for the input")]
BlockBytesOfRun = Annotated[int | None, _block_bytes("chosen for the input, or that of a resumed run")]
Concurrency = Annotated[
    int | None,
    typer.Option(
        parser=whole_number(1, MAX_CONCURRENCY),
        metavar="N",
        help=f"Maximum number of Lambdas at once, 1 to {MAX_CONCURRENCY}.  "
        f"[default: {DEFAULT_MAX_CONCURRENCY}; locally, twice the processors]",
    ),
]
ReuseDays = Annotated[
    int | None,
    typer.Option(
        parser=whole_number(1, MOST_REUSE_DAYS),
        metavar="N",
        help="Map only those objects under the prefix that no run of the last N days has mapped, and keep "
        "what this run maps for N days.  [default: map all objects, or as a resumed run began]",
    ),
]


def _max_dollars(default: str) -> Any:
    help_ = "Cancel the run once it has cost more than X dollars. It can be resumed with a higher limit.  "
    return typer.Option(parser=dollars, metavar="X", help=f"{help_}[default: {default}]")


MaxDollars = Annotated[float | None, _max_dollars("no limit")]
MaxDollarsOfRun = Annotated[float | None, _max_dollars("no limit, or that of a resumed run")]
IncludeHidden = Annotated[
    bool,
    typer.Option(
        "--include-hidden",
        help="Also read files and objects whose names begin with a dot or an underscore, and leftovers "
        "of editors. A file or an object that you name is always read.",
    ),
]
OnBadObject = Annotated[
    BadObjectChoice,
    typer.Option(
        metavar="fail|skip",
        help="What to do with an object under a prefix that is damaged, archived, not text or not readable: "
        "let the run fail, or leave it out and list it with the reason.",
    ),
]
