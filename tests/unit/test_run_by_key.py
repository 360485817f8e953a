"""Runs whose shards are keys: with real blobs, mapped and reduced by the engine's own code, in memory."""

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from lambda_src.errors import (
    BlobDamaged,
    ConservationBroken,
    FanOutFailed,
    InvalidRequest,
    JobContractViolated,
    RunConflict,
    Transient,
)
from lambda_src.fan_out import map_reduce
from lambda_src.figures import UNKNOWN, Figure, Figures
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Context, Line, Measured, Span
from lambda_src.run import reduce_shards, reduce_stage
from lambda_src.run.map_block import find_report, map_block
from lambda_src.run.reduce_shard import reduce_shard
from lambda_src.wire.codec import encode
from lambda_src.wire.reports import (
    AllPartsReport,
    BlockReport,
    LogResultsReport,
    Manifest,
    PartReport,
    Reduced,
)
from lambda_src.wire.requests import (
    GetAllOccurrencesRequest,
    GetOccurrencesRequest,
    ParseBlockRequest,
    ParseFileRequest,
)
from tests.parity import HONEST, PARITIES, finish_lines
from tests.unit.test_left_out import Blobs
from tests.unit.test_orchestrator import Run, Table

LINES = [b"%d" % (number * number) for number in range(200)]
TEXT = b"".join(line + b"\n" for line in LINES)
EVEN = sum(1 for line in LINES if not len(line) % 2)
RIGHT = {"even": EVEN, "odd": len(LINES) - EVEN}
BLOCK_BYTES = 100


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_reduce, "BACKOFF_S", 0.0)


class PartsTable(Table):
    """Keeps parts by their number."""

    def put_parts(self, reports: Any, owner: str) -> None:
        assert self.record is not None
        assert self.record.owner == owner
        self.lengths.update({PARITIES.index(report.part): report for report in reports})


class KeyRun(Run):
    """A run of the job for tests."""

    def __init__(self, job: Any = HONEST) -> None:
        super().__init__(blocks=0)
        self.job, self.table, self.blobs = job, PartsTable(), Blobs()
        self.bytes = len(TEXT)
        self.asked: list[GetOccurrencesRequest] = []

    def block(self, request: ParseBlockRequest) -> BlockReport:
        self.parsed.append(request.block)
        return map_block(self.job, request, input_of_bytes([TEXT], "plain"), self.blobs)

    def find(self, request: ParseBlockRequest, check_lines: bool) -> BlockReport | None:
        return find_report(self.job, request, self.blobs, check_lines=check_lines)

    def put_manifest(self, manifest: bytes) -> None:
        self.manifest = msgspec.json.decode(manifest, type=Manifest)
        self.blobs.put_manifest(manifest)

    def shard(self, request: GetOccurrencesRequest) -> Reduced:
        self.asked.append(request)
        report = reduce_shard(self.job, request, self.blobs)
        if isinstance(report, PartReport):
            self.table.put_parts([report], request.owner)
        return report

    def all_lengths(self, request: Any) -> AllPartsReport:
        asked: GetAllOccurrencesRequest = request
        return reduce_shards.reduce_shards(
            self.job, asked, self.shard, lambda parts: self.table.put_parts(parts, asked.owner)
        )

    def log(self, _: object) -> LogResultsReport:
        return LogResultsReport(len(PARITIES))

    def by_key(self, shards: int | None = 5, **changed: Any) -> Any:
        request = ParseFileRequest(key="key", block_bytes=BLOCK_BYTES, shards=shards, shard_by="key")
        return self.start(request, **changed)

    def start(self, request: ParseFileRequest, **changed: Any) -> Any:
        services = {"get_occurrences": self.shard, "measure": self.measure, **changed}
        return self.run(request, **services)

    def measure(self, *_: object) -> Measured:
        return Measured(len(TEXT), {"bytes": len(TEXT)})


def test_a_run_is_planned_for_its_options() -> None:
    class Times(msgspec.Struct, frozen=True):
        times: int = 1

    def figures_of(options: Times) -> Figures:
        slow = Figure(50 / options.times, "MB/s", "assumed", "mapping, per core")
        return {**UNKNOWN, "count": slow}

    def planned(times: int) -> int:
        run = KeyRun(msgspec.structs.replace(HONEST, options=Times, figures=figures_of))
        with pytest.raises(FanOutFailed):  # the input is far smaller
            run.start(
                ParseFileRequest(key="key", options={"times": times}),
                measure=lambda *_: Measured(10**9, {"bytes": 10**9}),
            )
        assert run.table.record is not None
        return run.table.record.block_units

    assert planned(1) > planned(8)


