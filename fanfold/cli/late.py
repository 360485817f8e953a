"""Shows a run on this machine, if that takes long enough."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from fanfold.runs.progress import Progress
    from lambda_src.job import Job
    from lambda_src.wire.record import RunRecord

SHOWN_AFTER_S = 2.0
"""A run that takes longer shows its progress."""


@contextmanager
def shown_late(open_console: "Callable[[], Console]", job: "Job") -> "Iterator[Callable[[RunRecord], None]]":
    """Yields a function that shows the progress of a run of ``job``, if that takes longer. Most runs do not,
    and do not pay for the import of what draws it."""
    began_at = time.monotonic()
    show: Callable[[Progress], None] | None = None

    with ExitStack() as live:

        def show_late(record: "RunRecord") -> None:
            nonlocal show
            if time.monotonic() < began_at + SHOWN_AFTER_S:
                return
            from msgspec.structs import replace  # noqa: PLC0415

            from fanfold.cli.live import shown  # noqa: PLC0415
            from fanfold.runs.progress import Progress  # noqa: PLC0415

            show = show or live.enter_context(shown(open_console(), job.unit))
            # There are no Lambdas and no bill, and nobody counts the parts.
            show(Progress(replace(record, calls={}, dollars={}), 0, 0))

        yield show_late
