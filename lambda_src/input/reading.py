"""What a job written in Python knows of the text that it is given, and what it notices in it."""

from typing import TypeVar

import msgspec

from lambda_src.input.findings import Tally
from lambda_src.job import Concern, Context, Finding, Place
from lambda_src.records import offset_of_line

T = TypeVar("T")

MALFORMED = "malformed_lines"
JSON_LINES = {
    MALFORMED: Concern(
        "line",
        "is not JSON of the expected form, and was left out",
        "are not JSON of the expected form, and were left out",
        most="Most lines of these are not",
    )
}
"""The ``concerns`` of a job that reads JSON lines."""


class Reading:
    """One block as a job's code sees it: ``place`` is where the text begins that it got last; ``options`` and
    ``facts`` are the run's."""

    def __init__(self, context: Context) -> None:
        self.place = Place("", 0)
        self.options, self.facts = context.options, context.facts
        self._tallies: dict[str, Tally] = {}

    def note(self, concern: str, count: int, total: int, first: int = 0) -> None:
        """Note that ``count`` of the ``total`` things in the text are a ``concern`` of the job, the first one
        at its byte ``first``. Totals count where nothing was found, too."""
        self._tallies.setdefault(concern, Tally()).note(self.place, count, total, first)

    def json_lines(self, text: bytes, decoder: "msgspec.json.Decoder[T]") -> list[T]:
        """The lines of ``text`` as ``decoder`` reads them. Others are noted as ``MALFORMED``; empty ones are
        skipped."""
        found: list[T] = []
        decode, lines = decoder.decode, text.split(b"\n")
        malformed = []
        for number, line in enumerate(lines):
            try:
                found.append(decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                if line.strip():
                    malformed.append(number)
        first = offset_of_line(text, malformed[0]) if malformed else 0
        self.note(MALFORMED, len(malformed), len(found) + len(malformed), first)
        return found

    def findings(self) -> dict[str, Finding]:
        """What was noted."""
        return {concern: tally.finding() for concern, tally in self._tallies.items()}
