"""R squared of every choice of columns: as lstsq has it, each choice once, wherever the table is cut."""

import json
import math
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, combinations_with_replacement, pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from fanfold.demo.table import write_table
from fanfold.jobs.column_permutations import draw, show
from fanfold.report.figures import Table as PageTable
from fanfold.testing import Objects, check_job, run_job
from lambda_src.errors import ConservationBroken, FanfoldError, InvalidRequest, TableUnusable
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Context, Shards, Span
from lambda_src.jobs import column_permutations
from lambda_src.jobs.column_permutations import JOB, dialect, found, search, sums
from lambda_src.jobs.column_permutations.ranks import Space, set_of
from lambda_src.jobs.column_permutations.sums import Sums
from tests.nist import SETS

Columns = Mapping[str, Sequence[float]]
Figures = dict[tuple[str, tuple[str, ...]], float | None]
MOST: dict[str, Any] = {"top": 1000}


def table_of(columns: Columns) -> bytes:
    rows = zip(*columns.values(), strict=True)
    return "\n".join([",".join(columns), *(",".join(map(repr, row)) for row in rows)]).encode()


def answer(data: bytes, cuts: Iterable[int] = (), reducers: int = 1, **options: Any) -> dict[str, Any]:
    shards = Shards("share", reducers, "run")
    return run_job(JOB, Objects([data], "plain"), cuts, shards=shards, options=options)


