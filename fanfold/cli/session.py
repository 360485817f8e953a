"""What commands begin with: the account, the run, and where the output goes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fanfold.safe_text import visible

if TYPE_CHECKING:
    from fanfold.account.choice import Account
    from fanfold.account.deployment import Deployment
    from fanfold.cli.output import Output
    from fanfold.cli.progress import Stages
    from fanfold.cli.terminal import Terminal

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast

LAST = "last"
"""Stands for the newest run."""

LOCAL_VARIABLE = "FANFOLD_LOCAL"


def complain(text: str) -> None:
    print(visible(text), file=sys.stderr)


def open_console(*, to_errors: bool = False) -> "Terminal":
    from fanfold.cli.terminal import Terminal

    return Terminal(to_errors=to_errors)


def open_stages(into: "Output | None" = None, *, to_errors: bool = False) -> "Stages":
    """For people, beside a result that goes to ``into``. In a pipe or a file there is the result alone: how
    it goes is for the stream of errors, as programs do that are made for pipes."""
    from fanfold.cli.output import STANDARD_OUTPUT
    from fanfold.cli.progress import Stages

    results = open_console(to_errors=to_errors or (into is not None and into.path == STANDARD_OUTPUT))
    return Stages(results if results.is_terminal else open_console(to_errors=True), results)


def open_output(path: Path | None, json: bool, csv: bool = False) -> "Output | None":
    """Where the result goes as a file, if anywhere. Raises ReportError, before anything is paid for."""
    from fanfold.cli.output import STANDARD_OUTPUT, Output, check_path, has_ending

    if path is None:
        return Output(STANDARD_OUTPUT, csv) if json or csv else None
    check_path(path)
    if not (json or csv) and has_ending(path):
        csv = path.suffix.lower() == ".csv"
        if not csv and path.suffix.lower() != ".json":
            raise typer.BadParameter(f"{path}: name a file that ends in .json or .csv, or give --json.")
    return Output(path, csv)


def open_account(local: bool, profile: str | None, region: str | None) -> "Account":
    if local and (profile or region):
        raise typer.BadParameter(
            f"--local, or {LOCAL_VARIABLE}, does not go with --profile or --region: it is an account of its "
            "own."
        )
    from fanfold.account.choice import open_account

    return open_account(local=local, profile=profile, region=region)


def find_run(
    run_id: str, job: str | None, local: bool, profile: str | None, region: str | None
) -> "tuple[Account, Deployment, str]":
    """The account, the deployment in it that has the run, and the run's id."""
    from fanfold.runs.history import newest
    from fanfold.runs.run import deployment_of

    account = open_account(local, profile, region)
    deployments = account.deployments(job)
    if run_id != LAST:
        return account, deployment_of(account.aws, deployments, run_id), run_id
    run = newest(account.aws, deployments)
    complain(f"The newest run is {run.record.run_id}.")
    return account, run.deployment, run.record.run_id


def print_json(value: Any) -> None:
    """To standard output, where it is not steered."""
    from fanfold.cli.output import STANDARD_OUTPUT, json_text, write

    write(STANDARD_OUTPUT, json_text(value))
