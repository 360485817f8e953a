"""What a run asks of a table: which columns are read, and which of them explain which."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from lambda_src.errors import InvalidRequest, TableUnusable
from lambda_src.jobs.column_permutations.cells import TRUTHS
from lambda_src.jobs.column_permutations.dialect import MISSING_WORDS, Dialect
from lambda_src.jobs.column_permutations.found import Column, Found
from lambda_src.jobs.column_permutations.options import Options
from lambda_src.jobs.column_permutations.ranks import Space

MOST_NAMED = 20
"""Columns in a message."""


def dialect_of_run(facts: Mapping[str, Any], options: Options) -> Dialect:
    """How the table of a run is written."""
    dialect = msgspec.convert(facts["dialect"], Dialect)
    return msgspec.structs.replace(dialect, missing_words=(*MISSING_WORDS, *options.missing_words))


class Chosen(NamedTuple):
    """The numbers of the columns that can be numbers; those that a run explains, those that are in every
    model, and those that are not read."""

    added: list[int]
    targets: list[int]
    always: list[int]
    never: list[int]


def chosen(facts: Mapping[str, Any], options: Options) -> Chosen:
    """The columns of a run, as far as the table's beginning tells. Raises InvalidRequest."""
    names = facts["dialect"]["columns"]
    named = _Named(names)
    targets, always, never_read = (
        sorted(named.number(option, name) for name in getattr(options, option))
        for option in ("target", "always", "never")
    )
    never = set(never_read)
    # Other words for missing values may make numbers of what looked like text, if there are numbers, too.
    never |= set(facts["only_texts" if options.missing_words else "texts"])
    if not options.booleans and not TRUTHS.keys() & set(options.missing_words):
        never |= set(facts["booleans"])
    found = Chosen([at for at in range(len(names)) if at not in never], targets, always, never_read)
    for option, wanted in (("target", found.targets), ("always", found.always)):
        for at in wanted:
            if at in never:
                why = f"holds {_texts(facts).get(at, 'true and false: set booleans=true')}"
                raise InvalidRequest(
                    f"options: {option}: the column {names[at]!r} {why}.{_hint(facts, [at])}"
                )
    return found


def _texts(facts: Mapping[str, Any]) -> dict[int, str]:
    """What columns hold that are text from the beginning on."""
    return {at: f"{like}, the first in the row at byte {first}" for at, first, like, _ in facts["texts_at"]}


def _hint(facts: Mapping[str, Any], columns: Sequence[int]) -> str:
    """What to do about text beside numbers in one of ``columns``."""
    if any(at in columns and like == "text" and numbers for at, _, like, numbers in facts["texts_at"]):
        return " If these stand for missing values, name them in the option missing_words."
    return ""


