"""The options of a job: what they are, and how ``--set name=value`` and Python give them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from fanfold.errors import OptionError
from fanfold.format import value_text
from fanfold.runs.option_lists import Connect, words_in
from fanfold.runs.source import S3
from lambda_src.errors import InvalidRequest
from lambda_src.job import Job
from lambda_src.options import LISTS, choices, defaults_of, meant, takes

COMMA = re.compile(r"(\\*),")
"""What may separate the elements of a list: a comma, unless an odd number of backslashes is in front."""

IN_JSON = (inspect.DictType, inspect.StructType, inspect.TypedDictType, inspect.DataclassType)
"""Types whose values are written as JSON, and so are lists of them, and of lists."""

EXAMPLES = ("text", "1", "0.5", "true", "2026-11-25", "2026-11-25T10:15:00Z", "{}", "[]")
"""Values to try in an example: a required option shows the first one that it accepts."""

NO_EXAMPLE = "VALUE"


class Option(NamedTuple):
    """An option for a person. ``default`` is as ``--set`` takes it, None if the option must be given;
    ``example`` is a value that it takes, if possible one that says something."""

    name: str
    takes: str
    default: str | None
    sentence: str
    example: str


def options_of(job: Job) -> list[Option]:
    """The options of ``job``, in its order."""
    found, defaults = [], defaults_of(job.options)
    for field in msgspec.structs.fields(job.options):
        info, name = inspect.type_info(field.type), field.encode_name
        default = value_text(defaults[name]) if name in defaults else None
        described = info.extra_json_schema or {} if isinstance(info, inspect.Metadata) else {}
        example = default if default and "examples" not in described else _example(field, info, described)
        found.append(Option(name, takes(info), default, str(described.get("description", "")), example))
    return found


def from_texts(job: Job, texts: Sequence[str], connect: Connect | None = None) -> dict[str, Any] | None:
    """The options that ``texts`` give, each ``name=value``; None without any. A list takes its elements from
    several texts, or with commas between them; one that may be in a file, from ``@FILE``, too, where
    ``connect`` reads objects of S3. Raises OptionError."""
    if not texts:
        return None
    given = dict[str, list[str]]()
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise OptionError(f"--set {text}: write name=value.")
        given.setdefault(name, []).append(value)
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(job.options)}
    # A wrong name is refused with the others, below.
    options = {
        name: _value(name, values, fields[name], connect) if name in fields else values
        for name, values in given.items()
    }
    return checked(job, options)


def of_new_run(job: Job, texts: Sequence[str], connect: Connect | None = None) -> dict[str, Any] | None:
    """As ``from_texts``, for a run that has none yet: those without a default must be given."""
    options = from_texts(job, texts, connect)
    if options is None:
        checked(job, {})
    return options


def checked(job: Job, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a run of ``job`` for which these are given, as JSON. Raises OptionError."""
    try:
        return job.plain_options(options)
    except (InvalidRequest, TypeError) as error:  # a value that no JSON can hold
        raise OptionError(str(error)) from None


def _value(name: str, texts: list[str], kind: Any, connect: Connect | None = None) -> Any:
    """The value that ``texts`` mean. Raises OptionError."""
    info = inspect.type_info(kind)
    if texts == ["null"] and _is_any(info, (inspect.NoneType,)):
        return None
    in_json = _is_in_json(info) and texts != [""]  # which is an empty list
    if _is_any(info, LISTS) and not in_json:
        in_files = isinstance(info, inspect.Metadata) and (info.extra or {}).get("from_file")
        value: Any = []
        for text in filter(None, texts):
            if in_files and text.startswith(("@", S3)):
                value += words_in(name, text.removeprefix("@"), connect)
            else:
                value += _elements(text)
    elif len(texts) > 1:
        raise OptionError(f"--set {name}: it is given {len(texts)} times, but takes one value.")
    else:
        value = texts[0]
    try:
        if in_json:
            return msgspec.json.decode(value, type=kind)
        found = msgspec.convert(value, kind, strict=False)
        return msgspec.json.decode(msgspec.json.encode(found), type=kind)  # which refuses NaN
    except (msgspec.ValidationError, msgspec.DecodeError):
        raise OptionError(
            f"--set {name}={','.join(texts)}: {name} takes {takes(info)}.{meant(info, value)}"
        ) from None


def _elements(text: str) -> list[str]:
    r"""The elements of a list. Backslashes in front of a comma stand for half as many; where one is left, the
    comma belongs to the element.

    >>> _elements(r"a,b\,c"), _elements(r"\d\\,e")
    (['a', 'b,c'], ['\\d\\', 'e'])
    """
    elements, at = [""], 0
    for found in COMMA.finditer(text):
        slashes = len(found[1])
        elements[-1] += text[at : found.start()] + "\\" * (slashes // 2)
        if slashes % 2:
            elements[-1] += ","
        else:
            elements.append("")
        at = found.end()
    elements[-1] += text[at:]
    return elements


def _is_in_json(info: inspect.Type) -> bool:
    """Whether values of that type are written as JSON."""
    if _is_any(info, IN_JSON):
        return True
    match info:
        case inspect.Metadata(type=inner):
            return _is_in_json(inner)
        case inspect.UnionType(types=types):
            return any(map(_is_in_json, types))
        case inspect.ListType() | inspect.SetType() | inspect.FrozenSetType() | inspect.VarTupleType():
            return _is_any(info.item_type, (*LISTS, *IN_JSON))
        case inspect.TupleType(item_types=types):
            return any(_is_any(one, (*LISTS, *IN_JSON)) for one in types)
    return False


def _is_any(info: inspect.Type, kinds: tuple[type, ...]) -> bool:
    """Whether values of that type, or of one that it is a union of, are of one of ``kinds``."""
    match info:
        case inspect.Metadata(type=inner):
            return _is_any(inner, kinds)
        case inspect.UnionType(types=types):
            return any(_is_any(one, kinds) for one in types)
    return isinstance(info, kinds)


def _example(field: msgspec.structs.FieldInfo, info: inspect.Type, described: Mapping[str, Any]) -> str:
    """A value of an option: an example of its author, or the first that it takes."""
    inner = info.type if isinstance(info, inspect.Metadata) else info
    bounds = [bound for name in ("ge", "le") if (bound := getattr(inner, name, None)) is not None]
    for value in [*described.get("examples", ()), *choices(info), *bounds, *EXAMPLES]:
        try:
            _value(field.encode_name, [value_text(value)], field.type)
        except OptionError:
            continue
        return value_text(value)
    return NO_EXAMPLE
