"""Errors.

The text of an error is a sentence for people. ``Transient`` errors are worth a retry; all others would occur
again.
"""

import re
from collections.abc import Sequence


class FanfoldError(Exception):
    """Any expected failure. If another Lambda reported it, ``usage`` and ``calls`` are what that invocation
    used and called; if a call failed, ``request_id`` is Lambda's id of that call."""

    usage: object = None
    calls: Sequence[object] = ()
    request_id: str = ""


class InvalidRequest(FanfoldError):
    """A field of a request is missing, unknown, of the wrong type or out of range."""


class SourceNotFound(FanfoldError):
    """The input object or its bucket does not exist."""


class SourceChanged(FanfoldError):
    """The input object is not, or no longer, the version that a run or a request means."""


class SourceNotText(FanfoldError):
    """The input is binary or UTF-16, cannot be unpacked, or has a record that is too long."""


class SourceUnreadable(FanfoldError):
    """S3 has the input object, but does not serve it, for example because it is archived."""


class SourceTooLarge(FanfoldError):
    """The input has more than the job accepts."""


class ArchiveDamaged(FanfoldError):
    """A compressed object is corrupt, truncated, or followed by something else; the text names the byte."""


class ArchiveTooLarge(FanfoldError):
    """A compressed object unpacks to far more than its size suggests, or needs too much memory or time."""


class BlockTooSlow(FanfoldError):
    """To map a block takes longer than a function may run."""


class TableUnusable(FanfoldError):
    """The input is not a table of the expected form; the text names the row or the column."""


class AccessDenied(FanfoldError):
    """A role lacks a permission; the text quotes the service."""


class EndsRun(FanfoldError):
    """A failure of a task that ends the whole run: a fan-out raises it unchanged, whatever else failed."""


class CredentialsRefused(AccessDenied):
    """S3 rejects the credentials or the clock of this function, for any object."""


class BlobDamaged(EndsRun):
    """An intermediate object is missing, truncated or changed."""


class RulesChanged(EndsRun):
    """The stack was deployed during a run: a function has different rules than the run."""


class CodeChanged(EndsRun):
    """The stack was deployed during a run: a function does not know the form of a request."""


class ConservationBroken(FanfoldError):
    """A byte or a word would have been lost or counted twice, so the run fails."""


class RecordUnreadable(FanfoldError):
    """An item of the results table is damaged, or a newer version wrote it; the text names the run."""


class NothingLeft(FanfoldError):
    """Every object of the input is bad, so there is no result."""


class RunConflict(FanfoldError):
    """Another invocation uses the run id, or it belongs to another input."""


class RunCancelled(FanfoldError):
    """The run was cancelled."""


class BudgetExceeded(RunCancelled):
    """The run has reached its ``max_dollars``, and is cancelled. It can be resumed with a higher limit."""


class TooManyDistinct(FanfoldError):
    """A block has more distinct values than fit into the memory of its function."""


class OutOfMemory(FanfoldError):
    """A function ran out of memory while counting."""


class JobContractViolated(FanfoldError):
    """A job breaks its contract with the engine."""


class NoProgress(FanfoldError):
    """A whole invocation of ``parse_file`` made no progress."""


class CapacityExhausted(FanfoldError):
    """A fan-out could not start a call for long: every call was throttled, or every thread was taken."""


class FunctionFailed(FanfoldError):
    """The answer of a function is invalid, and a retry would not help."""


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
"""Permanent faults of a single object. An object that was replaced is not bad: the run is of its other
version."""


class BadObjects(FanfoldError):
    """Objects of a block are bad: ``found`` has the address of each, and the reason."""

    def __init__(self, found: Sequence[tuple[int, str]]) -> None:
        super().__init__(found[0][1])
        self.found = found


class Transient(FanfoldError):
    """A temporary fault: a server error, a lost connection, a crashed or timed-out function."""


class MemoryExceeded(Transient):
    """A function needed more memory than it has, and was killed. A retry has all the memory to itself."""


class Throttled(Transient):
    """Too many requests; ``retry_after_s`` is the delay that the service asked for, if any."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


FORMER_NAMES = {"JobBroken": "JobContractViolated", "NoRoom": "CapacityExhausted"}
"""Error names in records and answers of earlier versions."""


def by_name(name: str, message: str) -> FanfoldError:
    """The error of this name, which another Lambda reported."""
    known = {cls.__name__: cls for cls in _all_errors(FanfoldError)}
    return known.get(FORMER_NAMES.get(name, name), FunctionFailed)(message)


def one_line(text: str) -> str:
    """Foreign ``text``, such as a key, for use in a sentence: line ends and terminal controls are escaped.

    >>> print(one_line("input/größe\\n.log"))
    input/größe\\n.log
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def for_people(text: str) -> str:
    """The text of a failure without the names of errors, which are for programs.

    >>> for_people("NoRoom: Every call was throttled.")
    'Every call was throttled.'
    >>> for_people("FanOutFailed: 1 of 9 tasks failed. block 0: SourceNotText: The word: is too long.")
    '1 of 9 tasks failed. block 0: The word: is too long.'
    """
    names = "|".join([*FORMER_NAMES, *(cls.__name__ for cls in _all_errors(FanfoldError))])
    return re.sub(rf"(?:(?<=: )|(?<=\. )|^)(?:(?:{names}): )+", "", text)


def _all_errors(cls: type[FanfoldError]) -> list[type[FanfoldError]]:
    return [cls, *(deeper for child in cls.__subclasses__() for deeper in _all_errors(child))]
