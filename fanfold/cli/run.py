"""The command run."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fanfold.cli.formats import Format as Formats
from fanfold.cli.options import (
    AnyDeployedJob,
    BadObjectChoice,
    BlockBytesOfRun,
    Concurrency,
    Format,
    IncludeHidden,
    Json,
    KeepAll,
    Local,
    MaxDollarsOfRun,
    OnBadObject,
    Output,
    Profile,
    Region,
    ReuseDays,
    Set,
    known_job,
    new_name,
)
from fanfold.cli.session import open_app, open_output, open_rows, open_stages
from fanfold.safe_text import visible
from lambda_src.settings import DEFAULT_JOB

if TYPE_CHECKING:
    from fanfold.runs.app import App
    from lambda_src.wire.requests import ParseFileRequest

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast

SOURCE_HELP = (
    "A file or a folder, which is uploaded unless the same content is there; an object, s3://bucket/key; or "
    "all objects under a prefix, which ends in a slash or an asterisk: s3://bucket/prefix/ or "
    "s3://bucket/begins-with*."
)


Source = Annotated[str, typer.Argument(metavar="SOURCE", help=SOURCE_HELP)]
RunName = Annotated[
    str | None,
    typer.Option(
        metavar="ID",
        help="A name for the run, or that of one to resume.  [default: made from the time]",
        callback=new_name,
    ),
]
Detach = Annotated[
    bool, typer.Option("--detach", help="Start the run, print its id, and do not wait for it.")
]
Yes = Annotated[
    bool,
    typer.Option("--yes", help="Do not ask before a run whose --block-bytes makes it far more expensive."),
]


def run(
    source: Source,
    *,
    job: AnyDeployedJob = DEFAULT_JOB,
    set_: Set = None,
    json: Json = False,
    output: Output = None,
    format_: Format = None,
    all_: KeepAll = False,
    block_bytes: BlockBytesOfRun = None,
    concurrency: Concurrency = None,
    max_dollars: MaxDollarsOfRun = None,
    run_id: RunName = None,
    include_hidden: IncludeHidden = False,
    on_bad_object: OnBadObject = BadObjectChoice.FAIL,
    reuse_days: ReuseDays = None,
    detach: Detach = False,
    yes: Yes = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Run a job, watch it, and show its result."""
    if detach and (json or output or format_):
        raise typer.BadParameter(
            "--detach does not wait for a result: leave out --json, --format and --output, and "
            "read it later with `fanfold results`."
        )
    into = open_output(output, json, format_)
    if all_ and into and into.format is not Formats.JSON:
        into = open_rows(output, json, format_)
    from functools import partial

    from fanfold.cli.watch import finish, upload_shown, watch_run
    from fanfold.job_code import load
    from fanfold.runs.options import from_texts
    from lambda_src.wire.requests import ParseFileRequest

    if not detach:  # to show its result takes its code
        known_job(job)
    options = (
        from_texts(load(job), set_, lambda: open_app(local, profile, region).account.aws) if set_ else None
    )
    input_ = _parse(source, include_hidden)
    if not run_id:
        _check(input_, job, options)
    app = open_app(local, profile, region)
    app.account.current(job)
    stages = open_stages(into, to_errors=detach)
    request = ParseFileRequest(
        run_id=run_id,
        block_bytes=block_bytes,
        max_concurrency=concurrency or app.default_concurrency,
        include_hidden=include_hidden or None,
        on_bad_object="skip" if on_bad_object is BadObjectChoice.SKIP else None,
        max_dollars=max_dollars,
        options=options,
        reuse_days=reuse_days,
        keep="all" if all_ else None,
    )
    if block_bytes and not yes and not _confirmed(app, job, input_, request, block_bytes):
        stages.console.print("Nothing was started.")
        raise typer.Exit(1)
    stages.console.print(f"On {app.account.aws.name()}")
    run, request = app.prepare(input_, job, request, partial(upload_shown, stages))
    if detach:
        run.begin(request)
        print(visible(run.run_id))
        stages.console.print(f"To watch it: {run.command('watch')}", soft_wrap=True)
        return
    finish(run, watch_run(run, stages, lambda: run.begin(request)), stages, into, all_rows=all_)


def _parse(source: str, include_hidden: bool) -> Any:
    """What ``source`` means. Raises SourceError."""
    from fanfold.runs.source import parse

    return parse(source, include_hidden=include_hidden)


def _check(source: Any, job: str, options: "dict[str, Any] | None") -> None:
    """Check the input of a new run before anything is uploaded. Raises SourceError."""
    from fanfold.jobs import client_job
    from fanfold.runs.source import Local as LocalSource

    if isinstance(source, LocalSource):
        client_job(job).check(source, options)


def _confirmed(app: "App", job: str, source: Any, request: "ParseFileRequest", block_bytes: int) -> bool:
    """Whether to use blocks of that size. Asks if the run would cost far more than with the planned size;
    without the job's code, or without permission to list the input, it does not ask."""
    from fanfold.cli.terminal import agrees
    from fanfold.errors import NotModelled, RunError, SourceError
    from fanfold.estimate.contents import assumed, made_of
    from fanfold.estimate.table import cost_warning
    from fanfold.runs.inputs import contents
    from fanfold.runs.source import Local as LocalSource

    try:
        of_job = assumed(job)
        if isinstance(source, LocalSource):
            workload = of_job(source, request.options)
        else:
            found = contents(app.account.aws, source, app.account.deployment(job))
            workload = made_of(of_job(found.bytes, request.options), found)
    except (NotModelled, RunError, SourceError):  # the run itself will say what is wrong
        return True
    region = app.account.aws.session.region_name
    warning = cost_warning(workload, block_bytes, request.max_concurrency, region)
    return not warning or agrees(
        f"{warning}. Run it anyway (y), or not (Enter)? ",
        f"{warning}: give --yes to run it anyway, or leave out --block-bytes.",
    )
