"""A reducer's share of the choices, from the sums of all rows."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lambda_src.job import Context
from lambda_src.jobs.column_permutations.asked import chosen, space_of, used
from lambda_src.jobs.column_permutations.best import BILLION
from lambda_src.jobs.column_permutations.fit import NOISE_OF_ROUNDING, Left, eliminate, inner_products
from lambda_src.jobs.column_permutations.found import Block
from lambda_src.jobs.column_permutations.options import Options
from lambda_src.jobs.column_permutations.search import Model, evaluate


def best_of_share(shard: int, block: Block, context: Context) -> dict[str, Any]:
    """The best of the share of ``shard``, by the number of predictors, and what was found of the table.
    Raises TableUnusable."""
    options: Options = context.options
    names: list[str] = context.facts["dialect"]["columns"]
    run, found = chosen(context.facts, options), block.found
    columns, left_out = used(names, found, run, options)
    space, predictors = space_of(columns, run, options)
    place = {at: number for number, at in enumerate(run.added)}
    largest = [found.columns[at].largest for at in run.added]
    left = inner_products(block.sums, largest, [place[at] for at in columns])
    variances = left.high.diagonal()
    same_as = _classes(left, [*_numbers(columns, run.targets), *_numbers(columns, run.always)])
    always = _numbers(columns, run.always)
    rest = left
    for at in always:
        rest = eliminate(rest, at, slice(0, len(columns)))
    searched = [*_numbers(columns, predictors), *_numbers(columns, run.targets)]
    model = Model(
        space=space,
        left=rest.of(searched),
        variances=variances[searched if space.targets is None else _numbers(columns, run.targets)],
        rows=found.used,
        names=[names[at] for at in columns],
        column_of=searched,
        same_as=same_as,
        always=always,
    )
    sizes = evaluate(space.share(shard, context.shards.count), model, options.top)
    return {
        "sizes": [size._asdict() for size in sizes],
        "table": {
            "rows": found.rows,
            "rows_used": found.used,
            "columns": [names[at] for at in columns],
            "choices": space.choices(),
            "twins": _twins(same_as, model.names),
            "rounded": _rounded(left, model.names, [found.columns[at].whole for at in columns]),
            "left_out": left_out,
        },
    }


def _rounded(left: Left, names: Sequence[str], whole: Sequence[bool]) -> list[tuple[str, int]]:
    """Columns whose numbers differ by so little that reading them as floats leaves fewer than 9 decimals of R
    squared, and how many: half a unit of the last bit, relative to their deviation, changes it by no more."""
    rounded = []
    for name, is_whole, variance, noise in zip(
        names, whole, left.high.diagonal().tolist(), left.noise.tolist(), strict=True
    ):
        error = math.sqrt(noise / variance) / NOISE_OF_ROUNDING if variance and not is_whole else 0
        if error > 0.5e-9:
            rounded.append((name, math.floor(-math.log10(min(error, 1)))))
    return rounded


def _numbers(columns: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """The places of ``wanted`` among ``columns``."""
    place = {at: number for number, at in enumerate(columns)}
    return [place[at] for at in wanted]


def _classes(left: Left, first: Sequence[int]) -> list[int]:
    """For each column, the one that stands for it: the first whose R squared on it is 1, to 9 decimals.
    Columns in ``first`` come before others."""
    variances = left.high.diagonal()
    scaled = np.where(variances > left.noise, variances, np.inf)
    figures = left.high**2 / (scaled[:, None] * scaled)
    same = np.rint(figures * BILLION) == BILLION
    classes = list(range(len(variances)))
    taken: set[int] = set()
    for at in [*first, *(at for at in range(len(variances)) if at not in set(first))]:
        if at in taken:
            continue
        for other in np.flatnonzero(same[at]).tolist():
            if other not in taken:
                classes[other] = at
                taken.add(other)
        taken.add(at)
    return classes


def _twins(same_as: Sequence[int], names: Sequence[str]) -> list[list[str]]:
    """The classes of more than one column, by name, in their order."""
    classes: dict[int, list[str]] = {}
    for at, first in enumerate(same_as):
        classes.setdefault(first, []).append(names[at])
    return [group for group in classes.values() if len(group) > 1]
