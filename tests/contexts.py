"""What jobs get besides their data, for tests."""

from collections.abc import Iterable, Mapping
from typing import Any

from lambda_src.job import Context, Job, Line, Part, Shards
from lambda_src.wire.requests import RunContext


def context_for(job: Job, shards: Shards | None = None, facts: Mapping[str, Any] | None = None) -> Context:
    """Those of a run of ``job`` without options."""
    return Context(shards or job.shards("run"), job.options(), facts or {})


def sent_context(job: Job, shards: Shards | None = None, name: str = "top_words") -> RunContext:
    """The same, as requests have it."""
    return RunContext(name, shards or job.shards("run"), {}, {})


def finish_part(job: Job, part: str, lines: Iterable[bytes]) -> Part:
    """The result of one part of ``job``, whose shards are parts, from its ``lines``."""
    context = context_for(job, job.shards("run", "part"))
    reduced = job.reduce(job.parts.index(part), lines, context)
    (found,) = job.finish([reduced.data], context).values()
    assert sum(reduced.observed) == found.observations
    return found


def observed_by_part(lines: Iterable[Line]) -> list[int]:
    """The observations of all shards of a block, by part."""
    return [sum(observed) for observed in zip(*(line.observed for line in lines), strict=True)]