class _Named:
    """Finds columns by their ``names``. Blanks around a name may be left out, if it is then the only one."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names, self._found = names, dict[int, str]()

    def number(self, option: str, name: str) -> int:
        """The number of the column that ``option`` calls ``name``. Raises InvalidRequest."""
        at = self._number(option, name)
        if at in self._found:
            raise InvalidRequest(
                f"options: target, always, never: {self._found[at]!r} and {name!r} are one column: name it "
                "once."
            )
        self._found[at] = name
        return at

    def _number(self, option: str, name: str) -> int:
        if name in self._names:
            return self._names.index(name)
        found = [at for at, one in enumerate(self._names) if one.strip() == name.strip()]
        if len(found) == 1:
            return found[0]
        raise InvalidRequest(
            f"options: {option}: the table has no column {name!r}: {_meant(name, self._names)}"
        )


def _meant(unknown: str, names: Sequence[str]) -> str:
    import difflib  # noqa: PLC0415 - only a mistake pays for it

    beginning = [name for name in names if name.partition(",")[0] == unknown]
    if closest := beginning or difflib.get_close_matches(unknown, names, 1):
        if "," not in closest[0]:
            return f"did you mean {closest[0]}?"
        written = closest[0].replace(",", "\\,")
        return f"did you mean {closest[0]!r}? Write it as {written}."
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return f"its columns are {', '.join(names[:MOST_NAMED])}{more}."


def check_columns(facts: Mapping[str, Any], run: Chosen) -> None:
    """Raise TableUnusable if there are too few columns of numbers, whatever is asked of them."""
    names = facts["dialect"]["columns"]
    others = {
        **_texts(facts),
        **dict.fromkeys(facts["booleans"], "true and false, which the option booleans=true reads as 1 and 0"),
    }
    left_out = [at for at in others if at not in run.added]
    numbers = len(names) - len(left_out)
    if numbers < 2:
        reasons = "; ".join(f"{names[at]!r}: {others[at]}" for at in left_out[:3])
        raise TableUnusable(
            f"A fit needs at least 2 columns of numbers; the table has {numbers}. {reasons}."
            f"{_hint(facts, left_out[:3])}"
        )


def space_of(columns: Iterable[int], run: Chosen, options: Options) -> tuple[Space, list[int]]:
    """The choices among ``columns``, and the predictors to choose from."""
    fixed = {*run.targets, *run.always}
    predictors = [at for at in columns if at not in fixed]
    targets = len(run.targets) if run.targets else None
    return Space(len(predictors), targets, options.most), predictors


_NO_CHOICE = (
    "options: target, always and never leave nothing to choose from: a choice needs a target, and another "
    "column that explains it."
)


def check_number(space: Space) -> None:
    """Raise InvalidRequest if there is no choice."""
    if not space.choices():
        raise InvalidRequest(_NO_CHOICE)


class Used(NamedTuple):
    """The numbers of the columns that are used; and the others, each with the reason."""

    columns: list[int]
    left_out: list[tuple[str, str]]


def used(names: Sequence[str], found: Found, run: Chosen, options: Options) -> Used:
    """What the table's columns turned out to be. Raises TableUnusable where that decides on rows which were
    left out, or on columns that the options name."""
    points = any(column.decimals and not column.texts for column in found.columns)
    why = {
        at: reason
        for at, column in enumerate(found.columns)
        if (reason := "never" if at in run.never else _why_not(column, found.rows, options, points=points))
    }
    for at in set(range(len(names))) - set(run.added) - why.keys():
        missing = found.columns[at].missing
        is_missing = f"missing values: {missing:,} of {found.rows:,}"
        why[at] = is_missing if missing == found.rows else "text at the beginning of the table"
    for option, wanted in (("target", run.targets), ("always", run.always)):
        for at in wanted:
            if at in why:
                raise TableUnusable(
                    f"The column {names[at]!r}, which {option} names, cannot be used: {why[at]}."
                )
    late = sum(1 << at for at in why if at in set(run.added))
    for pattern in sorted(found.patterns):
        bits = int(pattern, 16)
        if bits & late == bits:
            at = next(at for at in why if bits >> at & 1)
            raise TableUnusable(
                f"The column {names[at]!r} turned out late to be no numbers ({why[at]}), and rows were left "
                f"out because it has missing values: leave it out by the option never={names[at]}."
            )
    columns = [at for at in run.added if at not in why]
    reasons = "; ".join(f"{names[at]!r}: {reason}" for at, reason in list(why.items())[:3])
    if len(columns) < 2:
        raise TableUnusable(
            f"A fit needs at least 2 columns of numbers; the table has {len(columns)}. {reasons}."
        )
    if not space_of(columns, run, options)[0].choices():
        raise TableUnusable(f"{_NO_CHOICE} Left out are {reasons}.")
    if found.used < 2:
        raise TableUnusable(_too_few(names, found, columns))
    return Used(columns, [(names[at], reason) for at, reason in sorted(why.items())])


def _too_few(names: Sequence[str], found: Found, columns: Sequence[int]) -> str:
    text = f"A fit needs at least 2 rows without a missing value; the table has {found.used}."
    most = max(columns, key=lambda at: found.columns[at].missing)
    missing = found.columns[most].missing
    if not missing:
        return text
    return (
        f"{text} {names[most]!r} lacks {missing:,} of {found.rows:,} values: leave it out by the option "
        f"never={names[most]}, or set missing=columns."
    )


def _why_not(column: Column, rows: int, options: Options, *, points: bool) -> str:
    """Why a column is not used; nothing if it is. ``points`` says whether others show that a point is a
    decimal mark."""
    numbers = rows - column.missing - column.texts - column.booleans
    if column.texts:
        some = f"{column.texts:,} of {rows:,} cells are neither numbers nor missing"
        where = f", the first in the row at {column.first.name()}" if column.first else ""
        words = ""
        if numbers and column.like == "text":
            words = "; if they stand for missing values, name them in the option missing_words"
        return f"{column.like or 'text'}: {some}{where}{words}"
    # If all numbers have thousands, or 1,000 times that many, R squared is the same.
    if 0 < column.thousands < numbers and not points and column.largest < 1000:
        return (
            f"numbers such as 1.234 in {column.thousands:,} of {rows:,} cells: nothing tells decimals from "
            "thousands, so write thousands without a separator, or decimals in all cells"
        )
    if column.booleans and numbers:
        return f"true and false in {column.booleans:,} of {rows:,} cells, numbers in others"
    if column.booleans and not options.booleans:
        return "true and false: the option booleans=true reads them as 1 and 0"
    if options.missing == "columns" and column.missing:
        return f"missing values: {column.missing:,} of {rows:,}"
    return ""
