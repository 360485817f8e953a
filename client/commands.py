"""The commands, each a few stages."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from rich.text import Text

from client import report, runs
from client.aws import AccountError, Aws, account_of, account_of_person
from client.deployment import ROOT, Deployment, DeploymentError, deploy_locally, find_deployment
from client.local_aws import LocalAwsError, local_aws
from client.meanwhile import meanwhile
from client.run_folder import run_folder
from client.safe_text import visible
from client.samples import SAMPLES, Sample
from client.stages import Stages
from client.terminal import Terminal
from client.upload import Folder, Input, UploadError, files_of, upload, upload_folder
from lambda_src.job import names
from lambda_src.messages import (
    DEFAULT_MAX_CONCURRENCY,
    ParseFileRequest,
    new_run_id,
)
from lambda_src.settings import DEFAULT_JOB

CORPUS_BYTES = 100_000_000


class UsageError(Exception):
    """An argument cannot be used."""


class WrongCounts(Exception):
    """The result is not what the generated input is known to hold."""


class CorpusError(Exception):
    """The input could not be generated."""


FORESEEN = (
    AccountError,
    CorpusError,
    DeploymentError,
    LocalAwsError,
    UploadError,
    UsageError,
    WrongCounts,
    runs.RunError,
    report.ReportError,
)


def main(arguments: Sequence[str]) -> int:
    """Run a command; its exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options, Stages(Terminal()))
    except FORESEEN as error:
        print(visible(f"Error: {error}"), file=sys.stderr)
        return 1
    except OSError as error:  # this machine's files: a full disk, a folder that is read-only
        what = f"{error.filename}: {error.strerror}" if error.filename else error
        print(visible(f"Error: {what}"), file=sys.stderr)
        return 1
    return 0


def local(options: argparse.Namespace, stages: Stages) -> None:
    """All on this machine: start a local AWS, deploy the stack into it, upload, run, show, stop."""
    _check_paths(options)
    if not options.file and options.job not in SAMPLES:
        raise UsageError(f"For the job {options.job} no input can be generated: name a file or a folder.")
    run_id = new_run_id()
    with run_folder(ROOT / ".build" / "runs", run_id) as folder:
        with ExitStack() as stack:
            generated = None
            if not options.file:
                generated = stack.enter_context(meanwhile(lambda check: _generate(options, folder, check)))
            with stages.stage("start", "Starting a local AWS"):
                running = stack.enter_context(local_aws(folder))
            with stages.stage("deploy", "Deploying the stack into it"):
                deployment = deploy_locally(running, folder, options.job)
            sample = None
            if generated:
                with stages.stage("generate", "Generating input"):
                    sample = generated.result()
            aws = account_of(running.environment)
            at_once = 2 * (os.cpu_count() or 1)
            uploaded = _upload(aws, deployment, sample.path if sample else options.file, stages)
            summary = _run(aws, deployment, _request(options, uploaded, run_id, at_once), stages)
        _finish(options, summary, stages)
        if sample:
            _compare(summary, sample, stages)


def run(options: argparse.Namespace, stages: Stages) -> None:
    """On the deployed stack of your AWS account: upload a file, or take an uploaded one; run, show."""
    _check_paths(options)
    aws = account_of_person()
    deployment = find_deployment(aws, options.job)
    source = _upload(aws, deployment, options.file, stages) if options.file else None
    request = _request(options, source, options.run_id or new_run_id(), DEFAULT_MAX_CONCURRENCY)
    _finish(options, _run(aws, deployment, request, stages), stages)


def show(options: argparse.Namespace, stages: Stages) -> None:
    """Show the result of a run of your AWS account; waits for it if it is not done."""
    _check_paths(options)
    aws = account_of_person()
    deployment = find_deployment(aws, options.job)
    with stages.job() as progress:
        summary = runs.follow(aws, deployment, options.run_id, progress)
    _finish(options, summary, stages)


def cancel(options: argparse.Namespace, stages: Stages) -> None:
    """Cancel a run of your AWS account; its blocks stay, so it can be resumed."""
    aws = account_of_person()
    record = runs.cancel(aws, find_deployment(aws, options.job), options.run_id)
    sentences = {
        "RUNNING": "Asked to stop: it starts no more blocks.",
        "CANCELLED": "Cancelled.",
    }
    stages.console.print(sentences.get(record.status, f"It had just ended: {record.status}."))


def _generate(options: argparse.Namespace, folder: Path, check: Callable[[], None]) -> Sample:
    try:
        return SAMPLES[options.job](folder, options.corpus_bytes, options.seed, lambda _: check())
    except OSError as error:
        raise CorpusError(f"The input could not be written to {folder}: {error.strerror}.") from error


def _upload(aws: Aws, deployment: Deployment, path: Path, stages: Stages) -> Input | Folder:
    uploaded: Input | Folder
    with stages.upload(_size(path)) as (read, sent):
        if path.is_dir():
            uploaded = upload_folder(aws, deployment.source_bucket, path, read, sent)
        else:
            uploaded = upload(aws, deployment.source_bucket, path, read, sent)
    if not uploaded.sent:
        stages.console.print(visible(f"It is there already: {uploaded[0]}"))
    return uploaded


