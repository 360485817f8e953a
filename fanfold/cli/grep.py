"""The command grep."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from fanfold.cli.options import (
    BadObjectChoice,
    BlockBytes,
    IncludeHidden,
    Local,
    MaxDollars,
    OnBadObject,
    Profile,
    Region,
    valid_run_id,
    whole_number,
)
from fanfold.cli.session import LAST, complain, open_app, open_console, open_stages
from fanfold.safe_text import shell_word
from fanfold.signals import SIGNALS

if TYPE_CHECKING:
    from fanfold.lines.forms import Form, Name
    from fanfold.lines.pieces import Get
    from fanfold.lines.stitch import Wanted
    from fanfold.runs.run import Ended, Run
    from lambda_src.jobs.grep.pattern import Parts
    from lambda_src.wire.record import RunRecord
    from lambda_src.wire.reports import Manifest
    from lambda_src.wire.requests import ParseFileRequest

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast

JOB = "grep"
NUL_BYTES = "nul_bytes"
FOUND, NOT_FOUND, FAILED = range(3)

SOURCES_HELP = (
    "Files and folders on this machine, which are read here; - is standard input. Or objects that a "
    "deployment reads: s3://bucket/key, or all under s3://bucket/prefix/. Objects come in the order of their "
    "names."
)
MOST_CONTEXT = 1000

WRITTEN_BYTES = 64 << 10

AS_ALWAYS = (
    *("--extended-regexp", "-E", "--text", "-a", "--byte-offset", "-b", "--with-filename", "-H"),
    *("--recursive", "-r", "-R"),
)
"""Options of other greps that ask for what this one always does."""

_NUMBER = "Lines are not numbered: each begins with its offset in bytes."
_PERL = "Patterns are in the syntax of RE2, which has most of Perl's: leave out -P."
_SEVERAL = "PATTERN is the first argument; several patterns are one, with | between them."
_NAME = "Every line names its object; `--json | jq -r .line` leaves the lines alone."

INSTEAD = {
    **dict.fromkeys(("-n", "--line-number"), _NUMBER),
    **dict.fromkeys(("-P", "--perl-regexp"), _PERL),
    **dict.fromkeys(("-e", "--regexp", "-f", "--file"), _SEVERAL),
    "--no-filename": _NAME,
}
"""What to do in place of options that only other greps have."""

Shows = Literal["lines", "counts", "names", "other names", "nothing"]


class Asked(NamedTuple):
    """What is searched for, and how it is shown."""

    options: dict[str, Any]
    wanted: "Wanted"
    shows: Shows
    json: bool
    parts: "Parts | None"


class Answer(NamedTuple):
    """A run that has succeeded: how many lines it selected, what its blocks kept, and how to read that.
    ``name`` names an object."""

    lines: int
    manifest: "Manifest"
    get: "Get"
    name: "Name"


def context_option(*names: str, help_: str) -> Any:
    return typer.Option(*names, parser=whole_number(0, MOST_CONTEXT), metavar="N", help=help_)


def grep(
    pattern: Annotated[
        str | None,
        typer.Argument(
            metavar="PATTERN",
            help="A regular expression in the syntax of RE2. It matches within a line.",
            show_default=False,
        ),
    ] = None,
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="SOURCE...", help=SOURCES_HELP, show_default=False)
    ] = None,
    *,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN_ID",
            help="Print what an earlier run of the job grep found, in place of PATTERN and SOURCE; `last` is "
            "the newest.",
            callback=valid_run_id,
        ),
    ] = None,
    count: Annotated[
        bool, typer.Option("--count", "-c", help="Print only how many lines each object has.")
    ] = False,
    ignore_case: Annotated[
        bool, typer.Option("--ignore-case", "-i", help="Do not distinguish upper and lower case.")
    ] = False,
    invert_match: Annotated[
        bool, typer.Option("--invert-match", "-v", help="Select the lines that do not match.")
    ] = False,
    fixed_strings: Annotated[
        bool, typer.Option("--fixed-strings", "-F", help="PATTERN is text, not a regular expression.")
    ] = False,
    word_regexp: Annotated[bool, typer.Option("--word-regexp", "-w", help="Only whole words match.")] = False,
    line_regexp: Annotated[bool, typer.Option("--line-regexp", "-x", help="Only whole lines match.")] = False,
    only_matching: Annotated[
        bool, typer.Option("--only-matching", "-o", help="Print only the parts of lines that match.")
    ] = False,
    max_count: Annotated[
        int | None,
        typer.Option(
            "--max-count", "-m", parser=whole_number(1), metavar="N", help="At most N lines of each object."
        ),
    ] = None,
    after_context: Annotated[
        int | None, context_option("--after-context", "-A", help_="Also print N lines after each line.")
    ] = None,
    before_context: Annotated[
        int | None, context_option("--before-context", "-B", help_="Also print N lines before each line.")
    ] = None,
    context: Annotated[
        int | None, context_option("--context", "-C", help_="Also print N lines around each line.")
    ] = None,
    names: Annotated[
        bool,
        typer.Option("--files-with-matches", "-l", help="Print only the names of objects that have any."),
    ] = False,
    other_names: Annotated[
        bool,
        typer.Option("--files-without-match", "-L", help="Print only the names of objects that have none."),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing; the exit status says whether there are any.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print each line as a JSON object.")] = False,
    _always: Annotated[bool, typer.Option(*AS_ALWAYS, hidden=True)] = False,
    include_hidden: IncludeHidden = False,
    on_bad_object: OnBadObject = BadObjectChoice.FAIL,
    block_bytes: BlockBytes = None,
    max_dollars: MaxDollars = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> int:
    """Print the lines that match, with object and offset.

    The exit status is 0 if there are any, 1 if there are none, and 2 after an error.
    """
    if only_matching and (after_context or before_context or context):
        raise typer.BadParameter("-o prints parts of lines: leave out -A, -B and -C.")
    if names and other_names:
        raise typer.BadParameter("-l names the objects that have lines, -L the others: choose one.")
    chosen = (
        *(pattern, sources, ignore_case, invert_match, fixed_strings, word_regexp, line_regexp),
        *(max_count, after_context),
        *(before_context, context, include_hidden, on_bad_object is BadObjectChoice.SKIP, block_bytes),
        max_dollars,
    )
    if run_id and any(one not in (None, False) for one in chosen):
        raise typer.BadParameter(
            "with --run, give only -c, -l, -L, -o, -q, --json, and the options that name the account."
        )
    if not run_id and (pattern is None or not sources):
        raise typer.BadParameter(
            "name a PATTERN and at least one SOURCE (- is standard input), or give --run."
        )
    shows = _shown(quiet=quiet, names=names, other_names=other_names, count=count)
    before = (before_context if before_context is not None else context) or 0
    after = (after_context if after_context is not None else context) or 0
    with _statuses() as status:
        from fanfold.errors import ReportError
        from lambda_src.wire.requests import ParseFileRequest

        if sys.stdout is None:
            raise ReportError("Standard output is closed: there is nowhere to print to.")
        if run_id:
            app = open_app(local, profile, region)
            run = app.newest(JOB) if run_id == LAST else app.get(run_id, JOB)
            ended = run.read()
            asked = _asked(ended.record.options, shows, only_matching=only_matching, json=json)
            _warn(ended.record)
            if _print(_stored(run, ended), asked):
                status.append(FOUND)
            return FOUND if status else NOT_FOUND
        asked = _asked(
            {
                "pattern": pattern,
                "fixed": fixed_strings,
                "ignore_case": ignore_case,
                "whole": "line" if line_regexp else "word" if word_regexp else "none",
                "invert": invert_match,
                "count": shows != "lines",
                "most": max_count,
                "before": before if shows == "lines" else 0,
                "after": after if shows == "lines" else 0,
            },
            shows,
            only_matching=only_matching,
            json=json,
        )
        request = ParseFileRequest(
            block_bytes=block_bytes,
            include_hidden=include_hidden or None,
            on_bad_object="skip" if on_bad_object is BadObjectChoice.SKIP else None,
            max_dollars=max_dollars,
            options=asked.options,
        )
        runs = _Runs(request, local, profile, region)
        for answer in runs.of(sources or ()):
            with answer as found:
                if _print(found, asked):
                    status.append(FOUND)
            if quiet and status:
                break
    return status[-1] if status else NOT_FOUND


def _shown(*, quiet: bool, names: bool, other_names: bool, count: bool) -> Shows:
    if quiet:
        return "nothing"
    if names or other_names:
        return "names" if names else "other names"
    return "counts" if count else "lines"


class _Runs:
    """Runs of the job, on this machine or in a deployment."""

    def __init__(
        self, request: "ParseFileRequest", local: bool, profile: str | None, region: str | None
    ) -> None:
        self._request, self._local = request, local
        self._account = (local, profile, region)

    def of(self, sources: Sequence[str]) -> Iterator[AbstractContextManager[Answer]]:
        """A run for each source in S3, and one for all neighbours that are read here, in order."""
        for is_here, neighbours in groupby(sources, self._is_here):
            if is_here:
                yield self._here(list(neighbours))
            else:
                for source in neighbours:
                    yield self._deployed(source)

    def _is_here(self, source: str) -> bool:
        return source == "-" or not (self._local or source.startswith("s3://"))

    @contextmanager
    def _here(self, sources: list[str]) -> Iterator[Answer]:
        import shutil
        import tempfile
        from pathlib import Path

        from fanfold.cli.late import shown_late
        from fanfold.errors import RunError
        from fanfold.here.blobs import FolderBlobs
        from fanfold.here.files import find
        from fanfold.here.run import Trial, run_here, workers
        from fanfold.runs.bad_objects import with_advice
        from lambda_src.errors import FanfoldError
        from lambda_src.job import load
        from lambda_src.wire.requests import new_run_id

        with SIGNALS.cleanup(
            lambda: Path(tempfile.mkdtemp(prefix="fanfold-")), lambda folder: shutil.rmtree(folder, True)
        ) as folder:
            files = find(sources, folder, include_hidden=bool(self._request.include_hidden))
            trial = Trial(load(JOB), files, FolderBlobs(folder, new_run_id()))
            with (
                SIGNALS.cleanup(lambda: workers(trial), lambda processes: processes.close()) as processes,
                shown_late(lambda: open_console(to_errors=True), trial.job) as show,
            ):
                try:
                    tried = run_here(trial, processes, self._request, show)
                except FanfoldError as error:
                    if len(files.paths) == 1 or self._request.on_bad_object == "skip":
                        raise
                    raise RunError(with_advice(str(error))) from error
            _warn(tried.record)
            yield Answer(tried.summary["lines"], trial.blobs.manifest(), trial.blobs.get_piece, str)

    @contextmanager
    def _deployed(self, source: str) -> Iterator[Answer]:
        from functools import partial

        from msgspec.structs import replace

        from fanfold.cli.output import show_dollars
        from fanfold.cli.watch import upload_shown, watch_run
        from fanfold.runs.source import parse

        stages = open_stages(to_errors=True)
        input_ = parse(source, include_hidden=bool(self._request.include_hidden))
        app = open_app(*self._account)
        request = replace(self._request, max_concurrency=app.default_concurrency)
        run, request = app.prepare(input_, JOB, request, partial(upload_shown, stages))
        ended = watch_run(run, stages, lambda: run.begin(request))
        _warn(ended.record)
        yield _stored(run, ended)
        show_dollars(stages.console, ended.record)


def _stored(run: "Run", ended: "Ended") -> Answer:
    """The answer of a run in a deployment. Raises RunError."""
    from fanfold.runs.pieces import manifest_of, reader_of

    again = f"fanfold grep{run.aws.options} --run {shell_word(run.run_id)}"
    SIGNALS.exit_message = f"Stopped; to print what the run has found again: {again}"
    manifest = manifest_of(run)
    bucket = manifest.source.bucket
    return Answer(ended.summary["lines"], manifest, reader_of(run), lambda key: f"s3://{bucket}/{key}")


def _warn(record: "RunRecord") -> None:
    """Say what a person should know of the run. NULs are bytes like any others here."""
    if warnings := [warning for warning in record.warnings if warning.code != NUL_BYTES]:
        from fanfold.cli.output import show_warnings

        show_warnings(warnings)


def _print(answer: Answer, asked: Asked) -> bool:
    """Print what the run found; whether that is anything. Raises RunError if it is not what the run
    counted."""
    from fanfold.errors import RunError
    from fanfold.lines.forms import counted
    from fanfold.lines.pieces import frames_by_block, keys_of, pieces_of
    from fanfold.lines.stitch import Total, stitched, with_all
    from lambda_src.store.keys import listing_key

    if asked.shows == "nothing":
        return answer.lines > 0
    form, written = _form(answer, asked), _Output()
    lines = shown = total = 0
    run_id, blocks = answer.manifest.run_id, answer.manifest.blocks
    selected = stitched(frames_by_block(pieces_of(run_id, blocks), answer.get), asked.wanted)
    if asked.shows != "lines":
        selected = with_all(selected, keys_of(answer.get(listing_key(run_id)), blocks))
    for found in selected:
        SIGNALS.check()
        if not isinstance(found, Total):
            shown += found.lines if found.selected and asked.shows == "lines" else 0
            for portion in form.found(found):
                written.add(portion)
            continue
        lines += found.lines
        total += counted(found, asked.wanted.most) if asked.shows == "lines" else 0
        written.add(form.total(found))
    written.flush()
    if (lines, shown) != (answer.lines, total):
        raise RunError(
            f"The run selected {answer.lines:,} lines, but its blocks kept {lines:,}, and {shown:,} of "
            f"{total:,} were printed: what was printed is not complete. Start a new run."
        )
    return lines > 0


class _Output:
    """Standard output, written in portions: it may have no buffer of its own."""

    def __init__(self) -> None:
        self._portions: list[bytes] = []
        self._size = 0

    def add(self, portion: bytes) -> None:
        self._portions.append(portion)
        self._size += len(portion)
        if self._size >= WRITTEN_BYTES:
            self.flush()

    def flush(self) -> None:
        sys.stdout.buffer.write(b"".join(self._portions))
        sys.stdout.buffer.flush()
        self._portions, self._size = [], 0


def _form(answer: Answer, asked: Asked) -> "Form":
    from fanfold.lines.forms import AsCounts, AsJson, AsNames, AsText, JsonCounts

    before, after, most = asked.wanted
    terminal = sys.stdout.isatty()
    if asked.shows in ("names", "other names"):
        has_lines = asked.shows == "names"
        return AsNames(answer.name, terminal=terminal, json=asked.json, has_lines=has_lines)
    if asked.shows == "counts":
        if asked.json:
            return JsonCounts(answer.name, terminal=terminal, most=most)
        return AsCounts(answer.name, terminal=terminal, most=most)
    if asked.json:
        return AsJson(answer.name, terminal=terminal, parts=asked.parts)
    return AsText(answer.name, terminal=terminal, context=bool(before or after), parts=asked.parts)


@contextmanager
def _statuses() -> Iterator[list[int]]:
    """Yields a list that gets ``FAILED`` last if an error that a person can do something about ends the
    block; it is printed."""
    from fanfold.errors import ExpectedError
    from lambda_src.errors import FanfoldError, for_people

    status: list[int] = []
    try:
        yield status
        sys.stdout.flush()
    except BrokenPipeError:  # its reader has seen enough
        _drop_output()
        status.append(FOUND)
    except (ExpectedError, FanfoldError) as error:
        complain(f"Error: {for_people(str(error))}")
        status.append(FAILED)
    except OSError as error:  # a full disk
        complain(f"Error: {error.filename or 'Standard output'}: {error.strerror}.")
        _drop_output()
        status.append(FAILED)


def _drop_output() -> None:
    from fanfold.cli.terminal import drop_output

    drop_output()


def _asked(options: dict[str, Any], shows: Shows, *, only_matching: bool, json: bool) -> Asked:
    """Raises OptionError for a pattern that is not valid."""
    from fanfold.errors import OptionError
    from fanfold.lines.stitch import Wanted
    from fanfold.runs.options import checked
    from lambda_src.job import load
    from lambda_src.jobs.grep.pattern import parts_of

    job = load(JOB)
    checked(job, options)
    chosen, parts = job.read_options(options), None
    if only_matching and not options["count"]:
        try:
            parts = parts_of(chosen.pattern, **chosen.how())
        except ImportError:
            raise OptionError("-o needs the package google-re2: install it with pip.") from None
    wanted = Wanted(options["before"], options["after"], options["most"])
    if options["count"] and shows == "lines":
        shows = "counts"
    return Asked(options, wanted, shows, json, parts)
