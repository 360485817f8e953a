"""Blobs that later runs use: docs/decisions/0050."""

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from lambda_src.errors import InvalidRequest, RulesChanged
from lambda_src.input.addresses import Addresses
from lambda_src.input.blocks import MAX_BLOCKS, Block, bounded_block_units
from lambda_src.input.groups import Group
from lambda_src.job import BYTES, Job, Span
from lambda_src.run.code import code_digest
from lambda_src.store.digests import DIGEST_BYTES, digest_of
from lambda_src.store.keys import reused_key, variant
from lambda_src.wire.codec import encode
from lambda_src.wire.family import Family, Kept
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import BlockReport
from lambda_src.wire.requests import ParseBlockRequest, Reusable, RunContext
from lambda_src.wire.source import Source

DAY_S = 86400.0

OF_WHOLE_INPUT = frozenset({"bytes", "objects"})
"""Facts that every new object changes: ``map`` does not get them."""

MOST_GROWTH = 8
"""The plan of a family is made again once its input has grown to more than this many times its size."""

LEAST_FILL = 4
"""Groups are not full: a mean block has more than this fraction of ``block_units``."""


def check(job: Job, prefix: str | None) -> None:
    """Raise InvalidRequest unless blobs of such a run can be used again."""
    if prefix is None:
        raise InvalidRequest("reuse_days: it is for all objects under a prefix, not for a single key.")
    if job.unit != BYTES:
        raise InvalidRequest(f"reuse_days: this job counts {job.unit}, not bytes: leave it out.")
    if job.stores_pieces:
        raise InvalidRequest("reuse_days: what this job finds belongs to a single run: leave it out.")


def block_units_of(record: RunRecord, units: int, block_units: int) -> int:
    """``block_units``, raised so that the run of ``record`` does not have too many blocks."""
    return bounded_block_units(LEAST_FILL * units if record.reuse_days else units, block_units)


def suits(family: Family, record: RunRecord, units: int) -> bool:
    """Whether the plan of ``family`` is what the run of ``record`` wants or has, for its ``units``."""
    plan = (family.secret, family.shard_by, family.shards, family.block_units)
    block_units = record.block_units and block_units_of(record, units, record.block_units)
    wanted = (record.reuse_secret, record.shard_by, record.shards, block_units)
    if any(mine and mine != theirs for mine, theirs in zip(wanted, plan, strict=True)):
        return False
    if record.reuse_secret:  # its plan is made
        return True
    few = LEAST_FILL * units <= MAX_BLOCKS * family.block_units
    return few and units <= MOST_GROWTH * family.units


def new_secret() -> str:
    """Something that nobody can guess, in the form of a run id."""
    return os.urandom(16).hex()


def family_of(job: Job, record: RunRecord) -> str:
    """The family of the run of ``record``: what decides on its blobs, apart from plan and input."""
    what = [
        code_digest(),
        (record.job, job.rules, job.part, job.parts),
        (record.options, _facts(record.facts)),
        (record.bucket, record.prefix, record.include_hidden),
    ]
    return _hash(what)


def map_context(context: RunContext) -> RunContext:
    """``context`` without what depends on the whole input."""
    return replace(context, facts=_facts(context.facts))


def reusable(record: RunRecord, family: str, block: Block, group: Group) -> Reusable:
    """How the blob of ``block`` of ``group`` can be found again."""
    what = [
        family,
        (record.reuse_secret, record.shard_by, record.shards),
        [(one.key, one.bytes, one.etag) for one in group.objects],
        (block.start - group.start, block.end - group.start),
    ]
    span = Span(group.start, group.end)
    return Reusable(record.reuse_days, _hash(what), code_digest(), span, len(group.objects))


def _facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if name not in OF_WHOLE_INPUT}


