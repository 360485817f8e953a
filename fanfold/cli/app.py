"""The commands of ``fanfold``. Each imports what it needs when it is run: none waits for another's."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fanfold.safe_text import visible
from lambda_src.job import names
from lambda_src.settings import DEFAULT_JOB

if TYPE_CHECKING:
    from fanfold.account.choice import Account
    from fanfold.account.deployment import Deployment
    from fanfold.cli.output import Output as Into
    from fanfold.cli.progress import Stages
    from fanfold.cli.terminal import Terminal

# ruff: noqa: PLC0415 - see above

LARGEST_CONCURRENCY = 500
MOST_DOLLARS = 1e9
CORPUS_BYTES = 100_000_000
SMALLEST_QUOTA = 2
"""A run needs two Lambdas at once."""

MOST_DAYS = 36_500

SMALLEST_BARE = 1_000_000
"""Of a smaller size without a unit, a person may have meant another unit than bytes."""

LAST = "last"
"""Stands for the newest run."""

LOCAL_VARIABLE = "FANFOLD_LOCAL"

ACCOUNT_QUOTA = 1000
"""What AWS gives an account that is not new."""

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Massively parallel computation on AWS Lambda: run a job on a file or on what is in S3, watch it, "
    "and read what came out.",
    epilog="\b\nExample, all on this machine:\n  fanfold up\n  fanfold run --local enwiki.xml",
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"fanfold {version('fanfold')}")
        raise typer.Exit


@app.callback()
def _fanfold(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """What stands before a command."""


def main(arguments: Sequence[str]) -> int:
    """Run a command; its exit status."""
    try:
        return int(app(list(arguments) or ["--help"], prog_name="fanfold", standalone_mode=False) or 0)
    except typer.TyperException as error:
        _complain(f"Error: {error.format_message()}")
        if context := getattr(error, "ctx", None):
            if hasattr(error, "option_name") and context.parent is None:
                _complain("Put options after the command, as in `fanfold runs --region NAME`.")
            _complain(f"See `{context.command_path} --help`.")
        return 2
    except Exception as error:
        from fanfold.errors import Detached, ExpectedError
        from fanfold.local_aws.signals import EXIT_STATUS

        match error:
            case Detached():
                _complain(str(error))
                return EXIT_STATUS
            case OSError(filename=str() as name):
                _complain(f"Error: {name}: {error.strerror}.")  # this machine's files: a full disk
                return 1
            case OSError(strerror=str() as reason):
                _complain(f"Error: {reason}.")  # a standard stream
                return 1
            case ExpectedError() | OSError():
                _complain(f"Error: {error}")
                return 1
        raise


def _complain(text: str) -> None:
    print(visible(text), file=sys.stderr)


def _known_job(name: str | None) -> str | None:
    if name is not None and name not in names():
        raise typer.BadParameter(f"there is no job {name}; choose one of {', '.join(names())}.")
    return name


def _valid_run_id(run_id: str | None) -> str | None:
    from fanfold.runs.run import is_run_id
    from lambda_src.fields import RUN_ID_RULE

    if run_id is not None and not is_run_id(run_id):
        raise typer.BadParameter(f"{run_id!r} is not a run id: use {RUN_ID_RULE}.")
    return run_id


def _new_name(run_id: str | None) -> str | None:
    if run_id == LAST:
        raise typer.BadParameter(f"{LAST} stands for the newest run: choose another name.")
    return _valid_run_id(run_id)


def _status(text: str | None) -> str | None:
    from fanfold.runs.history import STATUSES

    if text is not None and text.upper() not in STATUSES:
        raise typer.BadParameter(f"{text} is none of {', '.join(STATUSES)}.")
    return text and text.upper()


def _tell_if_local(context: typer.Context, local: bool) -> bool:
    """A person may not have in mind that it was set."""
    source = context.get_parameter_source("local")
    if local and source and source.name == "ENVIRONMENT":
        _complain(f"On the local AWS, for {LOCAL_VARIABLE} is set.")
    return local


def _job_names(beginning: str) -> list[str]:
    return [name for name in names() if name.startswith(beginning)]


JOB_HELP = f"One of {', '.join(names())}."
Job = Annotated[
    str, typer.Option(metavar="NAME", help=JOB_HELP, callback=_known_job, autocompletion=_job_names)
]
AnyJob = Annotated[
    str | None,
    typer.Option(
        "--job",
        metavar="NAME",
        help=f"{JOB_HELP}  [default: all deployed jobs]",
        callback=_known_job,
        autocompletion=_job_names,
    ),
]
Local = Annotated[
    bool,
    typer.Option(
        "--local",
        envvar=LOCAL_VARIABLE,
        help="Use the local AWS that `fanfold up` starts.",
        callback=_tell_if_local,
    ),
]
Profile = Annotated[str | None, typer.Option(metavar="NAME", help="The AWS profile to use.")]
Region = Annotated[str | None, typer.Option(metavar="NAME", help="The AWS region, such as eu-west-1.")]
RunId = Annotated[
    str,
    typer.Argument(
        metavar="RUN_ID", help="As `fanfold runs` lists it, or `last`: the newest.", callback=_valid_run_id
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON; all else goes to standard error.")
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="PATH", help="Also write the result to this file, .json or .csv."),
]


def _whole_number(smallest: int, largest: int | None = None) -> Callable[[str | int], int]:
    """Reads one, for a typer.Option."""

    def parse(text: str | int) -> int:
        number = int(text) if re.fullmatch("-?[0-9]+", str(text)) else None
        if number is None or number < smallest or (largest and number > largest):
            wanted = f"from {smallest} to {largest}" if largest else f"of at least {smallest}"
            raise typer.BadParameter(f"{text} is not a whole number {wanted}.")
        return number

    return parse


def _dollars(text: str | float) -> float:
    found = re.fullmatch(r"[0-9]+(\.[0-9]+)?|\.[0-9]+", str(text))
    if not found or not 0 < float(text) <= MOST_DOLLARS:
        raise typer.BadParameter(f"{text} is not an amount of dollars above 0, such as 0.25.")
    return float(text)


def _size(text: str | int) -> int:
    from fanfold.format import parse_size, size_text
    from lambda_src.fields import LARGEST_OBJECT_BYTES

    size = parse_size(str(text))
    if not size:
        raise typer.BadParameter(f"{text} is not a size of at least 1, such as 5MB or 5000000.")
    if size > LARGEST_OBJECT_BYTES:
        raise typer.BadParameter(
            f"{text} is more than {size_text(LARGEST_OBJECT_BYTES)}, the largest object that S3 stores."
        )
    return size


def _days(text: str | float) -> float:
    days = float(text) if re.fullmatch(r"[0-9]{1,5}(\.[0-9]+)?", str(text)) else None
    if days is None or days > MOST_DAYS:
        raise typer.BadParameter(f"{text} is not a number of days from 0 to {MOST_DAYS:,}.")
    return days


class BadObjectChoice(StrEnum):
    """What becomes of a bad object."""

    FAIL = "fail"
    SKIP = "skip"


BlockBytes = Annotated[
    int | None,
    typer.Option(
        parser=_size,
        metavar="SIZE",
        help="Size of a block, such as 5MB.  [default: chosen for the input, or that of a resumed run]",
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        parser=_whole_number(1, LARGEST_CONCURRENCY),
        metavar="N",
        help=f"Maximum number of Lambdas at once, 1 to {LARGEST_CONCURRENCY}.  "
        "[default: 250; locally, twice the processors]",
    ),
]
MaxDollars = Annotated[
    float | None,
    typer.Option(
        parser=_dollars,
        metavar="X",
        help="Cancel the run once it has cost more than X dollars. It can be resumed with a higher limit.  "
        "[default: no limit, or that of a resumed run]",
    ),
]
SOURCE_HELP = (
    "A file or a folder, which is uploaded unless the same content is there; an object, s3://bucket/key; or "
    "all objects under a prefix: s3://bucket/prefix/ ending in a slash, or s3://bucket/begins-with* in an "
    "asterisk."
)


def _example(*lines: str) -> str:
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


@app.command(epilog=_example("fanfold up", "fanfold up --job access_log"))
def up(job: Job = DEFAULT_JOB) -> None:
    """Start a local AWS that stays up, and deploy the stack into it. Later calls do only what has changed."""
    from fanfold.local_aws.state import up as start

    console = _console()
    stack = start(job, lambda text: console.print(visible(text)))
    if stack.was_saved:
        _give_up_runs()
    option = "" if job == DEFAULT_JOB else f" --job={job}"
    console.print(
        f"The local AWS is up. To run a job on it: fanfold run --local{option} FILE", soft_wrap=True
    )


def _give_up_runs() -> None:
    """Nobody works any more on what was at work when the local AWS was stopped."""
    from fanfold.account.choice import open_account
    from fanfold.account.connection import AccountError
    from fanfold.account.deployment import DeploymentError
    from fanfold.runs.history import past_runs
    from fanfold.runs.run import RunError, give_up

    try:
        account = open_account(local=True, profile=None, region=None)
        for past in past_runs(account.aws, account.deployments(), 50, "RUNNING").runs:
            give_up(account.aws, past.deployment, past.record)
    except (AccountError, DeploymentError, RunError) as error:
        _complain(f"Whether runs were at work cannot be told: {error}")


@app.command(epilog=_example("fanfold down", "fanfold down --delete-data"))
def down(
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Delete its data, too.")] = False,
) -> None:
    """Stop the local AWS. Its data are kept for the next `up`, unless you say otherwise."""
    from fanfold.local_aws.state import STATE
    from fanfold.local_aws.state import down as stop

    console, had_data = _console(), (STATE / "record.json").exists()
    for told in _stopped_runs(delete_data=delete_data):
        console.print(visible(told), soft_wrap=True)
    was_up = stop(delete_data=delete_data)
    if delete_data and had_data:
        console.print("The local AWS is down, and its data are deleted.")
    else:
        console.print("The local AWS is down." if was_up else "The local AWS was not running.")


def _stopped_runs(*, delete_data: bool) -> Iterator[str]:
    """What becomes of each run that is at work in the local AWS, as it is about to end."""
    from fanfold.account.choice import open_account
    from fanfold.runs.history import past_runs, status_of
    from fanfold.runs.run import command

    try:
        account = open_account(local=True, profile=None, region=None)
        found = past_runs(account.aws, account.deployments(), 50)
    except Exception:  # noqa: BLE001 - whatever it is, it must not keep the local AWS from being stopped
        return
    yield from (run.text for run in found.unreadable)
    for past in found.runs:
        if status_of(past.record) == "RUNNING":
            resume = command("resume", account.aws, past.deployment, past.record.run_id)
            later = "" if delete_data else f" To resume it: fanfold up, then {resume}"
            yield f"The run {past.record.run_id} is still running; it stops now.{later}"


@app.command(
    epilog=_example(
        "fanfold run enwiki.xml",
        "fanfold run --job access_log s3://my-bucket/input/logs/2026/11/",
        "fanfold run --local enwiki.xml --json | jq .words",
    )
)
def run(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=SOURCE_HELP)],
    *,
    job: Job = DEFAULT_JOB,
    json: Json = False,
    output: Output = None,
    block_bytes: BlockBytes = None,
    concurrency: Concurrency = None,
    max_dollars: MaxDollars = None,
    run_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="A name for the run, or that of one to resume.  [default: made from the time]",
            callback=_new_name,
        ),
    ] = None,
    include_hidden: Annotated[
        bool,
        typer.Option(
            "--include-hidden",
            help="Also read files and objects whose names begin with a dot or an underscore, and leftovers "
            "of editors. A file or an object that is named itself is always read.",
        ),
    ] = False,
    on_bad_object: Annotated[
        BadObjectChoice,
        typer.Option(
            metavar="fail|skip",
            help="Whether an object under a prefix that is damaged, archived, no text or not readable makes "
            "the run fail, or is left out, and listed with the reason.",
        ),
    ] = BadObjectChoice.FAIL,
    detach: Annotated[
        bool, typer.Option("--detach", help="Start the run, print its id, and do not wait for it.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before a run that costs far more than suggested.")
    ] = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Run a job, watch it, and show its result."""
    if detach and (json or output):
        raise typer.BadParameter(
            "--detach does not wait for a result: leave out --json and --output, and read it later with "
            "`fanfold results`."
        )
    into = _output(output, json)
    import msgspec

    from fanfold.cli.watch import finish, request_for, uploaded, watch_run
    from fanfold.estimate.workload import check
    from fanfold.runs import run as runs
    from fanfold.runs.source import Local as LocalSource
    from fanfold.runs.source import parse
    from lambda_src.fields import DEFAULT_MAX_CONCURRENCY
    from lambda_src.wire.requests import new_run_id

    meant = parse(source, include_hidden=include_hidden)
    if isinstance(meant, LocalSource):
        check(job, meant)
    account = _account(local, profile, region)
    aws, deployment, stages = account.aws, account.deployment(job), _stages(into, to_errors=detach)
    at_once = concurrency or (2 * (os.cpu_count() or 1) if local else DEFAULT_MAX_CONCURRENCY)
    if block_bytes and not yes and not _wanted(account, job, meant, block_bytes, at_once):
        stages.console.print("Nothing was started.")
        raise typer.Exit(1)
    stages.console.print(f"On {account.name()}")
    if isinstance(meant, LocalSource):
        there: Any = uploaded(aws, deployment, meant, stages)
    else:
        there = runs.checked(aws, deployment, meant)
    request = request_for(
        there,
        run_id or new_run_id(),
        block_bytes,
        at_once,
        include_hidden=include_hidden or None,
        on_bad_object="skip" if on_bad_object is BadObjectChoice.SKIP else None,
    )
    request = msgspec.structs.replace(request, max_dollars=max_dollars)
    assert request.run_id
    if detach:
        runs.begin(aws, deployment, request)
        print(visible(request.run_id))
        advice = runs.command("watch", aws, deployment, request.run_id)
        stages.console.print(f"To watch it: {advice}", soft_wrap=True)
        return
    ended = watch_run(aws, deployment, request.run_id, stages, lambda: runs.begin(aws, deployment, request))
    finish(ended, aws, deployment, stages, into)


