"""With ``on_bad_object: skip``, a run's answer is exactly that of its good objects, however it is cut."""

import bz2
import gzip
import io
import lzma
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src.errors import (
    AccessDenied,
    BlobDamaged,
    ConservationBroken,
    CredentialsRefused,
    FanfoldError,
    FanOutFailed,
    NothingLeft,
    RunConflict,
    SourceNotFound,
    SourceUnreadable,
    Transient,
)
from lambda_src.fan_out import map_reduce
from lambda_src.input.addresses import Addresses, Listing, Placed, addresses_of, place
from lambda_src.input.blocks import split
from lambda_src.input.left_out import LeftOutObjects
from lambda_src.input.objects import ObjectsInput
from lambda_src.job import Span
from lambda_src.jobs.top_words import JOB
from lambda_src.run.map_block import find_report, map_block
from lambda_src.run.proof import check_mapped
from lambda_src.run.ranges import ranges_of
from lambda_src.run.reduce_shard import reduce_shard
from lambda_src.store.blobs import BlobStore
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import AllPartsReport, BlockReport, Manifest, PartReport
from lambda_src.wire.requests import GetOccurrencesRequest, ParseBlockRequest, ParseFileRequest, Pinned
from lambda_src.wire.source import Source
from tests import oracle
from tests.archives import zipped
from tests.contexts import sent_context
from tests.unit.test_orchestrator import Run

Object = bytes | FanfoldError


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "BACKOFF_S", 0.0)


class Blobs(BlobStore):
    """In memory."""

    def __init__(self) -> None:
        super().__init__(None, "bucket", "run")  # type: ignore[arg-type]
        self.stored: dict[str, bytes] = {}

    def _put(self, key: str, body: bytes | Sequence[bytes]) -> None:
        self.stored[key] = body if isinstance(body, bytes) else b"".join(body)

    def _get(self, key: str, start: int = 0, end: int | None = None) -> tuple[io.BytesIO, int]:
        if key not in self.stored:
            raise BlobDamaged(f"{key} is missing.")
        return io.BytesIO(self.stored[key][start:end]), len(self.stored[key])


class SkippingRun(Run):
    """Of ``objects`` under a prefix: each its bytes, or what S3 answers for it."""

    def __init__(self, objects: list[Object]) -> None:
        super().__init__(blocks=0)
        self.blobs = Blobs()
        self.blocks: list[BlockReport] = []
        self.objects = {f"in/{number:03d}": one for number, one in enumerate(objects)}
        self.sizes = {key: len(one) if isinstance(one, bytes) else 9 for key, one in self.objects.items()}
        self.listing = Listing(place((key, size, "etag") for key, size in self.sizes.items()))
        self.known_bad: dict[int, str] = {}

    def read(self, one: Placed, start: int, end: int) -> list[bytes]:
        found = self.objects[one.key]
        if isinstance(found, FanfoldError):
            raise found
        return [found[start:end]]

    def pin(self, _: RunRecord) -> Pinned:
        of = self.listing.addresses
        source = Source("bucket", None, self.listing.digest(), of.end, "in/", len(of))
        return Pinned(source, self.listing, (), self.known_bad)

    def block(self, request: ParseBlockRequest) -> BlockReport:
        self.parsed.append(request.block)
        source = ObjectsInput(
            addresses_of(request.portion, lambda start, end: self.listing.body[start:end]),
            self.read,
            size_bytes=request.source.bytes,
            objects=request.source.objects,
            left_out={span.start for span in request.left_out},
            skip_bad=request.skip_bad_objects,
        )
        return map_block(JOB, request, source, self.blobs)

    def find(self, request: ParseBlockRequest, check_lines: bool) -> BlockReport | None:
        return find_report(JOB, request, self.blobs, check_lines=check_lines)

    def put_manifest(self, manifest: bytes) -> None:
        self.manifest = msgspec.json.decode(manifest, type=Manifest)
        self.blobs.put_manifest(manifest)

    def all_lengths(self, request: Any) -> AllPartsReport:
        self.blocks = request.blocks
        return super().all_lengths(request)

    def length(self, length: int) -> PartReport:
        request = GetOccurrencesRequest("run", "owner", length - 1, JOB.rules, sent_context(JOB))
        request = msgspec.structs.replace(request, ranges=ranges_of(self.blocks, length - 1))
        report = reduce_shard(JOB, request, self.blobs)
        assert isinstance(report, PartReport)
        return report

    def asked(self, block_bytes: int, **more: Any) -> ParseFileRequest:
        return ParseFileRequest(
            prefix="in/", block_bytes=block_bytes, max_concurrency=4, on_bad_object="skip", **more
        )


