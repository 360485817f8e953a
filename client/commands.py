"""The commands, each a few stages."""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from rich.text import Text

from client import job, report
from client.aws import AccountError, Aws, account_of, account_of_person
from client.corpus import ExpectedCounts, write_corpus
from client.deployment import ROOT, Deployment, DeploymentError, deploy_locally, find_deployment
from client.local_aws import LocalAwsError, local_aws
from client.run_folder import run_folder
from client.safe_text import visible
from client.stages import Stages
from client.terminal import Terminal
from client.upload import Input, UploadError, upload
from lambda_src.messages import (
    DEFAULT_BLOCK_BYTES,
    DEFAULT_MAX_CONCURRENCY,
    ParseFileRequest,
    RunSummary,
    new_run_id,
)

CORPUS_BYTES = 100_000_000


class UsageError(Exception):
    """An argument cannot be used."""


class WrongCounts(Exception):
    """The result is not what the generated corpus is known to hold."""


class CorpusError(Exception):
    """The corpus could not be written."""


FORESEEN = (
    AccountError,
    CorpusError,
    DeploymentError,
    LocalAwsError,
    UploadError,
    UsageError,
    WrongCounts,
    job.JobError,
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
    run_id = new_run_id()
    with run_folder(ROOT / ".build" / "runs", run_id) as folder:
        expected = None
        file: Path = options.file or folder / "corpus.xml"
        if not options.file:
            expected = _generate(options, file, stages)
        with ExitStack() as stack:
            with stages.stage("start", "Starting a local AWS"):
                running = stack.enter_context(local_aws(folder))
            with stages.stage("deploy", "Deploying the stack into it"):
                deploy_locally(running, folder)
            aws = account_of(running.environment)
            deployment = find_deployment(aws)
            at_once = 2 * (os.cpu_count() or 1)
            uploaded = _upload(aws, deployment, file, stages)
            summary = _run(aws, deployment, _request(options, uploaded, run_id, at_once), stages)
        _finish(options, summary, stages)
        if expected:
            _compare(summary, expected, stages)


def run(options: argparse.Namespace, stages: Stages) -> None:
    """On the deployed stack of your AWS account: upload a file, or take an uploaded one; run, show."""
    _check_paths(options)
    aws = account_of_person()
    deployment = find_deployment(aws)
    source = _upload(aws, deployment, options.file, stages) if options.file else options.key
    request = _request(options, source, options.run_id or new_run_id(), DEFAULT_MAX_CONCURRENCY)
    _finish(options, _run(aws, deployment, request, stages), stages)


def show(options: argparse.Namespace, stages: Stages) -> None:
    """Show the result of a run of your AWS account; waits for it if it is not done."""
    _check_paths(options)
    aws = account_of_person()
    deployment = find_deployment(aws)
    with stages.job() as progress:
        summary = job.follow(aws, deployment, options.run_id, progress)
    _finish(options, summary, stages)


def cancel(options: argparse.Namespace, stages: Stages) -> None:
    """Cancel a run of your AWS account; its blocks stay, so it can be resumed."""
    aws = account_of_person()
    record = job.cancel(aws, find_deployment(aws), options.run_id)
    sentences = {
        "RUNNING": "Asked to stop: it starts no more blocks.",
        "CANCELLED": "Cancelled.",
    }
    stages.console.print(sentences.get(record.status, f"It had just ended: {record.status}."))


def _generate(options: argparse.Namespace, file: Path, stages: Stages) -> ExpectedCounts:
    with stages.transfer("generate", "Generating a corpus", options.corpus_bytes) as progress:
        reached = 0

        def advance(written: int) -> None:
            nonlocal reached
            progress(written - reached)
            reached = written

        try:
            return write_corpus(file, options.corpus_bytes, options.seed, advance)
        except OSError as error:
            raise CorpusError(f"The corpus could not be written to {file}: {error.strerror}.") from error


def _upload(aws: Aws, deployment: Deployment, file: Path, stages: Stages) -> Input:
    with stages.upload(_size(file)) as (read, sent):
        uploaded = upload(aws, deployment.source_bucket, file, read, sent)
    if not uploaded.sent:
        stages.console.print(visible(f"It is there already: {uploaded.key}"))
    return uploaded


def _run(aws: Aws, deployment: Deployment, request: ParseFileRequest, stages: Stages) -> RunSummary:
    with stages.job() as progress:
        return job.run(aws, deployment, request, progress)


def _finish(options: argparse.Namespace, summary: RunSummary, stages: Stages) -> None:
    """Write the result, then show it; it is shown also if it could not be written."""
    try:
        if options.json:
            report.write_json(options.json, report.as_json(summary, stages.seconds))
    finally:
        report.show(stages.console, summary, stages.seconds)


def _compare(summary: RunSummary, expected: ExpectedCounts, stages: Stages) -> None:
    """The generator knows what it wrote: any other answer is wrong."""
    found = {length: [(top.word, top.count) for top in words] for length, words in summary.top_words.items()}
    if (summary.words, summary.longer_words, found) != (
        expected.words,
        expected.longer_words,
        expected.top_words,
    ):
        raise WrongCounts(
            f"The run counted {summary.words} words and {summary.longer_words} longer ones, the generator "
            f"wrote {expected.words} and {expected.longer_words}, or the top words differ: please report it."
        )
    stages.console.print(Text.assemble(("Exact:", "green"), " every count equals the generator's own."))


def _request(
    options: argparse.Namespace, source: Input | str, run_id: str, concurrency: int
) -> ParseFileRequest:
    """What was uploaded is meant in that version, a key as it is when the run begins."""
    key, etag = (source.key, source.etag) if isinstance(source, Input) else (source, None)
    return ParseFileRequest(
        key=key,
        etag=etag,
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


def _size(file: Path) -> int:
    if not file.is_file() or not os.access(file, os.R_OK):
        raise UsageError(f"{file} is not a file that can be read.")
    return file.stat().st_size


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return value


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(visible(message))


def _parser() -> _Parser:
    parser = _Parser(prog="python -m client", description="Run Fanfold's job and show its result.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    for_all = _Parser(add_help=False)
    for_all.add_argument("--json", type=Path, metavar="PATH", help="write the result there, as JSON")
    for_runs = _Parser(add_help=False)
    for_runs.add_argument(
        "--block-bytes",
        type=_positive,
        metavar="N",
        help=f"size of a block (default: {DEFAULT_BLOCK_BYTES}, or that of the run that is resumed)",
    )

    at_once = "how many Lambdas may work at once (default: {})"
    command = commands.add_parser("local", parents=[for_all, for_runs], help=local.__doc__)
    command.add_argument(
        "--concurrency", type=_positive, metavar="N", help=at_once.format("twice the processors")
    )
    command.add_argument("--file", type=Path, metavar="PATH", help="the text (default: a generated corpus)")
    command.add_argument(
        "--corpus-bytes",
        type=_positive,
        default=CORPUS_BYTES,
        metavar="N",
        help="size of the generated corpus (default: %(default)s)",
    )
    command.add_argument("--seed", type=int, default=1, metavar="N", help="its seed (default: %(default)s)")
    command.set_defaults(command=local)

    command = commands.add_parser("run", parents=[for_all, for_runs], help=run.__doc__)
    command.add_argument(
        "--concurrency", type=_positive, metavar="N", help=at_once.format(DEFAULT_MAX_CONCURRENCY)
    )
    text = command.add_mutually_exclusive_group(required=True)
    text.add_argument("--file", type=Path, metavar="PATH", help="a text of this machine, uploaded first")
    text.add_argument("--key", metavar="KEY", help="the key of an object that is in the bucket already")
    command.add_argument(
        "--run-id",
        metavar="ID",
        help="a name for the run, or of the run to resume (default: made of the time)",
    )
    command.set_defaults(command=run)

    command = commands.add_parser("show", parents=[for_all], help=show.__doc__)
    command.add_argument("run_id", metavar="RUN_ID", help="as the run's output names it")
    command.set_defaults(command=show)

    command = commands.add_parser("cancel", help=cancel.__doc__)
    command.add_argument("run_id", metavar="RUN_ID", help="as the run's output names it")
    command.set_defaults(command=cancel)
    return parser
