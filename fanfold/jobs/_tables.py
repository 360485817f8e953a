"""The tables in any JSON: lists of objects, and objects that hold similar ones under names."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from fanfold.jobs import Cell
from fanfold.report.figures import Table

_NUMBER = re.compile("0|-?[1-9][0-9]{0,17}")

Path = tuple[str, ...]


class FoundTable(NamedTuple):
    """A table, and the name of the field that holds it."""

    field: str
    table: Table


class Found(NamedTuple):
    """What a result has: single values by name, and tables."""

    values: Mapping[str, Cell]
    tables: Sequence[FoundTable]


def find(fields: Mapping[str, Any], part: str = "part", parts: Collection[str] = ()) -> Found:
    """Single values and tables of a result. Nothing is lost: what is no table becomes a cell, as JSON.

    A table inside a table gets columns that name the row it belongs to; ``part`` is the heading of the one
    whose names are all in ``parts``.

    >>> found = find({"lines": 3, "top": [{"host": "a", "requests": 2}, {"host": "b", "requests": 1}]})
    >>> found.values, found.tables[0].table.headings, found.tables[0].table.rows
    ({'lines': 3}, ['host', 'requests'], [['a', 2], ['b', 1]])
    """
    search = _Search(part, parts)
    values = search.record((), {}, fields)
    return Found(values, list(search.tables()))


class _Search:
    def __init__(self, part: str, parts: Collection[str]) -> None:
        self._part, self._parts = part, set(parts)
        self._rows: dict[tuple[Path, Path], list[tuple[tuple[str | int, ...], Mapping[str, Cell]]]] = {}

    def record(self, path: Path, keys: Mapping[str, str | int], fields: Mapping[str, Any]) -> dict[str, Cell]:
        """The single values of ``fields``. Its tables are searched."""
        values = {}
        for name, value in fields.items():
            if _is_table(value):
                self._table((*path, str(name)), keys, value)
            else:
                values[str(name)] = _cell(value)
        return values

    def _table(self, path: Path, keys: Mapping[str, str | int], value: Any) -> None:
        if isinstance(value, dict) and _is_map(value):
            self._map(path, keys, value)
            return
        rows = self._rows.setdefault((path, tuple(keys)), [])
        if isinstance(value, list):
            for place, entry in enumerate(value, 1):
                inside = {**keys, _new("row", keys): place}
                rows.append((tuple(keys.values()), self.record(path, inside, entry)))
        elif any(map(_is_table, value.values())):
            rows.append((tuple(keys.values()), self.record(path, keys, value)))
        else:
            rows += (
                (tuple(keys.values()), {"name": str(name), "value": _cell(of)}) for name, of in value.items()
            )

    def _map(self, path: Path, keys: Mapping[str, str | int], value: Mapping[str, Any]) -> None:
        heading = _new(self._part if set(value) <= self._parts else path[-1], keys)
        for name, entry in _in_order(value):
            inside = {**keys, heading: name}
            if isinstance(entry, list) or _is_map_of_objects(entry):
                self._table(path, inside, entry)
            else:
                rows = self._rows.setdefault((path, tuple(inside)), [])
                rows.append((tuple(inside.values()), self.record(path, inside, entry)))

    def tables(self) -> Iterator[FoundTable]:
        """All tables, including empty ones. Tables of the same name are qualified by their place."""
        all_fields = {
            place: list(dict.fromkeys(name for _, values in rows for name in values))
            for place, rows in self._rows.items()
        }
        found = [place for place, rows in self._rows.items() if all_fields[place] or not rows]
        titles = [_title(path[-1:], keys) for path, keys in found]
        for (path, keys), title in zip(found, titles, strict=True):
            fields, rows = all_fields[path, keys], self._rows[path, keys]
            headings = [*_all_new(keys, fields), *fields] if fields else []
            cells = [[*of, *(values.get(name) for name in fields)] for of, values in rows]
            unique = title if titles.count(title) == 1 else _title(path, keys)
            yield FoundTable(path[-1], Table(unique, headings, cells))


def _is_table(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(entry, dict) for entry in value)
    return isinstance(value, dict)


def _is_map(value: Mapping[str, Any]) -> bool:
    """Whether its names are data, such as hosts, rather than fields."""
    return _is_map_of_objects(value) or _is_map_of_lists(value)


def _is_map_of_objects(value: Mapping[str, Any]) -> bool:
    return all(isinstance(entry, dict) for entry in value.values()) and _are_alike(value.values())


def _is_map_of_lists(value: Mapping[str, Any]) -> bool:
    lists = [entry for entry in value.values() if isinstance(entry, list) and _is_table(entry)]
    return len(lists) == len(value) and _are_alike([entry for one in lists for entry in one])


def _are_alike(entries: Collection[Mapping[str, Any]]) -> bool:
    """Whether objects, apart from empty ones, share a field."""
    filled = [set(entry) for entry in entries if entry]
    return bool(filled and set.intersection(*filled))


def _in_order(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The entries of a map, by number if its names are numbers."""
    entries = [(str(name), entry) for name, entry in value.items()]
    if all(_NUMBER.fullmatch(name) for name, _ in entries):
        entries.sort(key=lambda entry: int(entry[0]))
    return entries


def _cell(value: Any) -> Cell:
    """A value as a cell: lists as JSON."""
    return value if isinstance(value, str | int | float | None) else msgspec.json.encode(value).decode()


def _new(name: str, taken: Collection[str]) -> str:
    """``name``, with underscores if it is ``taken``."""
    while name in taken:
        name += "_"
    return name


def _all_new(names: Collection[str], taken: Collection[str]) -> list[str]:
    """``names``, each with underscores if it is ``taken``, or an earlier one."""
    found: list[str] = []
    for name in names:
        found.append(_new(name, {*taken, *found}))
    return found


def _title(path: Path, keys: Path) -> str:
    """
    >>> _title(("results", "top_paths"), ("hour",)), _title(("hosts",), ("hosts",))
    ('Results › top paths by hour', 'Hosts')
    """
    text = " › ".join(name.replace("_", " ") for name in path)
    others = [key.replace("_", " ").strip() for key in keys if key != path[-1]]
    by = f" by {' and '.join(others)}" if others else ""
    return f"{text[:1].upper()}{text[1:]}{by}"
