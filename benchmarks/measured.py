"""What `make bench` measured, and the tables of it."""

from collections.abc import Sequence

from msgspec import Struct
from rich.table import Table

from benchmarks.cold_starts import PLAIN_BOTO3, ColdStart
from benchmarks.end_to_end import COLD, DEFAULT, OWN, Round, summarize
from benchmarks.kernels import Row
from benchmarks.memory import Peak
from benchmarks.questions import OURS, Answered
from benchmarks.service_calls import Counts
from fanfold.safe_text import visible
from lambda_src.run.prices import AS_OF, REFERENCE
from lambda_src.settings import ONE_VCPU_MB


class Machine(Struct, frozen=True):
    """Where it was measured."""

    system: str
    processor: str
    processors: int
    python: str


class EndToEnd(Struct, frozen=True):
    """All rounds on a text of ``text_bytes``; ``skipped`` says why a contestant is missing."""

    text_bytes: int
    rounds: list[Round]
    skipped: dict[str, str]


class Measured(Struct, frozen=True):
    """Everything, as the JSON has it."""

    started_at: str
    machine: Machine
    text: str
    kernels: list[Row]
    cold_starts: list[ColdStart]
    memory: list[Peak]
    questions: list[Answered]
    end_to_end: list[EndToEnd]
    requests_of_bytes: int
    requests: list[Counts]


def table_of_kernels(rows: Sequence[Row]) -> Table:
    table = _table(
        "Kernels, on one core: counting, summing the lines of a block, memory above a block of 5 MiB",
        *(
            "text",
            "Python, MB/s",
            "C, MB/s",
            "ratio",
            "Python, ms",
            "C, ms",
            "ratio",
            "Python, MiB",
            "C, MiB",
            "lines a byte",
            "C, MB/s of lines",
        ),
    )
    for row in rows:
        table.add_row(
            visible(row.text),
            *(f"{speed:.0f}" for speed in row.mb_per_s),
            f"{row.count_ratio:.1f}",
            *(f"{ms:.2f}" for ms in row.sum_ms),
            f"{row.sum_ratio:.1f}",
            *(f"{mib:.1f}" for mib in row.peak_mib),
            f"{row.line_share:.2f}",
            f"{row.sum_mb_per_s:.0f}",
        )
    return table


def table_of_cold_starts(cold_starts: Sequence[ColdStart]) -> Table:
    table = _table(
        "Cold starts: processor time with the shipped bytecode and without any, and the process's peak",
        *("handler", "bytecode", "imports, ms", "clients, ms", "both, ms", f"of {PLAIN_BOTO3}", "peak, MiB"),
    )
    for one in cold_starts:
        figures = (one.imports_ms, one.clients_ms, one.ms)
        table.add_row(
            one.handler,
            one.bytecode,
            *(f"{ms:.0f}" for ms in figures),
            f"{one.ratio:.2f}",
            f"{one.peak_mib:.0f}",
        )
    return table


def table_of_memory(peaks: Sequence[Peak]) -> Table:
    table = _table("Peak memory for the worst inputs", "function", "input", "MB", f"of {ONE_VCPU_MB}")
    for peak in peaks:
        table.add_row(peak.function, peak.case, f"{peak.peak_mb:.0f}", f"{peak.peak_mb / ONE_VCPU_MB:.0%}")
    return table


def table_of_answers(found: Sequence[Answered]) -> Table:
    """Seconds, and those of others by Fanfold's."""
    table = _table("Questions: whole programs on this machine", "", "", "seconds", f"{OURS} = 1")
    for one in found:
        for name, seconds in one.seconds.items():
            what = f"{one.what}, {size(one.size_bytes)}" if name == OURS else ""
            table.add_row(what, name, f"{seconds:.2f}", f"{one.ratios[name]:.2f}")
        for name, reason in one.skipped.items():
            table.add_row("", name, "skipped", reason)
    return table