def _hash(what: Sequence[Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(what, order="sorted")).hexdigest()[:32]


# Addresses that count from the beginning of a group.


def blob_of(request: ParseBlockRequest) -> str:
    """The variant of the block's blob, or the key of a reusable one."""
    found = request.reusable
    if found is None:
        return variant(request.left_out)
    return reused_key(found.days, found.identity, _moved(request.left_out, -found.group.start))


def as_of_group(request: ParseBlockRequest) -> ParseBlockRequest:
    """The request as if its group were the whole input, for a block that is reusable. Raises RulesChanged if
    other code wants it."""
    found = request.reusable
    if found is None:
        return request
    if found.code != code_digest():
        raise RulesChanged(
            "The stack was deployed while a run with reuse_days was going on. Resume the run: it maps again "
            "what the old code made."
        )
    start, end = found.group
    source = request.source
    return replace(
        request,
        block=0,
        start=request.start - start,
        end=request.end - start,
        source=Source(source.bucket, None, found.identity, end - start, source.prefix, found.objects),
        left_out=_moved(request.left_out, -start),
        reusable=replace(found, group=Span(0, end - start)),
    )


def addresses_of_group(request: ParseBlockRequest, addresses: Addresses) -> Addresses:
    """``addresses`` of the input as those of the group, for a block that is reusable."""
    if request.reusable is None:
        return addresses
    start, end = request.reusable.group
    objects = addresses.objects(Span(start, end))
    return Addresses([one._replace(address=one.address - start) for one in objects if one.bytes])


def in_run(report: BlockReport, request: ParseBlockRequest) -> BlockReport:
    """A report of the block of ``request``, with addresses of the input."""
    if request.reusable is None:
        return report
    return _placed(report, request.reusable.group.start, request.block, blob_of(request))


def _in_group(report: BlockReport, group: Span) -> BlockReport:
    """The opposite of ``in_run``: the report as it is stored."""
    return _placed(replace(report, usage=None), -group.start, 0, "")


def _placed(report: BlockReport, by: int, block: int, blob: str) -> BlockReport:
    owned = report.owned
    return replace(
        report,
        block=block,
        owned=owned._replace(start=owned.start + by, end=owned.end + by),
        left_out=_moved(report.left_out, by),
        bad_objects=[bad._replace(address=bad.address + by) for bad in report.bad_objects],
        blob=blob,
    )


def _moved(spans: Sequence[Span], by: int) -> list[Span]:
    return [Span(span.start + by, span.end + by) for span in spans]


# What a family knows, as it is stored.


class Reuse:
    """What the run of ``record`` may use of what its ``family`` knows, and what it keeps for later runs.
    Unless the family ``is_trusted``, the run looks at the blobs. They must be those that the family knows."""

    def __init__(self, record: RunRecord, family: Family | None, *, is_trusted: bool) -> None:
        self._record, self._is_trusted = record, is_trusted
        self._units = family.units if family else record.units
        oldest_at = time.time() - record.reuse_days * DAY_S
        known = family.blobs if family else {}
        self._known = {key: kept for key, kept in known.items() if kept.stored_at > oldest_at}
        self._kept: dict[str, Kept] = {}
        self.has_new = False

    def find(self, request: ParseBlockRequest) -> BlockReport | None:
        """The report of a block that is mapped already, if the family is trusted."""
        return self._report(request) if self._is_trusted else None

    def agrees(self, request: ParseBlockRequest, report: BlockReport) -> bool:
        """Whether ``report``, of a blob that was found, is what the family knows of that, if anything."""
        return self._report(request) in (None, report)

    def is_of_earlier_run(self, request: ParseBlockRequest) -> bool:
        """Whether an earlier run has mapped a block, and not an earlier invocation of this one."""
        kept = self._known.get(blob_of(request))
        return kept is not None and kept.stored_at != self._record.started_at

    def _report(self, request: ParseBlockRequest) -> BlockReport | None:
        kept = self._known.get(blob_of(request))
        return in_run(kept.report, request) if kept else None

    def keep(self, request: ParseBlockRequest, report: BlockReport) -> None:
        """Note a block that is done. Unless its blob was known, it was stored after the run began."""
        if request.reusable is None:
            return
        key = blob_of(request)
        known = self._known.get(key)
        self.has_new |= known is None
        stored_at = known.stored_at if known else self._record.started_at
        self._kept[key] = Kept(stored_at, _in_group(report, request.reusable.group))

    def family(self) -> Family:
        """What the family knows after this run."""
        record = self._record
        by, blocks = record.shard_by or "key", record.block_units
        return Family(record.reuse_secret, by, record.shards, blocks, self._units, self._kept)


def packed(family: Family) -> bytes:
    """``family`` with a digest in front."""
    text = encode(family)
    return digest_of(text) + text


def unpacked(stored: bytes | None) -> Family | None:
    """The family that was ``stored``, or None if there is none, it is damaged, or other code wrote it."""
    text = memoryview(stored or b"")[DIGEST_BYTES:]
    if not stored or digest_of(text) != stored[:DIGEST_BYTES]:
        return None
    try:
        return msgspec.json.decode(text, type=Family)
    except (ValueError, RecursionError):
        return None
