"""R squared of every choice of columns: as lstsq has it, each choice once, wherever blocks are cut."""

import contextlib
import csv
import io
import math
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, product
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fanfold.demo.table import write_table
from fanfold.testing import Objects, run_job
from fanfold.testing.texts import ANY_BYTES
from lambda_src.errors import SourceTooLarge, TableUnusable
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Input, Owned, Part, Span
from lambda_src.jobs.column_permutations import JOB, fit, ranks, search
from lambda_src.jobs.column_permutations import table as table_module
from lambda_src.jobs.column_permutations.ranks import Choice, choices, unrank
from lambda_src.jobs.column_permutations.table import Table, read_table
from tests.contexts import context_for

Columns = dict[str, Sequence[float]]
Figures = dict[tuple[str, tuple[str, ...]], float | None]


def table_of(columns: Columns) -> bytes:
    rows = zip(*columns.values(), strict=True)
    return "\n".join([",".join(columns), *(",".join(map(repr, row)) for row in rows)]).encode()


def plain(data: bytes) -> Input:
    """Also of bytes that begin like something else."""
    return input_of_bytes([data], "plain")


def answer(data: bytes, cuts: Iterable[int] = ()) -> dict[str, Any]:
    return run_job(JOB, Objects([data], "plain"), cuts)


CONTEXT = context_for(JOB)


def results(lines: Iterable[bytes]) -> Mapping[str, Part]:
    return JOB.finish([JOB.reduce(0, lines, CONTEXT).data], CONTEXT)


def figure(data: bytes, rank: int) -> tuple[tuple[str, tuple[str, ...]] | None, float | None]:
    """The one choice of that rank by name and its R squared; None if it cannot be ranked."""
    (line,) = JOB.map(Span(rank, rank + 1), plain(data), CONTEXT).lines
    assert sum(line.observed) == 1
    best = [choice for part in results([line.data]).values() for choice in part.result["best"]]
    if not best:
        return None, None
    (only,) = best
    return (only["target"], tuple(only["predictors"])), only["r_squared"]


