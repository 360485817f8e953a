"""A run that reuses what earlier runs have mapped answers as one from scratch, and maps little."""

import bz2
import gzip
import hashlib
import itertools
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lambda_src.errors import (
    AccessDenied,
    FanfoldError,
    InvalidRequest,
    NoProgress,
    NothingLeft,
    RulesChanged,
    RunConflict,
)
from lambda_src.fan_out import map_reduce
from lambda_src.input.addresses import Listing, addresses_of, place
from lambda_src.input.objects import ObjectsInput
from lambda_src.job import load
from lambda_src.jobs.top_words import JOB
from lambda_src.run import code, lease, reuse, state
from lambda_src.run.map_block import map_block
from lambda_src.run.reduce_shard import reduce_shard
from lambda_src.run.reduce_shards import reduce_shards
from lambda_src.run.reuse import DAY_S, addresses_of_group, as_of_group, in_run, packed, unpacked
from lambda_src.store.digests import digest_of
from lambda_src.store.keys import FAMILIES_PREFIX, REUSED_PREFIX, family_key
from lambda_src.wire.codec import encode
from lambda_src.wire.family import Family
from lambda_src.wire.reports import AllPartsReport, BlobHeader, BlockReport
from lambda_src.wire.requests import GetAllOccurrencesRequest, ParseBlockRequest, ParseFileRequest
from tests.unit.test_left_out import BAD, Object, SkippingRun

Objects = Mapping[str, Object]

BLOCK = 60


