"""The options of a job for a person: what they take, their defaults, and what is wrong with those that are
given. No function imports this before there is a mistake to explain."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct, inspect

LISTS = (
    inspect.ListType,
    inspect.SetType,
    inspect.FrozenSetType,
    inspect.VarTupleType,
    inspect.TupleType,
)

LONGEST_VALUE = 60
"""Characters of a wrong value that are shown."""

NAMES = {
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
    inspect.StrType: "text",
    inspect.NoneType: "null",
    inspect.DateType: "a date, such as 2026-11-25",
    inspect.DateTimeType: "a time, such as 2026-11-25T10:15:00Z",
    inspect.DecimalType: "a number",
}

BOUNDS = {
    "ge": "of at least",
    "gt": "above",
    "le": "of at most",
    "lt": "below",
    "multiple_of": "that is a multiple of",
    "min_length": "with a length of at least",
    "max_length": "with a length of at most",
    "pattern": "that matches",
}


def takes(info: inspect.Type) -> str:
    """The values of a type.

    >>> takes(inspect.type_info(list[int])), takes(inspect.type_info(str | None))
    ('a list, each a whole number', 'text or null')
    >>> from typing import Annotated
    >>> takes(inspect.type_info(Annotated[int, msgspec.Meta(ge=1, le=1000)]))
    'a whole number from 1 to 1,000'
    """
    match info:
        case inspect.Metadata(type=inner):
            text = takes(inner)
        case inspect.UnionType(types=types):
            text = " or ".join(takes(one) for one in types)
        case inspect.LiteralType() | inspect.EnumType():
            text = f"one of {', '.join(map(str, choices(info)))}"
        case inspect.TupleType(item_types=types):
            text = f"a list: {', '.join(takes(one) for one in types)}"
        case inspect.ListType() | inspect.SetType() | inspect.FrozenSetType() | inspect.VarTupleType():
            text = f"a list, each {takes(info.item_type)}"
        case _:
            text = NAMES.get(type(info), "JSON")
    return text + _bounds(info)


def choices(info: inspect.Type) -> list[Any]:
    """The values of a type that has a few, or those of the elements of a list."""
    match info:
        case inspect.Metadata(type=inner):
            return choices(inner)
        case inspect.UnionType(types=types):
            return [choice for one in types for choice in choices(one)]
        case inspect.LiteralType(values=values):
            return list(values)
        case inspect.EnumType(cls=cls):
            return [member.value for member in cls]
        case inspect.ListType() | inspect.SetType() | inspect.FrozenSetType() | inspect.VarTupleType():
            return choices(info.item_type)
    return []


def meant(info: inspect.Type, value: Any) -> str:
    """A question on ``value``, which a type with a few values does not take, if one of these is close.

    >>> from typing import Literal
    >>> meant(inspect.type_info(list[Literal["all", "first"]]), ["all", "frist"])
    ' Did you mean first?'
    """
    possible = choices(info)
    for wrong in value if isinstance(value, list | tuple | set | frozenset) else [value]:
        if wrong not in possible and (close := _closest(wrong, possible)) is not None:
            return f" Did you mean {close}?"
    return ""


def defaults_of(kind: type[Struct]) -> dict[str, Any]:
    """The options that have defaults, with these as JSON."""
    found = {}
    for field in msgspec.structs.fields(kind):
        if not field.required:
            made = field.default_factory is not msgspec.NODEFAULT
            text = msgspec.json.encode(field.default_factory() if made else field.default, order="sorted")
            found[field.encode_name] = msgspec.json.decode(text)
    return found


def why_wrong(kind: type[Struct], options: Mapping[str, Any], error: str) -> str:
    """Which of ``options`` is missing, or not what its field of ``kind`` takes; ``error`` if that is about
    all of them together."""
    for field in msgspec.structs.fields(kind):
        info = inspect.type_info(field.type)
        if field.encode_name not in options:
            if field.required:
                return f"{field.encode_name} is missing: it takes {takes(info)}."
            continue
        value = options[field.encode_name]
        try:
            msgspec.convert(value, field.type)
        except msgspec.ValidationError:
            return f"{field.encode_name} takes {takes(info)}, not {_shown(value)}.{meant(info, value)}"
    return error.removesuffix(".") + "."


def _closest(wrong: object, possible: Iterable[Any]) -> Any:
    by_text = {str(one): one for one in possible}
    found = difflib.get_close_matches(str(wrong), by_text, 1)
    return by_text[found[0]] if found else None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _bounds(info: inspect.Type) -> str:
    found = {name: bound for name in BOUNDS if (bound := getattr(info, name, None)) is not None}
    bounds = []
    if {"ge", "le"} <= found.keys():
        bounds.append(f"from {_bound(found.pop('ge'))} to {_bound(found.pop('le'))}")
    bounds += [f"{BOUNDS[name]} {_bound(bound)}" for name, bound in found.items()]
    return " " + " and ".join(bounds) if bounds else ""


def _bound(bound: object) -> str:
    return f"{bound:,}" if isinstance(bound, int | float) else str(bound)
