"""AWS prices for what a run uses: list prices, without free tiers and taxes."""

from collections.abc import Mapping
from typing import NamedTuple

AS_OF = "2026-11"

ITEMS = ("gb_s", "invocations", "s3_puts", "s3_gets", "table_write_units", "table_read_units", "log_gb")
"""What AWS charges for: Lambda's GB-seconds and invocations; S3's PUTs, and LISTs, which cost the same; S3's
GETs and HEADs; DynamoDB's on-demand units; what goes into CloudWatch Logs."""

REFERENCE = "us-east-1"

PIECES_KEPT_DAYS = 7
"""How long what blocks store beside the result is kept, by default."""

ATHENA_MIN_BYTES = 10_000_000
"""Athena charges for at least this much a query."""


class Prices(NamedTuple):
    """Dollars per unit of each item; Athena per TB scanned; S3 Standard per GB (2**30 bytes) and month; KMS
    per request."""

    gb_s: float
    invocations: float
    s3_puts: float
    s3_gets: float
    table_write_units: float
    table_read_units: float
    log_gb: float
    athena_tb: float
    s3_gb_month: float
    kms_requests: float


_US = Prices(0.0000133334, 0.2e-6, 5e-6, 0.4e-6, 0.625e-6, 0.125e-6, 0.5, 5.0, 0.023, 3e-6)

PRICES: dict[tuple[str, str], Prices] = {
    (region, architecture): _US._replace(gb_s=gb_s)
    for region in ("us-east-1", "us-east-2", "us-west-2")
    for architecture, gb_s in (("arm64", 0.0000133334), ("x86_64", 0.0000166667))
}
"""By region and architecture, from the services' price pages as of ``AS_OF``."""


class PriceList(NamedTuple):
    """The prices of a region and an architecture. With ``fallback_for``, they are used for that region, which
    has none in ``PRICES``."""

    prices: Prices
    region: str
    architecture: str
    fallback_for: str | None = None

    @property
    def name(self) -> str:
        """For people."""
        note = "" if self.fallback_for is None else f" (no prices for {self.fallback_for or 'no region'})"
        return f"{self.region}, {self.architecture}, {AS_OF}{note}"


def prices_of(region: str, architecture: str) -> PriceList:
    """The prices of a region, or those of ``REFERENCE`` if the region is not in the table.

    >>> prices_of("us-west-2", "arm64").name
    'us-west-2, arm64, 2026-11'
    >>> prices_of("eu-north-1", "arm64").name
    'us-east-1, arm64, 2026-11 (no prices for eu-north-1)'
    """
    if (region, architecture) in PRICES:
        return PriceList(PRICES[region, architecture], region, architecture)
    return PriceList(PRICES[REFERENCE, architecture], REFERENCE, architecture, fallback_for=region)


def prices_at(region: str, architecture: str) -> Prices:
    """The prices by which a run was charged, from its record. A run that was never charged names none.

    >>> prices_at("us-east-1", "x86_64") == PRICES["us-east-1", "x86_64"]
    True
    """
    return PRICES.get((region, architecture), PRICES[REFERENCE, "arm64"])


def athena_dollars(scanned_bytes: int, prices: Prices) -> float:
    """What Athena charges for one scan.

    >>> athena_dollars(10**12, PRICES[REFERENCE, "arm64"]), athena_dollars(1, PRICES[REFERENCE, "arm64"])
    (5.0, 5e-05)
    """
    return max(scanned_bytes, ATHENA_MIN_BYTES) / 1e12 * prices.athena_tb


def storage_dollars(stored_bytes: float, days: float, prices: Prices) -> float:
    """The price of storing bytes in S3 Standard for some days, in its first 50 TB. S3 charges per GB of 2**30
    bytes and per month, here of 30 days.

    >>> storage_dollars(2**30, 30, PRICES["us-east-1", "arm64"])
    0.023
    """
    return stored_bytes / 2**30 * days / 30 * prices.s3_gb_month


def dollars(used: Mapping[str, float], prices: Prices) -> dict[str, float]:
    """The price of each item of ``used``.

    >>> dollars({"s3_puts": 1000, "gb_s": 0}, PRICES["us-east-1", "arm64"])
    {'s3_puts': 0.005, 'gb_s': 0.0}
    """
    return {item: amount * float(getattr(prices, item)) for item, amount in used.items()}
