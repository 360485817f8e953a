"""Makes the results of parts from reduced shards."""

from collections.abc import Iterable, Sequence

from lambda_src.errors import JobContractViolated
from lambda_src.job import Context, Job
from lambda_src.run.ranges import Written
from lambda_src.wire.reports import PartReport, Section


def finish(
    job: Job,
    context: Context,
    reduced: Iterable[bytes],
    shards: Sequence[int],
    read: Written,
    *,
    complete: Sequence[Section] = (),
) -> list[PartReport]:
    """The results of the parts that ``shards`` hold, in the job's order, from what ``reduce`` made of them.
    ``read`` is what their reducers read, ``complete`` are the sections that they stored. Raises
    JobContractViolated."""
    found = job.finish(reduced, context)
    wanted = [part for shard in shards[:1] for part in context.shards.parts_of(shard, job.parts)]
    if found.keys() != set(wanted):
        raise JobContractViolated(f"finish gave the {job.part}s {sorted(found)}, not {wanted}.")
    sections: dict[int, list[Section]] = {}
    for section in complete:
        sections.setdefault(section.part, []).append(section)
    return [
        PartReport(
            part,
            read.blobs,
            one.observations,
            dict(one.result),
            lines_read=read.lines,
            complete=sections.get(job.parts.index(part), []),
        )
        for part in wanted
        for one in [found[part]]
    ]
