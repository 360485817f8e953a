"""What must be true of every run, whatever goes wrong."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from lambda_src.aws.dynamodb import from_attribute
from lambda_src.errors import FanfoldError
from lambda_src.job import Span
from lambda_src.store.blobs import DELETE_RESERVE_S
from lambda_src.store.keys import BLOBS_PREFIX, trace_key
from lambda_src.telemetry.calls import Trace
from tests.simulation.engine import RUN_ID
from tests.simulation.job import PARTS, counted
from tests.simulation.table import Item, Write
from tests.simulation.work import Work
from tests.simulation.world import EPOCH_S

if TYPE_CHECKING:
    from tests.simulation.run import SimulatedRun

ATTEMPTS = 5
"""What nobody may exceed, whatever the engine's own constant says."""


def violations(run: "SimulatedRun") -> Iterator[str]:
    """Every law that ``run`` has broken so far."""
    yield from run.simulation.bugs
    yield from _exact(run)
    yield from _attempts(run)
    yield from _one_owner(run)
    yield from _named(run)
    yield from _at_rest(run)
    yield from _books(run)


def _exact(run: "SimulatedRun") -> Iterator[str]:
    """A run that has succeeded has counted each unit once, by one version of the rules; and says so."""
    record = run.record()
    answers = [answer.summary for answer in run.answers if answer.summary]
    answers = [summary for summary in answers if summary["status"] == "SUCCEEDED"]
    if record is None or record.status != "SUCCEEDED":
        if answers:
            yield "success was answered, but not recorded"
        return
    bad = {one.key for one in run.simulation.objects if one.is_bad}
    if record.on_bad_object == "fail" and bad:
        yield "an object that is no text was counted"
    address, spans = 0, []
    for one in run.simulation.objects:
        if one.key not in bad:
            spans.append(Span(address, address + one.bytes))
        address += one.bytes
    expected = counted(spans, record.rules, record.options.get("weight", 1))
    stored = {
        part: from_attribute(run.simulation.table.items[RUN_ID, f"part#{part}"]["result"])["keys"]
        for part in PARTS
        if (RUN_ID, f"part#{part}") in run.simulation.table.items
    }
    if stored != expected:
        yield f"inexact in the table: {stored} instead of {expected}"
    for summary in answers:
        if summary["counts"] != expected:
            yield f"inexact in an answer: {summary['counts']} instead of {expected}"
    if (record.units_done, record.blocks_done) != (address, record.blocks):
        yield f"{record.units_done} of {address} units, {record.blocks_done} of {record.blocks} blocks done"


def _attempts(run: "SimulatedRun") -> Iterator[str]:
    """No call gets more than five attempts, apart from throttled ones."""
    for fan_out in run.simulation.fan_outs:
        for number, starts in fan_out.starts.items():
            attempts = starts - fan_out.throttles[number]
            if attempts > ATTEMPTS:
                yield f"a task had {attempts} attempts"


def _one_owner(run: "SimulatedRun") -> Iterator[str]:
    """Nobody but the owner writes, and nobody becomes the owner before the lease of another one is over."""
    owners: dict[str, Any] = {}  # who each owner is
    owner = ""
    for write in run.simulation.table.writes:
        if write.name == "run":
            before, after = _owner(write.before), _owner(write.after)
            if before != after:
                yield from _claimed(write)
                owners[after] = write.about
            elif _is_refused_hand_over(write):
                continue
            elif write.about is not owners[after] and isinstance(write.about, Work):
                yield f"{_who(write.about)} wrote the record of another owner"
            owner = after
        elif isinstance(write.about, Work):
            event = write.about.execution.event
            acts_for = event.get("owner", event.get("handed_over_by"))
            if acts_for != owner and write.about is not owners.get(owner):
                yield f"{_who(write.about)} wrote {write.name} of another owner"


def _is_refused_hand_over(write: Write) -> bool:
    """Whoever cannot read a hand-over ends the run that was released."""
    assert write.before is not None
    assert write.after is not None
    return bool(_of(write.before, "released")) and _of(write.after, "status") == "FAILED"


def _claimed(write: Write) -> Iterator[str]:
    """A claim of a run that is not released, failed or cancelled needs a lease that is over."""
    found = write.before
    if found is None or _of(found, "released") or _of(found, "status") != "RUNNING":
        return
    left_s = _of(found, "lease_until") - (EPOCH_S + write.at + write.about.skew_s)
    if left_s > 0:
        yield f"the run was claimed {left_s:.1f} s before its lease was over"


