"""What can go wrong, by name.

Each error's text is one sentence for a person. ``Transient`` errors are worth another attempt, every other
is not: trying again would bring the same answer.
"""

import re
from collections.abc import Sequence


class FanfoldError(Exception):
    """Any failure that Fanfold foresees. Of one that another Lambda reported, ``usage`` and ``calls`` say
    what it took all the same; of one that a call brought, ``request_id`` is what Lambda calls the call."""

    usage: object = None
    calls: Sequence[object] = ()
    request_id: str = ""


class InvalidRequest(FanfoldError):
    """A field of a request is missing, unknown, of the wrong type or out of range."""


class SourceNotFound(FanfoldError):
    """The input object or its bucket does not exist."""


class SourceChanged(FanfoldError):
    """The input object is not, or not any more, the version that a run or a request means."""


class SourceNotText(FanfoldError):
    """The input is binary, UTF-16, packed in a way that cannot be unpacked, or has too long a record."""


class SourceUnreadable(FanfoldError):
    """S3 has the input object, but does not serve it as it is: it is archived, say."""


class SourceTooLarge(FanfoldError):
    """The input has more than its job reads."""


class ArchiveDamaged(FanfoldError):
    """A compressed object is broken, cut, or followed by something else; the text names the byte."""


class ArchiveTooLarge(FanfoldError):
    """A compressed object unpacks to far more than its size lets expect, or needs too much memory or time for
    it."""


class TableUnusable(FanfoldError):
    """The input is no table that columns can be chosen from; the text names the row or the column."""


class AccessDenied(FanfoldError):
    """A role lacks a permission; the text names the service's own words."""


class EndsRun(FanfoldError):
    """A task found that its whole run cannot go on: a fan-out raises it as it is, whatever else failed."""


class CredentialsRefused(AccessDenied):
    """S3 does not accept the credentials or the clock of this function, whatever the object."""


class BlobDamaged(EndsRun):
    """An intermediate object is missing, shorter than recorded or not what was written."""


class RulesChanged(EndsRun):
    """The stack was deployed while a run was going on: a function has other rules than the run."""


class CodeChanged(EndsRun):
    """The stack was deployed while a run was going on: a function does not know the form of a request."""


class ConservationBroken(FanfoldError):
    """A byte or a word would have been lost or counted twice; the run refuses to answer."""


class RecordUnreadable(FanfoldError):
    """An item of the results table is damaged, or a newer version wrote it; the text names the run."""


class NothingLeft(FanfoldError):
    """Every object of the input is bad, so there is nothing to answer."""


class RunConflict(FanfoldError):
    """The run id is in use by another invocation, or belongs to another input."""


class RunCancelled(FanfoldError):
    """A person cancelled the run."""


class BudgetExceeded(RunCancelled):
    """The run has cost more than its ``max_dollars``: it is cancelled, and can be resumed with more."""


class TooManyDistinct(FanfoldError):
    """A block has more distinct things to count than the memory of its function is made for."""


class OutOfMemory(FanfoldError):
    """The memory of a function does not hold what it counts."""


class JobContractViolated(FanfoldError):
    """A job breaks its contract with the engine."""


class NoProgress(FanfoldError):
    """A whole invocation of ``parse_file`` brought its run no further."""


class CapacityExhausted(FanfoldError):
    """A fan-out could not start a call for long: every call was throttled, or every thread was taken."""


class FunctionFailed(FanfoldError):
    """A function's answer cannot be used, and another attempt would not help."""


class FanOutFailed(FanfoldError):
    """At least one task of a fan-out failed; ``failures`` names each."""

    def __init__(self, message: str, failures: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.failures = failures


BAD_OBJECT = (
    AccessDenied,
    ArchiveDamaged,
    ArchiveTooLarge,
    SourceNotFound,
    SourceNotText,
    SourceUnreadable,
)
"""What is wrong with one object, and would be at every attempt. An object that was replaced is not bad: the
run is of its other version."""


class BadObjects(FanfoldError):
    """Objects of a block are bad: ``found`` has the address and the fault of each."""

    def __init__(self, found: Sequence[tuple[int, str]]) -> None:
        super().__init__(found[0][1])
        self.found = found


class Transient(FanfoldError):
    """A passing fault: a server error, a lost connection, a crashed or timed-out function."""


class MemoryExceeded(Transient):
    """A function needed more memory than it has, and was killed. Another attempt has all memory to itself."""


class Throttled(Transient):
    """Too many requests; ``retry_after_s`` is the service's own wish, if it gave one."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


FORMER_NAMES = {"JobBroken": "JobContractViolated", "NoRoom": "CapacityExhausted"}
"""Error names in records and answers of earlier versions."""


def by_name(name: str, message: str) -> FanfoldError:
    """The error of that name, as another Lambda reported it."""
    known = {cls.__name__: cls for cls in _all_errors(FanfoldError)}
    return known.get(FORMER_NAMES.get(name, name), FunctionFailed)(message)


def one_line(text: str) -> str:
    """``text`` of somebody else's, such as a key, in a sentence: what ends a line or steers a terminal is
    shown as its escape.

    >>> print(one_line("input/größe\\n.log"))
    input/größe\\n.log
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def for_people(text: str) -> str:
    """The text of a failure without the names of our errors, which records and answers keep for programs.

    >>> for_people("NoRoom: Every call was throttled.")
    'Every call was throttled.'
    >>> for_people("FanOutFailed: 1 of 9 tasks failed. block 0: SourceNotText: The word: is too long.")
    '1 of 9 tasks failed. block 0: The word: is too long.'
    """
    names = "|".join([*FORMER_NAMES, *(cls.__name__ for cls in _all_errors(FanfoldError))])
    return re.sub(rf"(?:(?<=: )|(?<=\. )|^)(?:(?:{names}): )+", "", text)


def _all_errors(cls: type[FanfoldError]) -> list[type[FanfoldError]]:
    return [cls, *(deeper for child in cls.__subclasses__() for deeper in _all_errors(child))]