@pytest.fixture(autouse=True)
def _no_waiting_and_no_accidents(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = (f"secret{number}" for number in itertools.count())
    monkeypatch.setattr(map_reduce, "BACKOFF_S", 0.0)
    monkeypatch.setattr(state, "new_secret", lambda: next(secrets))


class ReusingRun(SkippingRun):
    """A run on ``objects``, whose blobs are in ``bucket``, with those of earlier ones."""

    def __init__(self, objects: Objects, bucket: dict[str, bytes]) -> None:
        super().__init__([])
        self.job = JOB
        self.objects = dict(objects)
        self.blobs.stored = bucket
        self.mapped_bytes = 0
        sizes = {key: len(one) if isinstance(one, bytes) else 9 for key, one in objects.items()}
        self.listing = Listing(
            place((key, size, _etag(objects[key])) for key, size in sizes.items())  # as S3 lists them
        )

    def block(self, request: ParseBlockRequest) -> BlockReport:
        self.parsed.append(request.block)
        self.mapped_bytes += request.end - request.start
        own = as_of_group(request)
        listed = addresses_of(request.portion, lambda start, end: self.listing.body[start:end])
        source = ObjectsInput(
            addresses_of_group(request, listed),
            self.read,
            size_bytes=own.source.bytes,
            objects=own.source.objects,
            left_out={span.start for span in own.left_out},
            skip_bad=own.skip_bad_objects,
        )
        return in_run(map_block(JOB, own, source, self.blobs), request)

    def all_lengths(self, request: Any) -> AllPartsReport:
        assert isinstance(request, GetAllOccurrencesRequest)

        def put_parts(parts: Any) -> None:
            self.table.put_parts(parts, request.owner)

        reduced = reduce_shards(JOB, request, lambda task: reduce_shard(JOB, task, self.blobs), put_parts)
        put_parts(reduced.parts)
        return reduced

    def get_family(self, days: int, name: str) -> Family | None:
        return unpacked(self.blobs.get_family(family_key(days, name)))

    def put_family(self, days: int, name: str, family: Family) -> None:
        self.blobs.put_family(family_key(days, name), packed(family))

    def run(self, request: ParseFileRequest | None = None, **changed: Any) -> Any:
        services = {"get_family": self.get_family, "put_family": self.put_family}
        return super().run(request or self.asked(BLOCK, reuse_days=35), **services | changed)


def _etag(one: Object) -> str:
    return hashlib.sha256(one if isinstance(one, bytes) else str(one).encode()).hexdigest()


def answer_of(run: ReusingRun, **asked: Any) -> dict[str, Any]:
    """What a person sees of its result."""
    try:
        answer = run.run(run.asked(BLOCK, **asked))
    except NothingLeft as error:
        return {"error": str(error)}
    names = ("bytes", "words", "longer_words", "top_words", "warnings", "left_out", "objects_left_out")
    return {name: getattr(answer, name) for name in names}


TEXTS: list[Object] = [
    b"",
    b"one",
    b"two",
    b"alpha beta\n",
    b"a bb ccc dddd eeeee\n",
    b"caf\xe9 is not UTF-8",
    b"a word of a large object, cut into blocks\n" * 7,
    gzip.compress(b"packed words"),
    b"".join(bz2.compress(text, 1) for text in (b"first str", b"eam and secon", b"d")),
    *BAD[:3],
    AccessDenied("AccessDenied by S3 for it."),
]
STATES = st.lists(
    st.dictionaries(
        st.integers(0, 40).map("in/{:02}".format), st.integers(0, len(TEXTS) - 1), min_size=1, max_size=25
    ),
    min_size=2,
    max_size=4,
)


@given(STATES, st.sampled_from([{}, {"shard_by": "key", "shards": 3}]))
@example([{"in/00": 1}, {"in/00": 2}], {})
@example([{"in/00": 0}, {"in/00": 0}], {"shard_by": "key", "shards": 3})
@example([{"in/00": 5}, {"in/00": 5, "in/01": 5}, {"in/01": 5}], {})
@example([{"in/01": 4}, {"in/00": 2, "in/01": 4}, {"in/00": 4, "in/01": 4}], {"shard_by": "key", "shards": 3})
@settings(max_examples=60, deadline=None)
def test_whatever_changes_the_answer_is_that_of_a_run_from_scratch(
    states: list[dict[str, int]], asked: dict[str, Any]
) -> None:
    bucket: dict[str, bytes] = {}
    objects: dict[str, Object] = {}
    for changes in states:
        # In the second half of a dictionary, keys that are there already go.
        for key, text in changes.items():
            if key in objects and text % 2:
                del objects[key]
            else:
                objects[key] = TEXTS[text]
        if not objects:
            continue
        scratch = answer_of(ReusingRun(objects, {}), **asked)
        assert answer_of(ReusingRun(objects, bucket), reuse_days=35, **asked) == scratch


DAYS: dict[str, Object] = {
    f"in/11-{day:02}/{hour}": f"day {day} at {hour} o'clock".encode()
    for day in range(1, 31)
    for hour in range(4)
}
NEW_DAY: dict[str, Object] = {f"in/12-01/{hour}": f"a new day at {hour}".encode() for hour in range(4)}


def grown(bucket: dict[str, bytes]) -> ReusingRun:
    """A run on thirty days and one new one, after one on thirty."""
    first = ReusingRun(DAYS, bucket)
    assert first.run().blocks_reused == 0
    return ReusingRun(DAYS | NEW_DAY, bucket)


def blobs_of(run: ReusingRun) -> set[str]:
    """The keys of the blobs that its result is made of."""
    assert run.manifest
    return {block.blob for block in run.manifest.blocks}


def test_only_new_objects_are_mapped() -> None:
    bucket: dict[str, bytes] = {}
    run = grown(bucket)
    answer = run.run()
    new_bytes = sum(len(text) for text in NEW_DAY.values() if isinstance(text, bytes))
    assert run.mapped_bytes <= new_bytes + BLOCK
    assert (answer.reuse_days, answer.blocks_reused) == (35, answer.blocks - len(run.parsed))
    assert answer.bytes_reused == answer.bytes - run.mapped_bytes
    again = ReusingRun(DAYS | NEW_DAY, bucket)
    assert again.run().blocks_reused == answer.blocks
    assert again.parsed == []


def test_by_default_nothing_is_kept_or_told() -> None:
    bucket: dict[str, bytes] = {}
    run = ReusingRun(DAYS, bucket)
    answer = run.run(run.asked(BLOCK))
    assert not [key for key in bucket if key.startswith((REUSED_PREFIX, FAMILIES_PREFIX))]
    assert not {"reuse_days", "blocks_reused", "bytes_reused"} & vars(answer).keys()


def test_one_get_finds_all_and_one_put_keeps_them() -> None:
    asked: list[str] = []
    run = grown({})
    run.run(
        get_family=lambda *what: asked.append("get") or run.get_family(*what),  # type: ignore[func-returns-value]
        put_family=lambda *what: asked.append("put") or run.put_family(*what),  # type: ignore[func-returns-value]
        find_report=lambda *_: pytest.fail("a new run looks at no blob"),
    )
    assert asked == ["get", "put"]


def test_what_other_options_or_other_code_has_made_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket: dict[str, bytes] = {}
    grown(bucket)
    monkeypatch.setattr(reuse, "code_digest", lambda: "another")
    assert ReusingRun(DAYS, bucket).run().blocks_reused == 0
    monkeypatch.undo()
    assert ReusingRun(DAYS, bucket).run().blocks_reused
    shaped = ReusingRun(DAYS, bucket)
    assert shaped.run(shaped.asked(BLOCK // 2, reuse_days=35)).blocks_reused == 0


def test_what_decides_on_blobs_makes_another_family() -> None:
    run = ReusingRun(DAYS, {})
    run.run()
    record = run.table.record
    assert record
    changes: list[dict[str, Any]] = [
        {},
        {"job": "another"},
        {"options": {"a": 1}},
        {"facts": {"header": "a,b"}},
        {"bucket": "another"},
        {"prefix": "in/11"},
        {"include_hidden": True},
    ]
    families = {reuse.family_of(JOB, replace(record, **changed)) for changed in changes}
    families.add(reuse.family_of(replace(JOB, rules="others"), record))
    assert len(families) == len(changes) + 1
    of_all = replace(record, facts={"bytes": 1, "objects": 2})
    assert reuse.family_of(JOB, of_all) == reuse.family_of(JOB, replace(record, facts={}))


def test_a_block_is_not_mapped_by_other_code_than_the_one_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ReusingRun(DAYS, {})

    def deployed(request: ParseBlockRequest) -> BlockReport:
        monkeypatch.setattr(reuse, "code_digest", lambda: "another")
        return run.block(request)

    with pytest.raises(RulesChanged, match="deployed while a run with reuse_days was going on"):
        run.run(parse_block=deployed)


def test_the_digest_of_the_code_is_that_of_all_code_and_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set()

    def note() -> None:
        found.add(code.code_digest.__wrapped__())

    monkeypatch.setattr("lambda_src.__file__", str(tmp_path / "code" / "__init__.py"))
    monkeypatch.setattr("sys.path", [str(tmp_path / "packages"), "nowhere"])
    note()
    (tmp_path / "code" / "jobs").mkdir(parents=True)
    (tmp_path / "code" / "jobs" / "mine.py").write_text("a = 1")
    note()
    (tmp_path / "code" / "jobs" / "mine.py").write_text("a = 2")
    note()
    (tmp_path / "packages" / "numpy-2.3.5.dist-info").mkdir(parents=True)
    note()
    monkeypatch.setattr("sys.prefix", str(tmp_path / "python"))
    monkeypatch.setattr("sys.path", [*sys.path, str(tmp_path / "python" / "site-packages")])
    (tmp_path / "python" / "site-packages" / "boto3-1.40.0.dist-info").mkdir(parents=True)
    note()  # AWS updates that
    assert len(found) == 4


@pytest.mark.parametrize("days", [1, 7, 35, 400])
def test_what_is_too_old_is_mapped_again(days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket: dict[str, bytes] = {}

    def reused_after(age_days: float) -> bool:
        now = time.time() + age_days * DAY_S
        monkeypatch.setattr(reuse, "time", SimpleNamespace(time=lambda: now))
        run = ReusingRun(DAYS, bucket)
        return bool(run.run(run.asked(BLOCK, reuse_days=days)).blocks_reused)

    assert not reused_after(0)
    assert reused_after(days - 0.1)
    assert not reused_after(days + 0.1)


def test_a_blob_that_is_gone_is_mapped_again_by_the_same_run() -> None:
    bucket: dict[str, bytes] = {}
    run = grown(bucket)
    gone = sorted(key for key in bucket if key.startswith(REUSED_PREFIX))[:3]
    before = set(bucket)
    for key in gone:
        del bucket[key]
    answer = run.run(find_report=run.find)
    assert answer.top_words == ReusingRun(DAYS | NEW_DAY, {}).run().top_words
    assert run.table.record
    assert run.table.record.status == "SUCCEEDED"
    assert blobs_of(run) <= bucket.keys()
    assert answer.blocks_reused == len((blobs_of(run) & before) - set(gone))
    assert ReusingRun(DAYS | NEW_DAY, bucket).run().blocks_reused == answer.blocks


def forged(blob: bytes) -> bytes:
    """A blob with another line, and with a header that says so."""
    header_bytes = int(blob[:8])
    header = msgspec.json.decode(blob[8:header_bytes], type=BlobHeader)
    text = blob[header_bytes:].replace(b"day", b"dax")
    ends = list(itertools.accumulate((size + 1 for size in header.report.line_bytes), initial=0))
    lines = [text[start : end - 1] for start, end in itertools.pairwise(ends)]
    report = replace(header.report, line_digests=b"".join(map(digest_of, lines)))
    header = replace(header, report=report, report_digest=digest_of(encode(report)))
    return (blob[:9] + encode(header)).ljust(header_bytes - 1) + b"\n" + text


@pytest.mark.parametrize("change", [forged, lambda blob: blob.replace(b"day", b"dax")])
def test_a_changed_blob_is_mapped_again_by_the_same_run(change: Callable[[bytes], bytes]) -> None:
    """Also if it looks right by itself: it is not what the family knows."""
    bucket: dict[str, bytes] = {}
    run = grown(bucket)
    before = dict(bucket)
    for key, blob in before.items():
        if key.startswith(REUSED_PREFIX):
            bucket[key] = change(blob)
            assert bucket[key] != blob
    answer = run.run()
    assert answer.top_words == ReusingRun(DAYS | NEW_DAY, {}).run().top_words
    assert all(bucket[key] == before[key] for key in blobs_of(run) & before.keys())
    again = ReusingRun(DAYS | NEW_DAY, bucket).run()
    assert again.blocks_reused == again.blocks


@pytest.mark.parametrize(
    "damage", [lambda stored: stored[:-9], lambda stored: stored[:99] + b"x" + stored[100:], lambda _: b""]
)
def test_a_damaged_family_counts_as_missing(damage: Any) -> None:
    bucket: dict[str, bytes] = {}
    run = grown(bucket)
    (key,) = (key for key in bucket if key.startswith(FAMILIES_PREFIX))
    bucket[key] = damage(bucket[key])
    assert run.run().blocks_reused == 0
    assert ReusingRun(DAYS | NEW_DAY, bucket).run().blocks_reused


def test_a_family_that_cannot_be_stored_is_a_warning() -> None:
    def denied(*_: Any) -> None:
        raise AccessDenied("AccessDenied by S3.")

    (warning,) = ReusingRun(DAYS, {}).run(put_family=denied).warnings
    assert warning["code"] == "not_kept"
    assert "The next run will map all blocks of this one again: AccessDenied" in warning["message"]


def test_runs_at_the_same_time_are_exact_and_the_last_one_is_remembered() -> None:
    """Both begin a family, with secrets and blobs of their own, by which they hash the same words."""
    bucket: dict[str, bytes] = {}
    one, other = ReusingRun(DAYS, bucket), ReusingRun(DAYS | NEW_DAY, bucket)
    found: list[Any] = []

    def put_family(days: int, name: str, family: Family) -> None:
        found.append(other.run(other.asked(BLOCK, **by_key)))
        one.put_family(days, name, family)

    by_key = {"reuse_days": 35, "shard_by": "key", "shards": 3}
    found.append(one.run(one.asked(BLOCK, **by_key), put_family=put_family))
    assert found[0].top_words == ReusingRun(DAYS | NEW_DAY, {}).run().top_words
    assert found[1].top_words == ReusingRun(DAYS, {}).run().top_words
    last = ReusingRun(DAYS, bucket)
    answer = last.run(last.asked(BLOCK, **by_key))
    assert answer.blocks_reused == answer.blocks


def test_a_run_that_fails_is_resumed_with_what_it_has_mapped() -> None:
    run = grown({})
    done: list[int] = []

    def dies(request: ParseBlockRequest) -> BlockReport:
        if len(done) == 1:
            raise AccessDenied("AccessDenied by S3 for it.")
        done.append(request.block)
        return run.block(request)

    with pytest.raises(FanfoldError):
        run.run(parse_block=dies)
    with pytest.raises(RunConflict, match="reuse_days: the run began with 35: leave it out to resume"):
        run.run(run.asked(BLOCK, reuse_days=7))
    first = len(run.parsed)
    answer = run.run(run.asked(BLOCK))
    assert answer.top_words == ReusingRun(DAYS | NEW_DAY, {}).run().top_words
    assert answer.blocks_reused + len(run.parsed) == answer.blocks
    assert first >= 1


def test_blocks_of_earlier_runs_are_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that never ends would be handed over, and billed, for ever."""
    monkeypatch.setattr(map_reduce, "TICK_S", 0.0)
    run, released = grown({}), threading.Event()

    def never_ends(request: ParseBlockRequest) -> BlockReport:
        released.wait(30)
        return run.block(request)

    def almost_over() -> float:
        has_reused = run.table.record is not None and run.table.record.blocks_done > 0
        return lease.HANDOVER_S - 1 if has_reused else 900.0

    try:
        with pytest.raises(NoProgress, match="finished no further block"):
            run.run(parse_block=never_ends, remaining_s=almost_over)
    finally:
        released.set()


def test_a_bad_object_is_looked_at_again_and_the_rest_of_its_group_is_not_mapped_again() -> None:
    bucket: dict[str, bytes] = {}
    objects = {**DAYS, "in/11-15/9": AccessDenied("AccessDenied by S3 for it.")}
    first = ReusingRun(objects, bucket).run()
    assert first.objects_left_out == 1
    run = ReusingRun(objects, bucket)
    second = run.run()
    assert second.objects_left_out == 1
    assert second.blocks_reused == second.blocks
    assert len(run.parsed) == 1
    good = ReusingRun({**objects, "in/11-15/9": b"readable"}, bucket).run()
    assert good.objects_left_out == 0


def test_the_plan_stays_until_the_input_is_eight_times_as_large() -> None:
    bucket: dict[str, bytes] = {}
    larger: dict[str, Object] = {f"in/12-{day:03}": b"another day" * 9 for day in range(200)}

    def planned(objects: Objects) -> tuple[int, int, str]:
        run = ReusingRun(objects, bucket)
        answer = run.run(ParseFileRequest(prefix="in/", reuse_days=35))
        return answer.blocks_reused, answer.block_bytes, answer.block_bytes_because

    assert planned(DAYS)[0] == 0
    assert planned(DAYS | NEW_DAY)[2] == "as in the runs whose blocks it reuses"
    assert planned(DAYS | NEW_DAY | larger)[2] == "planned for 950 Lambdas at once"
    assert planned(DAYS | NEW_DAY | larger)[2] == "as in the runs whose blocks it reuses"


def test_keys_are_hashed_by_the_secret_of_the_family() -> None:
    run = ReusingRun(DAYS, {})
    run.run(run.asked(BLOCK, reuse_days=35, shard_by="key", shards=3))
    assert run.table.record
    assert run.manifest
    assert run.manifest.shards
    assert run.manifest.shards.run_id == run.table.record.reuse_secret == "secret0"


def test_nobody_can_guess_a_secret() -> None:
    assert len({reuse.new_secret() for _ in range(9)}) == 9
    assert all(len(reuse.new_secret()) == 32 for _ in range(9))


def test_only_runs_on_bytes_of_a_prefix_reuse() -> None:
    with pytest.raises(FanfoldError, match="reuse_days: it is for all objects under a prefix"):
        reuse.check(JOB, None)
    ranks = msgspec.structs.replace(JOB, unit="choices")
    with pytest.raises(FanfoldError, match="reuse_days: this job counts choices, not bytes"):
        reuse.check(ranks, "in/")


def test_a_job_whose_blocks_store_what_belongs_to_one_run_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="belongs to a single run: leave it out"):
        reuse.check(load("grep"), "input/")
    reuse.check(JOB, "input/")
