"""The command line: ``python -m client --help``."""

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from client import job, report
from client.aws import AccountError, Aws, account_of, account_of_person
from client.corpus import ExpectedCounts, write_corpus
from client.deployment import ROOT, Deployment, DeploymentError, deploy_locally, find_deployment
from client.local_aws import LocalAwsError, local_aws
from client.stages import Stages
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


def main(arguments: Sequence[str]) -> int:
    """Run a command; its exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        options.command(options, Stages(Console()))
    except (AccountError, DeploymentError, LocalAwsError, UsageError, WrongCounts, job.JobError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0


def local(options: argparse.Namespace, stages: Stages) -> None:
    """All on this machine: start a local AWS, deploy the stack into it, upload, run, show, stop."""
    _check_json(options.json)
    if options.file:
        _check_file(options.file)
    run_id = new_run_id()
    folder = ROOT / ".build" / "runs" / run_id
    folder.mkdir(parents=True)
    expected = None
    file: Path = options.file or folder / "corpus.xml"
    with ExitStack() as stack:
        if not options.file:
            stack.callback(file.unlink, missing_ok=True)
            expected = _generate(options, file, stages)
        with stages.stage("start", "Starting a local AWS"):
            running = stack.enter_context(local_aws(folder))
        with stages.stage("deploy", "Deploying the stack into it"):
            deploy_locally(running, folder)
        aws = account_of(running.environment)
        deployment = find_deployment(aws)
        key = _upload(aws, deployment, file, stages)
        summary = _run(aws, deployment, _request(options, key, run_id, 2 * (os.cpu_count() or 1)), stages)
    _finish(options, summary, stages)
    if expected:
        _compare(summary, expected, stages)
    shutil.rmtree(folder)


def run(options: argparse.Namespace, stages: Stages) -> None:
    """On the deployed stack of your AWS account: upload a file, or take an uploaded one; run, show."""
    _check_json(options.json)
    aws = account_of_person()
    deployment = find_deployment(aws)
    if options.file:
        _check_file(options.file)
        key = _upload(aws, deployment, options.file, stages)
    else:
        key = options.key
    request = _request(options, key, options.run_id or new_run_id(), DEFAULT_MAX_CONCURRENCY)
    _finish(options, _run(aws, deployment, request, stages), stages)


def show(options: argparse.Namespace, stages: Stages) -> None:
    """Show the result of a run of your AWS account; waits for it if it is not done."""
    _check_json(options.json)
    aws = account_of_person()
    deployment = find_deployment(aws)
    with stages.job() as progress:
        summary = job.follow(aws, deployment, options.run_id, progress)
    _finish(options, summary, stages)


def cancel(options: argparse.Namespace, stages: Stages) -> None:
    """Cancel a run of your AWS account; its blocks stay, so it can be resumed."""
    aws = account_of_person()
    job.cancel(aws, find_deployment(aws), options.run_id)
    stages.console.print("Asked to stop.")


def _generate(options: argparse.Namespace, file: Path, stages: Stages) -> ExpectedCounts:
    with stages.transfer("generate", "Generating a corpus", options.corpus_bytes) as progress:
        reached = 0

        def advance(written: int) -> None:
            nonlocal reached
            progress(written - reached)
            reached = written

        return write_corpus(file, options.corpus_bytes, options.seed, advance)


def _upload(aws: Aws, deployment: Deployment, file: Path, stages: Stages) -> str:
    with stages.transfer("upload", "Uploading it", file.stat().st_size) as progress:
        return job.upload(aws, deployment, file, progress)


def _run(aws: Aws, deployment: Deployment, request: ParseFileRequest, stages: Stages) -> RunSummary:
    with stages.job() as progress:
        return job.run(aws, deployment, request, progress)


def _finish(options: argparse.Namespace, summary: RunSummary, stages: Stages) -> None:
    report.show(stages.console, summary, stages.seconds)
    if options.json:
        report.write_json(options.json, report.as_json(summary, stages.seconds))


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
    stages.console.print("[green]Exact:[/] every count equals the generator's own.")


def _request(options: argparse.Namespace, key: str, run_id: str, concurrency: int) -> ParseFileRequest:
    return ParseFileRequest(
        key=key,
        run_id=run_id,
        block_bytes=options.block_bytes,
        max_concurrency=options.concurrency or concurrency,
    )


def _check_file(file: Path) -> None:
    if not file.is_file() or not os.access(file, os.R_OK):
        raise UsageError(f"{file} is not a file that can be read.")


def _check_json(path: Path | None) -> None:
    if path and not os.access(path.absolute().parent, os.W_OK):
        raise UsageError(f"{path} cannot be written: its folder does not exist or is read-only.")


def _terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM ends as Ctrl-C does: what this command started is stopped on the way out."""
    raise KeyboardInterrupt


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m client", description="Run Fanfold's job and show its result."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    for_all = argparse.ArgumentParser(add_help=False)
    for_all.add_argument("--json", type=Path, metavar="PATH", help="write the result there, as JSON")
    for_runs = argparse.ArgumentParser(add_help=False)
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