def figures_in(best: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figures:
    """The figures of an answer by target and predictors."""
    return {
        (choice["target"], tuple(choice["predictors"])): choice["r_squared"]
        for found in best.values()
        for choice in found
    }


def every_choice(columns: Sequence[str], most: int = 3) -> Iterator[tuple[str, tuple[str, ...]]]:
    for size in range(1, most + 1):
        for predictors in combinations(columns, size):
            yield from ((target, predictors) for target in columns if target not in predictors)


def lstsq(columns: Columns, target: str, predictors: Sequence[str]) -> float | None:
    """R squared as NumPy's solver has it; None of a constant target."""
    y = np.array(columns[target], float)
    if not np.ptp(y):
        return None
    design = np.column_stack([np.ones(len(y)), *(columns[name] for name in predictors)])
    rest = y - design @ np.linalg.lstsq(design, y)[0]
    centred = y - y.mean()
    return float(1 - (rest @ rest) / (centred @ centred))


def exactly(columns: Columns, target: str, predictors: Sequence[str]) -> float:
    """R squared of the columns' floats in rational arithmetic."""
    exact = [[Fraction(float(cell)) for cell in columns[name]] for name in (*predictors, target)]
    centred = [[cell - sum(column) / len(column) for cell in column] for column in exact]
    inner = [
        [sum((x * y for x, y in zip(one, other, strict=True)), Fraction()) for other in centred]
        for one in centred
    ]
    total = inner[-1][-1]
    for pivot in range(len(predictors)):
        if inner[pivot][pivot]:
            for row in range(pivot + 1, len(inner)):
                factor = inner[row][pivot] / inner[pivot][pivot]
                inner[row] = [a - factor * b for a, b in zip(inner[row], inner[pivot], strict=True)]
    return float(1 - inner[-1][-1] / total)


# R squared.


@st.composite
def small_tables(draw: st.DrawFn) -> Columns:
    """Few rows of small numbers, with constant, equal, opposite and summed columns among them."""
    rows = draw(st.integers(2, 7))
    cells = st.lists(st.integers(-3, 3), min_size=rows, max_size=rows)
    columns: list[list[int]] = draw(st.lists(cells, min_size=2, max_size=4))
    for _ in range(draw(st.integers(0, 2))):
        one, other = (draw(st.sampled_from(columns)) for _ in range(2))
        a, b, c = (draw(st.integers(-2, 2)) for _ in range(3))
        columns.append([a * x + b * y + c for x, y in zip(one, other, strict=True)])
    order = draw(st.permutations("abcdefg"))
    return dict(zip(order, columns, strict=False))


@given(small_tables(), st.integers(1, 4))
@settings(max_examples=60)
def test_every_choice_is_what_lstsq_finds(columns: Columns, most: int) -> None:
    whole = answer(table_of(columns), most=most, **MOST)
    figures: Figures = {choice: lstsq(columns, *choice) for choice in every_choice(list(columns), most)}
    ranked = figures_in(whole["best"])
    assert set(ranked) == {choice for choice, r_squared in figures.items() if r_squared is not None}
    for choice, r_squared in ranked.items():
        assert r_squared == pytest.approx(figures[choice], abs=1e-9)
        assert r_squared is not None
        assert 0.0 <= r_squared <= 1.0
        assert math.copysign(1, r_squared) == 1
    assert list(whole["best"]) == [str(size) for size in range(1, most + 1)]
    for size, best in whole["best"].items():
        order = sorted(
            (-r2, *choice) for choice, r2 in ranked.items() if r2 is not None and len(choice[1]) == int(size)
        )
        assert [(-one["r_squared"], one["target"], tuple(one["predictors"])) for one in best] == order
        assert whole["tested"][size] == sum(len(names) == int(size) for _, names in figures)
    assert whole["choices"] == len(figures)


@given(small_tables(), st.data())
@settings(max_examples=60)
def test_models_are_those_choices_that_say_something_new(columns: Columns, data: st.DataObject) -> None:
    """An oracle that works on the answer's own figures: which choices are one model is a matter of names."""
    names = list(columns)
    rest = data.draw(st.permutations(names))
    target, always = rest[: data.draw(st.integers(0, 2))], rest[2 : 2 + data.draw(st.integers(0, 1))]
    assume(len(names) > len(target) + len(always))
    options: dict[str, Any] = {"target": target, "always": always, "most": 2, **MOST}
    pairs = figures_in(answer(table_of(columns), most=1, **MOST)["best"])

    def first_of(name: str) -> str:
        """The column shown for a class of twins: one that was asked for, if possible."""
        order = [*sorted(target, key=names.index), *sorted(always, key=names.index), *names]
        for at, one in enumerate(order):
            if one == name or (
                pairs.get((one, (name,))) == 1
                and not any(pairs.get((before, (one,))) == 1 for before in order[:at])
            ):
                return one
        raise AssertionError

    try:
        whole = answer(table_of(columns), **options)
    except (TableUnusable, InvalidRequest):
        return
    stands = {name: first_of(name) for name in names}
    expected: dict[str, dict[Any, float]] = {"1": {}, "2": {}}
    for (y, with_always), figure in sorted(
        figures_in(whole["best"]).items(), key=lambda one: (-(one[1] or 0), one[0])
    ):
        chosen = [name for name in with_always if name not in always]
        of_targets, of_others = target or names, [name for name in names if name not in {*target, *always}]
        mine = {stands[name] for name in chosen}
        shown = (
            len(mine) == len(chosen)
            and all(len({*columns[name]}) > 1 for name in chosen)
            and stands[y] not in mine
            and not {stands[name] for name in always} & {stands[y], *mine}
            and all(name == next(one for one in of_others if stands[one] == stands[name]) for name in chosen)
            and y == next(one for one in of_targets if stands[one] == stands[y] and one not in always)
        )
        if not shown or figure is None:
            continue
        same: Any = (y, with_always)
        if figure == 1 or (len(with_always) == 1 and not target):
            same = frozenset([y, *with_always])
        expected[str(len(chosen))].setdefault(same, figure)
    assert {size: [one["r_squared"] for one in models] for size, models in whole["models"].items()} == {
        size: list(one.values()) for size, one in expected.items()
    }


@pytest.mark.parametrize(("columns", "count"), [(120, 30), (500, 3)])
def test_random_choices_of_a_large_table_are_what_lstsq_finds(columns: int, count: int) -> None:
    random = np.random.default_rng(1)
    cells = np.array(random.normal(size=(60, columns)) * 10.0 ** random.integers(-3, 4, columns), np.float64)
    cells[:, 1:100:7] += cells[:, 0:99:7] * 0.1
    table = {f"c{number}": cells[:, number].tolist() for number in range(columns)}
    space = Space(columns, None, 3)
    source = input_of_bytes([table_of(table)])
    measured = JOB.measure(source)
    context = Context(Shards("share", space.sets(), "run"), JOB.read_options(MOST), measured.facts)
    (line,) = JOB.map(Span(0, measured.units), source, context).lines
    last = space.sets() - 1
    for rank in [0, last, *(Random(1).sample(range(last), count))]:
        names = tuple(f"c{number}" for number in set_of(rank, space))
        share = json.loads(JOB.reduce(rank, [line.data], context).data)
        best = {
            target: -figure / 1e9
            for size in share["sizes"]
            for figure, target, predictors, _ in size["best"]
            if tuple(predictors) == names
        }
        assert len(best) == columns - len(names)
        for target in Random(rank).sample(sorted(best), 40):
            assert best[target] == pytest.approx(lstsq(table, target, names), abs=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1.0, 1e12, 1e297])
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e9])
@pytest.mark.parametrize("distance", [1.0, 1e-3, 1e-5])
def test_badly_scaled_and_nearly_collinear_columns(scale: float, offset: float, distance: float) -> None:
    """The third is the sum of the others but for a little, and the little is what explains the target."""
    random = np.random.default_rng(7)
    a, b, little, noise = random.normal(size=(4, 40))
    cells = [a, b, a + b + distance * little, little + noise / 3]
    columns: Columns = {
        name: ((values + offset) * scale).tolist() for name, values in zip("abcd", cells, strict=True)
    }
    for choice, r_squared in figures_in(answer(table_of(columns), **MOST)["best"]).items():
        # Half a billionth of rounding, and what the 53 bits of a cell leave open.
        assert r_squared == pytest.approx(exactly(columns, *choice), abs=0.51e-9)


@pytest.mark.parametrize("cells", ["1e308,-1e308,0,5e307", "5e-324,0,1e-323,0", "1e308,1e-308,-1,0"])
def test_numbers_at_the_ends_of_their_range(cells: str) -> None:
    extreme = [float(cell) for cell in cells.split(",")]
    columns: Columns = {"a": extreme, "b": [1.0, 2.0, 3.0, 5.0]}
    best = answer(table_of(columns))["best"]["1"]
    assert [choice["r_squared"] for choice in best] == pytest.approx(
        [exactly(columns, "b", "a")] * 2, abs=1e-9
    )


