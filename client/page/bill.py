"""What a run cost, item by item, beside what Athena would have charged."""

from typing import NamedTuple

from lambda_src.messages import RunRecord
from lambda_src.prices import ITEMS, PRICES, REFERENCE, Prices

ITEM_NAMES = {
    "gb_s": ("Lambda, computing", "GB-seconds"),
    "invocations": ("Lambda, requests", "invocations"),
    "s3_puts": ("S3, writing", "PUTs and LISTs"),
    "s3_gets": ("S3, reading", "GETs and HEADs"),
    "table_write_units": ("DynamoDB, writing", "write units"),
    "table_read_units": ("DynamoDB, reading", "read units"),
    "log_gb": ("CloudWatch Logs", "GB"),
}

ATHENA_MIN_BYTES = 10_000_000
"""Athena charges no query for less."""


class Item(NamedTuple):
    """``key`` is one of ``prices.ITEMS``."""

    key: str
    name: str
    amount: float
    unit: str
    unit_dollars: float
    dollars: float


class Bill(NamedTuple):
    """``athena`` is the price of one scan of the same bytes."""

    items: list[Item]
    dollars: float
    estimated: float
    athena: float
    athena_tb: float
    prices: str


def bill_of(record: RunRecord) -> Bill:
    """The bill of the run so far."""
    items = []
    for item in ITEMS:
        amount, charged = record.used.get(item, 0.0), record.dollars.get(item, 0.0)
        name, unit = ITEM_NAMES[item]
        items.append(Item(item, name, amount, unit, charged / amount if amount else 0.0, charged))
    athena_tb = _prices(record.prices).athena_tb
    return Bill(
        items,
        sum(record.dollars.values()),
        record.dollars_estimated,
        max(record.bytes, ATHENA_MIN_BYTES) / 1e12 * athena_tb,
        athena_tb,
        record.prices,
    )


def _prices(name: str) -> Prices:
    """Those that ``prices_of`` gave that name."""
    where, _, rest = name.partition(", ")
    return PRICES.get(
        (where.partition(" for want of ")[0], rest.partition(", ")[0]), PRICES[REFERENCE, "arm64"]
    )
