"""The cost of a run, item by item, and what Athena would have charged."""

from typing import NamedTuple

from lambda_src.run.prices import ITEMS, PIECES_KEPT_DAYS, athena_dollars, prices_at, storage_dollars
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import Manifest

ITEM_NAMES = {
    "gb_s": ("Lambda, computing", "GB-seconds"),
    "invocations": ("Lambda, requests", "invocations"),
    "s3_puts": ("S3, writing", "PUTs and LISTs"),
    "s3_gets": ("S3, reading", "GETs and HEADs"),
    "table_write_units": ("DynamoDB, writing", "write units"),
    "table_read_units": ("DynamoDB, reading", "read units"),
    "log_gb": ("CloudWatch Logs", "GB"),
}


class Item(NamedTuple):
    """``key`` is one of ``prices.ITEMS``."""

    key: str
    name: str
    amount: float
    unit: str
    unit_dollars: float
    dollars: float


class Bill(NamedTuple):
    """``athena`` is the price of one scan of the same bytes. The run stored ``intermediates`` bytes, 0
    without a manifest; keeping them costs ``dollars_a_day``. ``pieces`` bytes are beside its result for a
    week, for ``pieces_dollars``."""

    items: list[Item]
    dollars: float
    estimated: float
    athena: float
    athena_tb: float
    prices: str
    intermediates: int
    dollars_a_day: float
    pieces: int
    pieces_dollars: float


def intermediates_bytes(manifest: Manifest | None) -> int:
    """The size of a run's blobs: their headers, and their lines with line ends."""
    blocks = manifest.blocks if manifest else ()
    return sum(block.header_bytes + sum(block.line_bytes) + len(block.line_bytes) for block in blocks)


def bill_of(record: RunRecord, manifest: Manifest | None = None) -> Bill:
    """The bill of the run so far."""
    items = []
    for item in ITEMS:
        amount, charged = record.used.get(item, 0.0), record.dollars.get(item, 0.0)
        name, unit = ITEM_NAMES[item]
        items.append(Item(item, name, amount, unit, charged / amount if amount else 0.0, charged))
    prices = prices_at(record.price_region, record.price_architecture)
    stored = intermediates_bytes(manifest)
    pieces = sum(piece.size for block in (manifest.blocks if manifest else ()) for piece in block.pieces)
    return Bill(
        items,
        sum(record.dollars.values()),
        record.dollars_estimated,
        athena_dollars(record.bytes, prices),
        prices.athena_tb,
        record.prices,
        stored,
        storage_dollars(stored, 1, prices),
        pieces,
        storage_dollars(pieces, PIECES_KEPT_DAYS, prices),
    )