@pytest.mark.parametrize("shards", [1, 2, 5, 64])
def test_any_number_of_shards_gives_the_right_answer(shards: int) -> None:
    run = KeyRun()
    answer = run.by_key(shards)
    assert (answer.status, answer.lines) == ("SUCCEEDED", RIGHT)
    assert (answer.shards, answer.shard_by, answer.shards_because) == (shards, "key", "requested")
    assert sorted(request.shard for request in run.asked) == list(range(shards))
    assert all(len(request.ranges or []) == answer.blocks for request in run.asked)
    assert {part.part: part.observations for part in run.table.lengths.values()} == RIGHT
    assert run.manifest
    assert run.manifest.shards
    assert run.manifest.shards.count == shards


def test_by_part_is_the_default_and_answers_the_same() -> None:
    run = KeyRun()
    answer = run.start(ParseFileRequest(key="key", block_bytes=BLOCK_BYTES))
    assert (answer.lines, answer.shards, answer.shard_by) == (RIGHT, 2, "part")
    assert [request.part for request in run.asked] == list(PARITIES)


def test_a_manifest_too_large_for_requests_is_stored_before_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduce_stage, "INLINE_BYTES", 100)
    run, reducing = KeyRun(), threading.Event()

    def put_manifest(manifest: bytes) -> None:
        assert not reducing.wait(0.05)
        run.put_manifest(manifest)

    def all_shards(request: GetAllOccurrencesRequest) -> AllPartsReport:
        reducing.set()
        return run.all_lengths(request)

    assert run.by_key(put_manifest=put_manifest, get_all_occurrences=all_shards).lines == RIGHT
    assert [request.ranges for request in run.asked] == [None] * 5


def test_a_manifest_with_a_hole_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduce_stage, "INLINE_BYTES", 100)
    run = KeyRun()

    def put_manifest(manifest: bytes) -> None:
        decoded = msgspec.json.decode(manifest, type=Manifest)
        blocks = decoded.blocks[:3] + decoded.blocks[4:]
        run.put_manifest(encode(msgspec.structs.replace(decoded, blocks=blocks)))

    with pytest.raises(FanOutFailed, match=r"ConservationBroken: .* leaves a gap"):
        run.by_key(put_manifest=put_manifest)


