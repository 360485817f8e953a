"""The command new-job."""

from typing import Annotated

import typer

from fanfold.cli.session import open_console
from fanfold.safe_text import visible

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast


def new_job(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the job, such as log_messages.")],
    *,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="A job that does not count keys: it says how to map and to reduce."),
    ] = False,
) -> None:
    """Write a new job and its test into the current folder. Both work as they are."""
    from pathlib import Path

    from fanfold.new_job import write_job

    job, test = write_job(Path(), name, plain=plain)
    console = open_console()
    console.print(visible(f"Written: {job} and {test}. What to do next:"), soft_wrap=True)
    console.print(visible(f"  pytest {test}"), soft_wrap=True)
    console.print(visible(f"  fanfold try ./{job} YOUR_FILE"), soft_wrap=True)
