"""Shows the estimate of a run, before anything is spent."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fanfold.cli.output import ITEM_NAMES
from fanfold.errors import NotModelled
from fanfold.estimate.model import Given, Modelled, at_once, curve, model, plan
from fanfold.estimate.workload import Stored, Workload
from fanfold.format import block_text, counted, dollars_text, size_text, time_text
from fanfold.safe_text import visible
from lambda_src.fields import DEFAULT_MAX_CONCURRENCY
from lambda_src.job import BYTES
from lambda_src.run.figures import ENGINE
from lambda_src.run.plan import BY_JOB, NO_LARGER, Plan, Wanted
from lambda_src.run.prices import PIECES_KEPT_DAYS, Prices, athena_dollars, prices_of, storage_dollars
from lambda_src.settings import PARSE_BLOCK_TIMEOUT_S

BAR_COLUMNS = 22
DECIMALS = {"gb_s": 1, "log_gb": 6}
"""Decimals of amounts that are not whole numbers."""

ARCHITECTURE = "arm64"
"""The default architecture of a stack."""


KMS_ASSUMED = (
    "KMS: one request for each request to S3, or with a bucket key, one for a hundred, as AWS says that it "
    "saves up to 99 %."
)
MONTH_DAYS = 30

DEAR_DOLLARS, DEARER = 0.01, 10
"""A run needs no confirmation if it costs less, or less than ``DEARER`` times the planned one."""

FAR_FROM_LIMIT = 0.7
"""Share of a Lambda's time: an archive that takes more may take too long, since rates differ by that much."""


class Estimate(NamedTuple):
    """What a run of ``workload`` takes by its ``plan``, in an account that may run ``quota`` Lambdas at once:
    where all is cold, and where it is ``warm``; what a run takes that does not say how many Lambdas work at
    once (``default``); the curve over block sizes. ``bound_by`` is the archive that it waits for."""

    workload: Workload
    input_bytes: int
    quota: int
    prices: Prices
    prices_name: str
    plan: Plan
    cold: Modelled
    warm: Modelled
    default: Modelled
    curve: tuple[Modelled, ...]
    bound_by: Stored | None


def estimate(workload: Workload, input_bytes: int, quota: int, region: str) -> Estimate:
    """The estimate for an input of that size. Raises NotModelled where a run of it cannot succeed."""
    if not input_bytes:
        workload = workload._replace(objects=())  # a run reads none of them
    price_list = prices_of(region, ARCHITECTURE)
    prices, name = price_list.prices, price_list.name
    given, concurrency = _given(workload, prices), at_once(quota)
    planned = _plan(given, workload, concurrency)
    cold, warm = (model(given, planned, concurrency, cold=cold) for cold in (True, False))
    bound_by = cold.archive if cold.archive and 2 * cold.archive_s > cold.seconds else None
    if cold.obstacle:
        raise NotModelled(
            f"{cold.obstacle} One Lambda must unpack all of {visible(bound_by.name)}, which is one "
            f"block: {ADVICE}"
            if bound_by
            else _too_much(workload, input_bytes, cold.obstacle, quota, prices)
        )
    by_default = _plan(given, workload, DEFAULT_MAX_CONCURRENCY)
    default = model(given, by_default, at_once(quota, DEFAULT_MAX_CONCURRENCY), cold=True)
    runs = curve(given, concurrency, cold=True)
    return Estimate(workload, input_bytes, quota, prices, name, planned, cold, warm, default, runs, bound_by)


def _plan(given: Given, workload: Workload, concurrency: int) -> Plan:
    """As the run plans it."""
    planned = plan(given, concurrency, Wanted(workload.block_units, block_because=BY_JOB))
    if workload.block_units or planned.block_units <= workload.largest_block:
        return planned
    return plan(given, concurrency, Wanted(int(workload.largest_block), block_because=NO_LARGER))