@pytest.mark.parametrize(
    "damage",
    [
        {"line_bytes": [1, 2]},
        {"line_bytes": []},
        {"line_bytes": [1] * 6},
        {"observations": [1]},
        {"shard_observations": [1, 2]},
    ],
    ids=str,
)
def test_a_manifest_that_does_not_fit_the_run_is_damaged(
    damage: dict[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reduce_stage, "INLINE_BYTES", 100)
    run = KeyRun()

    def put_manifest(manifest: bytes) -> None:
        decoded = msgspec.json.decode(manifest, type=Manifest)
        decoded.blocks[3] = msgspec.structs.replace(decoded.blocks[3], **damage)
        run.put_manifest(encode(decoded))

    with pytest.raises(
        BlobDamaged, match=r"The manifest of the run is damaged: .* block 3 .* Resume the run"
    ):
        run.by_key(put_manifest=put_manifest)


def test_requests_without_a_block_end_the_run() -> None:
    run = KeyRun()

    def fewer(request: GetAllOccurrencesRequest) -> AllPartsReport:
        assert request.blocks
        return run.all_lengths(msgspec.structs.replace(request, blocks=request.blocks[1:]))

    with pytest.raises(ConservationBroken, match=r"The reducer of shard 0 read 10 of 11 blobs"):
        run.by_key(get_all_occurrences=fewer)


def test_a_manifest_is_stored_while_the_shards_are_reduced() -> None:
    run, reduced = KeyRun(), threading.Event()

    def put_manifest(manifest: bytes) -> None:
        assert reduced.wait(30)
        run.put_manifest(manifest)

    def all_shards(request: GetAllOccurrencesRequest) -> AllPartsReport:
        answer = run.all_lengths(request)
        reduced.set()
        return answer

    assert run.by_key(put_manifest=put_manifest, get_all_occurrences=all_shards).lines == RIGHT
    assert run.manifest


def test_a_lost_answer_is_reduced_from_here() -> None:
    """Also if all parts were stored by then: only the reducers know what each shard arrived at."""
    run = KeyRun()

    def lost(request: GetAllOccurrencesRequest) -> AllPartsReport:
        run.all_lengths(request)
        raise Transient("The connection to Lambda failed")

    assert run.by_key(get_all_occurrences=lost).lines == RIGHT
    assert len(run.asked) == 2 * 5
    assert len(run.table.lengths) == 2
    assert run.trace
    given_up = [call.task for call in run.trace.calls if call.outcome == "given_up"]
    assert [task for task in given_up if task != "warming"] == [f"shard {number}" for number in range(5)]


def test_a_run_that_failed_before_it_was_planned_is_planned_when_it_is_resumed() -> None:
    run = KeyRun()
    request = ParseFileRequest(key="key", block_bytes=BLOCK_BYTES, shards=3)
    with pytest.raises(Transient):
        run.start(request, measure=lambda *_: (_ for _ in ()).throw(Transient("slow")))
    answer = run.start(ParseFileRequest(key="key"))
    assert (answer.lines, answer.shards, answer.shard_by) == (RIGHT, 3, "key")


@pytest.mark.parametrize(
    ("resumed", "shards", "shard_by"),
    [({}, None, "key"), ({"shards": 3, "shard_by": "key"}, 3, "key"), ({"shard_by": "part"}, 2, "part")],
)
def test_until_it_is_planned_a_request_decides_on_shards_and_what_it_leaves_out_stays(
    resumed: dict[str, Any], shards: int | None, shard_by: str
) -> None:
    run = KeyRun()
    request = ParseFileRequest(key="key", block_bytes=BLOCK_BYTES, shard_by="key")
    with pytest.raises(Transient):
        run.start(request, measure=lambda *_: (_ for _ in ()).throw(Transient("slow")))
    answer = run.start(ParseFileRequest(key="key", **resumed))
    assert (answer.lines, answer.shard_by) == (RIGHT, shard_by)
    assert shards in (None, answer.shards)


def test_a_resumed_run_has_the_options_that_its_job_requires() -> None:
    class Required(msgspec.Struct, frozen=True):
        times: int

    run = KeyRun(msgspec.structs.replace(HONEST, options=Required))
    request = ParseFileRequest(key="key", block_bytes=BLOCK_BYTES, options={"times": 3})
    with pytest.raises(Transient):
        run.start(request, log_results=raising(Transient("no log")))
    assert run.start(ParseFileRequest(key="key")).options == {"times": 3}


def test_a_damaged_range_ends_the_run_and_its_block_alone_is_mapped_again() -> None:
    run = KeyRun()

    def damage(request: GetAllOccurrencesRequest) -> AllPartsReport:
        assert request.blocks
        block = request.blocks[1]
        key = run.blobs.key(1)
        blob = bytearray(run.blobs.stored[key])
        at = block.header_bytes + sum(block.line_bytes[:3]) + 3
        blob[at : at + 1] = b"7"
        assert blob != run.blobs.stored[key]
        run.blobs.stored[key] = bytes(blob)
        return run.all_lengths(request)

    with pytest.raises(BlobDamaged, match=r"000001.jsonl was changed: its bytes"):
        run.by_key(get_all_occurrences=damage)
    assert run.table.lengths == {}
    before = len(run.parsed)
    assert run.start(ParseFileRequest(key="key")).lines == RIGHT
    assert run.parsed[before:] == [1]


def failed(run: KeyRun) -> None:
    """Begin a run that fails at its last block."""

    def poisoned(request: ParseBlockRequest) -> BlockReport:
        if request.end == len(TEXT):
            raise InvalidRequest("poisoned")
        return run.block(request)

    with pytest.raises(FanOutFailed):
        run.by_key(parse_block=poisoned)


def test_a_resumed_run_keeps_its_shards() -> None:
    run = KeyRun()
    failed(run)
    before = len(run.parsed)
    assert before
    for other in ({"shards": 4}, {"shard_by": "part"}):
        with pytest.raises(RunConflict, match="shards, shard_by: the run has 5 by key"):
            run.start(ParseFileRequest(key="key", **other))
    answer = run.start(ParseFileRequest(key="key"))
    assert (answer.lines, answer.shards, answer.shard_by) == (RIGHT, 5, "key")
    assert len(run.parsed) == before + 1


class Options(msgspec.Struct, frozen=True):
    """How often a line counts."""

    times: int = 1


def test_options_reach_the_job_and_are_part_of_what_identifies_a_blob() -> None:
    seen: list[Context] = []

    def noting(block: Span, source: Any, context: Context) -> Any:
        seen.append(context)
        return HONEST.map(block, source, context)

    run = KeyRun(msgspec.structs.replace(HONEST, options=Options, map=noting))
    request = ParseFileRequest(key="key", block_bytes=BLOCK_BYTES, options={"times": 3})
    with pytest.raises(Transient):
        run.start(request, log_results=raising(Transient("no log")))
    assert seen[0].options == Options(3)
    assert seen[0].facts == {"bytes": len(TEXT)}
    with pytest.raises(RunConflict, match=r"options: the run has the options \{'times': 3\}"):
        run.start(ParseFileRequest(key="key", options={"times": 2}))
    before = len(run.parsed)
    answer = run.start(ParseFileRequest(key="key"))
    assert (answer.options, len(run.parsed)) == ({"times": 3}, before)
    assert run.table.record
    run.table.record.status, run.table.record.options = "FAILED", {"times": 2}
    run.start(ParseFileRequest(key="key"))
    assert len(run.parsed) == 2 * before  # those blobs are of other options


def raising(error: Exception) -> Callable[[object], Any]:
    def call(_: object) -> Any:
        raise error

    return call


def test_a_run_of_a_version_without_shards_is_mapped_again(capsys: pytest.CaptureFixture[str]) -> None:
    run = KeyRun()
    failed(run)
    for key, blob in run.blobs.stored.items():
        if key.startswith("blobs/"):
            run.blobs.stored[key] = as_before_shards(blob)
    record = run.table.record
    assert record
    record.shards, record.shard_by, record.shards_because = 0, None, ""
    before = len(run.parsed)
    capsys.readouterr()
    answer = run.start(ParseFileRequest(key="key"))
    assert (answer.lines, answer.blocks) == (RIGHT, before + 1)
    assert len(run.parsed) == before + answer.blocks
    assert '"event":"resumed_without_shards"' in capsys.readouterr().out


def as_before_shards(blob: bytes) -> bytes:
    """A blob with the header that an older version wrote."""
    header, lines = blob.split(b"\n", 1)
    older = msgspec.json.decode(header[8:])
    del older["shards"], older["options"]
    text = b"%08d " % len(header) + msgspec.json.encode(older)
    return text.ljust(len(header)) + b"\n" + lines


def losing(shard: int, lines: Any, context: Context) -> Line:
    """Half of the third shard."""
    line = HONEST.reduce(shard, lines, context)
    return line._replace(observed=[0, line.observed[1]]) if shard == 2 else line


def test_a_shard_that_does_not_arrive_at_what_was_observed_ends_the_run() -> None:
    run = KeyRun(msgspec.structs.replace(HONEST, reduce=losing))
    with pytest.raises(FanOutFailed, match=r"ConservationBroken: The blocks observed \d+ in shard 2"):
        run.by_key()


def test_a_part_that_does_not_arrive_at_what_was_observed_ends_the_run() -> None:
    """Although every shard does."""

    def swapping(shard: int, lines: Any, context: Context) -> Line:
        line = HONEST.reduce(shard, lines, context)
        return line._replace(observed=line.observed[::-1])

    run = KeyRun(msgspec.structs.replace(HONEST, reduce=swapping))
    with pytest.raises(ConservationBroken, match="in parity even, but the reducers of all shards counted"):
        run.by_key()


def test_a_result_that_does_not_arrive_at_what_was_observed_ends_the_run() -> None:
    def fewer(reduced: Any, context: Context) -> Any:
        found = finish_lines(reduced, context)
        return {**found, "odd": found["odd"]._replace(observations=7)}

    run = KeyRun(msgspec.structs.replace(HONEST, finish=fewer))
    with pytest.raises(ConservationBroken, match="in parity odd, but its reducer counted 7"):
        run.by_key()


@pytest.mark.parametrize("missing", ["even", "odd"])
def test_a_part_that_finish_does_not_give_ends_the_run(missing: str) -> None:
    def fewer(reduced: Any, context: Context) -> Any:
        return {part: one for part, one in finish_lines(reduced, context).items() if part != missing}

    run = KeyRun(msgspec.structs.replace(HONEST, finish=fewer))
    with pytest.raises(JobContractViolated, match="finish gave the paritys"):
        run.by_key()


def test_a_reduced_shard_that_no_answer_could_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_src.run.reduce_shard.MAX_REDUCED_BYTES", 3)
    with pytest.raises(FanOutFailed, match=r"JobContractViolated: reduce gave .* bytes for shard 0"):
        KeyRun().by_key()


def test_a_reduced_shard_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_src.run.reduce_shard.MAX_UNPACKED_BYTES", 1000, raising=False)

    def padded(shard: int, lines: Any, context: Context) -> Line:
        line = HONEST.reduce(shard, lines, context)
        return line._replace(data=line.data + b" " * 1000)

    with pytest.raises(FanOutFailed, match=r"JobContractViolated: reduce gave .* bytes for shard 0"):
        KeyRun(msgspec.structs.replace(HONEST, reduce=padded)).by_key()


def test_a_reduced_shard_is_sent_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambda_src.run.reduce_shard.MAX_REDUCED_BYTES", 200)

    def padded(shard: int, lines: Any, context: Context) -> Line:
        line = HONEST.reduce(shard, lines, context)
        return line._replace(data=line.data + b" " * 10_000)

    assert KeyRun(msgspec.structs.replace(HONEST, reduce=padded)).by_key().lines == RIGHT


def test_a_shard_that_the_run_does_not_have_is_refused() -> None:
    run = KeyRun()
    run.by_key()
    with pytest.raises(InvalidRequest, match="shard: the run has no shard 5, but 5"):
        run.shard(msgspec.structs.replace(run.asked[0], shard=5))
