"""The engine keeps its promises in simulated runs; and the simulation would notice if it did not."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fanfold.checkout import ROOT
from lambda_src.fan_out import map_reduce
from lambda_src.fields import MAX_CONCURRENCY
from lambda_src.run import parse_stage, reduce_shard, reduce_stage
from lambda_src.store import results
from tests.simulation.__main__ import simulate, simulate_all
from tests.simulation.growth import simulate_growth
from tests.simulation.large import simulate_large
from tests.simulation.run import SimulatedRun

SHORT, LONG = 200, 5000


@pytest.mark.parametrize("seeds", [range(SHORT), pytest.param(range(SHORT, LONG), marks=pytest.mark.long)])
def test_every_run_is_exact_or_fails_or_can_be_resumed(seeds: range) -> None:
    found = [found for found in simulate_all(seeds) if found.violations]
    assert not found, "\n".join(
        f"{each.violations}: python -m tests.simulation --seed {each.seed}" for each in found
    )


@pytest.mark.parametrize(
    ("size", "at_once"),
    [
        (10**10, MAX_CONCURRENCY),
        (10**11, MAX_CONCURRENCY),
        pytest.param(10**12, MAX_CONCURRENCY, marks=pytest.mark.long),
        pytest.param(10**13, MAX_CONCURRENCY, marks=pytest.mark.long),
    ],
)
def test_a_large_run_agrees_with_the_model(size: int, at_once: int) -> None:
    large = simulate_large(size, at_once)
    assert large.seconds == pytest.approx(large.modelled.seconds, rel=0.1)
    assert large.dollars == pytest.approx(large.modelled.dollars, rel=0.1)
    assert large.throttles == 0


def test_one_more_day_of_logs_takes_a_tenth_of_thirty() -> None:
    """10 GB a day on ten Lambdas, as many as a new account has. By requests: each blob is read again, in each
    shard; and one object tells which there are."""
    first, second, scratch = simulate_growth(10**10, 10)
    assert second.seconds <= first.seconds / 10
    assert second.dollars <= first.dollars / 10
    assert first.seconds <= 1.05 * scratch.seconds
    assert first.dollars <= 1.05 * scratch.dollars
    bytes_mapped = second.summary["bytes"] - second.summary["bytes_reused"]
    assert bytes_mapped <= second.summary["bytes"] / 31 + second.summary["block_bytes"]
    reads = second.summary["blocks"] * second.summary["shards"]
    assert 0 < second.used["s3_gets"] - reads <= 5 * second.mapped
    assert second.used["s3_puts"] <= second.mapped + 5  # LIST, listing, manifest, trace, family
    assert second.used["invocations"] <= second.mapped + 2 * second.summary["shards"] + 10


def digest(seeds: range) -> str:
    """Of all that happened in the runs of ``seeds``."""
    everything = hashlib.sha256()
    for seed in seeds:
        run = SimulatedRun(seed)
        run.carry_out()
        everything.update(repr((run.answers, run.story, run.world.events, run.world.now)).encode())
        everything.update(repr([write[2:] for write in run.simulation.table.writes]).encode())
    return everything.hexdigest()


def test_a_seed_is_a_run() -> None:
    """Also in another process, whose sets have another order."""
    code = f"from {__name__} import digest; print(digest(range(20)))"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {digest(range(20)) + "\n"}


def _folds_some_twice(original: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def fan_out(*given: Any, **more: Any) -> Iterator[Any]:
        for number, found in enumerate(original(*given, **more)):
            yield found
            if number == 0:
                yield found

    return fan_out


BROKEN: dict[str, tuple[list[tuple[Any, str, Any]], str]] = {
    "no limit of attempts": ([(map_reduce, "MAX_ATTEMPTS", 50)], "attempts"),
    "no look at the lease": ([(results, "ABANDONED", "#status = :running")], "before its lease was over"),
    "no look at the owner": (
        [(results, "_condition", lambda *_, **__: {"ConditionExpression": "attribute_not_exists(nothing)"})],
        "another owner",
    ),
    "no proof": (
        [
            (parse_stage, "check_mapped", lambda *_: None),
            (reduce_shard, "check_reducer", lambda *_: None),
            (reduce_stage, "check_shards", lambda *_: None),
            (reduce_stage, "check_parts", lambda *_: None),
        ],
        "inexact",
    ),
    "an answer is folded twice": (
        [(map_reduce, "fan_out", _folds_some_twice(map_reduce.fan_out))],
        "units",
    ),
    "calls that are given up are forgotten": (
        [(map_reduce.FanOut, "give_up", lambda *_: iter(()))],
        "are in the trace",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_engine_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, expected = BROKEN[name]
    for where, attribute, value in changes:
        monkeypatch.setattr(where, attribute, value)
    for seed in range(2 * SHORT):
        if any(expected in violation for violation in simulate(seed).violations):
            return
    pytest.fail(f"no seed has found it: {name}")