def _wanted(account: "Account", job: str, source: Any, block_bytes: int, concurrency: int) -> bool:
    """Whether a run in blocks of that size is meant: a person is asked if it would cost far more than with
    the suggested size. Of a job without figures, or an input that this person may not list, nobody knows."""
    from fanfold.cli.terminal import agrees
    from fanfold.estimate.contents import workload_of
    from fanfold.estimate.table import far_dearer
    from fanfold.estimate.workload import NotModelled, modelled
    from fanfold.runs.run import RunError, contents
    from fanfold.runs.source import Local as LocalSource
    from fanfold.runs.source import SourceError

    try:
        of_job = modelled(job)
        is_local = isinstance(source, LocalSource)
        workload = of_job(source) if is_local else workload_of(job, contents(account.aws, source))
    except (NotModelled, RunError, SourceError):  # a run says itself what it refuses
        return True
    told = far_dearer(workload, block_bytes, concurrency, account.aws.session.region_name)
    return not told or agrees(
        f"{told}. Run it as it is (y), or not (Enter)? ",
        f"{told}: give --yes to run it as it is, or leave out --block-bytes.",
    )


@app.command(epilog=_example("fanfold watch 20261125T101500Z-0a1b2c3d"))
def watch(
    run_id: RunId,
    *,
    job: AnyJob = None,
    json: Json = False,
    output: Output = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Watch a run until it has ended, and show its result."""
    into = _output(output, json)
    from fanfold.cli.watch import finish, watch_run

    account, deployment, run_id = _of_run(run_id, job, local, profile, region)
    stages = _stages(into)
    finish(watch_run(account.aws, deployment, run_id, stages), account.aws, deployment, stages, into)


@app.command("runs", epilog=_example("fanfold runs", "fanfold runs --status failed --json | jq .[].run_id"))
def list_runs(
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
        int, typer.Option(parser=_whole_number(1), metavar="N", help="Maximum number of runs, newest first.")
    ] = 50,
    json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List past and current runs, newest first. In a pipe, tabs separate the columns."""
    from fanfold.runs.history import as_json, past_runs, show_runs

    account = _account(local, profile, region)
    console = _console()
    found = past_runs(account.aws, account.deployments(job), limit, status)
    for run in found.unreadable:
        _complain(run.text)
    if json:
        _print_json(as_json(found))
    elif found.runs or not console.is_terminal:
        show_runs(console, found.runs)
        if console.is_terminal and len(found.runs) == limit:
            console.print(f"These are the newest {limit:,}; --limit N shows more.")
    elif status:
        console.print(f"There are no runs that are {status}.")
    elif not found.unreadable:
        console.print(f"There are no runs yet. Start one with `fanfold run{account.aws.options} SOURCE`.")


@app.command(
    epilog=_example(
        "fanfold results 20261125T101500Z-0a1b2c3d",
        "fanfold results --json 20261125T101500Z-0a1b2c3d | jq .words",
        "fanfold results -o words.csv 20261125T101500Z-0a1b2c3d",
    ),
)
def results(
    run_id: RunId,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print it as CSV, one flat table.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="Write it to this file instead, .json or .csv."),
    ] = None,
    job: AnyJob = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Show the result of a run that has succeeded."""
    if json and csv:
        raise typer.BadParameter("give --json or --csv, not both.")
    into = _output(output, json, csv)
    from fanfold.cli import output as report
    from fanfold.runs import run as runs

    account, deployment, run_id = _of_run(run_id, job, local, profile, region)
    ended = runs.read(account.aws, deployment, run_id)
    report.show_warnings(ended.record.warnings)
    if not into:
        console = _console()
        with runs.legible(run_id):
            report.show(console, deployment.job, ended.summary, {})
        report.show_dollars(console, ended.record)
        return
    with runs.legible(run_id):
        text = report.as_file(into, deployment.job, ended.summary, {})
    report.write(into.path, text)
    if into.path != report.STANDARD_OUTPUT:
        _console(to_errors=True).print(visible(f"Written to {into.path}"), soft_wrap=True)


@app.command(epilog=_example("fanfold resume 20261125T101500Z-0a1b2c3d"))
def resume(
    run_id: RunId,
    *,
    max_dollars: MaxDollars = None,
    job: AnyJob = None,
    json: Json = False,
    output: Output = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Resume a run that failed, was cancelled or died. Only what is missing is done."""
    into = _output(output, json)
    import msgspec

    from fanfold.cli.watch import finish, watch_run
    from fanfold.runs import run as runs

    account, deployment, run_id = _of_run(run_id, job, local, profile, region)
    aws, stages = account.aws, _stages(into)
    stages.console.print(f"On {account.name()}")
    request = runs.request_to_resume(aws, deployment, run_id)
    request = msgspec.structs.replace(request, max_dollars=max_dollars)
    ended = watch_run(aws, deployment, run_id, stages, lambda: runs.begin(aws, deployment, request))
    finish(ended, aws, deployment, stages, into)


