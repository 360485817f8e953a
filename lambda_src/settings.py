"""What stack and handlers must agree on: environment variables, typed, and the functions' time-outs.

The stack writes the variables from these classes, the handlers read them back into the same classes.
"""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct

from lambda_src.errors import FanfoldError

T = TypeVar("T", bound=Struct)

PARSE_FILE_TIMEOUT_S = 900
PARSE_BLOCK_TIMEOUT_S = 300
GET_ALL_OCCURRENCES_TIMEOUT_S = 840
GET_OCCURRENCES_TIMEOUT_S = 600
LOG_RESULTS_TIMEOUT_S = 60

INPUT_PREFIX = "input/"
"""Where the stack's own bucket holds its inputs; the functions may read no other part of it as input."""

BLOBS_PREFIX = "blobs/"
RUNS_PREFIX = "runs/"

_VARIABLE_PREFIX = "FANFOLD_"


class SettingsMissing(FanfoldError):
    """An environment variable is not set or has the wrong form."""


class ParseFileSettings(Struct, frozen=True):
    """``source_bucket`` is the bucket of inputs: the stack's own one unless the deployment names another.
    ``url_suffix`` is that of the partition, such as amazonaws.com."""

    url_suffix: str
    bucket: str
    source_bucket: str
    table: str
    parse_block_function: str
    get_all_occurrences_function: str
    get_occurrences_function: str
    log_results_function: str


class ParseBlockSettings(Struct, frozen=True):
    url_suffix: str
    bucket: str


class GetAllOccurrencesSettings(Struct, frozen=True):
    get_occurrences_function: str


class GetOccurrencesSettings(Struct, frozen=True):
    url_suffix: str
    bucket: str
    table: str


class LogResultsSettings(Struct, frozen=True):
    table: str


def to_environment(settings: Struct) -> dict[str, str]:
    """``settings`` as environment variables.

    >>> to_environment(LogResultsSettings(table="t"))
    {'FANFOLD_TABLE': 't'}
    """
    return {
        _VARIABLE_PREFIX + name.upper(): value for name, value in msgspec.structs.asdict(settings).items()
    }


def from_environment(kind: type[T], environment: Mapping[str, str]) -> T:
    """The settings of ``kind`` from environment variables. Raises SettingsMissing."""
    names = [field.name for field in msgspec.structs.fields(kind)]
    missing = [name for name in names if not environment.get(_VARIABLE_PREFIX + name.upper())]
    if missing:
        variables = ", ".join(_VARIABLE_PREFIX + name.upper() for name in missing)
        raise SettingsMissing(f"Environment variables not set: {variables}. Deploy the stack again.")
    return kind(**{name: environment[_VARIABLE_PREFIX + name.upper()] for name in names})
