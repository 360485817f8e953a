"""The model of what is not: other figures, Step Functions instead of our own fan-out, Fanfold as it was."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from fanfold.estimate.model import ABOUT, FIGURES, Modelled, RunModel, Stage, model
from fanfold.estimate.workload import Figure, Figures
from lambda_src.run.prices import PRICES, REFERENCE, Prices
from lambda_src.run.prices import dollars as dollars_of

MOST_CHANGES = 4


TRANSITIONS = "state_transitions"
"""What a state machine costs, in addition to ``prices.ITEMS``."""


WITHOUT_BYTECODE = {
    "imports_map": Figure(0.095, "s", "measured", "imports and client of parse_block, which are compiled"),
    "imports_other": Figure(0.13, "s", "measured", "those of the other functions, which are compiled, too"),
}


BEFORE = {
    **FIGURES,
    **WITHOUT_BYTECODE,
    "imports_other": Figure(0.5, "s", "measured", "with boto3"),
    "warmed": Figure(0, "", "code", "each function starts when it is called"),
    "invoke": Figure(0.0012, "s", "measured", "by boto3: 1.1 to 1.5 ms"),
}
"""With boto3 in every function but parse_block, without bytecode, and without warming."""


MAP_FIGURES = {
    "map_start": Figure(
        1.0, "s", "assumed", "to read the items, make the Map Run and start its first children"
    ),
    "transition": Figure(0.05, "s", "assumed", "from one state to the next of a Standard workflow"),
    "express": Figure(0.01, "s", "assumed", "the same of an Express workflow"),
    "children": Figure(300, "1/s", "published", "starts of Standard workflows, after a burst; us-east-1"),
    "children_burst": Figure(1300, "", "published", "that burst"),
    "express_children": Figure(6000, "1/s", "published", "starts of Express workflows, and their burst"),
    "at_once": Figure(10_000, "", "published", "child workflows at once"),
    "per_child": Figure(
        2, "", "assumed", "transitions that a Standard child pays for: its start and its one state"
    ),
    "dollars_transition": Figure(25e-6, "$", "published", "a state transition of a Standard workflow"),
    "dollars_express": Figure(1e-6, "$", "published", "a start of an Express workflow"),
    "dollars_express_gb_s": Figure(
        16.67e-6, "$", "published", "its GB-seconds, of 64 MB and 100 ms at least"
    ),
}
"""Figures of a Step Functions Distributed Map over the same Lambdas."""


class Change(NamedTuple):
    """A change: ``factors`` of figures, of the size of a block, of the Lambdas at
    once. It is ``ours`` to change, or AWS's."""

    what: str
    ours: bool
    factors: Mapping[str, float]
    block: float = 1.0
    lambdas: float = 1.0


CHANGES = (
    Change("bandwidth of a Lambda", False, {"network": 2}),
    Change("speed of a core", False, {"count": 2, "reduce": 2, "read": 1 / 2}),
    Change(
        "latency of S3",
        False,
        dict.fromkeys(("get", "get_p99", "put", "put_p99"), 1 / 2),
    ),
    Change(
        "starts of environments",
        False,
        dict.fromkeys(("environment", "init", "init_p99", "imports_map", "imports_other"), 1 / 2),
    ),
    Change("GETs a second that S3 serves", False, {"gets": 2, "puts": 2}),
    Change("four times the calls at the beginning", True, {"first_window": 4}),
    Change("blocks of twice the size", True, {}, block=2),
    Change("twice the Lambdas at once", True, {}, lambdas=2),
    Change("twice the GETs at once by a reducer", True, {"reads_at_once": 2}),
    Change("windows of twice the size", True, {"window": 2}),
    Change("room for four times the distinct words in a reducer", True, {"distinct": 4}),
    Change("two reducers for each part", True, {"parts": 2}),
    Change("half the processor time of an invoke", True, {"invoke": 1 / 2}),
)
"""AWS's are each twice as good, ours are what could be tried."""


