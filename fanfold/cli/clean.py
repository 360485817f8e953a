"""The command clean."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from fanfold.cli.options import AnyJob, Local, Profile, Region, days
from fanfold.cli.session import complain, open_app, open_console
from fanfold.safe_text import visible

if TYPE_CHECKING:
    from rich.console import Console

    from fanfold.account.connection import Aws
    from fanfold.account.deployment import Deployment

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast


def clean(
    run_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN_ID]...", help="Runs to clean.  [default: all that are old enough]"),
    ] = None,
    *,
    older_than: Annotated[
        float | None,
        typer.Option(
            parser=days,
            metavar="DAYS",
            help="Only runs that stored nothing for this many days.  [default: 1]",
        ),
    ] = None,
    results: Annotated[
        bool,
        typer.Option("--results", help="Also delete complete sums, which only `results --all` reads."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be deleted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    job: AnyJob = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Delete intermediates of old runs. Inputs and results stay; complete sums go only with --results, or if
    they belong to no result. A cleaned run has no timeline in its report, and resuming it reads everything
    again. By default blobs expire by themselves after a day, the rest after 7 days."""
    if run_ids and older_than is not None:
        raise typer.BadParameter("give run ids or --older-than, not both.")
    account = open_app(local, profile, region).account
    complain(f"On {account.aws.name()}")
    clean_up(
        open_console(),
        account.aws,
        account.deployments(job),
        run_ids or [],
        1.0 if older_than is None else older_than,
        job=job,
        results=results,
        dry_run=dry_run,
        yes=yes,
    )


def clean_up(
    console: "Console",
    aws: "Aws",
    deployments: "Sequence[Deployment]",
    run_ids: Sequence[str],
    days: float,
    *,
    job: str | None,
    results: bool = False,
    dry_run: bool,
    yes: bool,
) -> None:
    """Delete the intermediates of the runs ``run_ids``, or else of those older than ``days``, of all jobs or
    of ``job``, once the person has agreed; with ``results``, also their complete sums. Raises AccountError,
    RunError, ConfirmationRequired."""
    from fanfold.cli.terminal import agrees
    from fanfold.format import counted, size_text
    from fanfold.runs.intermediates import remove, select

    wanted, unknown, skipped = select(aws, deployments, run_ids, days, job, results=results)
    if unknown:
        console.print(visible(f"There are no intermediates of {', '.join(unknown)}."), soft_wrap=True)
    for reason in skipped:
        console.print(visible(reason), soft_wrap=True)
    if not wanted:
        console.print("There is nothing to delete.")
        return
    for _, left in wanted:
        console.print(
            visible(f"{left.run_id}: {counted(len(left.keys), 'object')}, {size_text(left.bytes)}"),
            soft_wrap=True,
        )
    total = f"{counted(sum(len(left.keys) for _, left in wanted), 'object')} of {counted(len(wanted), 'run')}"
    if dry_run:
        console.print(f"{total} would be deleted.")
        return
    question = f"Delete {total} (y), or nothing (Enter)? "
    unasked = "Not a terminal: pass --yes or --dry-run."
    if not yes and not agrees(question, unasked):
        console.print("Nothing was deleted.")
        return
    removed = sum(remove(aws, deployment, left) for deployment, left in wanted)
    console.print(f"{counted(removed, 'object')} {'was' if removed == 1 else 'were'} deleted.")