STREAMS = [bz2.compress(text, 1) for text in (b"one two", b" three fo", b"ur five six ", b"seven")]
CORRUPT = bytearray(STREAMS[2])
CORRUPT[len(CORRUPT) // 2] ^= 0xFF
GOOD: list[tuple[bytes, bytes]] = [
    (text, text) for text in (b"", b"alpha", b"beta gamma\n", b"a bb ccc dddd\n" * 9)
] + [
    (gzip.compress(b"packed words"), b"packed words"),
    (lzma.compress(b"xz words"), b"xz words"),
    (b"".join(STREAMS), b"one two three four five six seven"),
]
BAD: list[Object] = [
    gzip.compress(b"cut " * 50)[:-9],
    gzip.compress(b"followed") + b"by something else",
    b"".join([STREAMS[0], STREAMS[1], bytes(CORRUPT), STREAMS[3]]),
    b"".join(STREAMS)[:-7],
    zipped(),
    "UTF-16 is refused".encode("utf-16"),
    AccessDenied("AccessDenied by S3 for it."),
    SourceNotFound("It does not exist."),
    SourceUnreadable("It is archived."),
]


def counts(texts: list[bytes]) -> dict[str, list[dict[str, object]]]:
    return oracle.top_words(oracle.count_words(b"\n".join(texts)))


@given(
    st.lists(st.sampled_from([*range(len(GOOD)), *range(-len(BAD), 0)]), min_size=1, max_size=9), st.data()
)
@settings(max_examples=60, deadline=None)
def test_the_answer_is_that_of_the_good_objects_alone(chosen: list[int], data: st.DataObject) -> None:
    objects: list[Object] = [GOOD[one][0] if one >= 0 else BAD[one] for one in chosen]
    texts = [GOOD[one][1] for one in chosen if one >= 0]
    run = SkippingRun(objects)
    if not run.listing.addresses.end:
        return
    block_bytes = data.draw(st.integers(max(run.listing.addresses.end // 40, 1), 200))
    if not any(texts):
        with pytest.raises(NothingLeft, match="No object of s3://bucket/in/\\* can be read"):
            run.run(run.asked(block_bytes))
        return
    bad = [key for key, one in zip(run.objects, chosen, strict=True) if one < 0]
    for _ in range(2):  # the second time, the blobs are there
        answer = run.run(run.asked(block_bytes))
        assert answer.top_words == counts(texts)
        assert [one["key"] for one in answer.left_out] == bad
        assert answer.objects_left_out == len(bad)
        assert answer.bytes_left_out == sum(run.sizes[key] for key in bad)
        assert [one["code"] for one in answer.warnings] == (["left_out_objects"] if bad else [])
        run.table.record = None


TWO = [b"good words\n" * 3, b"".join([STREAMS[0], STREAMS[1], bytes(CORRUPT), STREAMS[3]]), b"more words"]


def test_what_is_found_by_one_block_is_left_out_by_all_and_the_reason_is_reported() -> None:
    run = SkippingRun(list(TWO))
    answer = run.run(run.asked(20))
    assert answer.top_words == counts([TWO[0], TWO[2]])
    assert run.length(4).result["top_words"] == answer.top_words["4"]
    [left_out] = answer.left_out
    assert left_out["key"] == "in/001"
    assert "does not unpack" in left_out["reason"]
    [warning] = answer.warnings
    assert "The result covers 2 of 3 objects and 43 of" in warning["message"]
    assert run.table.record
    assert run.table.record.objects_left_out == 1


def test_a_passing_fault_is_not_a_bad_object() -> None:
    """And a run that failed with it goes on as it began, whatever the request says."""
    run = SkippingRun(list(TWO))
    for error in (Transient("S3 did not serve it."), CredentialsRefused("ExpiredToken by S3 for it.")):
        run.objects["in/000"] = error
        with pytest.raises(FanOutFailed, match=str(error)):
            run.run(run.asked(20))
    run.objects["in/000"] = TWO[0]
    resumed = ParseFileRequest(prefix="in/")
    with pytest.raises(RunConflict, match="on_bad_object: the run began with 'skip': leave it out to resume"):
        run.run(msgspec.structs.replace(resumed, on_bad_object="fail"))
    assert run.run(resumed).top_words == counts([TWO[0], TWO[2]])


def test_by_default_and_of_a_single_key_a_bad_object_fails_the_run() -> None:
    run = SkippingRun(list(TWO))
    with pytest.raises(FanOutFailed, match="does not unpack"):
        run.run(msgspec.structs.replace(run.asked(20), on_bad_object=None))
    run = SkippingRun([TWO[1]])
    named = msgspec.structs.replace(run.asked(20), prefix=None, key="in/000")
    with pytest.raises(FanOutFailed, match="does not unpack"):
        run.run(named)


def test_what_is_known_to_be_bad_is_not_read() -> None:
    run = SkippingRun(list(TWO))
    run.objects["in/000"] = AssertionError("it is archived")  # type: ignore[assignment]
    run.known_bad = {0: "It is archived."}
    answer = run.run(run.asked(20))
    assert [one["key"] for one in answer.left_out] == ["in/000", "in/001"]
    assert answer.top_words == counts([TWO[2]])


def test_a_late_copy_of_a_block_does_not_harm_the_blob_that_leaves_out_more() -> None:
    run = SkippingRun(list(TWO))
    first: list[ParseBlockRequest] = []

    def then_late(request: ParseBlockRequest) -> BlockReport:
        if request.left_out:
            for late in first:
                if late.block == request.block:
                    report = run.block(request)
                    run.block(late)
                    return report
        first.append(request)
        return run.block(request)

    assert run.run(run.asked(20), parse_block=then_late).top_words == counts([TWO[0], TWO[2]])


def test_a_block_that_read_what_another_left_out_breaks_the_proof() -> None:
    run = SkippingRun(list(TWO))
    run.run(run.asked(20))
    assert run.manifest
    for number, block in enumerate(run.manifest.blocks):
        if block.left_out:
            blocks = list(run.manifest.blocks)
            blocks[number] = msgspec.structs.replace(block, left_out=[])
            with pytest.raises(ConservationBroken, match=f"Block {number} read an object that another"):
                check_mapped(JOB, msgspec.structs.replace(run.manifest, blocks=blocks))


def test_a_block_that_reads_what_it_was_to_leave_out_ends_the_run() -> None:
    objects = Addresses([Placed(0, "a", 9, "etag"), Placed(9, "b", 9, "etag")])
    left_out = LeftOutObjects(objects, split(18, 5), {0: "bad"})
    assert [left_out.of_block(number) for number in range(4)] == [[Span(0, 9)], [Span(0, 9)], [], []]
    with pytest.raises(ConservationBroken, match="a was read by a block that was to leave it out"):
        left_out.add([Span(0, 9)], [(0, "bad")])
