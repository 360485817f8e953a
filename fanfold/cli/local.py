"""Commands of the local AWS: up, down, demo."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from fanfold.cli.options import (
    BlockBytes,
    Format,
    Job,
    Json,
    Output,
    SetNew,
    StackJobs,
    size_in_bytes,
    whole_number,
)
from fanfold.cli.session import complain, open_console, open_output, open_stages
from fanfold.job_code import as_given, is_own
from fanfold.safe_text import visible
from lambda_src.fields import MAX_CONCURRENCY
from lambda_src.settings import DEFAULT_JOB

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast

CORPUS_BYTES = 100_000_000


def up(job: StackJobs = None) -> None:
    """Start a local AWS that stays up, and deploy the stack into it. Later calls do only what has changed."""
    from fanfold.local_aws.state import up as start
    from fanfold.tools import prepare_tools

    console = open_console()
    prepare_tools(complain)
    jobs = job or []
    added = [name for name in jobs if is_own(name)]
    own = jobs[0] if jobs and not added else None
    stages = open_stages()
    with ExitStack() as stage:

        def begin(text: str) -> None:
            stage.close()
            stage.enter_context(stages.stage(text, visible(text)))

        stack = start(own, begin, added=added)
    if stack.was_saved:
        _give_up_runs()
    option = f" --job={as_given(jobs[0])}" if jobs else ""
    console.print(
        f"The local AWS is up. To run a job on it: fanfold run --local{option} FILE", soft_wrap=True
    )


def _give_up_runs() -> None:
    """End the leases of runs that were running when the local AWS was stopped, so they can be resumed."""
    from fanfold.account.choice import open_account
    from fanfold.errors import AccountError, DeploymentError, RunError
    from fanfold.runs.history import past_runs
    from fanfold.runs.run import Run

    try:
        account = open_account(local=True, profile=None, region=None)
        for past in past_runs(account.aws, account.deployments(), 50, "RUNNING").runs:
            Run(account.aws, past.deployment, past.record.run_id).give_up(past.record)
    except (AccountError, DeploymentError, RunError) as error:
        complain(f"Cannot find the runs that were running: {error}")


def down(
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Delete its data, too.")] = False,
) -> None:
    """Stop the local AWS. Its data are kept for the next `up`, unless you give --delete-data."""
    from fanfold.local_aws.state import STATE, Folder
    from fanfold.local_aws.state import down as stop

    console, had_data = open_console(), (STATE / "record.json").exists()
    for sentence in _stopped_runs(delete_data=delete_data):
        console.print(visible(sentence), soft_wrap=True)
    if Folder(STATE).is_alive():
        with open_stages().stage("stop", "Stopping the local AWS"):
            was_up = stop(delete_data=delete_data)
    else:
        was_up = stop(delete_data=delete_data)
    if delete_data and had_data:
        console.print("The local AWS is down, and its data are deleted.")
    else:
        console.print("The local AWS is down." if was_up else "The local AWS was not running.")


def _stopped_runs(*, delete_data: bool) -> Iterator[str]:
    """A sentence for each run that stops with the local AWS."""
    from fanfold.account.choice import open_account
    from fanfold.runs.history import past_runs
    from fanfold.runs.run import Run, status_of

    try:
        account = open_account(local=True, profile=None, region=None)
        found = past_runs(account.aws, account.deployments(), 50)
    except Exception:  # noqa: BLE001 - whatever it is, it must not keep the local AWS from being stopped
        return
    yield from (run.text for run in found.unreadable)
    for past in found.runs:
        if status_of(past.record) == "RUNNING":
            resume = Run(account.aws, past.deployment, past.record.run_id).command("resume")
            later = "" if delete_data else f" To resume it: fanfold up, then {resume}"
            yield f"The run {past.record.run_id} is still running; it stops now.{later}"


def demo(
    *,
    file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A file or a folder.  [default: generated input]")
    ] = None,
    job: Job = DEFAULT_JOB,
    set_: SetNew = None,
    json: Json = False,
    output: Output = None,
    format_: Format = None,
    block_bytes: BlockBytes = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(1, MAX_CONCURRENCY),
            metavar="N",
            help=f"Maximum number of Lambdas at once, 1 to {MAX_CONCURRENCY}.  "
            "[default: twice the processors]",
        ),
    ] = None,
    corpus_bytes: Annotated[
        int,
        typer.Option(
            parser=size_in_bytes,
            metavar="SIZE",
            help="Size of the generated input.",
            show_default="100MB",
        ),
    ] = CORPUS_BYTES,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the generated input.")] = 1,
) -> None:
    """Try Fanfold on this machine. It starts a local AWS, deploys, runs the job, shows the result, and
    removes everything again."""
    into = open_output(output, json, format_)
    from fanfold.demo import demo as demonstration
    from fanfold.job_code import load
    from fanfold.jobs import client_job
    from fanfold.runs.options import of_new_run
    from fanfold.runs.source import local
    from fanfold.tools import prepare_tools

    options = of_new_run(load(job), set_ or ())
    source = local(file) if file else None
    if source:
        client_job(job).check(source, options)
    prepare_tools(complain)
    demonstration.demo(
        open_stages(into),
        job,
        file=source,
        options=options,
        output=into,
        block_bytes=block_bytes,
        concurrency=concurrency,
        corpus_bytes=corpus_bytes,
        seed=seed,
    )
