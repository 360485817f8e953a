"""Count, missing cells, minimum, maximum, mean and variance of the numbers in each column of a CSV.

Copy it anywhere: ``fanfold try ./column_statistics.py part-1.csv part-2.csv``. Every object begins with the
same header. Sums are exact decimals, so the answer is the same however the input is cut; what is no integer
of up to 38 digits is rounded at the end, to the nearest double. The variance is that of a sample, divided by
n - 1. A number has at most 40 digits, and is 0 or from 1e-60 to 1e61 in size; other cells are missing or
texts. Rows with more or fewer cells are left out, with a warning. A line break inside quotes cannot be read:
it ends the run.
"""

from collections.abc import Sequence
from decimal import Context as Digits
from decimal import Decimal, Inexact, InvalidOperation, Overflow, Subnormal, localcontext
from fractions import Fraction
from operator import mul
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from lambda_src.folds import Fold, Reading, fold_job
from lambda_src.input.csv_rows import CSV_ROWS, columns_of, csv_rows, measure_csv
from lambda_src.job import Context, Shown

NUMBER = Digits(prec=40, Emin=-60, Emax=60, traps=[Inexact, InvalidOperation, Overflow, Subnormal])
EXACT = Digits(prec=999, traps=[Inexact, InvalidOperation])
INTEGERS = msgspec.json.Decoder(list[Annotated[int, Meta(gt=-(10**18), lt=10**18)]])


class Options(Struct, frozen=True):
    separator: Annotated[str, Meta(pattern=r'^[^"\r\n]$', description="What is between cells.")] = ","
    missing: Annotated[list[str], Meta(description="Such cells are missing.")] = msgspec.field(
        default_factory=lambda: ["", "NA", "NaN", "null"]
    )


class Column(Struct):
    count: int = 0
    missing: int = 0
    texts: int = 0
    least: Decimal = Decimal("Infinity")
    most: Decimal = Decimal("-Infinity")
    total: Decimal = Decimal(0)
    squares: Decimal = Decimal(0)

    def merge(self, more: "Column") -> None:
        self.count += more.count
        self.missing += more.missing
        self.texts += more.texts
        self.least, self.most = min(self.least, more.least), max(self.most, more.most)
        self.total += more.total
        self.squares += more.squares

    def shown(self) -> dict[str, Any]:
        n, mean = self.count, Fraction(self.total) / self.count
        return {
            "count": n,
            "missing": self.missing,
            "texts": self.texts,
            "min": _shown(self.least),
            "max": _shown(self.most),
            "mean": float(mean),
            "variance": float((Fraction(self.squares) - n * mean**2) / (n - 1)) if n > 1 else None,
        }


def _shown(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() and abs(number) < 10**38 else float(number)


class Table(Fold):
    columns: list[Column] = []

    def add(self, text: bytes, reading: Reading) -> None:
        rows = csv_rows(text, reading, reading.options.separator)
        missing = set(reading.options.missing)
        self.merge(Table(len(rows), [_column(cells, missing) for cells in zip(*rows, strict=True)]))
        self.observed += len(rows)

    def merge(self, other: "Table") -> None:
        with localcontext(EXACT):
            for column, more in zip(self.columns, other.columns, strict=False):
                column.merge(more)
        self.columns = self.columns or other.columns

    def result(self, context: Context) -> dict[str, Any]:
        names = columns_of(context.facts, context.options.separator)
        columns = list(zip(names, self.columns or [Column()] * len(names), strict=True))
        return {
            "rows": self.observed,
            "columns": [{"column": name, **column.shown()} for name, column in columns if column.count],
            "without_numbers": [name for name, column in columns if not column.count],
        }


def _column(cells: Sequence[str], missing: set[str]) -> Column:
    given = list(map(str.strip, cells))
    if not missing.isdisjoint(given):
        given = [cell for cell in given if cell not in missing]
    numbers = _numbers(given)
    column = Column(len(numbers), len(cells) - len(given), len(given) - len(numbers))
    if numbers:
        with localcontext(EXACT):
            column.least, column.most = Decimal(min(numbers)), Decimal(max(numbers))
            column.total, column.squares = Decimal(sum(numbers)), Decimal(sum(map(mul, numbers, numbers)))
    return column


def _numbers(cells: Sequence[str]) -> Sequence[Any]:
    try:  # integers are the common case, and C reads them fast
        numbers = INTEGERS.decode(f"[{','.join(cells)}]")
        if len(numbers) == len(cells):
            return numbers
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass
    return _decimals([cell for cell in cells if not cell.strip("0123456789+-.eE")])  # no NaN, no 1_000


def _decimals(cells: Sequence[str]) -> Sequence[Decimal]:
    try:
        return list(map(NUMBER.create_decimal, cells))
    except ArithmeticError:  # one of them is a text
        return [number for cell in cells for number in _decimals([cell])] if len(cells) > 1 else []


JOB = fold_job(
    Table,
    rules="1",
    options=Options,
    measure=measure_csv,
    concerns=CSV_ROWS,
    shown=Shown("Statistics of columns", "{rows:,} rows", ("columns",)),
)
