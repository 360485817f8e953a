"""What jobs get besides their data, for tests."""

from collections.abc import Iterable, Mapping
from typing import Any

from lambda_src.job import Context, Job, Line, Shards
from lambda_src.wire.requests import RunContext


def context_for(job: Job, shards: Shards | None = None, facts: Mapping[str, Any] | None = None) -> Context:
    """Those of a run of ``job`` without options."""
    return Context(shards or job.shards("run"), job.options(), facts or {})


def sent_context(job: Job, shards: Shards | None = None, name: str = "top_words") -> RunContext:
    """The same, as requests have it."""
    return RunContext(name, shards or job.shards("run"), {}, {})


def observed_by_part(lines: Iterable[Line]) -> list[int]:
    """The observations of all shards of a block, by part."""
    return [sum(observed) for observed in zip(*(line.observed for line in lines), strict=True)]
