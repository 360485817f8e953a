"""The command estimate."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fanfold.cli.options import Job, Local, Profile, Region, whole_number
from fanfold.cli.session import open_account, open_console
from fanfold.safe_text import visible
from lambda_src.settings import DEFAULT_JOB

if TYPE_CHECKING:
    from fanfold.account.choice import Account
    from fanfold.account.deployment import Deployment

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast

SMALLEST_QUOTA = 2
"""A run needs two Lambdas at once."""

SMALLEST_BARE = 1_000_000
"""Of a smaller size without a unit, a person may have meant another unit than bytes."""

ACCOUNT_QUOTA = 1000
"""What AWS gives an account that is not new."""


def estimate(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE|SIZE", help="A size such as 10GB, or what `fanfold run` takes.")
    ],
    *,
    job: Job = DEFAULT_JOB,
    quota: Annotated[
        int,
        typer.Option(
            parser=whole_number(SMALLEST_QUOTA),
            metavar="N",
            help="How many Lambdas your account may run at once, 2 or more; a new one has 10.",
        ),
    ] = ACCOUNT_QUOTA,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Estimate the seconds and dollars of a run before you pay for it, by stage and by item. It also suggests
    a block size and a number of Lambdas, and says why. A SIZE needs no account."""
    from fanfold.estimate.contents import modelled
    from fanfold.format import parse_size

    of_job = modelled(job)
    size, where = parse_size(source), region
    if size is not None and size < SMALLEST_BARE and re.fullmatch(r"[0-9.]+", source.strip()):
        raise typer.BadParameter(
            f"{source} would be {source} bytes: write a unit, as in {source}GB, or {source}B for bytes."
        )
    if size is not None and Path(source).exists():
        raise typer.BadParameter(
            f"{source} is both a size and a file: write ./{source} for the file, or {size} for the size."
        )
    if size is not None:
        workload = of_job(size)
    else:
        from fanfold.cli.output import show_warnings
        from fanfold.estimate.contents import local_workload, workload_of
        from fanfold.runs import run as runs
        from fanfold.runs.source import Local as LocalSource
        from fanfold.runs.source import parse

        meant = parse(source)
        if isinstance(meant, LocalSource):
            show_warnings(meant.warnings())
            size, workload = meant.bytes, local_workload(job, meant)
        else:
            account = open_account(local, profile, region)
            deployment = _deployed(account, job)
            contents = runs.contents(account.aws, meant, deployment)
            size, workload = contents.bytes, _with_key(account, deployment, workload_of(job, contents))
            where = account.aws.session.region_name
    if not size:
        workload = workload._replace(objects=())  # a run reads none of them
    from fanfold.cli import output as report
    from fanfold.estimate import table as estimate
    from lambda_src.run.prices import REFERENCE

    found = estimate.estimate(workload, size, quota, where or REFERENCE)
    if json:
        report.write(report.STANDARD_OUTPUT, report.json_text(estimate.as_json(job, found)))
    else:
        estimate.show(open_console(), found)


def _deployed(account: "Account", job: str) -> "Deployment | None":
    """The stack of ``job``, if there is one: an estimate does without."""
    from fanfold.account.deployment import DeploymentError

    try:
        return account.deployment(job)
    except DeploymentError:
        return None


def _with_key(account: "Account", deployment: "Deployment | None", workload: Any) -> Any:
    """``workload`` with what the key of the bucket of ``deployment`` takes, if it has one."""
    from fanfold.runs import run as runs

    if deployment is None:
        return workload
    try:
        return runs.with_key(account.aws, deployment, workload)
    except runs.RunError as error:
        told = f"Requests to KMS for intermediates, if there are any, are not in this estimate. {error}"
        open_console(to_errors=True).print(visible(told), soft_wrap=True)
        return workload
