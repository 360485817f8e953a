"""The two approaches that the recipe's authors gave up, in today's numbers: a counter in DynamoDB for each
word, and Step Functions instead of our own fan-out."""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from fanfold.estimate.model import Given, Modelled, Stage, model
from lambda_src.figures import Figure, values_of
from lambda_src.run.model import RunModel, blob_share, even_blocks
from lambda_src.run.plan import Plan
from lambda_src.run.prices import dollars as dollars_of

TRANSITIONS = "state_transitions"
"""What a state machine costs, in addition to ``prices.ITEMS``."""

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
    "inline_at_once": Figure(40, "", "published", "iterations at once of a Map that is not distributed"),
    "inline_events": Figure(25_000, "", "published", "events that the history of its workflow may have"),
    "events": Figure(5, "", "published", "of these, for each Lambda that it calls"),
    "dollars_transition": Figure(25e-6, "$", "published", "a state transition of a Standard workflow"),
    "dollars_express": Figure(1e-6, "$", "published", "a start of an Express workflow"),
    "dollars_express_gb_s": Figure(
        16.67e-6, "$", "published", "its GB-seconds, of 64 MB and 100 ms at least"
    ),
}
"""Figures of a Step Functions Distributed Map over the same Lambdas."""

COUNTER_FIGURES = {
    "word_bytes": Figure(6.5, "bytes", "assumed", "of text for each word"),
    "item_writes": Figure(1000, "1/s", "published", "writes of one item, and of one partition"),
    "table_writes": Figure(40_000, "1/s", "published", "writes of one table: the default quota"),
    "lost_answers": Figure(1e-5, "", "assumed", "share of writes that are done though no answer arrives"),
}
"""Figures of counters in DynamoDB."""


class Counters(NamedTuple):
    """What counters take: writes, and those of the most frequent word; seconds, of the table and of that one
    item; dollars for the writes alone; words that are counted twice, because no answer to a write arrived and
    it was sent again."""

    writes: float
    largest: float
    table_s: float
    item_s: float
    dollars: float
    twice: float


def counters(given: Given, plan: Plan, *, each_word: bool) -> Counters:
    """A counter in DynamoDB for each word, to which every block adds: each word that it reads, or the sum of
    each word that it has."""
    of = values_of({**given.figures, **COUNTER_FIGURES})
    words = given.units / of["word_bytes"]
    if each_word:
        writes, largest = words, words * MOST_FREQUENT
    else:
        blocks = math.ceil(given.units / plan.block_units)
        writes = blocks * plan.block_units * blob_share(plan.block_units, of) / of["entry"]
        largest = blocks
    return Counters(
        writes,
        largest,
        writes / of["table_writes"],
        largest / of["item_writes"],
        writes * given.prices.table_write_units,
        of["lost_answers"] * words,
    )


MOST_FREQUENT = 0.06
"""Share of "the" among the words of English text."""


Kind = Literal["inline", "standard", "express"]


class Machine(NamedTuple):
    """A run under a state machine, and the state transitions that are paid for one by one."""

    run: Modelled
    transitions: float


def state_machine(given: Given, plan: Plan, concurrency: int, kind: Kind, *, cold: bool = True) -> Machine:
    """The same Lambdas under a state machine: a function that lists the blocks, a Map over ``parse_block``,
    one that checks and writes the manifest, a Map over ``get_occurrences``, ``log_results``. The first Map is
    inline, or a Distributed Map whose children are Standard workflows or Express ones."""
    machine = values_of(MAP_FIGURES)
    of = values_of(given.figures) | {
        "warmed": 0.0,
        "payload": 0.0,
        "invoke": 1 / machine["express_children"],
        "connect_call": 0.0,
    }
    ours = model(given, plan, concurrency, cold=cold)
    blocks = even_blocks(given.units, ours.block_units, concurrency, of)
    run = RunModel(blocks, concurrency, of, cold=cold)
    begin_s, begin_used = run.start()
    parse_s, parse_used = run.parse()
    reduce_s, reduce_used = run.reduce(plan.shard_by, plan.shards)
    log_s, log_used = run.log()
    step_s = machine["transition"]
    child_s, starting_s, child_transitions, child_dollars = _children(run, machine, kind)
    begun_s = 0.0 if kind == "inline" else machine["map_start"]
    parse_s = max(parse_s, starting_s + blocks.slowest_s) + begun_s + 2 * child_s
    # The function that checks starts and ends in place of get_all_occurrences.
    reduce_s += 2 * step_s + 2 * of["table_get"]
    transition = machine["dollars_transition"]
    parsing = transition * (1 + blocks.number * child_transitions) + blocks.number * child_dollars
    stages = tuple(
        Stage(name, seconds, used, dollars_of(used, given.prices) | {TRANSITIONS: dollars})
        for name, seconds, used, dollars in (
            ("start", 2 * step_s + begin_s, begin_used, 2 * transition),
            ("parse", parse_s, _without_waiting(parse_used, parse_s, of), parsing),
            ("reduce", reduce_s, _without_waiting(reduce_used, reduce_s, of), (2 + plan.shards) * transition),
            ("log", step_s + log_s, log_used, transition),
        )
    )
    obstacle = ours.obstacle
    if kind == "inline" and (blocks.number + plan.shards) * machine["events"] > machine["inline_events"]:
        obstacle = f"Its history would have more than {machine['inline_events']:,.0f} events."
    return Machine(
        ours._replace(stages=stages, obstacle=obstacle), 6 + plan.shards + blocks.number * child_transitions
    )


def _children(run: RunModel, of: Mapping[str, float], kind: Kind) -> tuple[float, float, float, float]:
    """The iterations of the first map: seconds that each adds to its block, seconds until the last one
    starts, transitions of each, and other dollars."""
    if kind == "inline":
        return of["transition"], 0.0, 1.0, 0.0
    if kind == "standard":
        starting_s = max(run.blocks.number - of["children_burst"], 0.0) / of["children"]
        return of["transition"], starting_s, of["per_child"], 0.0
    child_s = of["express"]
    billed_s = math.ceil((run.blocks.slowest_s + child_s) * 10) / 10
    return child_s, 0.0, 0.0, of["dollars_express"] + billed_s * 64 / 1024 * of["dollars_express_gb_s"]


def _without_waiting(used: dict[str, float], waited_s: float, of: Mapping[str, float]) -> dict[str, float]:
    """Less what ``parse_file`` costs while it waits: a state machine waits for nothing."""
    gb_s = waited_s * of["memory"] / 1024
    return {**used, "gb_s": max(used["gb_s"] - gb_s, 0.0), "table_read_units": 0.0, "table_write_units": 0.0}