def _named(run: "SimulatedRun") -> Iterator[str]:
    """A run fails with an error that has a name and a sentence."""
    known = {kind.__name__ for kind in _kinds(FanfoldError)}
    crashes = {"Runtime.ExitError", "Sandbox.Timedout", "Lost", "Throttled"}
    for answer in run.answers:
        if answer.error and answer.error not in known | crashes:
            yield f"parse_file failed with {answer.error}: {answer.message}"
    record = run.record()
    if record and record.error and record.error.partition(":")[0] not in known:
        yield f"the run failed with {record.error}"


def _at_rest(run: "SimulatedRun") -> Iterator[str]:
    """When nothing happens any more, nothing is left over."""
    simulation, record = run.simulation, run.record()
    if simulation.service.running:
        yield f"{simulation.service.running} executions never end"
    if record is None:
        return
    owner = _last_owner(run)
    could_write = owner is not None and owner.ended_well and owner.error not in ("Transient", "Throttled")
    is_calm = could_write and not run.has_log("record_not_written")
    parts = [name for _, name in simulation.table.items if name.startswith("part#")]
    if record.status in ("FAILED", "CANCELLED") and parts and is_calm:
        yield f"a run that is {record.status} has the results {parts}"
    if record.status == "RUNNING" and is_calm and not record.released:
        yield "the run is RUNNING, and its owner has ended"
    if record.status != "RUNNING" and record.calls.get("running"):
        yield f"{record.calls['running']} calls are still running when the run is {record.status}"
    if record.status == "SUCCEEDED" and is_calm and owner:
        yield from _blobs_left(run, owner)


def _blobs_left(run: "SimulatedRun", owner: Work) -> Iterator[str]:
    """The blobs of a run that has succeeded are deleted, if there was time, but for those of late copies."""
    simulation = run.simulation
    had_time = owner.began_at + owner.deployment.parse_file_s - owner.ended_at > DELETE_RESERVE_S + 1.0
    if simulation.keep_days > 1 or not had_time or run.has_log("blobs_not_deleted"):
        return
    stored_at = {put.key: put.at for put in simulation.s3.puts}
    blobs = [key for key in simulation.s3.objects if key.startswith(BLOBS_PREFIX)]
    if left := [key for key in blobs if stored_at[key] < owner.ended_at - 1.0]:
        yield f"blobs are left after success: {left}"


def _books(run: "SimulatedRun") -> Iterator[str]:
    """The trace has every call that was begun, once, if whoever began it could write it. A call that was
    given up may not have begun."""
    simulation = run.simulation
    stored = simulation.s3.objects.get(trace_key(RUN_ID))
    works = [execution.about for execution in simulation.service.executions if execution.about]
    owners = [work for work in works if work.execution.function == "parse_file" and work.invoked]
    # An owner whose run was claimed by another one, with another clock, writes its own trace over that.
    troubled = run.has_log("trace_not_written") or run.has_log("record_not_written")
    troubled = troubled or "blob damaged" in {name for _, name in run.story}
    could_write = all(work.ended_well and work.error != "RunConflict" for work in owners)
    if stored is None or troubled or not could_write:
        return
    record = run.record()
    calls = [*msgspec.json.decode(stored, type=Trace).calls, *(record.last_calls if record else ())]
    for function in ("parse_block", "get_all_occurrences", "log_results"):
        begun = sum(work.invoked.count(function) for work in owners)
        outcomes = [call.outcome for call in calls if call.function == function]
        noted = len(outcomes)
        if not noted - outcomes.count("given_up") <= begun <= noted:
            yield f"{begun} calls of {function} were begun, and {noted} are in the trace"


def _last_owner(run: "SimulatedRun") -> Work | None:
    for write in reversed(run.simulation.table.writes):
        if write.name == "run":
            return write.about if isinstance(write.about, Work) else None
    return None


def _who(work: Work) -> str:
    return f"{work.execution.function} ({work.execution.number})"


def _owner(item: Item | None) -> str:
    return "" if item is None else _of(item, "owner")


def _of(item: Item, name: str) -> Any:
    return from_attribute(item[name]) if name in item else None


def _kinds(kind: type[FanfoldError]) -> list[type[FanfoldError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in _kinds(child))]
