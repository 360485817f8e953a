"""What a family of runs knows: runs that can use each other's blobs."""

from msgspec import Struct

from lambda_src.fields import Positive, RunId, ShardCount, Time
from lambda_src.job import ShardBy
from lambda_src.wire.reports import BlockReport


class Kept(Struct, frozen=True, forbid_unknown_fields=True):
    """A blob that later runs may use: when it was stored, at the earliest, and the report of its block, whose
    addresses count from the block's group."""

    stored_at: Time
    report: BlockReport


class Family(Struct, frozen=True, forbid_unknown_fields=True):
    """The plan of its runs, made for an input of ``units``; the ``secret`` by which they hash keys; and the
    ``blobs`` of the last one by their keys."""

    secret: RunId
    shard_by: ShardBy
    shards: ShardCount
    block_units: Positive
    units: Positive
    blobs: dict[str, Kept] = {}
