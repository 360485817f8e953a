"""What a run would take, before anything is spent: shown from the model."""

from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fanfold.cli.output import ITEM_NAMES
from fanfold.errors import NotModelled
from fanfold.estimate.model import (
    ENGINE,
    ORCHESTRATORS,
    Modelled,
    Suggestion,
    model,
    suggest,
)
from fanfold.estimate.workload import Figures, Stored, Workload
from fanfold.format import block_text, counted, dollars_text, size_text, time_text
from fanfold.safe_text import visible
from lambda_src.job import BYTES
from lambda_src.run.prices import Prices, athena_dollars, prices_of, storage_dollars
from lambda_src.settings import PARSE_BLOCK_TIMEOUT_S

BAR_COLUMNS = 22
DECIMALS = {"gb_s": 1, "log_gb": 6}
"""Decimals of amounts that are not whole numbers."""

ARCHITECTURE = "arm64"
"""The default of a stack."""


KMS_ASSUMED = (
    "KMS: one request for each request to S3, or with a bucket key, one for a hundred, as AWS says that it "
    "saves up to 99 %."
)
DEAR_DOLLARS, DEARER = 0.01, 10
"""A run needs no confirmation if it costs less, or less than ``DEARER`` times the suggested one."""

FAR_FROM_LIMIT = 0.7
"""Share of a Lambda's time: an archive that takes more may take too long, since rates differ by that much."""


class Estimate(NamedTuple):
    """What a run of ``workload`` takes, in the suggested setting where all is cold, and where it is ``warm``,
    in an account that may run ``quota`` Lambdas at once. ``bound_by`` is the archive that it waits for."""

    workload: Workload
    input_bytes: int
    quota: int
    prices: Prices
    prices_name: str
    cold: Suggestion
    warm: Modelled
    bound_by: Stored | None


def estimate(workload: Workload, input_bytes: int, quota: int, region: str) -> Estimate:
    """The estimate for an input of that size. Raises NotModelled where no run of it succeeds."""
    if not input_bytes:
        workload = workload._replace(objects=())  # a run reads none of them
    price_list = prices_of(region, ARCHITECTURE)
    prices, name = price_list.prices, price_list.name
    figures = {**ENGINE, **workload.figures}
    cold = _suggested(workload, quota, prices, figures)
    archive, archive_s = cold.modelled.archive, cold.modelled.archive_s
    bound_by = archive if archive and 2 * archive_s > cold.modelled.seconds else None
    if cold.modelled.obstacle:
        raise NotModelled(
            f"{cold.modelled.obstacle} One Lambda must unpack all of {visible(bound_by.name)}, which is one "
            f"block: {_advice(bound_by)}"
            if bound_by
            else _too_much(workload, input_bytes, cold.modelled.obstacle, quota, prices)
        )
    warm = model(
        workload.units,
        cold.modelled.concurrency,
        cold=False,
        block_units=cold.block_units,
        prices=prices,
        figures=figures,
        objects=workload.objects,
    )
    return Estimate(workload, input_bytes, quota, prices, name, cold, warm, bound_by)


def show(console: Console, found: Estimate) -> None:
    """Print it for a person."""
    workload, cold = found.workload, found.cold
    objects = f" in {counted(len(workload.objects), 'object')}" if len(workload.objects) > 1 else ""
    console.print(
        f"{size_text(found.input_bytes)}{objects}, modelled for {workload.about}, in an account with a quota "
        f"of {counted(found.quota, 'Lambda')} at once; prices of {found.prices_name}"
    )
    if 0 < workload.looked_at < len(workload.objects):
        console.print(
            f"{counted(workload.looked_at, 'object')} looked at, the largest of each ending; the others are "
            "taken to be like them."
        )
    console.print()
    console.print(_by_stage(cold.modelled, found.warm))
    if found.bound_by:
        console.print()
        console.print(_bound(found.bound_by, cold.modelled.archive_s), soft_wrap=True)
    console.print()
    console.print(_by_item(cold.modelled))
    if "kms_requests" in cold.modelled.dollars_by_item:
        console.print(KMS_ASSUMED, soft_wrap=True)
    console.print(_intermediates(cold.modelled.blob_bytes, found.prices), soft_wrap=True)
    if workload.unit == BYTES:
        athena = athena_dollars(found.input_bytes, found.prices)
        console.print(f"Athena would charge {dollars_text(athena)} dollars to scan it once.")
    console.print()
    console.print(
        f"Suggested: --block-bytes={cold.block_units} --concurrency={cold.max_concurrency}", soft_wrap=True
    )
    console.print(cold.reason)
    default = cold.default
    takes = default.obstacle or f"{time_text(default.seconds)} and {dollars_text(default.dollars)} dollars."
    console.print(
        f"Default: blocks of {default.block_units:,} {workload.unit}, concurrency {default.concurrency:,}"
        f"{', cannot succeed' if default.obstacle else ''}: {takes}"
    )
    console.print()
    console.print(_curve(cold, workload.unit))