@app.command(epilog=_example("fanfold cancel 20261125T101500Z-0a1b2c3d"))
def cancel(
    run_id: RunId, *, job: AnyJob = None, local: Local = False, profile: Profile = None, region: Region = None
) -> None:
    """Cancel a run; its blocks stay, so it can be resumed."""
    from fanfold.runs import run as runs

    account, deployment, run_id = _of_run(run_id, job, local, profile, region)
    _complain(f"On {account.name()}")
    record = runs.cancel(account.aws, deployment, run_id)
    sentences = {
        "RUNNING": "The run is stopping: it starts no more blocks.",
        "CANCELLED": "The run is cancelled.",
    }
    _console().print(sentences.get(record.status, f"The run has just ended: {record.status}."))


@app.command(
    epilog=_example(
        "fanfold clean --dry-run",
        "fanfold clean --older-than 3 --yes",
        "fanfold clean 20261125T101500Z-0a1b2c3d",
    )
)
def clean(
    run_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN_ID]...", help="These runs.  [default: all that are old enough]"),
    ] = None,
    *,
    older_than: Annotated[
        float | None,
        typer.Option(
            parser=_days, metavar="DAYS", help="Only runs that stored nothing for so long.  [default: 1]"
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be deleted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    job: AnyJob = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Delete intermediates of old runs. Inputs and results stay. A cleaned run has no timeline in its report,
    and resuming it reads everything again. By default blobs expire by themselves after a day, the rest after
    7 days."""
    if run_ids and older_than is not None:
        raise typer.BadParameter("give run ids or --older-than, not both.")
    from fanfold.runs.intermediates import clean as clean_up

    account = _account(local, profile, region)
    _complain(f"On {account.name()}")
    clean_up(
        _console(),
        account.aws,
        account.deployments(job),
        run_ids or [],
        1.0 if older_than is None else older_than,
        dry_run=dry_run,
        yes=yes,
    )


@app.command(
    epilog=_example(
        "fanfold estimate 10GB",
        "fanfold estimate --job access_log s3://my-bucket/input/logs/",
        "fanfold estimate --job column_permutations table.csv",
    )
)
def estimate(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE|SIZE", help="A size such as 10GB, or what `fanfold run` takes.")
    ],
    *,
    job: Job = DEFAULT_JOB,
    quota: Annotated[
        int,
        typer.Option(
            parser=_whole_number(SMALLEST_QUOTA),
            metavar="N",
            help="How many Lambdas your account may run at once, 2 or more; a new one has 10.",
        ),
    ] = ACCOUNT_QUOTA,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Estimate the seconds and dollars of a run before you pay for it, by stage and by item. It also suggests
    a block size and a number of Lambdas, and says why. A SIZE needs no account."""
    from fanfold.estimate.workload import modelled
    from fanfold.format import parse_size

    of_job = modelled(job)
    size, where = parse_size(source), region
    if size is not None and size < SMALLEST_BARE and re.fullmatch(r"[0-9.]+", source.strip()):
        raise typer.BadParameter(
            f"{source} would be {source} bytes: write a unit, as in {source}GB, or {source}B for bytes."
        )
    if size is not None and Path(source).exists():
        raise typer.BadParameter(
            f"{source} is both a size and a file: write ./{source} for the file, or {size} for the size."
        )
    if size is not None:
        workload = of_job(size)
    else:
        from fanfold.cli.output import show_warnings
        from fanfold.estimate.contents import local_workload, workload_of
        from fanfold.runs import run as runs
        from fanfold.runs.source import Local as LocalSource
        from fanfold.runs.source import parse

        meant = parse(source)
        if isinstance(meant, LocalSource):
            show_warnings(meant.warnings())
            size, workload = meant.bytes, local_workload(job, meant)
        else:
            account = _account(local, profile, region)
            contents = runs.contents(account.aws, meant)
            size, workload = contents.bytes, _with_key(account, job, workload_of(job, contents))
            where = account.aws.session.region_name
    if not size:
        raise typer.BadParameter(f"{source} is empty.")
    from fanfold.cli import output as report
    from fanfold.estimate import table as estimate
    from lambda_src.run.prices import REFERENCE

    found = estimate.estimate(workload, size, quota, where or REFERENCE)
    if json:
        report.write(report.STANDARD_OUTPUT, report.json_text(estimate.as_json(job, found)))
    else:
        estimate.show(_console(), found)


def _with_key(account: "Account", job: str, workload: Any) -> Any:
    """``workload`` with what the key of the bucket of ``job`` takes, where it is deployed and has one."""
    from fanfold.account.deployment import DeploymentError
    from fanfold.runs import run as runs

    try:
        return runs.with_key(account.aws, account.deployment(job), workload)
    except DeploymentError:
        return workload
    except runs.RunError as error:
        told = f"Requests to KMS for intermediates, if there are any, are not in this estimate. {error}"
        _console(to_errors=True).print(visible(told), soft_wrap=True)
        return workload


@app.command(
    epilog=_example(
        "fanfold report 20261125T101500Z-0a1b2c3d",
        "fanfold report 20261125T101500Z-0a1b2c3d --output report.html",
    )
)
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
    from fanfold.report.html import html_report

    if output or run_id != LAST:
        check_path(output or Path(f"fanfold-{run_id}.html"))
    account, deployment, run_id = _of_run(run_id, job, local, profile, region)
    path = output or Path(f"fanfold-{run_id}.html")
    write(path, html_report(account.aws, deployment, run_id))
    _console(to_errors=True).print(visible(f"Written to {path}"), soft_wrap=True)


@app.command(epilog=_example("fanfold doctor", "fanfold doctor --job access_log --region eu-west-1"))
def doctor(
    *,
    job: AnyJob = None,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> int:
    """Check this installation, your account and the deployment. It says how to fix what is wrong; the exit
    status is then 1."""
    from fanfold.account.doctor import as_json, examine, show

    console = _console()
    findings = []
    for finding in examine(lambda: _account(local, profile, region), job):
        findings.append(finding)
        if not json:
            show(console, finding)
    if json:
        _print_json(as_json(findings))
    return 1 if any(finding.state == "wrong" for finding in findings) else 0


@app.command(epilog=_example("fanfold demo", "fanfold demo --job access_log --file logs/2026/11"))
def demo(
    *,
    file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A file or a folder.  [default: generated input]")
    ] = None,
    job: Job = DEFAULT_JOB,
    json: Json = False,
    output: Output = None,
    block_bytes: BlockBytes = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            parser=_whole_number(1, LARGEST_CONCURRENCY),
            metavar="N",
            help=f"Maximum number of Lambdas at once, 1 to {LARGEST_CONCURRENCY}.  "
            "[default: twice the processors]",
        ),
    ] = None,
    corpus_bytes: Annotated[
        int, typer.Option(parser=_size, metavar="SIZE", help="Size of the generated input, such as 100MB.")
    ] = CORPUS_BYTES,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the generated input.")] = 1,
) -> None:
    """Try it on this machine, and leave nothing behind. It starts a local AWS, deploys, runs the job, shows
    the result, and stops everything."""
    into = _output(output, json)
    from fanfold.demo import demo as demonstration
    from fanfold.estimate.workload import check
    from fanfold.runs.source import local

    meant = local(file) if file else None
    if meant:
        check(job, meant)
    demonstration.demo(
        _stages(into),
        job,
        file=meant,
        output=into,
        block_bytes=block_bytes,
        concurrency=concurrency,
        corpus_bytes=corpus_bytes,
        seed=seed,
    )


