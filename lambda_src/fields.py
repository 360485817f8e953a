"""The types of fields in messages and records, with their bounds."""

from typing import Annotated, Literal, get_args

from msgspec import Meta

Function = Literal["parse_file", "parse_block", "get_all_occurrences", "get_occurrences", "log_results"]
"""The functions of a stack, by the names of their handlers."""

FUNCTIONS: tuple[Function, ...] = get_args(Function)

MAX_CONCURRENCY = 950
"""Each call is a connection, and a Lambda has 1,024 open files. It is the default, too: a fan-out notices at
once that an account allows less."""


DEFAULT_MAX_CONCURRENCY = MAX_CONCURRENCY


MAX_KEY_BYTES = 1024
"""S3's limit, in UTF-8."""


LARGEST_OBJECT_BYTES = 50 * 10**12
"""The size of the largest object that S3 stores."""


Text = Annotated[str, Meta(min_length=1, max_length=1024)]


Prefix = Annotated[str, Meta(max_length=1024)]


RUN_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"


RUN_ID_RULE = "1 to 64 letters, digits, '.', '_' and '-' that begin with a letter or a digit"


RunId = Annotated[str, Meta(pattern=RUN_ID)]


JobName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}\Z")]


Positive = Annotated[int, Meta(ge=1)]


Concurrency = Annotated[int, Meta(ge=1, le=MAX_CONCURRENCY)]


BlockBytes = Annotated[int, Meta(ge=1, le=LARGEST_OBJECT_BYTES)]


Dollars = Annotated[float, Meta(gt=0, le=1e9)]


Count = Annotated[int, Meta(ge=0)]


MAX_SHARDS = 1000
"""Each is a call of ``get_occurrences``, and a range in every blob."""


ShardCount = Annotated[int, Meta(ge=1, le=MAX_SHARDS)]


MOST_REUSE_DAYS = 400
"""No blob is stored for longer: see ``store.keys.REUSED_DAYS``."""


ReuseDays = Annotated[int, Meta(ge=1, le=MOST_REUSE_DAYS)]


OnBadObject = Literal["fail", "skip"]


Keep = Literal["all"]
"""What a run stores besides its answer: all sums."""


Time = Annotated[float, Meta(ge=0, lt=1e11)]
"""Seconds since the epoch, up to the year 5138."""


Part = Annotated[str, Meta(min_length=1, max_length=64)]