def every_choice(columns: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for size in (1, 2, 3):
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


@given(small_tables())
@settings(max_examples=80)
def test_every_choice_is_what_lstsq_finds(columns: Columns) -> None:
    data = table_of(columns)
    figures: Figures = {choice: lstsq(columns, *choice) for choice in every_choice(list(columns))}
    ranked, unranked = {}, 0
    for rank in range(choices(len(columns))):
        choice, r_squared = figure(data, rank)
        if choice is None or r_squared is None:
            unranked += 1
            continue
        assert r_squared == pytest.approx(figures[choice], abs=1e-9)
        assert 0.0 <= r_squared <= 1.0
        assert math.copysign(1, r_squared) == 1
        ranked[choice] = r_squared
    assert set(ranked) == {choice for choice, r_squared in figures.items() if r_squared is not None}
    assert len(ranked) + unranked == len(figures)

    whole = answer(data)
    for size in (1, 2, 3):
        order = sorted((-r2, target, names) for (target, names), r2 in ranked.items() if len(names) == size)
        assert [
            (-best["r_squared"], best["target"], tuple(best["predictors"]))
            for best in whole["best"][str(size)]
        ] == order[:10]
        assert whole["tested"][str(size)] == sum(len(names) == size for _, names in figures)


@pytest.mark.parametrize(("columns", "ranks"), [(120, 40), (500, 4)])
def test_random_choices_of_a_large_table_are_what_lstsq_finds(columns: int, ranks: int) -> None:
    random = np.random.default_rng(1)
    cells = np.array(random.normal(size=(60, columns)) * 10.0 ** random.integers(-3, 4, columns), np.float64)
    cells[:, 1:100:7] += cells[:, 0:99:7] * 0.1
    table = {f"c{number}": cells[:, number].tolist() for number in range(columns)}
    data = table_of(table)
    last = choices(columns) - 1
    for rank in [0, last, *(Random(1).sample(range(last), ranks))]:
        choice, r_squared = figure(data, rank)
        assert choice is not None
        assert r_squared == pytest.approx(lstsq(table, *choice), abs=1e-9)


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
    for rank in range(choices(4)):
        choice, r_squared = figure(table_of(columns), rank)
        assert choice is not None
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
    figures = {}
    for rank in range(choices(5)):
        choice, r_squared = figure(decimal_table(names), rank)
        assert choice is not None
        figures[choice[0], frozenset(choice[1])] = r_squared

    def on(predictors: str) -> float | None:
        return figures["t", frozenset(predictors)]

    assert on("a") == on("b") == on("ab") != on("ac")
    assert on("ac") == on("abc") == on("bc") == on("acd") == on("ad") == on("cd") == on("bcd") == on("abd")


def test_a_small_column_may_be_the_rounding_of_large_ones() -> None:
    figures = dict(figure(decimal_table("zxyt"), rank) for rank in range(choices(4)))
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


@given(st.lists(st.tuples(*[st.integers(-20, 20)] * 2), min_size=2, max_size=40))
@example([(1, 1)] * 17 + [(-1, -1)] * 17 + [(1, -1)] * 15 + [(-1, 1)] * 15)  # R squared is 2**-10: a half.
def test_a_on_b_is_b_on_a(rows: list[tuple[int, int]]) -> None:
    a, b = zip(*rows, strict=True)
    assume(len(set(a)) > 1 and len(set(b)) > 1)
    best = answer(table_of({"a": a, "b": b}))["best"]["1"]
    assert best[0]["r_squared"] == best[1]["r_squared"]
    assert [choice["target"] for choice in best] == ["a", "b"]


def test_a_on_b_is_b_on_a_to_the_last_bit() -> None:
    left = fit.inner_products(np.random.default_rng(1).normal(size=(20, 60)))
    figures = fit.r_squared(left, range(60), left.high.diagonal())
    assert (figures == figures.T).all()


def test_figures_are_the_same_from_the_results_table() -> None:
    """Which keeps no type of a number: 1.0 comes back as 1."""
    none = b'\n{"tested": 0, "best": []}' * 2
    lines = [
        b'{"tested": 2, "best": [[-1000000000, "a", ["b"]], [-123456789, "b", ["a"]]]}' + none,
        b'{"tested": 2, "best": [[-1, "a", ["b"]], [0, "b", ["a"]]]}' + none,
    ]
    figures = [choice["r_squared"] for choice in results(lines)["1"].result["best"]]
    assert [repr(figure) for figure in figures] == ["1", "0.123456789", "1e-09", "0"]


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


# Ranks and blocks.


@pytest.mark.parametrize("columns", range(2, 9))
def test_each_rank_is_another_choice(columns: int) -> None:
    found = [unrank(rank, columns) for rank in range(choices(columns))]
    assert len(set(found)) == len(found)
    assert set(found) == {
        Choice(target, predictors)
        for size in (1, 2, 3)
        for predictors in combinations(range(columns), size)
        for target in set(range(columns)) - set(predictors)
    }


@given(st.integers(2, 500), st.data())
@example(500, None)
def test_a_rank_can_be_computed_back(columns: int, data: Any) -> None:
    for rank in [0, choices(columns) - 1] + (
        [data.draw(st.integers(0, choices(columns) - 1))] if data else []
    ):
        target, predictors = unrank(rank, columns)
        assert list(predictors) == sorted(set(predictors))
        assert target not in predictors
        assert 0 <= min(target, *predictors) <= max(target, *predictors) < columns
        size = len(predictors)
        back = sum(math.comb(column, place) for place, column in enumerate(predictors, start=1))
        back = back * (columns - size) + target - sum(predictor < target for predictor in predictors)
        back += sum(math.comb(columns, below) * (columns - below) for below in range(1, size))
        assert back == rank


@st.composite
def cut_tables(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    columns = draw(st.integers(2, 14))
    random = Random(draw(st.integers(0, 99)))
    digits = draw(st.sampled_from([1, 2, 1000]))
    cells = [[random.randrange(digits + 1) for _ in range(columns)] for _ in range(draw(st.integers(2, 20)))]
    data = table_of({f"c{number}": values for number, values in enumerate(zip(*cells, strict=True))})
    return data, draw(st.lists(st.integers(0, choices(columns)), max_size=9))


@given(cut_tables(), st.sampled_from([1, 7, 40, 1 << 14]))
def test_the_answer_is_the_same_however_ranks_are_cut(
    table: tuple[bytes, list[int]], batch_choices: int
) -> None:
    data, cuts = table
    whole = answer(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "BATCH_CHOICES", batch_choices)
        assert answer(data, cuts) == whole
    assert sum(whole["tested"].values()) == whole["choices"]


def test_figures_are_the_same_bits_in_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    cells = random.normal(size=(300, 30))
    cells[:, 9] = cells[:, 3] + cells[:, 4] + 1e-7 * cells[:, 9]
    table = Table(tuple(map(str, range(30))), cells, 0)
    last = choices(30)

    def figures(blocks: list[Span]) -> list[float]:
        """R squared before it is rounded, of all ranks in order."""
        seen: list[float] = []

        def record(best: Any, figures: Any, *_: Any) -> Any:
            seen.extend(figures[~np.isnan(figures)].tolist())
            return best

        monkeypatch.setattr(search, "_add", record)
        for block in blocks:
            search.evaluate(block, table)
        return seen

    whole = figures([Span(0, last)])
    assert len(whole) == last
    cuts = sorted(Random(1).randrange(last) for _ in range(20))
    monkeypatch.setattr(ranks, "BATCH_CHOICES", 77)
    assert figures([Span(*ends) for ends in zip([0, *cuts], [*cuts, last], strict=True)]) == whole


def test_no_sum_is_rounded() -> None:
    """The order of rows is the order in which inner products are summed: it must not matter, for neither may
    a processor's own."""
    random = np.random.default_rng(4)
    scales, offsets = 10.0 ** random.integers(-9, 9, (2, 40))
    cells = np.array(random.normal(size=(5000, 40)) * scales + offsets, np.float64)
    left = fit.inner_products(cells)
    again = fit.inner_products(random.permutation(cells))
    for one, other in zip(left, again, strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_block_answers_for_itself_and_its_lines_survive_transport() -> None:
    data = table_of({"a,\n\x1b": [1, 2, 4], 'b"': [2, 3, 9], "ç\U0001f30d": [1, 0, 1]}).replace(
        b"a,\n\x1b", b'"a,\n\x1b"'
    )
    data = data.replace(b'b"', b'"b"""')
    mapped = JOB.map(Span(1, 8), plain(data), CONTEXT)
    assert mapped == JOB.map(Span(1, 8), plain(data), CONTEXT)
    assert mapped.owned == Owned(1, 8)
    (line,) = mapped.lines
    assert line.observed == [5, 2, 0]
    assert line.data.isascii()
    assert answer(data)["columns"] == ["a,\n\x1b", 'b"', "ç\U0001f30d"]
    assert results([])["1"] == Part(0, {"tested": 0, "best": []})


# Reading tables.


@pytest.mark.parametrize(
    "data",
    [
        b"a,b\n1,2\n3,4.5\n",
        b"a,b\n1,2\n3,4.5",
        b"a,b\r\n1,2\r\n3,4.5\r\n",
        b"\xef\xbb\xbfa,b\n1,2\n3,4.5\n",
        b'"a","b"\n"1","2"\n"3",4.5\n',
        b'\xef\xbb\xbf"a",b\r\n1,"2"\r\n3,4.5',
        b"a,b\n1, 2\n 3 ,\t4.5\n",
        b"a,b\n\n1,2\n\n \n3,4.5\n\n\n",
        b"a,b\n+1,2.\n3e0,.45E+1\n",
        b"a,b\n01,2e-0\n30.0e-1,4.50000000000000000000000000\n",
        b'a,b\n,1\n1,2\n3,4.5\n1,""\n,\n" ",\t\n',
    ],
)
def test_a_table_is_read(data: bytes) -> None:
    table = read_table(data)
    assert table.columns == ("a", "b")
    assert table.cells.tolist() == [[1, 2], [3, 4.5]]
    assert table.rows_left_out == (4 if b"\t\n" in data[-3:] else 0)


_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def read_slowly(data: bytes) -> list[list[float]] | None:
    """Rows of floats and NaN; None if something is wrong."""
    rows = []
    try:
        for cells in csv.reader(io.StringIO(data.decode()), strict=True):
            stripped = [cell.strip(" \t") for cell in cells]
            if len(cells) <= 1 and not any(stripped):
                continue
            if len(cells) != 3 or not all(_NUMBER.fullmatch(cell) or not cell for cell in stripped):
                return None
            rows.append([float(cell or "nan") for cell in stripped])
    except csv.Error:
        return None
    return None if np.isinf(np.array(rows).ravel()).any() else rows


_CELLS = (
    st.integers(-(10**20), 10**20).map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.decimals(-(10**9), 10**9, places=3).map(str)
    | st.sampled_from(
        ["", " ", "5", "1e400", "nan", "-inf", "1_0", "٣", "0x1", '"7"', '"1,5"', '"1\n"', "- 1"]
    )
    | st.text("0123.-+eE ", max_size=4)
)
_ROWS = st.lists(_CELLS, min_size=3, max_size=3) | st.lists(_CELLS, max_size=4)


@given(
    st.lists(_ROWS, max_size=6).map(lambda rows: "\n".join(",".join(row) for row in rows).encode())
    | st.text('0123456789.-+eE, \t\n"', max_size=40).map(str.encode)
)
@example(b"1,2,.-3")
@example(b"1,-,-.")
@example(b"1,.,1.2.3")
@example(b"1,+,2e")
@example(b"-9223372036854775808,9223372036854775808,9007199254740993")
@settings(max_examples=600)
def test_cells_are_read_as_python_reads_them(body: bytes) -> None:
    expected = read_slowly(body)
    try:
        table = read_table(b"a,b,c\n" + body)
    except TableUnusable:
        complete = [row for row in expected or () if not np.isnan(row).any()]
        assert len(complete) < 2
    else:
        assert expected is not None
        complete = [row for row in expected if not np.isnan(row).any()]
        assert table.cells.tolist() == complete
        assert table.rows_left_out == len(expected) - len(complete)


@pytest.mark.parametrize("length", range(1, 5))
def test_every_short_cell_is_read_as_python_reads_it(length: int) -> None:
    for characters in product("05.+-e ", repeat=length):
        cell = "".join(characters)
        for row in (f"{cell},1", f"1,{cell}"):
            expected = None
            if _NUMBER.fullmatch(cell.strip(" ")):
                expected = [[float(number) for number in row.split(",")], [2, 2], [3, 3]]
            elif not cell.strip(" "):
                expected = [[2, 2], [3, 3]]
            try:
                assert read_table(f"a,b\n{row}\n2,2\n3,3\n".encode()).cells.tolist() == expected, cell
            except TableUnusable:
                assert expected is None, cell


@given(ANY_BYTES, st.sampled_from([b"", b"a,b\n", b"a,b\n1,2\n3,4\n", b'a,"b']))
@example(b"\x1f\x8b\x08", b"")
@example(b"\x00\r\r\n", b"a,b\n")
@example(b'"1\r",2\n', b"a,b\n")
def test_hostile_bytes_are_refused_by_name(hostile: bytes, start: bytes) -> None:
    with contextlib.suppress(TableUnusable):
        JOB.measure(plain(start + hostile))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The table is empty: it needs a header with at least 2 columns"),
        (b"a;b\n1;2\n", "it names 1"),
        (b"a\n1\n2\n", "it names 1"),
        (b"\xff\xfea\x00,\x00", "not UTF-8"),
        (b"\x1f\x8b\x08\x00", "not UTF-8"),
        (b"a,b\r1,2\r3,4\r", "header is not a CSV row"),
        (b'a,"b\n1,2\n', "header is not a CSV row"),
        (b"a," + b"b" * 100_000, "header does not end within 100,000 bytes"),
        (b'a,"' + b"b\n" * 60_000, "header does not end within 100,000 bytes"),
        (b"a," + b"b" * 257, "name of column 2 has more than 256 characters"),
        (b"a,,c\n1,2,3\n", "Column 2 has no name"),
        (b",a,b\n1,2,3\n", "Column 1 has no name: give it one, or leave it out if it holds row names"),
        (b"a\tb\n1\t2\n", "it names 1. It looks separated by tabs"),
        (b"sep=;\na;b\n1;2\n", "It looks separated by semicolons"),
        (b"a, \n1,2\n", "Column 2 has no name"),
        (b"a,b,a\n1,2,3\n", "More than one column is named 'a'"),
        (",".join(f"c{n}" for n in range(501)).encode(), "has 501 columns; at most 500"),
        (b"a,b\n", "at least 2 rows without an empty cell; the table has 0"),
        (b"a,b\n1,2\n,3\n", "at least 2 rows without an empty cell; the table has 1"),
        (b"a,b\n1,2\n1,2,3\n", "Row 3 has 3 cells, the header 2"),
        (b"a,b\n1,2,3\n1\n", "Row 2 has 3 cells, the header 2"),
        (b"a,b\n1,2\n3,x\n", "Row 3, column 'b': the cell is neither a decimal number nor empty"),
        (b"a,b\n1,2\n\nnan,4\n", "Row 4, column 'a': the cell is neither a decimal number nor empty"),
        (b"a,b\n1,inf\n", "Row 2, column 'b': the cell is neither a decimal number nor empty"),
        (b"a,b\n1,1e400\n", "Row 2, column 'b': the number is too large"),
        (b"a,b\n1," + b"9" * 400 + b"\n", "Row 2, column 'b': the number is too large"),
        (b'a,b\n1,"2,5"\n', "Row 2, column 'b': the cell is neither a decimal number nor empty"),
        (b'a,b\n1,"2\n"\n', "Row 2 has a cell with a line break"),
        (b'a,b\n1,"2\n', "Row 2 is not a CSV row"),
        (b'a,b\n1,2\n1,"2"3\n', "Row 3 is not a CSV row"),
        (b"a,b\n1,2\r3,4\r", "Row 2 has 3 cells"),
        (b"a,b\n1,\xff\n", "Row 2, column 'b': the cell is neither a decimal number nor empty"),
        (b"a,\x1b[31m\n1,x\n", r"column '\\x1b\[31m': the cell"),
        (b"a,b\n1,2\n" + b" " * (1 << 20) + b"1,2\n", "Row 3 is longer than 1,048,576 bytes"),
        (b"a,b\n" + b"1,2\n" * 100_001, "more than 100,000 rows"),
    ],
)
def test_a_table_is_refused_by_row_and_column(data: bytes, message: str) -> None:
    with pytest.raises(TableUnusable, match=message):
        read_table(data)


def test_refusals_do_not_tell_cells() -> None:
    with pytest.raises(TableUnusable) as refusal:
        read_table(b"a,b\n1,secret\n")
    assert "secret" not in str(refusal.value)


def test_rows_are_numbered_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "CHUNK_BYTES", 50)
    rows = [b"%d,%d.5" % (row, row * row) for row in range(100)]
    table = read_table(b"\n".join([b"a,b", *rows]))
    assert table.cells.tolist() == [[row, row * row + 0.5] for row in range(100)]
    rows[70] = b"1,1-"
    with pytest.raises(TableUnusable, match="Row 72, column 'b'"):
        read_table(b"\n".join([b"a,b", *rows]))


