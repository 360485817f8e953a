"""What commands begin with: the account, the run, and where the output goes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fanfold.safe_text import visible

if TYPE_CHECKING:
    from fanfold.cli.output import Output
    from fanfold.cli.progress import Stages
    from fanfold.cli.terminal import Terminal
    from fanfold.runs.app import App
    from fanfold.runs.run import Run

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast

LAST = "last"
"""Stands for the newest run in place of a run id."""

LOCAL_VARIABLE = "FANFOLD_LOCAL"


def complain(text: str) -> None:
    print(visible(text), file=sys.stderr)


def open_console(*, to_errors: bool = False) -> "Terminal":
    from fanfold.cli.terminal import Terminal

    return Terminal(to_errors=to_errors)


def open_stages(into: "Output | None" = None, *, to_errors: bool = False) -> "Stages":
    """Progress for people. It goes to standard error if standard output is a pipe, a file, or where the
    result goes: ``into``."""
    from fanfold.cli.output import STANDARD_OUTPUT
    from fanfold.cli.progress import Stages

    results = open_console(to_errors=to_errors or (into is not None and into.path == STANDARD_OUTPUT))
    return Stages(results if results.is_terminal else open_console(to_errors=True), results)


def open_output(path: Path | None, json: bool, csv: bool = False) -> "Output | None":
    """The file to write the result to, if any. Raises ReportError before anything is paid for."""
    from fanfold.cli.output import STANDARD_OUTPUT, Output, check_path, has_ending

    if path is None:
        return Output(STANDARD_OUTPUT, csv) if json or csv else None
    check_path(path)
    ending = path.suffix.lower()
    if has_ending(path) and ((json and ending == ".csv") or (csv and ending == ".json")):
        other = "--json" if json else "--csv"
        raise typer.BadParameter(f"{path} ends in {ending}, which {other} contradicts: leave out either.")
    if not (json or csv) and has_ending(path):
        csv = ending == ".csv"
        if not csv and ending != ".json":
            raise typer.BadParameter(f"{path}: name a file that ends in .json or .csv, or give --json.")
    return Output(path, csv)


def open_app(local: bool, profile: str | None, region: str | None) -> "App":
    if local and (profile or region):
        raise typer.BadParameter(
            f"--local, or {LOCAL_VARIABLE}, cannot be combined with --profile or --region: the local AWS "
            "is an account of its own."
        )
    import fanfold

    return fanfold.connect(local=local, profile=profile, region=region)


def open_run(run_id: str, job: str | None, local: bool, profile: str | None, region: str | None) -> "Run":
    """The run that a command names, in the deployment that has it."""
    app = open_app(local, profile, region)
    if run_id != LAST:
        return app.get(run_id, job)
    run = app.newest(job)
    complain(f"The newest run is {run.run_id}.")
    return run


def print_json(value: Any) -> None:
    """Print ``value`` as JSON to standard output."""
    from fanfold.cli.output import STANDARD_OUTPUT, json_text, write

    write(STANDARD_OUTPUT, json_text(value))
