"""What a run of a job has to do with an input, for the model: each job brings its own."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fanfold.runs.source import Local
from lambda_src.job import BYTES


class Figure(NamedTuple):
    """``kind`` is measured, published, assumed, or code: what this project's own code does."""

    value: float
    unit: str
    kind: str
    what: str


Figures = Mapping[str, Figure]


class Stored(NamedTuple):
    """An object of the input. ``format`` is its compression, or ``plain``; a byte of it holds ``ratio`` bytes
    of text. One Lambda unpacks ``stream_bytes`` of it at least: all of an archive that cannot be split."""

    name: str
    bytes: int
    format: str = "plain"
    ratio: float = 1.0
    stream_bytes: int = 0

    @property
    def is_one_piece(self) -> bool:
        """Whether one Lambda must unpack all of it."""
        if self.format == "bzip2":
            return self.stream_bytes >= self.bytes
        return self.format != "plain"


class Workload(NamedTuple):
    """``units`` to process. ``figures`` say what they take; ``about`` names the job and the input on which
    those were measured. ``block_units`` is the job's own choice, if it has one. If units are bytes, they are
    those of ``objects``, or of one plain object; ``looked_at`` counts the objects examined."""

    about: str
    units: int
    figures: Figures
    unit: str = BYTES
    block_units: int | None = None
    objects: Sequence[Stored] = ()
    looked_at: int = 0


BYTE_BY_BYTE: Figures = {
    "reads": Figure(1, "bytes", "code", "of the input that a block reads for each of its units"),
    "whole": Figure(0, "bytes", "code", "of the input that every block, and parse_file, reads in addition"),
    "prepare": Figure(0, "s", "code", "processor time of a block before its first unit"),
    "measure": Figure(0, "s", "code", "processor time of parse_file to know how many units there are"),
    "imports_job": Figure(0, "s", "code", "imports of packages that the job brings"),
}
"""Figures of every job whose units are the bytes of its input."""


def bytes_of(source: Local | int) -> int:
    """Its size."""
    return source.bytes if isinstance(source, Local) else source
