"""What a run would take, before anything is spent: shown from the model."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from client.model import ENGINE, Modelled, Suggestion, athena_dollars, block_text, model, suggest
from client.report import ITEM_NAMES
from client.sizes import size_text
from client.workload import Workload
from lambda_src.job import BYTES
from lambda_src.prices import prices_of

BAR_COLUMNS = 30
ARCHITECTURE = "arm64"
"""What a stack has unless it is told otherwise."""


def show_estimate(console: Console, workload: Workload, input_bytes: int, quota: int, region: str) -> None:
    """Print the estimate for an input of that size in an account that may run ``quota`` Lambdas at once."""
    prices, name = prices_of(region, ARCHITECTURE)
    figures = {**ENGINE, **workload.figures}
    cold = suggest(
        workload.units,
        quota,
        prices=prices,
        figures=figures,
        unit=workload.unit,
        block_units=workload.block_units,
    )
    warm = model(
        workload.units,
        cold.modelled.concurrency,
        cold=False,
        block_units=cold.block_units,
        prices=prices,
        figures=figures,
    )
    console.print(
        f"{size_text(input_bytes)}, modelled for {workload.about}, in an account that may run {quota:,} "
        f"Lambdas at once; prices of {name}"
    )
    if cold.modelled.obstacle:
        console.print(Text(cold.modelled.obstacle, style="red"))
    console.print()
    console.print(_by_stage(cold.modelled, warm))
    console.print()
    console.print(_by_item(cold.modelled))
    if workload.unit == BYTES:
        console.print(
            f"Athena would charge {athena_dollars(input_bytes, prices):.4f} dollars to scan it once."
        )
    console.print()
    console.print(
        f"Suggested: --block-bytes={cold.block_units} --concurrency={cold.max_concurrency}", soft_wrap=True
    )
    console.print(cold.reason)
    console.print(
        f"Left out, they are {cold.default.block_units:,} {workload.unit} and {cold.default.concurrency}: "
        f"{cold.default.seconds:.1f} s and {cold.default.dollars:.4f} dollars."
    )
    console.print()
    console.print(_curve(cold, workload.unit))


def _by_stage(cold: Modelled, warm: Modelled) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Stage")
    for heading in ("Seconds, cold", "Seconds, warm", "Dollars, cold", "Dollars, warm"):
        table.add_column(heading, justify="right")
    for first, again in zip(cold.stages, warm.stages, strict=True):
        table.add_row(
            first.name,
            f"{first.seconds:.1f}",
            f"{again.seconds:.1f}",
            f"{sum(first.dollars.values()):.4f}",
            f"{sum(again.dollars.values()):.4f}",
        )
    table.add_row(
        "all",
        f"{cold.seconds:.1f}",
        f"{warm.seconds:.1f}",
        f"{cold.dollars:.4f}",
        f"{warm.dollars:.4f}",
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
        table.add_row(
            ITEM_NAMES.get(item, item),
            f"{amount:,.4g}" if amount < 1000 else f"{amount:,.0f}",
            f"{spent:.4f}",
        )
    return table


def _curve(suggestion: Suggestion, unit: str) -> Table:
    """Too coarse gains nothing, too fine costs more than it saves."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    in_units = "" if unit == BYTES else f", in {unit}"
    for heading in (f"Block{in_units}", "Blocks", "Seconds", "Dollars"):
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
            f"{run.seconds:.1f}",
            f"{run.dollars:.4f}",
            Text(bar + note),
            style="bold" if chosen else "",
        )
    return table
