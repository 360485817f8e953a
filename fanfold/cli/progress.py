"""The stages of a command: each shows its progress and records its seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from rich.text import Text

from fanfold.signals import SIGNALS
from lambda_src.wire.record import RunWarning


class Stages:
    """``seconds`` holds the duration of each stage by its name. ``console`` shows progress, ``results`` the
    result. ``warnings`` are about the local input: the run does not know them."""

    def __init__(self, console: Console, results: Console | None = None) -> None:
        self.console = console
        self.results = results or console
        self.seconds: dict[str, float] = {}
        self.warnings: list[RunWarning] = []

    @contextmanager
    def stage(self, name: str, text: str) -> Iterator[None]:
        """A stage of unknown length: a spinner with the time; in a pipe, a line that begins at once."""
        if self.console.is_terminal:
            from rich import progress  # noqa: PLC0415 - only stages on terminals need it

            columns = (
                progress.SpinnerColumn(),
                progress.TextColumn("{task.description}", markup=False),
                progress.TimeElapsedColumn(),
            )
            with progress.Progress(*columns, console=self.console, transient=True) as bar, self._timed(name):
                bar.add_task(text, total=None)
                yield
            self.console.print(Text.assemble(f"{text} ", (f"{self.seconds[name]:.1f} s", "dim")))
            return
        self.console.print(f"{text} ... ", end="")
        with ExitStack() as line, self._timed(name):
            line.callback(self.console.print)  # whatever comes next begins a line of its own
            yield
            line.pop_all()
        self.console.print(f"{self.seconds[name]:.1f} s")

    @contextmanager
    def upload(self, total_bytes: int) -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
        """An upload; yields two functions to call with the bytes read, and sent, since the last call."""
        from rich import progress  # noqa: PLC0415 - only uploads need it

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TimeElapsedColumn(),
        )
        with progress.Progress(*columns, console=self.console) as bars, self._timed("upload"):
            reading = bars.add_task("Reading", total=total_bytes)
            sending = bars.add_task("Uploading", total=total_bytes, visible=False)
            yield (
                lambda done: bars.advance(reading, done),
                lambda done: bars.update(sending, advance=done, visible=True),
            )

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        SIGNALS.check()
        started_at = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started_at, 3)
