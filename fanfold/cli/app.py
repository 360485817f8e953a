"""The command line ``fanfold``: its commands, in the order in which help lists them."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, cast

import typer
from typer.core import TyperGroup

from fanfold.cli.session import complain

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast


class Command(NamedTuple):
    """A command is the ``function`` of a module in ``fanfold.cli``, whose name it has. ``does`` is how its
    help begins; there is at least one example."""

    function: str
    does: str
    examples: Sequence[str]

    @property
    def name(self) -> str:
        """The name that a person types."""
        return self.function.partition(".")[2].removesuffix("_").replace("_", "-")

    def module(self) -> Any:
        """The module that has it. ``INSTEAD``, if there is one, says what to do in place of options that its
        commands do not have."""
        return importlib.import_module(f"fanfold.cli.{self.function.partition('.')[0]}")

    def load(self) -> Any:
        """The command itself."""
        lines = "\n".join(f"  {line}" for line in self.examples)
        heading = "Example" if len(self.examples) == 1 else "Examples"
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        function = getattr(self.module(), self.function.partition(".")[2])
        alone.command(self.name, epilog=f"\b\n{heading}:\n{lines}")(function)
        return typer.main.get_command(alone)


COMMANDS = [
    Command(
        "local.up",
        "Start a local AWS that stays up, and deploy the stack into it.",
        ["fanfold up", "fanfold up --job ./my_job.py", "fanfold up --job access_log"],
    ),
    Command(
        "local.down",
        "Stop the local AWS.",
        ["fanfold down", "fanfold down --delete-data"],
    ),
    Command(
        "run.run",
        "Run a job, watch it, and show its result.",
        [
            "fanfold run enwiki.xml",
            "fanfold run --job access_log s3://my-bucket/input/logs/2026/11/",
            "fanfold run --local enwiki.xml --json | jq .words",
        ],
    ),
    Command(
        "jobs.jobs",
        "List all jobs and whether they are deployed, or show one.",
        ["fanfold jobs", "fanfold jobs access_log"],
    ),
    Command(
        "new_job.new_job",
        "Write a new job and its test into the current folder.",
        ["fanfold new-job log_messages"],
    ),
    Command(
        "try_job.try_",
        "Run a job on local files, on this machine and without AWS.",
        [
            "fanfold try top_words enwiki.xml",
            "fanfold try access_log logs/2026 --json | jq .requests",
            "fanfold try ./my_job.py words.txt --profile -o words.csv",
        ],
    ),
    Command(
        "grep.grep",
        "Print the lines that match, with object and offset.",
        [
            "fanfold grep -i 'error|fatal' logs/2026",
            "fanfold grep -F 5f3a9c2e s3://my-bucket/input/logs/ > lines.txt",
            "fanfold grep --json -m 10 timeout app.log.gz | jq .line",
        ],
    ),
    Command(
        "runs.watch",
        "Watch a run until it has ended, and show its result.",
        ["fanfold watch 20261125T101500Z-0a1b2c3d"],
    ),
    Command(
        "runs.runs",
        "List past and current runs, newest first.",
        ["fanfold runs", "fanfold runs --status failed --json | jq .[].run_id"],
    ),
    Command(
        "runs.results",
        "Show the result of a run that has succeeded.",
        [
            "fanfold results 20261125T101500Z-0a1b2c3d",
            "fanfold results --json 20261125T101500Z-0a1b2c3d | jq .words",
            "fanfold results -o words.csv 20261125T101500Z-0a1b2c3d",
        ],
    ),
    Command(
        "runs.resume",
        "Resume a run that failed, was cancelled or died.",
        ["fanfold resume 20261125T101500Z-0a1b2c3d"],
    ),
    Command(
        "runs.cancel",
        "Cancel a run.",
        ["fanfold cancel 20261125T101500Z-0a1b2c3d"],
    ),
    Command(
        "clean.clean",
        "Delete intermediates of old runs.",
        [
            "fanfold clean --dry-run",
            "fanfold clean --older-than 3 --yes",
            "fanfold clean 20261125T101500Z-0a1b2c3d",
        ],
    ),
    Command(
        "estimate.estimate",
        "Estimate the seconds and dollars of a run before you pay.",
        [
            "fanfold estimate 10GB",
            "fanfold estimate --job access_log s3://my-bucket/input/logs/",
            "fanfold estimate --job column_permutations table.csv",
        ],
    ),
    Command(
        "report.report",
        "Write one HTML file about a run.",
        [
            "fanfold report 20261125T101500Z-0a1b2c3d",
            "fanfold report 20261125T101500Z-0a1b2c3d --output report.html",
        ],
    ),
    Command(
        "deploy.deploy",
        "Deploy to your AWS account, named by AWS_PROFILE and AWS_REGION.",
        [
            "fanfold deploy",
            "fanfold deploy --job ./my_job.py",
            "fanfold deploy -c jobs=top_words,access_log -c dashboard=true",
        ],
    ),
    Command(
        "deploy.destroy",
        "Remove the stack.",
        ["fanfold destroy", "fanfold destroy -c job=access_log"],
    ),
    Command(
        "deploy.synth",
        "Write the CloudFormation template for review.",
        ["fanfold synth", "fanfold synth -c hardened=true --output review"],
    ),
    Command(
        "doctor.doctor",
        "Check this installation, your account and the deployment.",
        ["fanfold doctor", "fanfold doctor --job access_log --region eu-west-1"],
    ),
    Command(
        "local.demo",
        "Try Fanfold on this machine.",
        ["fanfold demo", "fanfold demo --job access_log --file logs/2026/11"],
    ),
]


BY_NAME = {command.name: command for command in COMMANDS}


class _OnDemand(Mapping[str, Any]):
    """The commands by name. Each is imported only when it is looked up, because imports take time."""

    def __getitem__(self, name: str) -> Any:
        return BY_NAME[name].load()

    def __iter__(self) -> Iterator[str]:
        return iter(BY_NAME)

    def __len__(self) -> int:
        return len(BY_NAME)


class _Group(TyperGroup):
    """Lists the commands without importing them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = cast(Any, _OnDemand())

    def list_commands(self, _: Any) -> list[str]:
        return list(self.commands)

    def format_commands(self, _: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(command.name, command.does) for command in COMMANDS])


app = typer.Typer(
    cls=_Group,
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


def main(arguments: Sequence[str]) -> int:
    """Run a command and return its exit status."""
    try:
        return int(app(list(arguments) or ["--help"], prog_name="fanfold", standalone_mode=False) or 0)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        told = error.format_message()
        if context and (command := BY_NAME.get(context.info_name or "")):
            instead = getattr(command.module(), "INSTEAD", {})
            told = instead.get(getattr(error, "option_name", ""), told)
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
