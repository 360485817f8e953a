"""Draws a run as one HTML file: its result, its Lambdas, its cost, and why the result can be trusted.

The file loads nothing, which its Content-Security-Policy enforces. Text of the input gets into it in two ways
only: through the template, which escapes every value, and as JSON that cannot end its element, which the
script (``script/*.js``) shows as text, never as markup.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fanfold.format import (
    date_text,
    dollars_in_report,
    singular,
    size_text,
    time_in_report,
    value_text,
)
from fanfold.job_code import as_given, load
from fanfold.jobs import chosen_options, client_job
from fanfold.report.figures import Rankings, Result, Stack, Table
from fanfold.report.page import markup
from fanfold.report.page.bill import bill_of
from fanfold.report.page.downloads import downloads_of
from fanfold.report.page.ending import ending_of
from fanfold.report.page.proof import proof_of
from fanfold.report.page.timeline import timeline_of
from fanfold.safe_text import shell_word
from lambda_src.errors import for_people
from lambda_src.fan_out.outcomes import CALL_COUNTS
from lambda_src.settings import stack_name
from lambda_src.telemetry.calls import Trace
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import Manifest, PartReport

HERE = Path(__file__).parent
UPLOT = HERE / "uplot"
"""The library that draws the charts, version 1.6.32: https://github.com/leeoniya/uPlot"""

SCRIPT_FILES = (
    "elements",
    "charts",
    "theme",
    "calls",
    "view",
    "draw",
    "plots",
    "focus",
    "input",
    "table",
    "main",
)
"""Scripts in this order: each uses what earlier ones define."""

MOST_FAILURES = 50

LONGEST_HEADING, LONGEST_NAME, LONGEST_OPTION = 200, 80, 60
"""Characters in a heading."""


def page(
    job: str,
    record: RunRecord,
    summary: Mapping[str, Any],
    trace: Trace | None,
    *,
    parts: Sequence[PartReport] = (),
    manifest: Manifest | None = None,
    version: str = "",
    options: str = "",
    is_local: bool = False,
    trace_error: str = "",
    stack: str = "",
    files: Mapping[str, bytes] = MappingProxyType({}),
    resume: str = "",
    results: str = "",
) -> str:
    """The report of a run of ``job``, a whole HTML document that loads nothing.

    A run whose status is RUNNING has died. ``summary`` is what ``summarize`` returned, ``parts`` are the
    reports of its reducers and ``manifest`` those of its blocks: with both, the report recomputes the proof.
    ``trace`` and ``manifest`` are None if the bucket no longer has them; ``trace_error`` says why a trace
    cannot be read. ``version`` is Fanfold's, ``options`` select the account on the command line; ``stack`` is
    the stack's name, if not that of all jobs. ``files`` are the result in files, by their endings. ``resume``
    and ``results`` are the commands that resume the run and show its result.
    """
    the_job = load(job).with_options(record.options)
    result = client_job(job).draw(summary) if parts and record.status == "SUCCEEDED" else None
    try:
        time = timeline_of(trace, record.max_concurrency) if trace and trace.calls else None
    except (ValueError, ArithmeticError) as error:  # times that are out of range
        time, trace_error = None, f"it is damaged: {error}."
    again = _command(job, record, options, chosen_options(job, record.options))
    same = _command(job, record, options, record.options)
    style = Markup(_own("uplot/uPlot.min.css") + _own("page.css"))  # noqa: S704 - our own, and the library's
    script = Markup(_own("uplot/uPlot.iife.min.js") + "\n" + _script())  # noqa: S704 - as above
    return _ENVIRONMENT.get_template("page.html").render(
        style=style,
        script=script,
        policy=_policy(style, script),
        data=markup.as_data({**(time.data if time else {}), "stacks": _stacks(result)}),
        job=the_job,
        job_name=job,
        heading=_heading(job, record),
        one_unit=singular(the_job.unit),
        record=record,
        result=result,
        time=time,
        trace_error=trace_error,
        calls_missing=_calls_missing(record, trace) if time and trace else 0,
        bill=bill_of(record, manifest),
        proof=proof_of(the_job, parts, manifest) if result and manifest else None,
        command=f"{same} --block-bytes {record.block_units} --concurrency {record.max_concurrency}",
        ending=None if record.status == "SUCCEEDED" else ending_of(record, again, resume),
        downloads=downloads_of(record.run_id, files, results),
        is_local=is_local,
        stack=stack or stack_name(),
        version=version,
        failures=record.failures[:MOST_FAILURES],
        licence=_own("uplot/LICENSE"),
    )


