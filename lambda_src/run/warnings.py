"""Turns what the blocks found into the warnings of the run."""

from collections.abc import Iterable, Iterator, Mapping

from lambda_src.input.findings import Findings
from lambda_src.job import Concern, Finding, FoundIn, Place
from lambda_src.wire.record import RunWarning

NAMED_OBJECTS = 3
"""The most objects that a warning names."""

LONGEST_KEY = 100
"""The most characters of a key in a warning."""


def warnings_of(findings: Findings, concerns: Mapping[str, Concern]) -> Iterator[RunWarning]:
    """One warning for each concern that has findings."""
    summed = findings.summed()
    for code, concern in concerns.items():
        found = summed.get(code)
        if found and found.found:
            first = found.first or Place("", 0)
            # An offset from a point inside an archive only makes sense with the explanation in the message.
            offset = None if first.unpacked_from else first.offset
            yield RunWarning(code, sentence(found, concern), first.key, offset, found.found)


def sentence(found: Finding, concern: Concern) -> str:
    """A finding as a sentence."""
    things = _things(found.found, concern)
    if found.total:
        share = _percent(found.found, found.total)
        things = f"{found.found:,} of {_things(found.total, concern)} ({share})"
    said = concern.one if found.found == 1 else concern.many
    first = "" if found.found == 1 else "the first one "
    where = f", {first}at {_short(found.first).name()}" if found.first else ""
    sentences = [f"{things} {said}{where}.", *_most(found.objects, concern), concern.advice]
    return " ".join(filter(None, sentences))


def _things(number: int, concern: Concern) -> str:
    return f"{number:,} {concern.thing}{'' if number == 1 else 's'}"


def _most(objects: Iterable[FoundIn], concern: Concern) -> Iterator[str]:
    """The objects that consist mostly of findings, worst first."""
    if not concern.most:
        return
    bad = [one for one in objects if one.found > concern.most_share * one.total]
    bad.sort(key=lambda one: (-one.found / one.total, -one.found, one.key))
    if bad:
        named = ", ".join(
            f"{_shown(one.key)} ({one.found:,} of {_things(one.total, concern)})"
            for one in bad[:NAMED_OBJECTS]
        )
        more = f", and {len(bad) - NAMED_OBJECTS:,} more" if len(bad) > NAMED_OBJECTS else ""
        yield f"{concern.most}: {named}{more}."


def _short(place: Place) -> Place:
    return place._replace(key=_shown(place.key))


def _shown(key: str) -> str:
    """A key, or the end of a long one."""
    return key if len(key) <= LONGEST_KEY else f"...{key[-LONGEST_KEY:]}"


def _percent(part: int, whole: int) -> str:
    """A share, rounded, but never rounded to all or nothing.

    >>> _percent(1, 9), _percent(1, 5000), _percent(4999, 5000), _percent(9, 9)
    ('11.1 %', 'less than 0.1 %', 'more than 99.9 %', '100 %')
    """
    share = 100 * part / whole
    if share < 0.1:
        return "less than 0.1 %"
    return "more than 99.9 %" if 99.9 < share < 100 else f"{share:.3g} %"
