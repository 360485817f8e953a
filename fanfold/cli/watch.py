"""A person at the terminal while a run begins, works and ends."""

import signal
import sys
from collections.abc import Callable

import msgspec

from fanfold.account.connection import Aws
from fanfold.account.deployment import Deployment
from fanfold.cli import output as report
from fanfold.cli.live import shown
from fanfold.cli.progress import Stages
from fanfold.cli.terminal import ask
from fanfold.errors import Detached
from fanfold.local_aws.signals import SIGNALS
from fanfold.runs import run as runs
from fanfold.runs.run import Ended, command
from fanfold.runs.source import Local, Object, Objects
from fanfold.runs.upload import Folder, Input, upload, upload_folder
from fanfold.safe_text import visible
from lambda_src.errors import BudgetExceeded
from lambda_src.fields import OnBadObject
from lambda_src.job import load
from lambda_src.run.summary import plain_warnings
from lambda_src.wire.requests import ParseFileRequest


def uploaded(aws: Aws, deployment: Deployment, file: Local, stages: Stages) -> Input | Folder:
    """Have what is in ``file`` in the deployment's bucket, and say so, and what is skipped. Raises
    UploadError."""
    stages.warnings = file.warnings()
    report.show_warnings(stages.warnings)
    there: Input | Folder
    with stages.upload(file.bytes) as (read, sent):
        if file.files:
            there = upload_folder(aws, deployment.source_bucket, file, read, sent)
        else:
            there = upload(aws, deployment.source_bucket, file.path, read, sent)
    if not there.sent:
        stages.console.print(visible(f"Already uploaded: {there[0]}"), soft_wrap=True)
    return there


def request_for(
    meant: Object | Objects | Input | Folder,
    run_id: str,
    block_bytes: int | None,
    concurrency: int,
    *,
    include_hidden: bool | None = None,
    on_bad_object: OnBadObject | None = None,
) -> ParseFileRequest:
    """What was uploaded is meant in that version, an object or a prefix as it is when the run begins."""
    match meant:
        case Input():
            request = ParseFileRequest(key=meant.key, etag=meant.etag)
        case Object():
            request = ParseFileRequest(key=meant.key)
        case Folder() | Objects():
            request = ParseFileRequest(prefix=meant.prefix)
    return msgspec.structs.replace(
        request,
        run_id=run_id,
        block_bytes=block_bytes,
        max_concurrency=concurrency,
        include_hidden=include_hidden,
        on_bad_object=on_bad_object,
    )


def watch_run(
    aws: Aws, deployment: Deployment, run_id: str, stages: Stages, begin: Callable[[], None] | None = None
) -> Ended:
    """Show the run until it has ended; ``begin`` begins it. Ctrl-C asks once whether to cancel it or only to
    leave; any other signal, and a Ctrl-C where nobody can be asked, leaves. Raises RunError, Detached."""
    come_back, unit = command("watch", aws, deployment, run_id), load(deployment.job).unit
    goes_on = f"Stopped watching; the run {visible(run_id)} continues. To watch it again: {come_back}"
    try:
        try:
            with shown(stages.console, unit) as show:
                if begin:
                    SIGNALS.exit_message = f"Stopped; to see whether the run has started: {come_back}"
                    begin()
                SIGNALS.exit_message = goes_on
                return runs.follow(aws, deployment, run_id, show)
        except KeyboardInterrupt:
            if not (SIGNALS.latest == signal.SIGINT and sys.stdin.isatty() and stages.console.is_terminal):
                raise
            SIGNALS.reset()
            if not _wants_to_cancel():
                raise Detached(SIGNALS.exit_message) from None
        SIGNALS.exit_message = (
            f"Stopped watching; the run {visible(run_id)} is stopping. To watch it again: {come_back}"
        )
        runs.cancel(aws, deployment, run_id)
        with shown(stages.console, unit) as show:
            return runs.follow(aws, deployment, run_id, show)
    except runs.RunError as error:
        raise _with_advice(error, aws, deployment, run_id) from error


def _with_advice(error: runs.RunError, aws: Aws, deployment: Deployment, run_id: str) -> runs.RunError:
    """``error`` with what can be done about a run that has ended so."""
    try:
        ended = runs.find(aws, deployment, run_id)
    except runs.RunError:  # it cannot be seen at all, as ``error`` says
        return error
    if ended and ended.etag and ended.status == "CANCELLED":
        again = command("resume", aws, deployment, run_id)
        if ended.max_dollars and ended.error.startswith(BudgetExceeded.__name__):
            again += f" --max-dollars={2 * ended.max_dollars:g}"
        return runs.RunError(f"{error}. Its finished blocks are kept. To resume it: {again}")
    if ended and ended.etag and ended.status == "FAILED":
        return runs.RunError(f"{error}. Full report: {command('report', aws, deployment, run_id)}")
    return error


def _wants_to_cancel() -> bool:
    """No answer is no."""
    try:
        answer = ask("Cancel the run (y), or let it continue unwatched (Enter)? ")
    except EOFError:
        print()
        return False
    except KeyboardInterrupt:
        print()
        raise
    return answer.strip().lower() in ("y", "yes")


def finish(
    ended: Ended,
    aws: Aws,
    deployment: Deployment,
    stages: Stages,
    output: report.Output | None,
    *,
    kept: bool = True,
) -> None:
    """Write the result to ``output``, then show it, unless it went to standard output, and what it
    took; it is shown also if it could not be written. It can be asked for again if it is ``kept``. Raises
    ReportError."""
    record, summary = ended
    if stages.warnings:
        summary = {**summary, "warnings": [*plain_warnings(stages.warnings), *summary["warnings"]]}
    try:
        if output:
            with runs.legible(record.run_id):
                text = report.as_file(output, deployment.job, summary, stages.seconds)
            report.write(output.path, text)
            if output.path != report.STANDARD_OUTPUT:
                stages.console.print(visible(f"Written to {output.path}"), soft_wrap=True)
    finally:
        if not output or output.path != report.STANDARD_OUTPUT:
            with runs.legible(record.run_id):
                report.show(stages.results, deployment.job, summary, stages.seconds)
        report.show_warnings(record.warnings)
        report.show_dollars(stages.console, record)
        stages.console.print(visible(f"Run: {record.run_id}"))
        if kept:
            advice = command("report", aws, deployment, record.run_id)
            stages.console.print(f"Full report: {advice}", soft_wrap=True)