def _calls_missing(record: RunRecord, trace: Trace) -> int:
    """The number of calls that were counted but are not in the trace: an invocation of ``parse_file`` that is
    killed writes none. Calls of ``parse_file`` itself do not count."""
    counted = sum(record.calls.get(name, 0) for name in CALL_COUNTS.values())
    written = sum(call.outcome in CALL_COUNTS and call.function != "parse_file" for call in trace.calls)
    return max(0, counted - written)


def _stacks(result: Result | None) -> list[dict[str, Any]]:
    """The figures that the script draws; the template contains the others."""
    return [
        {
            "label": markup.shown(stack.label),
            "labels": [markup.shown(label) for label in stack.labels],
            "layers": [
                {"name": markup.shown(layer.name), "tone": layer.tone, "numbers": list(layer.numbers)}
                for layer in stack.layers
            ],
        }
        for stack in (result.figures if result else ())
        if isinstance(stack, Stack)
    ]


def _command(job: str, record: RunRecord, options: str, chosen: Mapping[str, Any]) -> str:
    """The shell command that runs the job again, with the ``chosen`` options of the job."""
    name = record.name()
    # A prefix that ends like a folder needs no star.
    source = name.removesuffix("*") if record.key is None and name.endswith("/*") else name
    set_ = "".join(
        f" --set {shell_word(f'{name}={value_text(value)}')}" for name, value in sorted(chosen.items())
    )
    return f"fanfold run{options} {shell_word(source)} --job {as_given(job)}{set_}"


def _heading(job: str, record: RunRecord) -> str:
    """What the job found in which input, and the options that differ from the defaults."""
    chosen = [
        markup.shown(f"{name}={value_text(value)}", LONGEST_OPTION)
        for name, value in chosen_options(job, record.options).items()
    ]
    about = client_job(job).heading.replace("{name}", markup.shown(_short_name(record), LONGEST_NAME))
    return "\u00a0· ".join([markup.shown(about, LONGEST_HEADING), *([", ".join(chosen)] if chosen else [])])


def _short_name(record: RunRecord) -> str:
    """The last part of an object's key, or of a prefix.

    >>> _short_name(RunRecord(run_id="r", started_at=0, bucket="b", key="input/5f/enwiki.xml"))
    'enwiki.xml'
    >>> _short_name(RunRecord(run_id="r", started_at=0, bucket="b", prefix="logs/2026/"))
    'logs/2026/'
    >>> _short_name(RunRecord(run_id="r", started_at=0, bucket="b", prefix="logs/2026-"))
    'logs/2026-*'
    """
    if record.key is not None:
        return record.key.rstrip("/").rpartition("/")[2] or record.key
    prefix = _UPLOADED.sub("", record.prefix or "")
    return f"{prefix or record.bucket}{'' if prefix.endswith('/') else '*' if prefix else ''}"


_UPLOADED = re.compile("input/[0-9a-f]{32}/")
"""Where the client puts a folder of this machine."""


def _policy(style: str, script: str) -> str:
    """Allows this style, this script, and pictures in the page, and nothing else."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _script() -> str:
    """The files of ``script/`` in one scope."""
    files = "\n".join(_own(f"script/{name}.js") for name in SCRIPT_FILES)
    return f'(() => {{\n"use strict";\n{files}}})();\n'


def _own(name: str) -> str:
    return (HERE / name).read_text()


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(HERE),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {
    name: getattr(markup, name)
    for name in (
        "shown",
        "number",
        "counted",
        "cell",
        "prose",
    )
}
_ENVIRONMENT.filters |= {
    "size": size_text,
    "dollars": dollars_in_report,
    "seconds": time_in_report,
    "when": date_text,
    "for_people": for_people,
}
_ENVIRONMENT.tests |= {
    kind.__name__.lower(): lambda figure, kind=kind: isinstance(figure, kind)
    for kind in (Rankings, Stack, Table)
}
