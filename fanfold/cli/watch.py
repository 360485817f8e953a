"""Showing a run to the person at the terminal, from its upload to its result."""

import signal
import sys
from collections.abc import Callable

from fanfold.account.connection import Aws
from fanfold.cli import output as report
from fanfold.cli.all_export import write_all_rows
from fanfold.cli.formats import Format
from fanfold.cli.live import shown
from fanfold.cli.progress import Stages
from fanfold.cli.terminal import ask
from fanfold.errors import Detached, RunError
from fanfold.format import counted
from fanfold.runs.run import Ended, Run, legible
from fanfold.runs.source import Local
from fanfold.runs.upload import Folder, Input, upload, upload_folder
from fanfold.safe_text import visible
from fanfold.signals import SIGNALS
from lambda_src.run.summary import plain_warnings


def upload_shown(stages: Stages, aws: Aws, bucket: str, file: Local) -> Input | Folder:
    """Upload a file or folder with its progress shown, and say what is skipped. Raises UploadError."""
    stages.warnings = file.warnings()
    report.show_warnings(stages.warnings)
    there: Input | Folder
    with stages.upload(file.bytes) as (read, sent):
        if file.files:
            there = upload_folder(aws, bucket, file, read, sent)
        else:
            there = upload(aws, bucket, file.path, read, sent)
    if not there.sent:
        stages.console.print(visible(f"Already uploaded: {there[0]}"), soft_wrap=True)
    return there


def watch_run(run: Run, stages: Stages, begin: Callable[[], None] | None = None) -> Ended:
    """Show the run until it has ended; ``begin`` begins it. Ctrl-C asks whether to cancel it or to let it
    continue; any other signal, and Ctrl-C without a terminal, lets it continue. Raises RunError, Detached."""
    come_back, unit = run.command("watch"), run.load_job().unit
    goes_on = f"Stopped watching; the run {visible(run.run_id)} continues. To watch it again: {come_back}"
    try:
        try:
            with shown(stages.console, unit) as show:
                if begin:
                    SIGNALS.exit_message = f"Stopped; to see whether the run has started: {come_back}"
                    begin()
                SIGNALS.exit_message = goes_on
                return run.follow(show)
        except KeyboardInterrupt:
            if not (SIGNALS.latest == signal.SIGINT and sys.stdin.isatty() and stages.console.is_terminal):
                raise
            SIGNALS.reset()
            if not _wants_to_cancel():
                raise Detached(SIGNALS.exit_message) from None
        SIGNALS.exit_message = (
            f"Stopped watching; the run {visible(run.run_id)} is stopping. To watch it again: {come_back}"
        )
        run.cancel()
        with shown(stages.console, unit) as show:
            return run.follow(show)
    except RunError as error:
        raise _with_advice(error, run) from error


def _with_advice(error: RunError, run: Run) -> RunError:
    """``error`` with the command that resumes or reports the run."""
    try:
        ended = run.find()
    except RunError:  # the run cannot be read at all, as ``error`` says
        return error
    if ended and ended.etag and ended.status == "CANCELLED":
        again = run.command_to_resume(ended)
        return RunError(f"{error}. Its finished blocks are kept. To resume it: {again}")
    if ended and ended.etag and ended.status == "FAILED":
        return RunError(f"{error}. Full report: {run.command('report')}")
    return error


def _wants_to_cancel() -> bool:
    """Ask whether to cancel the run; no answer means no."""
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
    run: Run,
    ended: Ended,
    stages: Stages,
    output: report.Output | None,
    *,
    kept: bool = True,
    all_rows: bool = False,
) -> None:
    """Write the result to ``output``, or ``all_rows`` unless that is JSON; then show it with its time and
    cost, unless it went to standard output. It is shown even if it cannot be written. If it is ``kept``, say
    how to see it again. Raises ReportError, RunError."""
    record, summary = ended
    if stages.warnings:
        summary = {**summary, "warnings": [*plain_warnings(stages.warnings), *summary["warnings"]]}
    try:
        if output:
            if all_rows and output.format is not Format.JSON:
                write_all_rows(output, run.load_job(), run.complete_sums())
            else:
                with legible(record.run_id):
                    text = report.as_file(output, run.job, summary, stages.seconds)
                report.write(output.path, text)
            if output.path != report.STANDARD_OUTPUT:
                stages.console.print(visible(f"Written to {output.path}"), soft_wrap=True)
    finally:
        if not output or output.path != report.STANDARD_OUTPUT:
            with legible(record.run_id):
                report.show(stages.results, run.job, summary, stages.seconds)
        report.show_warnings(record.warnings)
        report.show_dollars(stages.console, record)
        stages.console.print(visible(f"Run: {record.run_id}"))
        if kept and record.keep:
            advice = run.command("results --all -o all.csv")
            stages.console.print(f"All {counted(record.kept['keys'], 'key')}: {advice}", soft_wrap=True)
        if kept:
            advice = run.command("report")
            stages.console.print(f"Full report: {advice}", soft_wrap=True)