def as_json(job: str, found: Estimate) -> dict[str, Any]:
    """The same for programs: dollars and seconds are not rounded."""
    cold, bound_by = found.cold, found.bound_by
    return {
        "job": job,
        "about": found.workload.about,
        "bytes": found.input_bytes,
        "objects": max(len(found.workload.objects), 1),
        "objects_looked_at": found.workload.looked_at,
        "units": found.workload.units,
        "unit": found.workload.unit,
        "quota": found.quota,
        "prices": found.prices_name,
        "suggested": {
            "block_bytes": cold.block_units,
            "max_concurrency": cold.max_concurrency,
            "reason": cold.reason,
            "cold": _run_as_json(cold.modelled),
            "warm": _run_as_json(found.warm),
        },
        "default": _run_as_json(cold.default),
        "bound_by": {"key": bound_by.name, "how": bound_by.format, "seconds": cold.modelled.archive_s}
        if bound_by
        else None,
        "intermediates": {
            "bytes": round(cold.modelled.blob_bytes),
            "dollars_a_day": storage_dollars(cold.modelled.blob_bytes, 1, found.prices),
        },
        "curve": [_run_as_json(run) for run in cold.curve],
    }


def _run_as_json(run: Modelled) -> dict[str, Any]:
    return {
        "block_bytes": run.block_units,
        "blocks": run.blocks,
        "seconds": run.seconds,
        "dollars": run.dollars,
        "stages": {
            stage.name: {"seconds": stage.seconds, "dollars": sum(stage.dollars.values())}
            for stage in run.stages
        },
        "items": {
            item: {"amount": sum(stage.used.get(item, 0.0) for stage in run.stages), "dollars": spent}
            for item, spent in run.dollars_by_item.items()
        },
        "obstacle": run.obstacle or None,
    }


def _intermediates(blob_bytes: float, prices: Prices) -> str:
    """What it costs to keep them, which a run's own bill does not have."""
    return (
        f"Intermediates: {size_text(round(blob_bytes))}, deleted when the run succeeds; if it fails, each "
        f"day that they are kept costs {dollars_text(storage_dollars(blob_bytes, 1, prices))} dollars."
    )


def cost_warning(workload: Workload, block_units: int, concurrency: int, region: str) -> str:
    """A sentence, without its full stop, that compares the cost of a run in blocks of this size with that of
    the suggested size. Empty if the run costs less than a cent, or less than ten times as much."""
    prices = prices_of(region, ARCHITECTURE).prices
    figures = {**ENGINE, **workload.figures}
    suggested = _suggested(workload, concurrency + ORCHESTRATORS, prices, figures).modelled
    asked = model(
        workload.units,
        concurrency,
        cold=True,
        block_units=block_units,
        prices=prices,
        figures=figures,
        objects=workload.objects,
    )
    if asked.dollars <= max(DEAR_DOLLARS, DEARER * suggested.dollars):
        return ""
    return (
        f"This run is modelled at {asked.dollars:.2f} dollars and {time_text(asked.seconds)} with "
        f"{asked.blocks:,} blocks of {block_text(asked.block_units, workload.unit)}, but at "
        f"{dollars_text(suggested.dollars)} dollars and {time_text(suggested.seconds)} with the suggested "
        f"--block-bytes={suggested.block_units}"
    )


