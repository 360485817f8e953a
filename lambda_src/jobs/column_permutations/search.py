"""The best choices of a reducer's share: R squared of all of them, many at a time."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import comb
from typing import NamedTuple

import numpy as np

from lambda_src.job import Span
from lambda_src.jobs.column_permutations.best import BILLION, Scored
from lambda_src.jobs.column_permutations.cells import Flags, Floats, Places
from lambda_src.jobs.column_permutations.fit import (
    Begun,
    Left,
    begin,
    eliminate,
    last_alone,
    last_of_two,
    r_squared,
)
from lambda_src.jobs.column_permutations.ranks import Space, set_of

MAX_COLUMNS = 500

BATCH_CHOICES = 1 << 14
"""Number of choices computed at once: about ten arrays of as many floats fit into a processor's second-level
cache."""


class Model(NamedTuple):
    """What to search: ``left`` has the inner products of the ``predictors`` and behind them, of the
    ``targets``, if these are others, once the columns ``always`` are eliminated. ``variances`` are those of
    the targets before that.

    ``column_of`` is the number of each in the table of ``names``, and ``same_as`` the class of columns that
    are one quantity: the first of it stands for all."""

    space: Space
    left: Left
    variances: Floats
    rows: int
    names: Sequence[str]
    column_of: Sequence[int]
    same_as: Sequence[int]
    always: Sequence[int]

    @property
    def targets(self) -> slice:
        """Where the targets are in ``left``."""
        return slice(0 if self.space.targets is None else self.space.predictors, len(self.column_of))


class Found(NamedTuple):
    """Of one number of predictors: how many choices were ``tested``, the best of all, and the best models."""

    tested: int
    best: list[Scored]
    models: list[Scored]


def evaluate(share: Span, model: Model, top: int) -> list[Found]:
    """For each size, what there is in ``share``."""
    space = model.space
    variances = np.where(model.variances > 0, model.variances, np.nan)
    ranked = _Ranked(model)
    tested = dict.fromkeys(space.sizes, 0)
    best = {size: _Best(top, ranked) for size in space.sizes}
    # Where R squared is 1, any of the columns may be the target of the same model.
    models = {size: _Best(top * (size + 1), ranked) for size in space.sizes}

    @lru_cache(maxsize=space.most)
    def without(predictors: tuple[int, ...]) -> Left:
        if not predictors:
            return model.left
        return eliminate(without(predictors[1:]), predictors[0], slice(0, predictors[0]))

    @lru_cache(maxsize=1)
    def begun(predictors: tuple[int, ...]) -> Begun:
        return begin(without(predictors))

    for sets in _batches(share, space):
        size = sets.shape[1]
        if size == 1:
            last = last_alone(model.left, sets[:, 0], model.targets)
        else:
            seconds = sets[:, 1] if sets[0, 1] < sets[-1, 1] else sets[:1, 1]
            last = last_of_two(begun(tuple(sets[0, 2:].tolist())), seconds, sets[:, 0], model.targets)
        figures = r_squared(last, variances)
        if space.targets is None:
            for predictors in sets.T:
                figures[np.arange(len(sets)), predictors] = np.nan
        tested[size] += len(sets) * space.targets_of(size)
        _add(figures, sets, best[size], models[size], ranked)
    return [Found(tested[size], best[size].found, models[size].found) for size in space.sizes]


def _batches(share: Span, space: Space) -> Iterator[Places]:
    """The sets of ``share``, in order, each a row. Those of a batch differ only in their first two
    predictors."""
    seconds, firsts = np.tril_indices(space.predictors, -1)
    rank = share.start
    while rank < share.end:
        first, *others = set_of(rank, space)
        targets = space.targets_of(1 + len(others))
        most = min(max(1, BATCH_CHOICES // targets), share.end - rank)
        if others:
            second, *rest = others
            # With one second predictor there is less to look up, and a quarter of a batch is large enough.
            one_second = second * targets > BATCH_CHOICES // 4
            end = comb(second + 1 if one_second else (*rest, space.predictors)[0], 2)
            begin = comb(second, 2) + first
            pairs = slice(begin, min(begin + most, end))
            sets = np.empty((pairs.stop - pairs.start, 2 + len(rest)), np.int64)
            sets[:, 0], sets[:, 1], sets[:, 2:] = firsts[pairs], seconds[pairs], rest
        else:
            sets = np.arange(first, min(first + most, space.predictors))[:, None]
        yield sets
        rank += len(sets)


class _Ranked:
    """How choices are ordered, and which of them are models of their own."""

    def __init__(self, model: Model) -> None:
        self.model = model
        in_order = {name: place for place, name in enumerate(sorted(model.names))}
        column_of = np.array(model.column_of)
        self.name_order = np.array([in_order[name] for name in model.names])[column_of]
        self.same_as = np.array(model.same_as)[column_of]
        always = {model.same_as[column] for column in model.always}
        count = model.space.predictors
        predictors, targets = self.same_as[:count], self.same_as[model.targets]
        # Of each class the first one stands for it, unless it is there always, or those that are leave only
        # rounding noise of it, as the intercept does of a constant.
        self.stands = np.zeros(len(column_of), bool)
        for part, first in ((predictors, 0), (targets, model.targets.start)):
            _, places = np.unique(part, return_index=True)
            self.stands[first + places] = True
        self.stands &= ~np.isin(self.same_as, list(always))
        self.stands &= model.left.high.diagonal() > model.left.noise

    def are_models(self, sets: Places, targets: Places) -> Flags:
        """Which of the choices are models of their own; all are numbers of columns."""
        found: Flags = self.stands[targets]
        for predictors in sets.T:
            found &= self.stands[predictors] & (self.same_as[predictors] != self.same_as[targets])
        if sets.shape[1] == 1 and self.model.space.targets is None and not self.model.always:
            found &= self.name_order[targets] < self.name_order[sets[:, 0]]  # a on b is b on a
        return found


class _Best:
    """The ``top`` best choices so far."""

    def __init__(self, top: int, ranked: _Ranked) -> None:
        self.found: list[Scored] = []
        self.floor, self.worst_key = -1.0, MAX_COLUMNS
        self._top, self._ranked = top, ranked
        self._order_of = dict(
            zip(
                (ranked.model.names[at] for at in ranked.model.column_of),
                ranked.name_order.tolist(),
                strict=True,
            )
        )

    def add(self, figures: Floats, sets: Places, targets: Places) -> None:
        """Add the choices that are good enough."""
        ranked, model = self._ranked, self._ranked.model
        billionths = np.rint(np.minimum(figures, 1.0) * BILLION).astype(np.int64)
        keys = ranked.name_order[targets] - billionths * MAX_COLUMNS
        (kept,) = np.nonzero(keys <= self.worst_key)
        if not model.always:
            names_of_sets = ranked.name_order[sets[kept, ::-1].T]
            kept = kept[np.lexsort((*names_of_sets, keys[kept]))[: self._top]]
        elif len(kept) > self._top:  # where columns come in between, names decide on ties
            kept = kept[keys[kept] <= np.partition(keys[kept], self._top - 1)[self._top - 1]]
        names, column_of = model.names, model.column_of
        found = []
        for place in kept:
            columns = sorted([*(column_of[at] for at in sets[place]), *model.always])
            found.append(
                Scored(
                    -int(billionths[place]),
                    names[column_of[targets[place]]],
                    tuple(names[column] for column in columns),
                    _adjusted(float(figures[place]), model.rows, len(columns)),
                )
            )
        if found:
            self.found = sorted(self.found + found)[: self._top]
        if len(self.found) == self._top:
            last = self.found[-1]
            self.floor = (-last.minus_billionths - 1) / BILLION
            self.worst_key = last.minus_billionths * MAX_COLUMNS + self._order_of[last.target]


def _adjusted(figure: float, rows: int, predictors: int) -> int | None:
    """The adjusted R squared in billionths."""
    freedom = rows - predictors - 1
    if freedom <= 0:
        return None
    return round((1 - (1 - min(figure, 1.0)) * (rows - 1) / freedom) * BILLION)


def _add(figures: Floats, sets: Places, best: _Best, models: _Best, ranked: _Ranked) -> None:
    places = np.flatnonzero(figures >= min(best.floor, models.floor))
    if not len(places):
        return
    numbers, targets = np.divmod(places, figures.shape[1])
    sets, targets = sets[numbers], ranked.model.targets.start + targets
    found = figures.ravel()[places]
    good = found >= best.floor
    best.add(found[good], sets[good], targets[good])
    good = found >= models.floor
    good[good] = ranked.are_models(sets[good], targets[good])
    models.add(found[good], sets[good], targets[good])
