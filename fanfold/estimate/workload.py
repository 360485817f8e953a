"""The work that an input is for a job, as the model needs it. Each job has its own."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fanfold.runs.source import Local
from lambda_src.figures import Figures
from lambda_src.input.formats import CANNOT_BE_SPLIT, Format
from lambda_src.job import BYTES, Job, ShardBy
from lambda_src.run.figures import figures_of

Options = Mapping[str, Any] | None
"""All options of a run, as JSON; None are those that it has by default."""


class Stored(NamedTuple):
    """An object of the input. ``format`` is its compression, or ``plain``; a byte of it holds ``ratio`` bytes
    of text. One Lambda unpacks ``unit_bytes`` of it at least: a block of bzip2, and all of any other
    archive."""

    name: str
    bytes: int
    format: Format = "plain"
    ratio: float = 1.0
    unit_bytes: int = 0

    @property
    def is_one_piece(self) -> bool:
        """Whether one Lambda must unpack all of it."""
        return self.format in CANNOT_BE_SPLIT


class Workload(NamedTuple):
    """``units`` to process. ``figures`` say what each takes; ``about`` names the job and the input on which
    those were measured. ``block_units`` is the job's own choice, if it has one; its reducers are
    ``sharded_by`` these. If units are bytes, they are those of ``objects``, or of one plain object;
    ``looked_at`` counts the objects examined. A run of it may keep all sums. ``largest_block`` is as in
    ``Job``."""

    about: str
    units: int
    figures: Figures
    unit: str = BYTES
    block_units: int | None = None
    sharded_by: Sequence[ShardBy] = ()
    objects: Sequence[Stored] = ()
    looked_at: int = 0
    keeps: bool = False
    largest_block: float = math.inf


def bytes_of(source: Local | int) -> int:
    """Its size."""
    return source.bytes if isinstance(source, Local) else source


def byte_by_byte(about: str, job: Job, size: int, options: Options) -> Workload:
    """The workload of a job whose units are the bytes of its input, by the job's own figures."""
    largest = job.largest_block(job.read_options(options or {}))
    figures = figures_of(job, options)
    return Workload(about, size, figures, sharded_by=job.sharded_by, largest_block=largest)