def _too_much(workload: Workload, input_bytes: int, obstacle: str, quota: int, prices: Prices) -> str:
    """Why no run succeeds, whatever its blocks, and what to do."""
    instead = "make the input smaller"
    if workload.unit == BYTES:
        inputs = _inputs_that_succeed(workload, quota, prices, {**ENGINE, **workload.figures})
        size = size_text(input_bytes // inputs)
        instead = f"split it into {inputs:,} inputs of about {size}, and run each by itself"
    return (
        f"{size_text(input_bytes)} is too much for one run of {workload.about}, whatever the size of a "
        f"block. {obstacle} Instead, {instead}."
    )


def _bound(archive: Stored, archive_s: float) -> str:
    """What limits a run that waits for one archive."""
    limit_s = PARSE_BLOCK_TIMEOUT_S - ENGINE["reserve"].value
    text = size_text(round(archive.bytes * archive.ratio))
    near = (
        f" That is close to the {time_text(limit_s)} that it has: if it takes longer, the run fails."
        if archive_s > FAR_FROM_LIMIT * limit_s
        else ""
    )
    return (
        f"One Lambda must unpack all of {visible(archive.name)}: {archive.format}, about {text} of text, "
        f"{time_text(archive_s)}.{near} To be faster, {_advice(archive)}"
    )


def _advice(archive: Stored) -> str:
    unpacked = "" if archive.format == "bzip2" else "upload it unpacked, "
    return (
        f"split it into several objects, {unpacked}or recompress it with pbzip2, whose many streams are "
        "shared among Lambdas."
    )


def _suggested(workload: Workload, quota: int, prices: Prices, figures: Figures) -> Suggestion:
    return suggest(
        workload.units,
        quota,
        prices=prices,
        figures=figures,
        unit=workload.unit,
        block_units=workload.block_units,
        objects=workload.objects,
    )


def _inputs_that_succeed(workload: Workload, quota: int, prices: Prices, figures: Figures) -> int:
    """Into how many equal ones the input must be cut, a power of two, for a run of each to succeed."""
    inputs = 1
    while True:
        inputs *= 2
        objects = [one._replace(bytes=one.bytes // inputs) for one in workload.objects]
        one = workload._replace(units=workload.units // inputs, objects=objects)
        if not _suggested(one, quota, prices, figures).modelled.obstacle:
            return inputs


def _by_stage(cold: Modelled, warm: Modelled) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Stage")
    for heading in ("Time, cold", "Time, warm", "Dollars, cold", "Dollars, warm"):
        table.add_column(heading, justify="right")
    for first, again in zip(cold.stages, warm.stages, strict=True):
        table.add_row(
            first.name,
            time_text(first.seconds),
            time_text(again.seconds),
            dollars_text(sum(first.dollars.values())),
            dollars_text(sum(again.dollars.values())),
        )
    table.add_row(
        "total",
        time_text(cold.seconds),
        time_text(warm.seconds),
        dollars_text(cold.dollars),
        dollars_text(warm.dollars),
        style="bold",
    )
    return table


def _by_item(run: Modelled) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Paid for, cold")
    table.add_column("Amount", justify="right")
    table.add_column("Dollars", justify="right")
    for item, spent in run.dollars_by_item.items():
        amount = sum(stage.used.get(item, 0.0) for stage in run.stages)
        decimals = DECIMALS.get(item, 0)
        table.add_row(ITEM_NAMES.get(item, item), f"{amount:,.{decimals}f}", dollars_text(spent))
    return table


def _curve(suggestion: Suggestion, unit: str) -> Table:
    """Too coarse gains nothing, too fine costs more than it saves."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    in_units = "" if unit == BYTES else f", in {unit}"
    for heading in (f"Block{in_units}", "Blocks", "Time", "Dollars"):
        table.add_column(heading, justify="right")
    table.add_column("")
    slowest = max(run.seconds for run in suggestion.curve)
    for run in suggestion.curve:
        chosen = run.block_units == suggestion.block_units
        bar = "#" * max(1, round(BAR_COLUMNS * run.seconds / slowest))
        note = " suggested" if chosen else (" cannot succeed" if run.obstacle else "")
        table.add_row(
            block_text(run.block_units, unit) if unit == BYTES else f"{run.block_units:,}",
            f"{run.blocks:,}",
            time_text(run.seconds),
            dollars_text(run.dollars),
            Text(bar + note),
            style="bold" if chosen else "",
        )
    return table