@pytest.mark.parametrize("name", SETS)
def test_certified_figures_are_right_to_the_last_decimal(name: str) -> None:
    """NIST's figures, to 9 decimals; Filip's too, where lstsq gets only the first ones."""
    columns, certified = SETS[name]
    target, *always, last = columns
    whole = answer(table_of(columns), [97, 301], target=[target], always=always, most=1)
    (best,) = whole["best"]["1"]
    assert (best["target"], best["predictors"]) == (target, [*always, last])
    assert best["r_squared"] == round(certified, 9)
    (model,) = whole["models"]["1"]
    rows = len(columns[target])
    adjusted = 1 - (1 - Fraction(certified)) * (rows - 1) / (rows - len(columns))
    assert model["adjusted_r_squared"] == pytest.approx(float(adjusted), abs=1e-9)


def decimal_table(names: str, rows: int = 50) -> bytes:
    """Columns with relations that are exact in decimals and, for rounding, not in binary: b is a tenth of a,
    d is a + c, and z is the small difference of y and x. The target t has to do with none."""
    random = Random(3)
    lines = [",".join(names)]
    for _ in range(rows):
        a, c, z, x = (random.randrange(10**digits) for digits in (6, 6, 2, 9))
        cells = {"a": f"{a}.3", "b": f"{a // 10}.{a % 10}3", "c": f"{c}.1", "d": f"{a + c}.4"}
        cells |= {"x": f"{x}.7", "y": f"{x + z}.8", "z": f"{z}.1", "t": f"{random.random()}"}
        lines.append(",".join(cells[name] for name in names))
    return "\n".join(lines).encode()


@pytest.mark.parametrize("names", ["abcdt", "cadbt", "tbacd", "dbtca"])
def test_what_only_rounding_tells_apart_explains_nothing(names: str) -> None:
    """In any order of columns, so whichever of the collinear ones is eliminated first."""
    whole = answer(decimal_table(names), **MOST)
    figures = {
        (target, frozenset(predictors)): r_squared
        for (target, predictors), r_squared in figures_in(whole["best"]).items()
    }

    def on(predictors: str) -> float | None:
        return figures["t", frozenset(predictors)]

    assert on("a") == on("b") == on("ab") != on("ac")
    assert on("ac") == on("abc") == on("bc") == on("acd") == on("ad") == on("cd") == on("bcd") == on("abd")
    assert whole["twins"] == [sorted("ab", key=names.index)]


def test_a_small_column_may_be_the_rounding_of_large_ones() -> None:
    figures = figures_in(answer(decimal_table("zxyt"), **MOST)["best"])
    assert figures["t", ("z", "x", "y")] == figures["t", ("x", "y")]


def test_a_constant_predictor_adds_nothing_and_a_constant_target_is_not_ranked() -> None:
    columns: Columns = {"a": [1, 2, 4, 3], "b": [7, 7, 7, 7], "c": [5, 1, 1, 2]}
    whole = answer(table_of(columns))
    assert whole["tested"] == {"1": 6, "2": 3, "3": 0}
    alone, with_constant = whole["best"]["1"], whole["best"]["2"]
    assert [(best["target"], best["r_squared"]) for best in alone if best["predictors"] == ["b"]] == [
        ("a", 0.0),
        ("c", 0.0),
    ]
    assert "b" not in [best["target"] for best in alone + with_constant]
    assert {best["r_squared"] for best in with_constant} == {alone[0]["r_squared"]}


@pytest.mark.parametrize("decimals", [0, 1], ids=["exactly", "but for rounding"])
def test_what_the_columns_in_every_model_explain_is_in_no_other_model(decimals: int) -> None:
    x, y = [1, 2, 3, 4, 5, 7, 9], [2, 1, 5, 3, 8, 1, 0]
    total = [round((a + 3 * b) * 10**-decimals, decimals) for a, b in zip(x, y, strict=True)]
    columns = {"x": x, "y": y, "t": [3, 1, 4, 1, 5, 9, 2], "q": [2, 7, 1, 8, 2, 8, 1], "total": total}
    models = answer(table_of(columns), always=["x", "y"], target=["t"], most=2)["models"]
    assert [choice[1] for choice in figures_in(models)] == [("x", "y", "q")]


@given(st.lists(st.tuples(*[st.integers(-20, 20)] * 2), min_size=2, max_size=40))
@example([(1, 1)] * 17 + [(-1, -1)] * 17 + [(1, -1)] * 15 + [(-1, 1)] * 15)  # R squared is 2**-10: a half.
def test_a_on_b_is_b_on_a(rows: list[tuple[int, int]]) -> None:
    a, b = zip(*rows, strict=True)
    assume(len(set(a)) > 1 and len(set(b)) > 1)
    best = answer(table_of({"a": a, "b": b}))["best"]["1"]
    assert best[0]["r_squared"] == best[1]["r_squared"]
    assert [choice["target"] for choice in best] == ["a", "b"]


