"""What stack, handlers and client must agree on: environment variables and outputs, typed, time-outs, memory.

The stack writes variables and outputs from these classes; the handlers read the variables, and the client the
outputs, back into the same classes.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from lambda_src.errors import FanfoldError

T = TypeVar("T", bound=Struct)

PARSE_FILE_TIMEOUT_S = 900
PARSE_BLOCK_TIMEOUT_S = 300
GET_ALL_OCCURRENCES_TIMEOUT_S = 840
GET_OCCURRENCES_TIMEOUT_S = 600
LOG_RESULTS_TIMEOUT_S = 60

ONE_VCPU_MB = 1769
"""At this memory size Lambda gives exactly one vCPU (AWS Lambda developer guide, "Configure memory")."""

THREADS = "OMP_NUM_THREADS"
"""The variable for the threads of NumPy's BLAS and similar libraries: one for each vCPU of a Lambda, and one
in a local process. More would wait for each other, and that takes processor time."""

ACCOUNT_QUOTA = 1000
"""The concurrent Lambdas of an account that is not new."""

NEW_ACCOUNT_MB = 3008
"""The most memory of a function in a new account (AWS Lambda developer guide, "Lambda quotas")."""

DEFAULT_JOB = "top_words"

SETTINGS = "fanfold:settings"
"""The metadata of a template that has its context settings, apart from the defaults."""

_VARIABLE_PREFIX = "FANFOLD_"


class SettingsMissing(FanfoldError):
    """An environment variable is not set or has the wrong form."""


def on_or_off(value: bool) -> Literal["on", "off"]:
    """``value`` as settings and outputs write it."""
    return "on" if value else "off"


def stack_name(own: str | None = None) -> str:
    """The stack of all jobs; or that of the job ``own`` alone, which shares nothing with others.

    >>> stack_name(), stack_name("access_log")
    ('Fanfold', 'Fanfold-access-log')
    """
    return f"Fanfold-{own.replace('_', '-')}" if own else "Fanfold"


class Outputs(Struct, frozen=True, kw_only=True):
    """The outputs of a deployed stack, with their names in CloudFormation. The first of its ``jobs`` is the
    one of a request that names none. ``own_jobs`` are those that are files of other authors, each with a
    digest, as in ``my_job=0a1b2c3d``."""

    jobs: tuple[str, ...] = field(name="Jobs")
    bucket: str = field(name="BucketName")
    source_bucket: str = field(name="SourceBucketName")
    table: str = field(name="TableName")
    parse_file: str = field(name="ParseFileFunction")
    parse_block: str = field(name="ParseBlockFunction")
    get_all_occurrences: str = field(name="GetAllOccurrencesFunction")
    get_occurrences: str = field(name="GetOccurrencesFunction")
    log_results: str = field(name="LogResultsFunction")
    log_results_log_group: str = field(name="LogResultsLogGroup")
    requester_pays: str = field(name="RequesterPays", default="off")
    own_jobs: tuple[str, ...] = field(name="OwnJobs", default=())


class ParseFileSettings(Struct, frozen=True):
    """``jobs`` are those of the stack, first the one of a request that names none. ``source_bucket`` is the
    bucket of inputs: the stack's own one unless the deployment names another. ``url_suffix`` is that of the
    partition, such as amazonaws.com. ``metrics`` that are on are published, and paid for, at the end of each
    run. Blobs are stored for ``keep_intermediates_days``; at 1, the default, those of a run that has
    succeeded are deleted at once. With ``requester_pays`` this account pays for the requests to
    ``source_bucket``, which is another's."""

    jobs: tuple[str, ...]
    stack: str
    url_suffix: str
    bucket: str
    source_bucket: str
    table: str
    parse_block_function: str
    get_all_occurrences_function: str
    get_occurrences_function: str
    log_results_function: str
    metrics: Literal["on", "off"]
    keep_intermediates_days: Annotated[int, Meta(ge=1)] = 1
    requester_pays: Literal["on", "off"] = "off"


class ParseBlockSettings(Struct, frozen=True):
    jobs: tuple[str, ...]
    url_suffix: str
    bucket: str
    requester_pays: Literal["on", "off"] = "off"


class GetAllOccurrencesSettings(Struct, frozen=True):
    jobs: tuple[str, ...]
    url_suffix: str
    table: str
    get_occurrences_function: str


class GetOccurrencesSettings(Struct, frozen=True):
    jobs: tuple[str, ...]
    url_suffix: str
    bucket: str
    table: str


class LogResultsSettings(Struct, frozen=True):
    jobs: tuple[str, ...]
    url_suffix: str
    table: str


class AnnounceRunsSettings(Struct, frozen=True):
    """``bus`` is the name of an event bus of this account and region."""

    url_suffix: str
    stack: str
    bus: str


def to_texts(values: Struct) -> dict[str, str]:
    """Settings or outputs by their names. Both can only be texts, so commas separate the names of jobs."""
    plain: dict[str, Any] = msgspec.to_builtins(values)
    return {
        name: ",".join(value) if isinstance(value, list | tuple) else str(value)
        for name, value in plain.items()
    }


def from_texts(kind: type[T], texts: Mapping[str, str]) -> T:
    """Settings or outputs from what ``to_texts`` gave. Raises msgspec.ValidationError."""
    lists = {one.encode_name for one in msgspec.structs.fields(kind) if one.type == tuple[str, ...]}
    values = {name: text.split(",") if name in lists else text for name, text in texts.items()}
    return msgspec.convert(values, kind, strict=False)  # a text, also of a number


def to_environment(settings: Struct) -> dict[str, str]:
    """``settings`` as environment variables.

    >>> to_environment(LogResultsSettings(jobs=("a", "b"), url_suffix="amazonaws.com", table="t"))
    {'FANFOLD_JOBS': 'a,b', 'FANFOLD_URL_SUFFIX': 'amazonaws.com', 'FANFOLD_TABLE': 't'}
    """
    return {_VARIABLE_PREFIX + name.upper(): text for name, text in to_texts(settings).items()}


def from_environment(kind: type[T], environment: Mapping[str, str]) -> T:
    """The settings of ``kind`` from environment variables. Raises SettingsMissing."""
    names = [variable.name for variable in msgspec.structs.fields(kind)]
    missing = [name for name in names if not environment.get(_VARIABLE_PREFIX + name.upper())]
    if missing:
        variables = ", ".join(_VARIABLE_PREFIX + name.upper() for name in missing)
        raise SettingsMissing(f"Environment variables not set: {variables}. Deploy the stack again.")
    given = {name: environment[_VARIABLE_PREFIX + name.upper()] for name in names}
    try:
        return from_texts(kind, given)
    except msgspec.ValidationError as error:
        raise SettingsMissing(
            f"Environment variables of the wrong form: {error}. Deploy the stack again."
        ) from error
