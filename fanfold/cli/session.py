"""What commands begin with: the account, the run, and where the output goes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fanfold.cli.formats import ALL_ENDINGS, ENDINGS, Format
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


def open_output(
    path: Path | None, json: bool, format_: Format | None = None, csv: bool = False
) -> "Output | None":
    """The file to write the result to, if any, and how. Raises ReportError before anything is paid for."""
    from fanfold.cli.output import STANDARD_OUTPUT, Output, check_path, has_ending

    chosen = _chosen(json=json, csv=csv, format_=format_)
    if path is None:
        return Output(STANDARD_OUTPUT, _possible(STANDARD_OUTPUT, chosen[1])) if chosen else None
    check_path(path)
    named = ENDINGS.get(path.suffix.lower()) if has_ending(path) else None
    if chosen and named not in (None, chosen[1]):
        raise typer.BadParameter(
            f"{path} ends in {path.suffix.lower()}, which {chosen[0]} contradicts: leave out either."
        )
    if not chosen and not named and has_ending(path):
        raise typer.BadParameter(f"{path}: name a file that ends in {ALL_ENDINGS}, or give --format.")
    return Output(path, _possible(path, chosen[1] if chosen else named or Format.JSON))


def open_rows(path: Path | None, json: bool, format_: Format | None, csv: bool = False) -> "Output":
    """The file to write all rows to, and how; by default as CSV. Raises as ``open_output``."""
    from fanfold.cli.all_export import FORMATS
    from fanfold.cli.output import has_ending

    if not (json or csv or format_ or (path and has_ending(path))):
        csv = True
    into = open_output(path, json, format_, csv)
    if into is None or into.format not in FORMATS:
        named = into.format if into else Format.JSON
        raise typer.BadParameter(f"--all writes rows, as {', '.join(FORMATS)}; it cannot write {named}.")
    return into


def _chosen(*, json: bool, csv: bool, format_: Format | None) -> tuple[str, Format] | None:
    """The format that options name, and the option."""
    given = {
        "--json": Format.JSON if json else None,
        "--csv": Format.CSV if csv else None,
        "--format": format_,
    }
    chosen = [(option, one) for option, one in given.items() if one]
    if len(chosen) > 1:
        raise typer.BadParameter(f"give {' or '.join(option for option, _ in chosen)}, not both.")
    return chosen[0] if chosen else None


def _possible(path: Path, format_: Format) -> Format:
    """``format_``, if it can be written here. Raises ReportError."""
    if format_ is Format.PARQUET:
        from fanfold.cli.output import STANDARD_OUTPUT
        from fanfold.cli.table_export import check_parquet
        from fanfold.errors import ReportError

        check_parquet()
        if path == STANDARD_OUTPUT and sys.stdout.isatty():
            raise ReportError("Parquet is not for a terminal: name a file, such as -o result.parquet.")
    return format_


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
    from fanfold.cli.output import STANDARD_OUTPUT, write
    from fanfold.runs.result import json_text

    write(STANDARD_OUTPUT, json_text(value))