def test_figures_are_the_same_from_the_results_table() -> None:
    """Which keeps no type of a number: 1.0 comes back as 1."""
    columns: Columns = {"a": [1, 2, 3, 4], "b": [2, 4, 6, 8], "c": [1, -1, -1, 1]}
    best = answer(table_of(columns))["best"]["1"]
    assert [repr(choice["r_squared"]) for choice in best] == ["1", "1", "0", "0", "0", "0"]


def test_ties_go_to_the_smaller_target_then_to_the_predictors_in_column_order() -> None:
    random = Random(1)
    same = [random.randrange(100) for _ in range(9)]
    columns: Columns = dict.fromkeys(["d", "ä", "B", "c", "A"], same)
    whole = answer(table_of(columns))
    for size in (1, 2, 3):
        choices_of_size = [choice for choice in every_choice(list(columns)) if len(choice[1]) == size]
        assert [
            (best["target"], tuple(best["predictors"]), best["r_squared"])
            for best in whole["best"][str(size)]
        ] == [(*choice, 1.0) for choice in sorted(choices_of_size)[:10]]


# Ranks and shares.


@pytest.mark.parametrize(
    "space", [Space(n, t, most) for n in range(2, 8) for t in (None, 2) for most in (1, 4)]
)
def test_each_rank_is_another_set(space: Space) -> None:
    found = [set_of(rank, space) for rank in range(space.sets())]
    assert found == [
        tuple(sorted(one))
        for size in space.sizes
        if space.targets_of(size)
        for one in sorted(combinations(range(space.predictors), size), key=lambda one: one[::-1])
    ]
    assert space.choices() == sum(space.targets_of(len(one)) for one in found)


@given(st.integers(2, 500), st.integers(1, 4), st.data())
def test_a_rank_can_be_computed_back(columns: int, most: int, data: st.DataObject) -> None:
    space = Space(columns, 1, most)
    rank = data.draw(st.integers(0, space.sets() - 1))
    predictors = set_of(rank, space)
    assert list(predictors) == sorted(set(predictors))
    back = sum(math.comb(column, place) for place, column in enumerate(predictors, start=1))
    assert back + sum(space.sets_of(size) for size in range(1, len(predictors))) == rank


@st.composite
def cut_tables(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    columns = draw(st.integers(2, 9))
    random = Random(draw(st.integers(0, 99)))
    digits = draw(st.sampled_from([1, 2, 1000]))
    cells = [[random.randrange(digits + 1) for _ in range(columns)] for _ in range(draw(st.integers(2, 20)))]
    data = table_of({f"c{number}": values for number, values in enumerate(zip(*cells, strict=True))})
    return data, draw(st.lists(st.integers(0, len(data)), max_size=9))


@given(
    cut_tables(), st.sampled_from([1, 7, 40, 1 << 14]), st.integers(1, 40), st.integers(1, 3), st.booleans()
)
@settings(max_examples=60)
def test_the_answer_is_the_same_however_choices_are_shared(
    table: tuple[bytes, list[int]], batch_choices: int, reducers: int, rows_at_once: int, with_target: bool
) -> None:
    data, cuts = table
    options: dict[str, Any] = {"target": ["c0"]} if with_target else {}
    whole = answer(data, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "BATCH_CHOICES", batch_choices)
        patch.setattr(sums, "ROWS_AT_ONCE", rows_at_once)
        patch.setattr(sums, "_BATCHES", 2)
        assert answer(data, cuts, reducers, **options) == whole
    assert sum(whole["tested"].values()) == whole["choices"]


def test_a_share_that_is_missing_is_noticed() -> None:
    source = input_of_bytes([table_of({"a": [1, 2, 4], "b": [1, 3, 3], "c": [0, 1, 5]})])
    measured = JOB.measure(source)
    context = Context(Shards("share", 3, "run"), JOB.read_options({}), measured.facts)
    (line,) = JOB.map(Span(0, measured.units), source, context).lines
    reduced = [JOB.reduce(shard, [line.data], context).data for shard in range(3)]
    assert JOB.finish(reduced, context)
    with pytest.raises(ConservationBroken, match="of 9 choices were tested"):
        JOB.finish(reduced[:2], context)


# Sums.


def total(rows: Sequence[Sequence[float]], one: int, other: int) -> Fraction:
    return sum((Fraction(row[one]) * Fraction(row[other]) for row in rows), Fraction())


FINITE = st.floats(allow_nan=False, allow_infinity=False)
DECIMALS = st.builds(
    lambda number, power: number / 10**power, st.integers(-(3 << 20), 3 << 20), st.integers(0, 7)
)
"""Most are short."""


@given(st.lists(st.tuples(FINITE, DECIMALS, FINITE | DECIMALS), max_size=12), st.data())
@example([(1.7976931348623157e308, 5e-324, 0.0), (-1.7976931348623157e308, 5e-324, 0.0)], None)
@example([(0.1, 0.5, 209.7151), (0.0001, 2.0, 209.7152), (1e9, 0.3, 209.7153)], None)
@example([(0.3, 1e-4, 1e-6), (0.1, 8e-4, 9e-6), (1e-9, 0.00015, 0.5)], None)
@settings(max_examples=150)
def test_sums_are_exact_in_any_groups(rows: list[tuple[float, ...]], data: st.DataObject | None) -> None:
    ends = data.draw(st.lists(st.integers(0, len(rows)), max_size=4)) if data else [1]
    edges = sorted({0, len(rows), *ends})
    parts = []
    for start, end in pairwise(edges):
        part = Sums("abc")
        part.add(np.array(rows[start:end], np.float64).reshape(-1, 3))
        parts.append(Sums.from_bytes(part.to_bytes(), "abc"))
    whole = Sums("abc")
    for part in data.draw(st.permutations(parts)) if data else parts:
        whole.merge(part)
    once = Sums("abc")
    once.add(np.array(rows, np.float64).reshape(-1, 3))
    assert whole.to_bytes() == once.to_bytes()
    assert whole.rows == len(rows)
    for one in range(3):
        for other in range(3):
            exponent = whole.exponents[one] + whole.exponents[other]
            found = Fraction(int(whole.totals()[1 + one, 1 + other])) * Fraction(2) ** exponent
            assert found == total(rows, one, other)


def test_sums_of_many_rows_are_exact() -> None:
    """More than a matrix product adds at once, and more bits than a float has."""
    random = np.random.default_rng(1)
    decimals = random.integers(-1_600_000, 1_600_000, (5_000, 3)) / [1000, 10**4, 10]
    long = random.integers(1 << 22, 1 << 23, (5_000, 1)) / 100
    cells = np.hstack([decimals, long, random.normal(size=(5_000, 1))])
    cells[4_000:, 2] /= 10
    found = Sums("abcde")
    for rows in np.array_split(cells, 7):
        found.add(rows)
    for one, other in combinations_with_replacement(range(5), 2):
        unit = Fraction(2) ** (found.exponents[one] + found.exponents[other])
        assert int(found.totals()[1 + one, 1 + other]) * unit == total(cells.tolist(), one, other)


def test_short_decimals_take_two_digits() -> None:
    """The work grows with their square."""
    random = np.random.default_rng(1)
    found = Sums("ab")
    found.add(random.integers(-1_000_000, 1_000_000, (sums.ROWS_AT_ONCE, 2)) / [100, 10**4])
    assert len(found._digits) == 4


def test_columns_whose_numbers_differ_too_much_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "MAX_DIGITS", 8)
    columns: Columns = {"a": [1, 2, 3], "wide": [1e-300, 1, 1e300], "c": [1, 5, 2], "d": [1, 1, 2]}
    with pytest.raises(TableUnusable, match="'wide' is one of them: take logarithms"):
        answer(table_of({**columns, "b": [1e-200, 1e-100, 1]}))