def show(console: Console, found: Estimate, options: str = "") -> None:
    """Print the estimate of a run with these ``options``."""
    workload, cold = found.workload, found.cold
    objects = f" in {counted(len(workload.objects), 'object')}" if len(workload.objects) > 1 else ""
    console.print(
        f"{size_text(found.input_bytes)}{objects}, modelled for {workload.about}, in an account with a quota "
        f"of {counted(found.quota, 'Lambda')} at once; prices of {found.prices_name}"
    )
    if options:
        console.print(visible(f"Options: {options}"))
    if 0 < workload.looked_at < len(workload.objects):
        console.print(
            f"{counted(workload.looked_at, 'object')} looked at, the largest of each ending; the others are "
            "taken to be like them."
        )
    console.print()
    console.print(_by_stage(cold, found.warm))
    if found.bound_by:
        console.print()
        console.print(_bound(found.bound_by, cold.archive_s))
    console.print()
    console.print(_by_item(cold))
    if "kms_requests" in cold.dollars_by_item:
        console.print(KMS_ASSUMED)
    console.print(_intermediates(cold.blob_bytes, found.prices))
    if workload.keeps:
        console.print(
            f"Complete sums: about {size_text(round(cold.kept_bytes))}, until you delete them; each month "
            f"costs {dollars_text(storage_dollars(cold.kept_bytes, MONTH_DAYS, found.prices))} dollars."
        )
    if cold.pieces_bytes:
        console.print(
            f"Stored beside the result: {size_text(round(cold.pieces_bytes))} "
            f"({workload.figures['pieces'].what}); the week that it is kept costs "
            f"{dollars_text(storage_dollars(cold.pieces_bytes, PIECES_KEPT_DAYS, found.prices))} dollars."
        )
    if workload.unit == BYTES:
        athena = athena_dollars(found.input_bytes, found.prices)
        console.print(f"Athena would charge {dollars_text(athena)} dollars to scan it once.")
    console.print()
    console.print(_planned(found))
    console.print()
    console.print(_curve(found))


