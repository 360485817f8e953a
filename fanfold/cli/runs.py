"""Commands for runs that have begun: watch, runs, results, resume, cancel."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fanfold.cli.formats import ALL_ENDINGS
from fanfold.cli.options import (
    AnyJob,
    Format,
    Json,
    Local,
    MaxDollarsOfRun,
    Output,
    Profile,
    Region,
    RunId,
    whole_number,
)
from fanfold.cli.session import (
    complain,
    open_app,
    open_console,
    open_output,
    open_rows,
    open_run,
    open_stages,
    print_json,
)
from fanfold.safe_text import visible

if TYPE_CHECKING:
    from fanfold.cli.output import Output as Into

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast


def _status(text: str | None) -> str | None:
    from fanfold.runs.history import STATUSES

    if text is not None and text.upper() not in STATUSES:
        raise typer.BadParameter(f"{text} is none of {', '.join(STATUSES)}.")
    return text and text.upper()


def watch(
    run_id: RunId,
    *,
    job: AnyJob = None,
    json: Json = False,
    output: Output = None,
    format_: Format = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Watch a run until it has ended, and show its result."""
    into = open_output(output, json, format_)
    from fanfold.cli.watch import finish, watch_run

    run, stages = open_run(run_id, job, local, profile, region), open_stages(into)
    finish(run, watch_run(run, stages), stages, into)


def runs(
    *,
    job: AnyJob = None,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="STATUS",
            help="Only runs that are RUNNING, SUCCEEDED, FAILED, CANCELLED or DIED.",
            callback=_status,
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(parser=whole_number(1), metavar="N", help="Maximum number of runs, newest first.")
    ] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List past and current runs, newest first. In a pipe, tabs separate the columns."""
    from fanfold.cli.runs_table import show_runs
    from fanfold.runs.history import as_json, past_runs

    account, console = open_app(local, profile, region).account, open_console()
    found = past_runs(account.aws, account.deployments(job), limit, status, job)
    for run in found.unreadable:
        complain(run.text)
    if json:
        print_json(as_json(found))
    elif found.runs or not console.is_terminal:
        show_runs(console, found.runs)
        if console.is_terminal and len(found.runs) == limit:
            console.print(f"These are the newest {limit:,}; --limit N shows more.")
    elif status:
        console.print(f"There are no runs that are {status}.")
    elif not found.unreadable:
        console.print(f"There are no runs yet. Start one with `fanfold run{account.aws.options} SOURCE`.")


def results(
    run_id: RunId,
    *,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="The same as --format csv.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help=f"Write it to this file instead: {ALL_ENDINGS}."),
    ] = None,
    format_: Format = None,
    all_: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Everything that a run with --all has counted, one row for each key, in the order of keys: "
            "as CSV, JSON Lines or Parquet.  [default: CSV]",
        ),
    ] = False,
    job: AnyJob = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Show the result of a run that has succeeded."""
    into = open_rows(output, json, format_, csv) if all_ else open_output(output, json, format_, csv)
    from fanfold.cli import output as report
    from fanfold.runs.run import legible

    run = open_run(run_id, job, local, profile, region)
    record, summary = run.read()
    report.show_warnings(record.warnings)
    if into and all_:
        from fanfold.cli.all_export import write_all_rows

        write_all_rows(into, run.load_job(), run.complete_sums())
        _show_written(into)
        return
    if not into:
        console = open_console()
        with legible(run.run_id):
            report.show(console, run.job, summary, {})
        report.show_dollars(console, record)
        return
    with legible(run.run_id):
        text = report.as_file(into, run.job, summary, {})
    report.write(into.path, text)
    _show_written(into)


def _show_written(into: "Into") -> None:
    from fanfold.cli.output import STANDARD_OUTPUT

    if into.path != STANDARD_OUTPUT:
        open_console(to_errors=True).print(visible(f"Written to {into.path}"), soft_wrap=True)


def resume(
    run_id: RunId,
    *,
    max_dollars: MaxDollarsOfRun = None,
    job: AnyJob = None,
    json: Json = False,
    output: Output = None,
    format_: Format = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Resume a run that failed, was cancelled or died. It does only what is missing."""
    into = open_output(output, json, format_)
    from fanfold.cli.watch import finish, watch_run

    run, stages = open_run(run_id, job, local, profile, region), open_stages(into)
    stages.console.print(f"On {run.aws.name()}")
    request = run.request_to_resume(max_dollars)
    finish(run, watch_run(run, stages, lambda: run.begin(request)), stages, into)


def cancel(
    run_id: RunId, *, job: AnyJob = None, local: Local = False, profile: Profile = None, region: Region = None
) -> None:
    """Cancel a run. The blocks that are done are kept, so it can be resumed."""
    run = open_run(run_id, job, local, profile, region)
    complain(f"On {run.aws.name()}")
    record = run.cancel()
    sentences = {
        "RUNNING": "The run is stopping: it starts no more blocks.",
        "CANCELLED": "The run is cancelled.",
    }
    open_console().print(sentences.get(record.status, f"The run has just ended: {record.status}."))