def table_of_runs(measured: EndToEnd) -> Table:
    """Medians; the last column is what others compare with."""
    deploy_s, upload_s = (
        sorted(getattr(of_round, name) for of_round in measured.rounds)[len(measured.rounds) // 2]
        for name in ("deploy_s", "upload_s")
    )
    table = _table(
        f"End to end, {size(measured.text_bytes)}, medians of {len(measured.rounds)} "
        f"(apart from that, {deploy_s:.0f} s to deploy and {upload_s:.1f} s to upload)",
        *("", "seconds", "stages", "seconds of processors", f"{DEFAULT} = 1"),
    )
    for one in summarize(measured.rounds):
        table.add_row(
            one.contestant, f"{one.wall_s:.2f}", _each(one.stages_s), _each(one.cpu_s), f"{one.ratio:.2f}"
        )
    for name, reason in measured.skipped.items():
        table.add_row(name, "skipped", reason, "", "")
    return table


def table_of_requests(counts: Counts, text_bytes: int) -> Table:
    table = _table(
        f"Requests of {counts.run}, {size(text_bytes)} in {counts.blocks} blocks; "
        f"list prices of {REFERENCE}, {AS_OF}",
        *("kind", "requests", "MB sent", "MB answered", "units", "$"),
    )
    for kind in counts.kinds:
        table.add_row(
            kind.kind,
            f"{kind.requests:,}",
            f"{kind.sent_bytes / 1e6:,.2f}",
            f"{kind.answered_bytes / 1e6:,.2f}",
            f"{kind.units:,.0f} {kind.item}",
            f"{kind.dollars:.6f}",
        )
    requests, dollars = (sum(getattr(kind, of) for kind in counts.kinds) for of in ("requests", "dollars"))
    table.add_row("all", f"{requests:,}", "", "", "", f"{dollars:.6f}")
    if counts.recorded:
        table.caption = "The run's own record says: " + ", ".join(
            f"{item} {amount:,.4g}" for item, amount in counts.recorded.items()
        )
    return table


def table_of_ratios(measured: Measured) -> Table:
    """Only these count: each is of figures that were taken in turn."""
    table = _table("Ratios", "what", "", "beside", "", "ratio")
    for row in measured.kernels:
        slow, fast = row.mb_per_s
        figures = f"{fast:.0f} MB/s", "in Python", f"{slow:.0f} MB/s"
        table.add_row(f"count, {visible(row.text)}", *figures, f"{row.count_ratio:.1f} times as fast")
    for row in measured.kernels:
        slow, fast = row.sum_ms
        figures = f"{fast:.2f} ms a block", "in Python", f"{slow:.2f} ms"
        table.add_row(f"sum, {visible(row.text)}", *figures, f"{row.sum_ratio:.1f} times as fast")
    *handlers, plain = measured.cold_starts
    for one in handlers:
        figures = f"{one.ms:.0f} ms", PLAIN_BOTO3, f"{plain.ms:.0f} ms"
        what = f"cold start, {one.handler}, bytecode: {one.bytecode}"
        table.add_row(what, *figures, f"{one.ratio:.2f} of it")
    for answered in measured.questions:
        for other in [name for name in answered.seconds if name != OURS]:
            figures = f"{answered.seconds[OURS]:.2f} s", other, f"{answered.seconds[other]:.2f} s"
            table.add_row(answered.what, *figures, f"{answered.ratios[other]:.2f} times as fast")
    for of_size in measured.end_to_end:
        for name in (COLD, *OWN):
            summaries = {one.contestant: one for one in summarize(of_size.rounds, name)}
            for other in [other for other in summaries if other not in (COLD, *OWN)]:
                figures = f"{summaries[name].wall_s:.2f} s", other, f"{summaries[other].wall_s:.2f} s"
                what = f"{name}, {size(of_size.text_bytes)}"
                table.add_row(what, *figures, f"{summaries[other].ratio:.2f} times as fast")
    return table


def size(text_bytes: int) -> str:
    """Bytes for a person.

    >>> size(10**9), size(10**8)
    ('1 GB', '100 MB')
    """
    return f"{text_bytes / 1e9:.3g} GB" if text_bytes >= 10**9 else f"{text_bytes / 1e6:.3g} MB"


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    return table


def _each(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {figure:.2f}" for name, figure in seconds.items())