def as_json(job: str, found: Estimate, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The estimate as JSON. Dollars and seconds are not rounded."""
    cold, bound_by = found.cold, found.bound_by
    return {
        "job": job,
        **({"options": options} if options else {}),
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
            "block_bytes_because": found.plan.block_because,
            "shards": cold.shards,
            "shard_by": cold.shard_by,
            "shards_because": found.plan.shards_because,
            "max_concurrency": min(cold.blocks, cold.concurrency),
            "cold": _run_as_json(cold),
            "warm": _run_as_json(found.warm),
        },
        "default": _run_as_json(found.default),
        "bound_by": {"key": bound_by.name, "how": bound_by.format, "seconds": cold.archive_s}
        if bound_by
        else None,
        "intermediates": {
            "bytes": round(cold.blob_bytes),
            "dollars_a_day": storage_dollars(cold.blob_bytes, 1, found.prices),
        },
        "all_results": {
            "bytes": round(cold.kept_bytes),
            "dollars_a_month": storage_dollars(cold.kept_bytes, MONTH_DAYS, found.prices),
        }
        if found.workload.keeps
        else None,
        "pieces": {
            "bytes": round(cold.pieces_bytes),
            "dollars_a_week": storage_dollars(cold.pieces_bytes, PIECES_KEPT_DAYS, found.prices),
        }
        if cold.pieces_bytes
        else None,
        "curve": [_run_as_json(run) for run in found.curve],
    }


def _run_as_json(run: Modelled) -> dict[str, Any]:
    return {
        "block_bytes": run.block_units,
        "blocks": run.blocks,
        "shards": run.shards,
        "shard_by": run.shard_by,
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
    """A sentence on the cost of keeping the intermediates, which is not on a run's bill."""
    return (
        f"Intermediates: {size_text(round(blob_bytes))}, deleted when the run succeeds; if it fails, each "
        f"day that they are kept costs {dollars_text(storage_dollars(blob_bytes, 1, prices))} dollars."
    )


def cost_warning(workload: Workload, block_units: int, concurrency: int, region: str) -> str:
    """A sentence, without its full stop, that compares the cost of a run in blocks of this size with that of
    the planned size. Empty if the run costs less than a cent, or less than ten times as much."""
    given = _given(workload, prices_of(region, ARCHITECTURE).prices)
    planned, asked = (
        model(given, plan(given, concurrency, Wanted(size)), concurrency, cold=True)
        for size in (workload.block_units, block_units)
    )
    if asked.dollars <= max(DEAR_DOLLARS, DEARER * planned.dollars):
        return ""
    return (
        f"This run is modelled at {asked.dollars:.2f} dollars and {time_text(asked.seconds)} with "
        f"{asked.blocks:,} blocks of {block_text(asked.block_units, workload.unit)}, but at "
        f"{dollars_text(planned.dollars)} dollars and {time_text(planned.seconds)} as planned without "
        f"--block-bytes, in blocks of {block_text(planned.block_units, workload.unit)}"
    )


def _too_much(workload: Workload, input_bytes: int, obstacle: str, quota: int, prices: Prices) -> str:
    """Why no run of the input succeeds, whatever its blocks, and what to do."""
    instead = "make the input smaller"
    if workload.unit == BYTES:
        inputs = _inputs_that_succeed(workload, quota, prices)
        size = size_text(input_bytes // inputs)
        instead = f"split it into {inputs:,} inputs of about {size}, and run each by itself"
    return (
        f"{size_text(input_bytes)} is too much for one run of {workload.about}, whatever the size of a "
        f"block. {obstacle} Instead, {instead}."
    )


ADVICE = (
    "split it into several objects, upload it unpacked, or recompress it with bzip2, which Lambdas share."
)


def _bound(archive: Stored, archive_s: float) -> str:
    """A sentence on a run that waits for one archive."""
    limit_s = PARSE_BLOCK_TIMEOUT_S - ENGINE["reserve"].value
    text = size_text(round(archive.bytes * archive.ratio))
    near = (
        f" That is close to the {time_text(limit_s)} that it has: if it takes longer, the run fails."
        if archive_s > FAR_FROM_LIMIT * limit_s
        else ""
    )
    return (
        f"One Lambda must unpack all of {visible(archive.name)}: {archive.format}, about {text} of text, "
        f"{time_text(archive_s)}.{near} To be faster, {ADVICE}"
    )


def _given(workload: Workload, prices: Prices) -> Given:
    return Given(
        workload.units,
        workload.figures,
        workload.sharded_by,
        workload.objects,
        workload.unit,
        prices,
        workload.keeps,
    )


def _inputs_that_succeed(workload: Workload, quota: int, prices: Prices) -> int:
    """The number of equal parts, a power of two, to cut the input into, so that a run of each succeeds."""
    inputs, concurrency = 1, at_once(quota)
    while True:
        inputs *= 2
        objects = [one._replace(bytes=one.bytes // inputs) for one in workload.objects]
        given = _given(workload._replace(units=workload.units // inputs, objects=objects), prices)
        planned = plan(given, concurrency, Wanted(workload.block_units))
        if not model(given, planned, concurrency, cold=True).obstacle:
            return inputs


def _planned(found: Estimate) -> str:
    """What a run chooses by itself, and what to ask for."""
    cold, unit = found.cold, found.workload.unit
    reducers = counted(cold.shards, "reducer")
    blocks = (
        f"Planned: {counted(cold.blocks, 'block')} of at most {block_text(cold.block_units, unit)} "
        f"({found.plan.block_because}), {reducers} by {cold.shard_by} ({found.plan.shards_because})."
    )
    if cold.concurrency == DEFAULT_MAX_CONCURRENCY:
        return f"{blocks} A run chooses this plan by itself."
    default = found.default
    takes = (
        default.obstacle
        or f"it takes {time_text(default.seconds)} and {dollars_text(default.dollars)} dollars."
    )
    return (
        f"{blocks} To run it so: --concurrency={cold.concurrency}. Without it, "
        f"{'the run cannot succeed: ' if default.obstacle else ''}{takes}"
    )


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


def _curve(found: Estimate) -> Table:
    """The curve over block sizes: too coarse gains nothing, too fine costs more than it saves. The plan,
    which may be between two sizes, has a line of its own."""
    unit = found.workload.unit
    table = Table(box=None, pad_edge=False, header_style="bold")
    in_units = "" if unit == BYTES else f", in {unit}"
    for heading in (f"Block{in_units}", "Blocks", "Time", "Dollars"):
        table.add_column(heading, justify="right")
    table.add_column("")
    others = [run for run in found.curve if run.blocks != found.cold.blocks]
    runs = sorted([*others, found.cold], key=lambda run: run.block_units)
    slowest = max(run.seconds for run in runs)
    for run in runs:
        chosen = run is found.cold
        bar = "#" * max(1, round(BAR_COLUMNS * run.seconds / slowest))
        note = " planned" if chosen else (" cannot succeed" if run.obstacle else "")
        table.add_row(
            block_text(run.block_units, unit) if unit == BYTES else f"{run.block_units:,}",
            f"{run.blocks:,}",
            time_text(run.seconds),
            dollars_text(run.dollars),
            Text(bar + note),
            style="bold" if chosen else "",
        )
    return table