def distributed_map(
    units: int,
    concurrency: int,
    *,
    cold: bool,
    express: bool,
    block_units: int | None = None,
    prices: Prices = PRICES[REFERENCE, "arm64"],
    figures: Figures = FIGURES,
) -> Modelled:
    """The same Lambdas under a state machine: a function that lists the blocks, a Distributed Map over
    ``parse_block``, one that checks and writes the manifest, a Map over ``get_occurrences``, ``log_results``.
    The children of the Distributed Map are Express workflows or Standard ones."""
    of = {name: figure.value for name, figure in MAP_FIGURES.items()}
    figures = {**figures, "warmed": figures["warmed"]._replace(value=0)}
    ours = model(units, concurrency, cold=cold, block_units=block_units, prices=prices, figures=figures)
    at_once = {
        **figures,
        "first_window": figures["first_window"]._replace(value=of["at_once"]),
        "invoke": figures["invoke"]._replace(value=1 / of["express_children"]),
    }
    run = RunModel(units, ours.block_units, concurrency, cold=cold, figures=at_once)
    begin_s, begin_used = run.start()
    parse_s, parse_used = run.parse()
    reduce_s, reduce_used = run.reduce()
    log_s, log_used = run.log()
    step_s = of["transition"]
    child_s, starting_s, child_dollars = _children(run, of, express=express)
    parse_s = max(parse_s, starting_s + run.map_s) + of["map_start"] + 2 * child_s
    # The function that checks starts and ends in place of get_all_occurrences.
    reduce_s += 2 * step_s + 2 * figures["table_get"].value
    parts = figures["parts"].value
    stages = tuple(
        Stage(name, seconds, used, dollars_of(used, prices) | {TRANSITIONS: dollars})
        for name, seconds, used, dollars in (
            ("start", 2 * step_s + begin_s, begin_used, 2 * of["dollars_transition"]),
            (
                "parse",
                parse_s,
                _without_waiting(parse_used, parse_s, figures),
                of["dollars_transition"] + run.blocks * child_dollars,
            ),
            (
                "reduce",
                reduce_s,
                _without_waiting(reduce_used, reduce_s, figures),
                (2 + parts) * of["dollars_transition"],
            ),
            ("log", step_s + log_s, log_used, of["dollars_transition"]),
        )
    )
    return ours._replace(stages=stages, obstacle=run.obstacle())


def _children(run: RunModel, of: Mapping[str, float], *, express: bool) -> tuple[float, float, float]:
    """The children of the map: seconds that each adds to its block, seconds until the last one starts, and
    dollars of each."""
    if not express:
        starting_s = max(run.blocks - of["children_burst"], 0.0) / of["children"]
        return of["transition"], starting_s, of["per_child"] * of["dollars_transition"]
    child_s = of["express"]
    billed_s = math.ceil((run.map_s + child_s) * 10) / 10
    return child_s, 0.0, of["dollars_express"] + billed_s * 64 / 1024 * of["dollars_express_gb_s"]


def _without_waiting(used: dict[str, float], waited_s: float, figures: Figures) -> dict[str, float]:
    """Less what ``parse_file`` costs while it waits: a state machine waits for nothing."""
    gb_s = waited_s * figures["memory"].value / 1024
    return {**used, "gb_s": max(used["gb_s"] - gb_s, 0.0), "table_read_units": 0.0, "table_write_units": 0.0}


def gains(
    run: Modelled,
    *,
    ours: bool,
    prices: Prices = PRICES[REFERENCE, "arm64"],
    figures: Figures = FIGURES,
) -> list[tuple[Change, Modelled]]:
    """What each change would make of the run, the fastest first."""
    changed = [(change, _changed(run, change, prices, figures)) for change in CHANGES if change.ours == ours]
    return sorted(changed, key=lambda pair: (bool(pair[1].obstacle), pair[1].seconds))


def halved_by(
    run: Modelled,
    *,
    prices: Prices = PRICES[REFERENCE, "arm64"],
    figures: Figures = FIGURES,
) -> tuple[list[Change], Modelled]:
    """Changes of ours that together halve the run's time, each the best one after those before it; all that
    gain something, where none halves it."""
    made: list[Change] = []
    now = run
    while now.seconds > run.seconds / 2:
        change, then = gains(now, ours=True, prices=prices, figures=figures)[0]
        if then.seconds > now.seconds / ABOUT or len(made) == MOST_CHANGES:
            break
        made.append(change)
        figures = _with_factors(figures, change)
        now = then
    return made, now


def _changed(run: Modelled, change: Change, prices: Prices, figures: Figures) -> Modelled:
    return model(
        run.units,
        int(run.concurrency * change.lambdas),
        cold=run.cold,
        block_units=int(run.block_units * change.block),
        prices=prices,
        figures=_with_factors(figures, change),
    )


def _with_factors(figures: Figures, change: Change) -> Figures:
    return {
        name: figure._replace(value=figure.value * change.factors.get(name, 1.0))
        for name, figure in figures.items()
    }