# Kinds of columns, and missing values.

MIXED = b"""name,a,b,c,flag,late,z
x,1,2,3,true,1,2
y,2,,5,false,2,9
z,3,7,NA,TRUE,3,4
x,4,1,2,,4,5
y,5,8,8,false,5,1
z,6,3,1,true,6,8
"""


def test_columns_that_are_no_numbers_are_left_out_and_named() -> None:
    whole = answer(MIXED)
    assert whole["columns"] == ["a", "b", "c", "late", "z"]
    assert [one["column"] for one in whole["columns_left_out"]] == ["name", "flag"]
    assert (whole["rows_used"], whole["rows_left_out"]) == (4, 2)
    assert answer(MIXED, booleans=True)["rows_used"] == 3
    assert answer(MIXED, booleans=True, never=["flag"])["rows_used"] == 4


def test_columns_with_missing_values_may_be_left_out_instead_of_rows() -> None:
    whole = answer(MIXED, missing="columns")
    assert whole["columns"] == ["a", "late", "z"]
    assert (whole["rows_used"], whole["rows_left_out"]) == (6, 0)
    reasons = {one["column"]: one["reason"] for one in whole["columns_left_out"]}
    assert reasons["b"] == "missing values: 1 of 6"
    only = MIXED.replace(b",2,,5,", b",2,9,5,").replace(b"NA", b"9")
    assert figures_in(answer(only, never=["b", "c"])["best"]) == figures_in(whole["best"])


def late_text(missing: bool) -> bytes:
    """``late`` is text behind the beginning of the table; in its second row, it may miss a value."""
    text = MIXED.replace(b",5,1\n", b",word,1\n")
    return text.replace(b"y,2,,5,false,2,9", b"y,2,6,5,false,%b,9" % (b"" if missing else b"2"))


@pytest.mark.parametrize("cuts", [(), (60,), (25, 60, 80, 100)])
def test_what_turns_out_late_to_be_text_is_left_out_if_that_changes_no_rows(
    monkeypatch: pytest.MonkeyPatch, cuts: Sequence[int]
) -> None:
    monkeypatch.setattr(column_permutations, "HEAD_BYTES", 30)
    whole = answer(late_text(missing=False), cuts)
    assert whole["columns"] == ["a", "b", "c", "z"]
    assert whole["rows_used"] == 5
    with pytest.raises(TableUnusable, match=r"'late' turned out late .* by the option never=late"):
        answer(late_text(missing=True), cuts)
    assert answer(late_text(missing=True), cuts, never=["late"])["rows_used"] == 5