def _console(*, to_errors: bool = False) -> "Terminal":
    from fanfold.cli.terminal import Terminal

    return Terminal(to_errors=to_errors)


def _stages(into: "Into | None" = None, *, to_errors: bool = False) -> "Stages":
    """For people, beside a result that goes to ``into``. In a pipe or a file there is the result alone: how
    it goes is for the stream of errors, as programs do that are made for pipes."""
    from fanfold.cli.output import STANDARD_OUTPUT
    from fanfold.cli.progress import Stages

    results = _console(to_errors=to_errors or (into is not None and into.path == STANDARD_OUTPUT))
    return Stages(results if results.is_terminal else _console(to_errors=True), results)


def _output(path: Path | None, json: bool, csv: bool = False) -> "Into | None":
    """Where the result goes as a file, if anywhere. Raises ReportError, before anything is paid for."""
    from fanfold.cli.output import STANDARD_OUTPUT, check_path, has_ending
    from fanfold.cli.output import Output as Into

    if path is None:
        return Into(STANDARD_OUTPUT, csv) if json or csv else None
    check_path(path)
    if not (json or csv) and has_ending(path):
        csv = path.suffix.lower() == ".csv"
        if not csv and path.suffix.lower() != ".json":
            raise typer.BadParameter(f"{path}: name a file that ends in .json or .csv, or give --json.")
    return Into(path, csv)


def _account(local: bool, profile: str | None, region: str | None) -> "Account":
    if local and (profile or region):
        raise typer.BadParameter(
            f"--local, or {LOCAL_VARIABLE}, does not go with --profile or --region: it is an account of its "
            "own."
        )
    from fanfold.account.choice import open_account

    return open_account(local=local, profile=profile, region=region)


def _of_run(
    run_id: str, job: str | None, local: bool, profile: str | None, region: str | None
) -> "tuple[Account, Deployment, str]":
    """The account, the deployment in it that has the run, and the run's id."""
    from fanfold.runs.history import newest
    from fanfold.runs.run import deployment_of

    account = _account(local, profile, region)
    deployments = account.deployments(job)
    if run_id != LAST:
        return account, deployment_of(account.aws, deployments, run_id), run_id
    run = newest(account.aws, deployments)
    _complain(f"The newest run is {run.record.run_id}.")
    return account, run.deployment, run.record.run_id


def _print_json(value: Any) -> None:
    """To standard output, where it is not steered."""
    from fanfold.cli.output import STANDARD_OUTPUT, json_text, write

    write(STANDARD_OUTPUT, json_text(value))
