"""The command try."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fanfold.cli.options import (
    BlockBytes,
    Format,
    IncludeHidden,
    Json,
    KeepAll,
    Output,
    SetNew,
    whole_number,
)
from fanfold.cli.session import complain, open_output, open_rows, open_stages
from fanfold.job_code import known_jobs
from fanfold.safe_text import visible

if TYPE_CHECKING:
    from fanfold.cli.output import Output as Into
    from fanfold.cli.progress import Stages
    from fanfold.here.jobs import Named
    from fanfold.here.run import Trial, Tried
    from lambda_src.fields import Keep
    from lambda_src.wire.requests import ParseFileRequest

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast

MOST_PROCESSES = 500

ARGUMENT_HELP = f"One of {', '.join(known_jobs())}; or a file or a folder of your own, such as ./my_job.py."

FAILED = "the job's code failed: see the lines above."


def try_(
    job: Annotated[str, typer.Argument(metavar="JOB", help=ARGUMENT_HELP)],
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Files and folders; - is standard input."),
    ],
    *,
    set_: SetNew = None,
    json: Json = False,
    output: Output = None,
    format_: Format = None,
    all_: KeepAll = False,
    block_bytes: BlockBytes = None,
    processes: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(1, MOST_PROCESSES),
            metavar="N",
            help="Number of processes.  [default: one per processor]",
        ),
    ] = None,
    include_hidden: IncludeHidden = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Also show in which functions the time goes.")
    ] = False,
) -> None:
    """Run a job on local files, on this machine and without AWS."""
    into = open_rows(output, json, format_) if all_ else open_output(output, json, format_)
    import shutil
    import tempfile
    from pathlib import Path

    from fanfold.here.blobs import FolderBlobs
    from fanfold.here.files import find
    from fanfold.here.jobs import find_job
    from fanfold.here.run import Trial
    from fanfold.runs.complete import check_keep
    from fanfold.runs.options import of_new_run
    from fanfold.signals import SIGNALS
    from lambda_src.wire.requests import ParseFileRequest, new_run_id

    named = find_job(job, complain)
    options = of_new_run(named.job, set_ or ())
    named = named._replace(job=named.job.with_options(options or {}))
    keep: Keep | None = "all" if all_ else None
    check_keep(named.name, named.job, keep, options)
    with SIGNALS.cleanup(
        lambda: Path(tempfile.mkdtemp(prefix="fanfold-")), lambda folder: shutil.rmtree(folder, True)
    ) as folder:
        files = find(sources, folder, include_hidden=include_hidden)
        trial = Trial(named.job, files, FolderBlobs(folder, new_run_id()))
        request = ParseFileRequest(job=named.name, block_bytes=block_bytes, options=options, keep=keep)
        _try(named, trial, processes, request, into=into, profile=profile)


def _try(
    named: "Named",
    trial: "Trial",
    count: int | None,
    request: "ParseFileRequest",
    *,
    into: "Into | None",
    profile: bool,
) -> None:
    from fanfold.cli.late import shown_late
    from fanfold.cli.output import show_warnings
    from fanfold.errors import JobNotUsable, RunError
    from fanfold.here.run import processors, run_here, workers
    from fanfold.here.tracebacks import JobFailed
    from fanfold.job_code import is_own
    from fanfold.signals import SIGNALS
    from lambda_src.errors import FanfoldError, for_people

    stages = cache(partial(open_stages, into))  # a result for another program needs no console
    if is_own(named.name) or profile:
        count = count or processors()
    with SIGNALS.cleanup(
        lambda: workers(trial, count, profile=profile), lambda processes: processes.close()
    ) as processes:
        try:
            with shown_late(lambda: stages().console, named.job) as show:
                tried = run_here(trial, processes, request, show)
        except FanfoldError as error:
            if isinstance(error.__cause__, JobFailed):
                raise JobNotUsable(FAILED) from error.__cause__
            raise RunError(for_people(str(error))) from error
        except Exception as error:
            raise JobNotUsable(FAILED) from error
        _finish(named, trial, tried, into, stages)
        show_warnings(tried.record.warnings)
        if profile:
            _show_profile(stages(), processes.profiles())


def _finish(
    named: "Named", trial: "Trial", tried: "Tried", into: "Into | None", stages: "Callable[[], Stages]"
) -> None:
    """Write the result, or all rows of a run that keeps them; show it unless that went to standard output."""
    from fanfold.cli import output

    summary = tried.summary
    if into and tried.record.keep:
        from fanfold.cli.all_export import write_all_rows
        from fanfold.runs.complete import CompleteSums

        rows = CompleteSums("this run", tried.parts, trial.blobs.get_complete)
        write_all_rows(into, named.job, rows)
    elif into:
        output.write(into.path, output.as_file(into, named.name, summary, {}))
    if into:
        if into.path == output.STANDARD_OUTPUT:
            return
        stages().console.print(visible(f"Written to {into.path}"), soft_wrap=True)
    output.show(stages().results, named.name, summary, {})


def _show_profile(stages: "Stages", profiles: Sequence[Any]) -> None:
    """The functions of the job that took most time, over all processes."""
    from fanfold.here.profile import slowest

    for line in slowest(profiles):
        stages.console.print(visible(line), soft_wrap=True)
