"""The command line ``fanfold``: its commands, in the order in which help lists them."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from fanfold.cli import (
    clean,
    deploy,
    doctor,
    estimate,
    grep,
    jobs,
    local,
    new_job,
    report,
    run,
    runs,
    try_job,
)
from fanfold.cli.session import complain

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast

app = typer.Typer(
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Massively parallel computation on AWS Lambda: run a job on a file or on objects in S3, watch it, "
    "and read the result.",
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
    """Options before the command."""


COMMANDS: list[tuple[Callable[..., Any], list[str]]] = [
    # A function, whose name is the command, and at least one example.
    (local.up, ["fanfold up", "fanfold up --job ./my_job.py", "fanfold up --job access_log"]),
    (local.down, ["fanfold down", "fanfold down --delete-data"]),
    (
        run.run,
        [
            "fanfold run enwiki.xml",
            "fanfold run --job access_log s3://my-bucket/input/logs/2026/11/",
            "fanfold run --local enwiki.xml --json | jq .words",
        ],
    ),
    (jobs.jobs, ["fanfold jobs", "fanfold jobs access_log"]),
    (new_job.new_job, ["fanfold new-job log_messages"]),
    (
        try_job.try_,
        [
            "fanfold try top_words enwiki.xml",
            "fanfold try access_log logs/2026 --json | jq .requests",
            "fanfold try ./my_job.py words.txt --profile -o words.csv",
        ],
    ),
    (
        grep.grep,
        [
            "fanfold grep -i 'error|fatal' logs/2026",
            "fanfold grep -F 5f3a9c2e s3://my-bucket/input/logs/ > lines.txt",
            "fanfold grep --json -m 10 timeout app.log.gz | jq .line",
        ],
    ),
    (runs.watch, ["fanfold watch 20261125T101500Z-0a1b2c3d"]),
    (runs.runs, ["fanfold runs", "fanfold runs --status failed --json | jq .[].run_id"]),
    (
        runs.results,
        [
            "fanfold results 20261125T101500Z-0a1b2c3d",
            "fanfold results --json 20261125T101500Z-0a1b2c3d | jq .words",
            "fanfold results -o words.csv 20261125T101500Z-0a1b2c3d",
        ],
    ),
    (runs.resume, ["fanfold resume 20261125T101500Z-0a1b2c3d"]),
    (runs.cancel, ["fanfold cancel 20261125T101500Z-0a1b2c3d"]),
    (
        clean.clean,
        [
            "fanfold clean --dry-run",
            "fanfold clean --older-than 3 --yes",
            "fanfold clean 20261125T101500Z-0a1b2c3d",
        ],
    ),
    (
        estimate.estimate,
        [
            "fanfold estimate 10GB",
            "fanfold estimate --job access_log s3://my-bucket/input/logs/",
            "fanfold estimate --job column_permutations table.csv",
        ],
    ),
    (
        report.report,
        [
            "fanfold report 20261125T101500Z-0a1b2c3d",
            "fanfold report 20261125T101500Z-0a1b2c3d --output report.html",
        ],
    ),
    (
        deploy.deploy,
        [
            "fanfold deploy",
            "fanfold deploy --job ./my_job.py",
            "fanfold deploy -c jobs=top_words,access_log -c dashboard=true",
        ],
    ),
    (deploy.destroy, ["fanfold destroy", "fanfold destroy -c job=access_log"]),
    (deploy.synth, ["fanfold synth", "fanfold synth -c hardened=true --output review"]),
    (doctor.doctor, ["fanfold doctor", "fanfold doctor --job access_log --region eu-west-1"]),
    (local.demo, ["fanfold demo", "fanfold demo --job access_log --file logs/2026/11"]),
]

for command, examples in COMMANDS:
    lines = "\n".join(f"  {line}" for line in examples)
    name = command.__name__.removesuffix("_").replace("_", "-")
    heading = "Example" if len(examples) == 1 else "Examples"
    app.command(name, epilog=f"\b\n{heading}:\n{lines}")(command)


INSTEAD = {"grep": grep.INSTEAD, **dict.fromkeys(("deploy", "destroy", "synth"), deploy.INSTEAD)}
"""What to do in place of options that a command does not have."""


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status."""
    try:
        return int(app(list(arguments) or ["--help"], prog_name="fanfold", standalone_mode=False) or 0)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        told = error.format_message()
        if context:
            told = INSTEAD.get(context.info_name or "", {}).get(getattr(error, "option_name", ""), told)
        complain(f"Error: {told}")
        if context:
            if hasattr(error, "option_name") and context.parent is None:
                complain("Put options after the command, as in `fanfold runs --region NAME`.")
            complain(f"See `{context.command_path} --help`.")
        return 2
    except Exception as error:
        from fanfold.errors import Detached, ExpectedError
        from fanfold.signals import EXIT_STATUS

        match error:
            case Detached():
                complain(str(error))
                return EXIT_STATUS
            case OSError(filename=str() as name):
                complain(f"Error: {name}: {error.strerror}.")  # this machine's files: a full disk
                return 1
            case OSError(strerror=str() as reason):
                complain(f"Error: {reason}.")  # a standard stream
                return 1
            case ExpectedError() | OSError():
                _show_cause(error)
                complain(f"Error: {error}")
                return 1
        raise


def _show_cause(error: Exception) -> None:
    """The stack trace of what a job's code raised, which its author has to see."""
    from fanfold.errors import JobNotUsable
    from fanfold.here.tracebacks import author_traceback

    if isinstance(error, JobNotUsable) and error.__cause__:
        for line in author_traceback(error.__cause__).splitlines():
            complain(line)