@pytest.mark.parametrize("words", [["?"], ["x", "y"]])
def test_text_with_missing_values_changes_no_rows_under_words_for_missing(words: list[str]) -> None:
    found = answer(b"name,a,b\nx,1,2\n,2,?\ny,3,4\nx,4,9\n,5,7\n", missing_words=["?", *words])
    assert found["columns"] == ["a", "b"]
    assert found["rows_used"] == 4
    assert [one["column"] for one in found["columns_left_out"]] == ["name"]


def test_a_column_of_words_for_missing_is_reported_as_such() -> None:
    found = answer(b"q,a,b\n?,1,2\nNA,2,5\n,3,4\n", missing_words=["?"])
    assert found["columns_left_out"] == [{"column": "q", "reason": "missing values: 3 of 3"}]
    assert found["rows_used"] == 3


def test_true_and_false_beside_a_word_for_missing() -> None:
    table = b"f,a,b\nTRUE,1,2\n?,2,5\nFALSE,3,4\nTRUE,4,9\n,5,7\n"
    assert answer(table, missing_words=["?"], booleans=True)["columns"] == ["f", "a", "b"]
    assert answer(table, missing_words=["?"])["rows_used"] == 5


def test_a_word_for_missing_may_be_true_or_false() -> None:
    found = answer(b"z,a,b\nTRUE,1,2\n1,2,5\n2,3,4\n7,4,9\n", missing_words=["TRUE"])
    assert (found["columns"], found["rows_used"]) == (["z", "a", "b"], 3)


def rows_with_points(last: str) -> bytes:
    return f"a;b;y\n1;12;950\n2;11;1.045\n4;13;1.130\n3;17;{last}\n".encode()


@pytest.mark.parametrize("cuts", [(), (15, 30)])
@pytest.mark.parametrize("late", [False, True])
def test_points_that_may_be_thousands_are_read_only_where_others_tell(
    monkeypatch: pytest.MonkeyPatch, cuts: Sequence[int], late: bool
) -> None:
    """950 and 1.045 may be 950 and 1045, as a German Excel writes them."""
    if late:
        monkeypatch.setattr(column_permutations, "HEAD_BYTES", 8)
        monkeypatch.setattr(dialect, "HEAD_BYTES", 8)
    unclear = answer(rows_with_points("1.200"), cuts)
    assert unclear["columns"] == ["a", "b"]
    (left_out,) = unclear["columns_left_out"]
    assert left_out["column"] == "y"
    assert left_out["reason"].startswith("numbers such as 1.234 in 3 of 4 cells: nothing tells decimals from")
    with pytest.raises(
        TableUnusable, match=r"'y', which target names, cannot be used: numbers such as 1\.234"
    ):
        answer(rows_with_points("1.200"), cuts, target=["y"])
    for last in ("1.5", "0.250", "1200", "1200.5"):
        assert answer(rows_with_points(last), cuts)["columns"] == ["a", "b", "y"]
    elsewhere = rows_with_points("1.200").replace(b"13;", b"13.5;")
    assert answer(elsewhere, cuts)["columns"] == ["a", "b", "y"]
    scaled = rows_with_points("1.200").replace(b"950", b"2.950")  # then R squared is the same for both
    assert answer(scaled, cuts)["columns"] == ["a", "b", "y"]
    for separator in (b"\t", b"|"):
        assert answer(rows_with_points("1.200").replace(b";", separator), cuts)["columns"] == ["a", "b"]
    assert answer(rows_with_points("1.200").replace(b";", b","), cuts)["columns"] == ["a", "b", "y"]


def test_a_beginning_that_ends_inside_a_cell_tells_the_columns_of_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(column_permutations, "HEAD_BYTES", 30)
    monkeypatch.setattr(dialect, "HEAD_BYTES", 30)
    table = b'text,a,b\n"x\ny",1,2\n"' + 9 * b"line\n" + b'",2,3\n,3,1\n,4,4\n'
    found = answer(table)
    assert (found["columns"], found["rows_used"]) == (["a", "b"], 4)


def nearly_constant(numbers: Iterable[str]) -> bytes:
    rows = (f"{number},{place * place % 97}" for place, number in enumerate(numbers))
    return "\n".join(["t,a", *rows]).encode()


@pytest.mark.parametrize(
    ("numbers", "decimals"),
    [
        ([f"{2461373.5 + second / 86400:.6f}" for second in range(200)], 6),  # Julian dates
        ([f"1764324173.{millisecond:03}" for millisecond in range(200)], 5),
        ([f"1764324173.{place % 2}" for place in range(200)], 5),
        (["4503599627370495.5", *["4503599627370496"] * 199], 0),
        ([str(1764324173123 + place) for place in range(200)], None),  # integers are exact
        ([f"{place / 1000:.3f}" for place in range(200)], None),
        (["2461373.51"] * 200, None),
    ],
)
@pytest.mark.parametrize("cuts", [(), (1000,)])
def test_decimals_of_r_squared_that_rounding_leaves_open_are_reported(
    numbers: list[str], decimals: int | None, cuts: Sequence[int]
) -> None:
    table = nearly_constant(numbers)
    found = answer(table, cuts)
    assert found.get("rounded") == (None if decimals is None else [{"column": "t", "decimals": decimals}])
    if decimals is not None:
        cells = [[Fraction(cell) for cell in row.split(",")] for row in table.decode().split("\n")[1:]]
        t, a = zip(*cells, strict=True)
        means = sum(t) / len(t), sum(a) / len(a)
        products = sum((x - means[0]) * (y - means[1]) for x, y in cells)
        squares = sum((x - means[0]) ** 2 for x in t) * sum((y - means[1]) ** 2 for y in a)
        assert found["best"]["1"][0]["r_squared"] == pytest.approx(
            float(products**2 / squares), abs=10.0**-decimals
        )


