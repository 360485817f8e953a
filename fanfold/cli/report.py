"""The command report."""

from pathlib import Path
from typing import Annotated

import typer

from fanfold.cli.options import AnyJob, Local, Profile, Region, RunId
from fanfold.cli.session import LAST, open_console, open_run
from fanfold.safe_text import visible

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast


def report(
    run_id: RunId,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="The file.  [default: fanfold-RUN_ID.html]"),
    ] = None,
    job: AnyJob = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Write one HTML file about a run. It has the result, every Lambda, where the time went, and the cost."""
    from fanfold.cli.output import check_path, write

    if output or run_id != LAST:
        check_path(output or Path(f"fanfold-{run_id}.html"))
    run = open_run(run_id, job, local, profile, region)
    path = output or Path(f"fanfold-{run.run_id}.html")
    write(path, run.html())
    open_console(to_errors=True).print(visible(f"Written to {path}"), soft_wrap=True)