def test_the_largest_numbers_of_rows_and_columns_are_read() -> None:
    assert len(read_table(b"a,b\n" + b"1,2\n" * 100_000 + b"\n").cells) == 100_000
    widest = ",".join(f"c{n}" for n in range(500)) + "\n" + "\n".join([",".join(["7"] * 500)] * 2)
    assert read_table(widest.encode()).cells.shape == (2, 500)


def test_a_table_of_too_many_bytes_is_refused() -> None:
    with pytest.raises(SourceTooLarge):
        JOB.measure(plain(b"a" * (200 * 10**6 + 1)))


def test_memory_is_that_of_the_floats() -> None:
    data = b",".join(b"c%d" % n for n in range(200)) + b"\n" + (b",".join([b"1.5"] * 200) + b"\n") * 20_000
    tracemalloc.start()
    try:
        table = read_table(data)
        fit.inner_products(table.cells)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < table.cells.nbytes + 100_000_000


# What carries NumPy.


def test_reducers_and_the_client_need_no_numpy() -> None:
    program = """
import sys
sys.modules["numpy"] = None
from lambda_src.job import Context
from lambda_src.jobs.column_permutations import JOB
context = Context(JOB.shards("run"), JOB.options(), {"choices": 6})
line = b"\\n".join([b'{"tested": 2, "best": [[-500000001, "a", ["b"]]]}'] * 3)
parts = JOB.finish([JOB.reduce(0, [line], context).data], context)
results = {name: part.result for name, part in parts.items()}
assert JOB.summarize(context, {}, results)["best"]["1"][0]["r_squared"] == 0.500000001
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


# The generated table.


def test_the_best_of_the_generated_table_are_those_planted(tmp_path: Path) -> None:
    expected = write_table(tmp_path / "table.csv", seed=1)
    whole = answer((tmp_path / "table.csv").read_bytes())
    measured = JOB.measure(plain((tmp_path / "table.csv").read_bytes()))
    assert (measured.units, measured.block_units) == (expected.choices, -(-expected.choices // 32))
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