def test_rounded_columns_are_shown() -> None:
    summary = answer(nearly_constant(f"{2461373.5 + second / 86400:.6f}" for second in range(200)))
    console = Console(record=True, width=200)
    show(console, summary)
    sentence = "Rounding to 64-bit floats leaves 6 decimals of R squared: subtract a constant from the column"
    assert f"Rounded: t. {sentence}" in console.export_text()
    (table,) = [one for one in draw(summary).figures if one.title == "Columns whose numbers are rounded"]
    assert isinstance(table, PageTable)
    assert table.rows == [["t", 6]]


def test_names_of_rows_are_left_out_and_named() -> None:
    found = answer(b",a,b\nx,1,2\ny,2,3\nz,3,1\n")
    assert found["columns_left_out"] == [{"column": "", "reason": column_permutations.NAMES_OF_ROWS}]


def test_without_a_long_table_no_column_turns_out_late() -> None:
    assert answer(late_text(missing=True))["rows_used"] == 5


def test_patterns_of_missing_values_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "MOST_PATTERNS", 3)
    assert found._smallest({"1", "3", "6", "7", "c"}) == {"1", "6", "c"}
    rows = [[""] * at + ["1"] + [""] * (4 - at) for at in range(5)]
    table = "\n".join(["a,b,c,d,e", "1,2,3,4,5", "2,4,3,1,9", *(",".join(row) for row in rows)]).encode()
    with pytest.raises(TableUnusable, match="Set the option missing=columns"):
        answer(table)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (b"", {}, "The table is empty"),
        (b"a,b\n", {}, "at least 2 rows without a missing value; the table has 0"),
        (b"a,b\n1,2\n,3\n", {}, "'a' lacks 1 of 2 values: leave it out by the option never=a"),
        (b"a,b\n,2\n,3\n", {}, "'a' lacks 2 of 2 values"),
        (b"a,b\n1,x\n3,y\n", {}, "at least 2 columns of numbers; the table has 1. 'b': text"),
        (b"a,b\n[m],[s]\n1,2\n3,4\n", {}, "has 0. 'a': text, the first in the row at byte 4; 'b': text, the"),
        (b"a,b\n1,2\n3,4\na,b\n1,2\n", {}, "has 0. 'a': text, the first in the row at byte 12; 'b'"),
        (b'"a,x",b\n1,2\n3,4\n', {"target": ["a"]}, r"did you mean 'a,x'\? Write it as a\\,x\."),
        (b"a,b\n1,T\n3,\n", {"missing_words": ["x"]}, "the table has 1. 'b': text"),
        (
            b"t,h\n1,2\nnan,nan\n3,5\n",
            {},
            "'h': text, the first in the row at byte 8. If these stand for missing values, name them in the "
            "option missing_words.",
        ),
        (
            b"a;b\n1.234;1,5\n99;2\n",
            {},
            "'a': a number with separators of thousands, the first in the row at byte 4.$",
        ),
        (
            b"t,h,x\n1,2,3\nnan,5,2\n3,5,1\n",
            {"target": ["t"]},
            "target: the column 't' holds text, the first in the row at byte 12. If these stand for missing",
        ),
        (
            b"t,h,x\n1,2,3\n2,5,2026-11-28\n",
            {"always": ["x"]},
            "'x' holds a date, the first in the row at byte",
        ),
        (MIXED, {"target": ["A"]}, "target: the table has no column 'A': its columns are name, a, b"),
        (MIXED, {"always": ["nmae"]}, "always: the table has no column 'nmae': did you mean name"),
        (MIXED, {"never": ["q"]}, "never: the table has no column 'q'"),
        (MIXED, {"target": ["name"]}, "target: the column 'name' holds text"),
        (MIXED, {"target": ["flag"]}, "target: the column 'flag' holds true and false: set booleans=true"),
        (MIXED, {"target": ["a"], "always": ["b", "c", "late", "z"]}, "nothing to choose from"),
        (MIXED, {"target": ["a"], "never": ["a"]}, "'a' is named twice"),
        (
            MIXED,
            {"target": ["b"], "missing": "columns"},
            "which target names, cannot be used: missing values",
        ),
        (MIXED, {"most": 5}, "most"),
        (
            b"a,b,c,d\n1,2,3,4\n2,1,,7\n3,5,1,\n",
            {"always": ["a", "b"], "missing": "columns"},
            "leave nothing to choose from: .* 'c': missing values: 1 of 3; 'd': missing values: 1 of 3.",
        ),
        (
            b"a,b,c,d\n1,2,3,4\n2,1,,7\n3,5,1,\n",
            {"target": ["a", "b"], "missing": "columns"},
            "leave nothing to choose from: .* 'c': missing values: 1 of 3",
        ),
        (
            b"a,b,c\n1,2,3\n2,1,\n3,5,1\n",
            {"always": ["a"], "missing": "columns"},
            "leave nothing to choose from: .* 'c': missing values: 1 of 3",
        ),
    ],
)
def test_what_cannot_be_answered_is_refused_in_one_sentence(
    data: bytes, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(FanfoldError, match=message) as refusal:
        answer(data, **options)
    assert isinstance(refusal.value, (TableUnusable, InvalidRequest))
    assert "\n" not in str(refusal.value)


def test_blanks_around_a_name_may_be_left_out() -> None:
    table = b"a, b,y \n1,2,3\n3,4,9\n2,2,2\n"
    assert answer(table, target=["y"], never=["b"]) == answer(table, target=["y "], never=[" b"])
    with pytest.raises(InvalidRequest, match="has no column 'a'"):
        answer(b" a,a ,y\n1,2,3\n3,4,9\n2,2,2\n", target=["a"])
    assert answer(b" a,a,y\n1,2,3\n3,4,9\n2,2,2\n", target=["a"])["models"]["1"][0]["target"] == "a"
    with pytest.raises(InvalidRequest, match="'b' and ' b' are one column"):
        answer(table, target=["b"], never=[" b"])


def test_unknown_columns_are_refused_before_anything_is_mapped() -> None:
    measured = JOB.measure(input_of_bytes([MIXED]))
    with pytest.raises(InvalidRequest, match="has no column 'bb'"):
        JOB.prepare(measured, JOB.read_options({"target": ["bb"]}))


@pytest.mark.parametrize(
    ("options", "reducers"),
    [({}, 64), ({"most": 4, "target": ["c7"]}, 64), ({"most": 4}, 220), ({"most": 1}, 1)],
)
def test_the_largest_table_has_enough_reducers(options: dict[str, Any], reducers: int) -> None:
    table = ",".join(f"c{number}" for number in range(500)) + "\n" + ",".join(["7"] * 500)
    measured = JOB.measure(input_of_bytes([table.encode()]))
    assert JOB.prepare(measured, JOB.read_options(options)).shards == reducers
    with pytest.raises(InvalidRequest, match=r"its columns are c0, .*, c19 and 480 more"):
        JOB.prepare(measured, JOB.read_options({"target": ["qqqq"]}))


def test_objects_of_one_table_must_have_one_header() -> None:
    objects = [b"a,b\n1,2\n2,3\n", b"a,b\n5,3\n"]
    assert run_job(JOB, Objects(objects))["rows_used"] == 3
    assert run_job(JOB, Objects(objects), [1, 2, 13, 14, 15, 16])["rows_used"] == 3
    for cuts in ([], [14, 15]):
        with pytest.raises(TableUnusable, match="begins with another header than the first"):
            run_job(JOB, Objects([objects[0], b"b,a\n5,3\n"]), cuts)


@pytest.mark.parametrize(
    "options",
    [
        {"target": ["a"], "always": ["z"], "most": 4},
        {"missing": "columns", "booleans": True},
        {"missing_words": ["?"], "never": ["late"]},
    ],
)
def test_runs_with_options_keep_the_laws(options: dict[str, Any]) -> None:
    assert check_job(JOB, {"table.csv": MIXED.replace(b"z,3,7", b"z,3,?")}, 20, options)


# What carries NumPy.


def test_what_finishes_and_the_client_need_no_numpy() -> None:
    program = """
import sys
sys.modules["numpy"] = None
from lambda_src.job import Context
from lambda_src.jobs.column_permutations import JOB
context = Context(JOB.shards("run"), JOB.options(most=1), {})
table = '"table": {"rows": 3, "rows_used": 3, "columns": [], "choices": 2, "twins": [], "left_out": []}'
best = '"tested": 2, "best": [[-500000001, "a", ["b"], null]], "models": []'
line = ('{"sizes": [{' + best + '}], ' + table + '}').encode()
results = {name: part.result for name, part in JOB.finish([line], context).items()}
assert JOB.summarize(context, {}, results)["best"]["1"][0]["r_squared"] == 0.500000001
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


# The generated table.


def test_the_best_of_the_generated_table_are_those_planted(tmp_path: Path) -> None:
    expected = write_table(tmp_path / "table.csv", seed=1)
    whole = answer((tmp_path / "table.csv").read_bytes())
    assert whole["choices"] == expected.choices == sum(whole["tested"].values())
    assert (whole["rows_used"], whole["rows_left_out"]) == (expected.rows_used, expected.rows_left_out)
    best = {part: (ten[0]["target"], tuple(ten[0]["predictors"])) for part, ten in whole["best"].items()}
    assert best == expected.best
    assert whole["best"]["3"][0]["r_squared"] == 1.0


def test_the_generated_table_is_made_of_its_seed(tmp_path: Path) -> None:
    tables = []
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        write_table(tmp_path / name, seed)
        tables.append((tmp_path / name).read_bytes())
    first, again, other = tables
    assert first == again != other
