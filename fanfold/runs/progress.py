"""How far a run is."""

from collections.abc import Callable
from typing import NamedTuple

from lambda_src.wire.record import RunRecord


class Progress(NamedTuple):
    """The progress of a run: its record, and how many of its parts are reduced."""

    record: RunRecord
    parts_done: int
    parts: int


Show = Callable[[Progress], None]
