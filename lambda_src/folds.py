"""Jobs that fold their records into one value, such as a minimum, a sample or a sketch.

A job says what a block adds to the value and how two values merge; the rest is here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from lambda_src.errors import BlobDamaged, JobContractViolated
from lambda_src.input.reading import Reading
from lambda_src.job import Context, Input, Job, Line, Mapped, Part, Place, Shown, Span
from lambda_src.records import LINES, Rule

__all__ = ["Fold", "Reading", "Shown", "fold_job"]

ALL = "all"
"""The only part."""


class Fold(Struct):
    """The value of one block, or of several. A subclass has fields that msgspec writes as JSON, each with a
    default: without any record, they hold those. JSON has no infinity: a minimum begins as None.

    ``observed`` is how many things were added, which the proof is about. Merging must give the same for any
    grouping and any order.
    """

    observed: int = 0

    def add(self, text: bytes, reading: Reading) -> None:
        """Add ``text``, which is whole records of one object."""
        raise NotImplementedError

    def merge(self, other: Any) -> None:
        """Add what another value has, but for ``observed``, which is added already."""
        raise NotImplementedError

    def result(self, context: Context) -> dict[str, Any]:
        """What the answer shows of the value, as JSON."""
        raise NotImplementedError


def fold_job(fold: type[Fold], *, rules: str, records: Rule = LINES, **more: Any) -> Job:
    """A job whose blocks fold their ``records``. One reducer merges what all blocks have."""
    folding = _Folding(fold, records)
    return Job(
        rules=rules,
        part="part",
        parts=(ALL,),
        map=folding.map,
        combine=folding.combine,
        reduce=folding.combine,
        finish=folding.finish,
        summarize=_summarize,
        **{"sharded_by": ("part",), **more},
    )


class _Folding(Struct, frozen=True):
    fold: type[Fold]
    records: Rule

    def map(self, block: Span, source: Input, context: Context) -> Mapped:
        """Fold what ``block`` owns. Raises JobContractViolated, and what ``source`` and the job raise."""
        fold, reading = self.fold(), Reading(context)

        def add(chunk: bytes, at: Place) -> None:
            reading.place = at
            fold.add(chunk, reading)

        owned = source.feed(block, self.records, add)
        line = _line(fold)
        try:
            msgspec.json.decode(line.data, type=self.fold)
        except msgspec.DecodeError as error:
            raise JobContractViolated(
                f"{self.fold.__name__} cannot be read back from JSON, which has no infinity and no NaN: "
                f"{error}."
            ) from None
        return Mapped(owned, [line], {}, reading.findings())

    def combine(self, _shard: int, lines: Iterable[bytes], _context: Context) -> Line:
        """One value of all ``lines``. Raises BlobDamaged, and what the job raises."""
        values = map(self._read, lines)
        # Nothing is merged into an empty value: so the laws see a merge that forgets something.
        whole = next(values, None) or self.fold()
        for other in values:
            whole.observed += other.observed
            whole.merge(other)
        return _line(whole)

    def _read(self, line: bytes) -> Fold:
        try:
            return msgspec.json.decode(line, type=self.fold)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BlobDamaged(f"A line cannot be read ({error}): start the run again.") from None

    def finish(self, reduced: Iterable[bytes], context: Context) -> dict[str, Part]:
        """The result of the only part."""
        (line,) = reduced
        whole = self._read(line)
        return {ALL: Part(whole.observed, whole.result(context))}


def _line(fold: Fold) -> Line:
    return Line(msgspec.json.encode(fold), [fold.observed])


def _summarize(
    context: Context, extras: Mapping[str, int], results: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    return {**context.facts, **extras, **results[ALL]}
