"""Simulate runs: ``python -m tests.simulation --seeds 1000``, or one of them with ``--seed``, or a large run
with ``--size``."""

import argparse
import os
import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from statistics import fmean
from typing import NamedTuple

from lambda_src.fields import MAX_CONCURRENCY
from tests.simulation.large import simulate_large
from tests.simulation.run import SimulatedRun

COLUMNS = 80
GB = 10**9
SIZES = [GB, 10 * GB, 100 * GB, 1000 * GB]
TOLD = 10
"""The most seeds that are described, of those that broke a law."""


class Found(NamedTuple):
    """What one seed came to."""

    seed: int
    answers: list[str]
    faults: list[str]
    violations: list[str]
    seconds: float
    events: int


def simulate(seed: int) -> Found:
    """The run of one seed."""
    run = SimulatedRun(seed)
    try:
        run.carry_out()
    except Exception as error:  # noqa: BLE001 - the simulation's own fault is a finding, too
        run.violations.append(f"the simulation failed: {type(error).__name__}: {error}")
    answers = [answer.error or str((answer.summary or {})["status"]) for answer in run.answers]
    faults = [*run.faults.happened, *{name for _, name in run.story}]
    return Found(seed, answers, faults, run.violations, run.world.now, run.world.events)


def simulate_all(seeds: range) -> Iterator[Found]:
    """The runs of all seeds, in order, on all cores."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(simulate, seeds, chunksize=20)


def report(seeds: range) -> int:
    """Simulate and print what was found; how many seeds broke a law."""
    began_at = time.monotonic()
    answers: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    broken, virtual_s, events = 0, 0.0, 0
    for found in simulate_all(seeds):
        answers.update(found.answers)
        faults.update(set(found.faults))
        virtual_s, events = virtual_s + found.seconds, events + found.events
        if found.violations:
            broken += 1
            if broken <= TOLD:
                _print_broken(found)
    took_s = time.monotonic() - began_at
    _print("Seeds", f"{seeds.start} to {seeds.stop - 1}, {len(seeds) / took_s * 60:,.0f} a minute")
    _print("Virtual time", f"{virtual_s / 3600:,.1f} hours, {events:,} events")
    _print("Answers", _counts(answers))
    _print("Seeds with", _counts(faults))
    _print("Laws broken", f"by {broken} of {len(seeds):,} seeds")
    return broken


def _print_broken(found: Found) -> None:
    for violation in found.violations:
        _print(f"Seed {found.seed}", violation[:600])
    _print("", f"python -m tests.simulation --seed {found.seed}")


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.most_common())


def _print(label: str, text: str) -> None:
    lines = textwrap.wrap(text, COLUMNS - 14, break_long_words=True, break_on_hyphens=False) or [""]
    print("\n".join(f"{label if not number else '':<13} {line}" for number, line in enumerate(lines)))


def tell(seed: int) -> int:
    """The run of one seed, in detail; how many laws it broke."""
    run = SimulatedRun(seed)
    run.carry_out()
    _print("Request", str(run.scenario.request))
    scenario = run.scenario
    _print("Sharded by", str(scenario.sharded_by))
    _print("Objects", ", ".join(f"{one.bytes}{' (bad)' * one.is_bad}" for one in scenario.objects))
    _print("Quota", f"{scenario.quota}, parse_file has {scenario.parse_file_s:.0f} s")
    _print("Faults", _counts(run.faults.happened))
    happened = [(at, name) for at, name in run.story]
    happened += [
        (answer.at, f"answered {answer.error or (answer.summary or {})['status']} {answer.message}")
        for answer in run.answers
    ]
    for at, what in sorted(happened):
        _print(f"{at:10.3f} s", what)
    for line in run.simulation.lines:
        if '"event":"done"' not in line:
            _print("Log", line.strip()[:300])
    for violation in run.violations:
        _print("Broken", violation)
    return len(run.violations)


def compare(runs: Sequence[tuple[int, int, bool]]) -> None:
    """Large runs next to the model: each a size, how many Lambdas at once, and whether it is cold."""
    _print("", "simulated/modelled = ratio")
    for size, at_once, cold in runs:
        seeds = range(20 if size <= GB else 8 if size <= 10 * GB else 1)
        found = [simulate_large(size, at_once, cold=cold, seed=seed) for seed in seeds]
        one, modelled = found[0], found[0].modelled
        stages = {stage.name: stage.seconds for stage in modelled.stages}
        mean = {
            name: fmean(large.summary["seconds"][name] for large in found)
            for name in stages
            if name != "start"
        }
        _print(
            f"{_size(size)} {'cold' if cold else 'warm'}",
            f"{_ratio(fmean(large.seconds for large in found), modelled.seconds)} s "
            f"(parse {_ratio(mean['parse'], stages['parse'])}, "
            f"reduce {_ratio(mean['reduce'], stages['reduce'])}), "
            f"{_ratio(fmean(large.dollars for large in found), modelled.dollars, 4)} $; "
            f"{one.summary['blocks']:,} blocks, {one.summary['shards']} shards by "
            f"{one.summary['shard_by']}, {at_once:,} at once; {one.events:,} events in {one.took_s:.1f} s "
            f"of processor time; mean of {len(found)}",
        )


def _ratio(simulated: float, modelled: float, digits: int = 2) -> str:
    return f"{simulated:.{digits}f}/{modelled:.{digits}f} = {simulated / modelled:.2f}"


def _size(size: int) -> str:
    return f"{size / 10**12:g} TB" if size >= 10**12 else f"{size / 10**9:g} GB"


def _bytes(text: str) -> int:
    """A size such as 10TB."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if text.upper().endswith(unit):
            return round(float(text[: -len(unit)]) * factor)
    return int(text)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many runs")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="only this run, in detail")
    parser.add_argument("--size", type=_bytes, help="a large run without faults instead, such as 10TB")
    parser.add_argument("--concurrency", type=int, default=MAX_CONCURRENCY, help="of the large run")
    parser.add_argument("--warm", action="store_true", help="the large run finds warm functions")
    given = parser.parse_args()
    if given.size:
        compare([(given.size, given.concurrency, not given.warm)])
        return 0
    if given.seed is not None:
        return min(tell(given.seed), 1)
    broken = report(range(given.first, given.first + given.seeds))
    compare([(size, MAX_CONCURRENCY, cold) for size in SIZES for cold in (True, False)])
    return min(broken, 1)


if __name__ == "__main__":
    raise SystemExit(main())
