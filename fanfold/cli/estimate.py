"""The command estimate."""

import re
from pathlib import Path
from typing import Annotated

import typer

from fanfold.cli.options import Job, Local, Profile, Region, SetNew, whole_number
from fanfold.cli.session import open_app, open_console
from fanfold.safe_text import visible
from lambda_src.settings import ACCOUNT_QUOTA, DEFAULT_JOB

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast

SMALLEST_QUOTA = 2
"""Smallest quota of a run, which needs two Lambdas at once."""

SMALLEST_BARE = 1_000_000
"""Smallest size that may have no unit: a smaller one was probably not meant as bytes."""

SourceOrSize = Annotated[
    str, typer.Argument(metavar="SOURCE|SIZE", help="A size such as 10GB, or what `fanfold run` takes.")
]
Quota = Annotated[
    int,
    typer.Option(
        parser=whole_number(SMALLEST_QUOTA),
        metavar="N",
        help="How many Lambdas your account may run at once, 2 or more; a new one has 10.",
    ),
]


def estimate(
    source: SourceOrSize,
    *,
    job: Job = DEFAULT_JOB,
    set_: SetNew = None,
    all_: Annotated[
        bool,
        typer.Option("--all", help="Estimate a run with --all, which also stores everything that it counts."),
    ] = False,
    quota: Quota = ACCOUNT_QUOTA,
    json: Annotated[bool, typer.Option("--json", help="Print the estimate as JSON.")] = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Estimate the seconds and dollars of a run before you pay. It shows each stage and each item, how the
    run divides its work, and why. A SIZE needs no account."""
    from fanfold.estimate.contents import modelled
    from fanfold.job_code import load
    from fanfold.runs.complete import check_keep
    from fanfold.runs.options import from_texts

    options = (
        from_texts(load(job), set_, lambda: open_app(local, profile, region).account.aws) if set_ else None
    )
    check_keep(job, load(job), "all" if all_ else None, options)
    of_job = modelled(job)
    size = _size(source)
    from fanfold.cli.output import STANDARD_OUTPUT, show_warnings, write
    from fanfold.estimate import table
    from fanfold.jobs import chosen_text
    from fanfold.runs.result import json_text
    from lambda_src.run.prices import REFERENCE

    if size is not None:
        workload = of_job(size, options)
    else:
        from fanfold.estimate.contents import local_workload
        from fanfold.runs.source import Local as LocalSource
        from fanfold.runs.source import parse

        input_ = parse(source)
        if isinstance(input_, LocalSource):
            show_warnings(input_.warnings())
            size, workload = input_.bytes, local_workload(job, input_, options)
        else:
            app = open_app(local, profile, region)
            size, workload = app.workload(input_, job, options, _note)
            region = app.region
    found = table.estimate(workload._replace(keeps=all_), size, quota, region or REFERENCE)
    if json:
        write(STANDARD_OUTPUT, json_text(table.as_json(job, found, options)))
    else:
        table.show(open_console(), found, chosen_text(job, options or {}))


def _note(text: str) -> None:
    open_console(to_errors=True).print(visible(text), soft_wrap=True)


def _size(source: str) -> int | None:
    """The size that ``source`` means, if it is one. Raises BadParameter for what could mean two things."""
    from fanfold.format import parse_size

    size = parse_size(source)
    if size is not None and size < SMALLEST_BARE and re.fullmatch(r"[0-9.]+", source.strip()):
        raise typer.BadParameter(
            f"{source} would be {source} bytes: write a unit, as in {source}GB, or {source}B for bytes."
        )
    if size is None and source[:1].isdigit() and not Path(source).exists():
        raise typer.BadParameter(
            f"{source} is not a size, such as 500MB, 10GB or 1.5TiB, and there is no file or folder {source}."
        )
    if size is not None and Path(source).exists():
        raise typer.BadParameter(
            f"{source} is both a size and a file: write ./{source} for the file, or {size} for the size."
        )
    return size
