"""A deployed run says where its time went and what it cost."""

from collections import Counter
from typing import Any

import pytest

from fanfold.estimate.model import Given, model, plan
from lambda_src.job import load
from lambda_src.run.figures import figures_of
from lambda_src.run.ledger import charged
from lambda_src.run.plan import Wanted
from lambda_src.telemetry.calls import Trace
from lambda_src.wire.record import RunRecord
from tests.deployed import Stack

TEXT = b"".join(b"x" * length + b" " for length in range(1, 21)) * 600
"""Words of all lengths: a reducer does not read an empty line."""

BLOCKS = 12

MEMORY_MB = {"parse_file": 1769, "parse_block": 1769, "get_occurrences": 1769}
"""The others have half of it."""


@pytest.fixture(scope="module")
def run(stack: Stack) -> tuple[Trace, RunRecord]:
    key = stack.put("input/trace", TEXT)
    summary = stack.run(key, block_bytes=-(-len(TEXT) // BLOCKS), max_concurrency=4, shard_by="part")
    record = record_of(stack, summary)
    assert 0 < record.dollars_estimated < summary["dollars"] < 0.01
    return stack.trace(summary["run_id"]), record


def record_of(stack: Stack, summary: dict[str, Any]) -> RunRecord:
    record, _ = stack.results(summary["run_id"])
    assert record is not None
    return record


def test_every_call_is_in_the_trace(run: tuple[Trace, RunRecord]) -> None:
    trace, record = run
    done = Counter((call.function, call.task) for call in trace.calls if call.outcome == "done")
    assert set(done.values()) == {1}
    assert Counter(function for function, _ in done) == {
        "parse_block": BLOCKS,
        "get_occurrences": 20,
        "get_all_occurrences": 1,
        "log_results": 1,
        "parse_file": 1,
    }
    assert record.calls["done"] == BLOCKS + 22
    named = [call.request_id for call in trace.calls if call.outcome == "done"]
    assert len({*named} - {""}) == BLOCKS + 23, "each call is found in the logs of Lambda"
    for call in trace.calls:
        if call.outcome == "done":
            assert record.started_at - 1 <= call.queued_at <= call.started_at < call.ended_at, call
            assert call.ended_at <= record.finished_at + 1, call


def test_workers_tell_their_stages(run: tuple[Trace, RunRecord]) -> None:
    trace, _ = run
    usages = [(call, call.usage) for call in trace.calls if call.usage]
    assert len(usages) >= BLOCKS + 23
    for call, usage in usages:
        assert 0 <= usage.fetch_ms + usage.store_ms <= usage.handler_ms, call
        assert usage.handler_ms / 1000 <= call.ended_at - call.started_at + 1e-6, call  # they are floats
        assert usage.memory_mb == MEMORY_MB.get(call.function, 884), call
    for function in ("parse_block", "get_occurrences"):
        of_function = [usage for call, usage in usages if call.function == function]
        assert all(usage.fetch_ms > 0 and usage.store_ms > 0 for usage in of_function)
        # How many were cold depends on the runs before; a process does not start in a moment.
        assert all(usage.init_ms == 0 or usage.init_ms > 10 for usage in of_function)
        assert any(usage.init_ms == 0 for usage in of_function), "more calls than processes"


def test_the_record_is_the_sum_of_the_trace(run: tuple[Trace, RunRecord]) -> None:
    trace, record = run
    used: Counter[str] = Counter()
    for call in trace.calls:
        used.update(charged(call, MEMORY_MB.get(call.function, 884))[0])
    assert record.used["gb_s"] == pytest.approx(used["gb_s"], rel=0.01, abs=0.1)
    assert record.used["invocations"] == len(trace.calls)
    assert record.used["s3_gets"] == used["s3_gets"] >= BLOCKS * (1 + 20)
    puts = record.used["s3_puts"]
    assert puts == used["s3_puts"]
    # Each block, manifest and trace. On a busy machine, the copy of a straggler may put its block, too.
    assert BLOCKS + 2 <= puts <= BLOCKS + 2 + record.calls["copies"]
    assert sum(record.seconds.values()) == pytest.approx(record.finished_at - record.started_at, rel=0.05)


@pytest.mark.parametrize("reducers", [{"shard_by": "part"}, {"shards": 3}])
def test_the_model_counts_the_requests_of_a_run(stack: Stack, reducers: dict[str, Any]) -> None:
    """GETs are as many as blocks times reducers, one for each block, and two."""
    key = stack.put("input/trace", TEXT)
    record = record_of(stack, stack.run(key, block_bytes=-(-len(TEXT) // BLOCKS), **reducers))
    job = load("top_words")
    given = Given(len(TEXT), figures_of(job), job.sharded_by)
    wanted = Wanted(record.block_units, record.shard_by, record.shards)
    modelled = model(given, plan(given, record.max_concurrency, wanted), record.max_concurrency, cold=True)
    for item in ("s3_gets", "s3_puts"):
        requests = sum(stage.used[item] for stage in modelled.stages)
        assert record.used[item] == pytest.approx(requests, abs=record.calls.get("copies", 0) * 2), item
