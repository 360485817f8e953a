"""The command jobs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from fanfold.cli.options import Local, Profile, Region, complete_job, known_job
from fanfold.cli.session import complain, open_app, open_console
from fanfold.job_code import as_given, known_jobs, load
from fanfold.jobs import sentence_of
from fanfold.safe_text import shell_word, visible
from lambda_src.settings import DEFAULT_JOB

if TYPE_CHECKING:
    from fanfold.runs.options import Option

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast

EXAMPLE = "Example: "

MOST_PARTS = 8
"""How many parts are listed; of more, the first ones and the last."""


def jobs(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Show what this job finds, its options, and an example.",
            callback=known_job,
            autocompletion=complete_job,
        ),
    ] = None,
    *,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """List all jobs and whether they are deployed, or show one."""
    console = open_console()
    if name:
        lines = _described(name)
    else:
        deployed = _deployed(local, profile, region)
        jobs = [*known_jobs(), *sorted((deployed or set()) - set(known_jobs()))]
        width = max(map(len, jobs))
        lines = [f"{job:{width}}  {_state(job, deployed):12}  {_sentence(job)}".rstrip() for job in jobs]
    for line in lines:
        # A command stays on one line, so that it can be pasted.
        console.print(visible(line), soft_wrap=True if line.startswith(EXAMPLE) else None)


def _sentence(job: str) -> str:
    """What it does; if its file is not here, how to see that."""
    if job in known_jobs():
        return sentence_of(job)
    return f"To see what it does, name its file, as in `fanfold jobs ./{job}.py`."


def _deployed(local: bool, profile: str | None, region: str | None) -> set[str] | None:
    """The jobs that are deployed; None, with a sentence on standard error, if that cannot be known."""
    from fanfold.errors import ExpectedError, StackNotFound

    try:
        stacks = open_app(local, profile, region).account.deployments()
        return {job for stack in stacks for job in stack.jobs}
    except StackNotFound:
        return set()
    except ExpectedError as error:
        complain(f"Cannot tell which jobs are deployed. {error}")
        return None


def _state(job: str, deployed: set[str] | None) -> str:
    if deployed is None:
        return "?"
    return "deployed" if job in deployed else "not deployed"


def _described(job: str) -> list[str]:
    from fanfold.runs.options import options_of

    loaded = load(job)
    options, parts = options_of(loaded), list(loaded.parts)
    if len(parts) > MOST_PARTS:
        parts = [*parts[: MOST_PARTS - 1], "...", parts[-1]]
    sentence = sentence_of(job)
    return [
        f"{job}: {sentence}" if sentence else job,
        f"The result is by {loaded.part}: {', '.join(parts)}",
        "Options:" if options else "It has no options.",
        *(line for option in options for line in _lines(option)),
        f"{EXAMPLE}{_example(job, options)}",
    ]


def _lines(option: "Option") -> list[str]:
    default = "it must be given" if option.default is None else f"default: {option.default or 'empty'}"
    return [
        f"  {option.name}: {option.takes}; {default}",
        *([f"    {option.sentence}"] if option.sentence else []),
    ]


def _example(job: str, options: "Sequence[Option]") -> str:
    """A command that sets the options that must be given, or else the first one."""
    chosen = [option for option in options if option.default is None] or options[:1]
    given = "".join(f" --set {shell_word(f'{option.name}={option.example}')}" for option in chosen)
    which = "" if job == DEFAULT_JOB else f" --job {as_given(job)}"
    return f"fanfold run{which}{given} FILE"