def _run(aws: Aws, deployment: Deployment, request: ParseFileRequest, stages: Stages) -> Mapping[str, Any]:
    with stages.job() as progress:
        return runs.run(aws, deployment, request, progress)


def _finish(options: argparse.Namespace, summary: Mapping[str, Any], stages: Stages) -> None:
    """Write the result, then show it; it is shown also if it could not be written."""
    try:
        if options.json:
            report.write_json(options.json, report.as_json(options.job, summary, stages.seconds))
    finally:
        report.show(stages.console, options.job, summary, stages.seconds)


def _compare(summary: Mapping[str, Any], sample: Sample, stages: Stages) -> None:
    """The generator knows what it wrote: any other answer is wrong."""
    if wrong := sample.wrong(summary):
        raise WrongCounts(
            f"The run's {', '.join(wrong)} are not what the generator wrote: please report it, with the JSON."
        )
    stages.console.print(Text.assemble(("Exact:", "green"), f" {sample.what} equals the generator's own."))


def _request(
    options: argparse.Namespace, source: Input | Folder | None, run_id: str, concurrency: int
) -> ParseFileRequest:
    """What was uploaded is meant in that version, a key or a prefix as it is when the run begins."""
    match source:
        case Input():
            meant = ParseFileRequest(key=source.key, etag=source.etag)
        case Folder():
            meant = ParseFileRequest(prefix=source.prefix)
        case None:
            meant = ParseFileRequest(key=options.key, prefix=options.prefix)
    return msgspec.structs.replace(
        meant,
        run_id=run_id,
        block_bytes=options.block_bytes,
        max_concurrency=options.concurrency or concurrency,
    )


def _check_paths(options: argparse.Namespace) -> None:
    """Before anything is paid for."""
    if options.json:
        report.check_json_path(options.json)
    if getattr(options, "file", None):
        _size(options.file)


def _size(path: Path) -> int:
    files = files_of(path) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"{path} is a folder without files.")
    for file in files:
        if not file.is_file() or not os.access(file, os.R_OK):
            raise UsageError(f"{file} is not a file that can be read.")
    return sum(file.stat().st_size for file in files)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return value


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(visible(message))


def _parser() -> _Parser:
    parser = _Parser(prog="python -m client", description="Run a job of Fanfold and show its result.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    for_all = _Parser(add_help=False)
    for_all.add_argument(
        "--job",
        choices=names(),
        default=DEFAULT_JOB,
        metavar="NAME",
        help=f"one of {', '.join(names())} (default: %(default)s)",
    )
    for_results = _Parser(add_help=False)
    for_results.add_argument("--json", type=Path, metavar="PATH", help="write the result there, as JSON")
    for_runs = _Parser(add_help=False)
    for_runs.add_argument(
        "--block-bytes",
        type=_positive,
        metavar="N",
        help="size of a block (default: what fits, or that of the run that is resumed)",
    )

    at_once = "how many Lambdas may work at once (default: {})"
    command = commands.add_parser("local", parents=[for_all, for_results, for_runs], help=local.__doc__)
    command.add_argument(
        "--concurrency", type=_positive, metavar="N", help=at_once.format("twice the processors")
    )
    command.add_argument(
        "--file", type=Path, metavar="PATH", help="a file or folder (default: generated input)"
    )
    command.add_argument(
        "--corpus-bytes",
        type=_positive,
        default=CORPUS_BYTES,
        metavar="N",
        help="size of generated text (default: %(default)s)",
    )
    command.add_argument("--seed", type=int, default=1, metavar="N", help="its seed (default: %(default)s)")
    command.set_defaults(command=local)

    command = commands.add_parser("run", parents=[for_all, for_results, for_runs], help=run.__doc__)
    command.add_argument(
        "--concurrency", type=_positive, metavar="N", help=at_once.format(DEFAULT_MAX_CONCURRENCY)
    )
    text = command.add_mutually_exclusive_group(required=True)
    text.add_argument("--file", type=Path, metavar="PATH", help="a file or folder, uploaded first")
    text.add_argument("--key", metavar="KEY", help="the key of an object that is in the bucket already")
    text.add_argument(
        "--prefix",
        metavar="PREFIX",
        help="what the keys of objects begin with that are in the bucket already",
    )
    command.add_argument(
        "--run-id",
        metavar="ID",
        help="a name for the run, or of the run to resume (default: made of the time)",
    )
    command.set_defaults(command=run)

    command = commands.add_parser("show", parents=[for_all, for_results], help=show.__doc__)
    command.add_argument("run_id", metavar="RUN_ID", help="as the run's output names it")
    command.set_defaults(command=show)

    command = commands.add_parser("cancel", parents=[for_all], help=cancel.__doc__)
    command.add_argument("run_id", metavar="RUN_ID", help="as the run's output names it")
    command.set_defaults(command=cancel)
    return parser
