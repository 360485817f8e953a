"""The options of a job: what they are, and how ``--set name=value`` and Python give them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from fanfold.errors import OptionError
from fanfold.format import value_text
from lambda_src.errors import InvalidRequest
from lambda_src.job import Job, load

COMMA = re.compile(r"(?<!\\),")
"""What separates the elements of a list: a comma without a backslash in front."""

LISTS = (
    inspect.ListType,
    inspect.SetType,
    inspect.FrozenSetType,
    inspect.VarTupleType,
    inspect.TupleType,
)
IN_JSON = (inspect.DictType, inspect.StructType, inspect.TypedDictType, inspect.DataclassType)
"""Types whose values are written as JSON."""

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


class Option(NamedTuple):
    """An option for a person. ``default`` is as ``--set`` takes it, None if the option must be given."""

    name: str
    takes: str
    default: str | None
    sentence: str


def options_of(job: Job) -> list[Option]:
    """The options of ``job``, in its order."""
    info = inspect.type_info(job.options)
    assert isinstance(info, inspect.StructType)
    return [
        Option(field.encode_name, _takes(field.type), _default(field), _sentence(field.type))
        for field in info.fields
    ]


def from_texts(job: str, texts: Sequence[str]) -> dict[str, Any] | None:
    """The options that ``texts`` give, each ``name=value``; None without any. A list takes its elements from
    several texts, or with commas between them. Raises OptionError."""
    if not texts:
        return None
    deployed, given = load(job), dict[str, list[str]]()
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise OptionError(f"--set {text}: write name=value.")
        given.setdefault(name, []).append(value)
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(deployed.options)}
    # A wrong name is refused with the others, below.
    options = {
        name: _value(name, values, fields[name]) if name in fields else values
        for name, values in given.items()
    }
    return checked(job, options)


def checked(job: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a run of ``job`` for which these are given, as JSON. Raises OptionError."""
    try:
        return load(job).plain_options(options)
    except (InvalidRequest, TypeError) as error:  # a value that no JSON can hold
        raise OptionError(str(error)) from None


def _value(name: str, texts: Sequence[str], kind: Any) -> Any:
    """The value that ``texts`` mean. Raises OptionError."""
    info = inspect.type_info(kind)
    if list(texts) == ["null"] and _is_any(info, (inspect.NoneType,)):
        return None
    if _is_any(info, LISTS):
        value: Any = [element.replace("\\,", ",") for text in texts if text for element in COMMA.split(text)]
    elif len(texts) > 1:
        raise OptionError(f"--set {name}: it is given {len(texts)} times, but takes one value.")
    else:
        value = texts[0]
    try:
        if _is_any(info, IN_JSON):
            return msgspec.json.decode(value, type=kind)
        found = msgspec.convert(value, kind, strict=False)
        return msgspec.json.decode(msgspec.json.encode(found), type=kind)  # which refuses NaN
    except (msgspec.ValidationError, msgspec.DecodeError):
        raise OptionError(f"--set {name}={','.join(texts)}: {name} takes {_takes(info)}.") from None


def _is_any(info: inspect.Type, kinds: tuple[type, ...]) -> bool:
    """Whether values of that type, or of one that it is a union of, are of one of ``kinds``."""
    match info:
        case inspect.Metadata(type=inner):
            return _is_any(inner, kinds)
        case inspect.UnionType(types=types):
            return any(_is_any(one, kinds) for one in types)
    return isinstance(info, kinds)


def _sentence(info: inspect.Type) -> str:
    """The description of an option."""
    schema = info.extra_json_schema if isinstance(info, inspect.Metadata) else None
    return str((schema or {}).get("description", ""))


def _takes(info: inspect.Type) -> str:
    """The values of a type, for a person."""
    match info:
        case inspect.Metadata(type=inner):
            text = _takes(inner)
        case inspect.UnionType(types=types):
            text = " or ".join(_takes(one) for one in types)
        case inspect.LiteralType(values=values):
            text = f"one of {', '.join(map(str, values))}"
        case inspect.EnumType(cls=cls):
            text = f"one of {', '.join(str(member.value) for member in cls)}"
        case inspect.TupleType(item_types=types):
            text = f"a list: {', '.join(_takes(one) for one in types)}"
        case inspect.ListType() | inspect.SetType() | inspect.FrozenSetType() | inspect.VarTupleType():
            text = f"a list, each {_takes(info.item_type)}"
        case _:
            text = NAMES.get(type(info), "JSON")
    return text + _bounds(info)


def _bounds(info: inspect.Type) -> str:
    bounds = [
        f"{words} {bound}"
        for name, words in BOUNDS.items()
        if (bound := getattr(info, name, None)) is not None
    ]
    return " " + " and ".join(bounds) if bounds else ""


def _default(field: inspect.Field) -> str | None:
    if field.required:
        return None
    value = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    return value_text(msgspec.json.decode(msgspec.json.encode(value, order="deterministic")))
