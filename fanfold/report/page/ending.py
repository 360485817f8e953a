"""What ended a run that has no result, and what to do now."""

import re
from typing import NamedTuple

from fanfold.format import counted
from lambda_src.errors import BAD_OBJECT, InvalidRequest, SourceChanged, TableUnusable, for_people
from lambda_src.wire.record import RunRecord

LONGEST_SENTENCE = 1500

_OF_INPUT = {error.__name__ for error in (*BAD_OBJECT, SourceChanged)} - {"AccessDenied"}


class Step(NamedTuple):
    """Something to do, and its command, if it has one."""

    sentence: str
    command: str = ""


class Ending(NamedTuple):
    """What happened, in the words of the error, and what to do; the first step is the best."""

    happened: str
    steps: list[Step]


def ending_of(record: RunRecord, command: str, resume: str) -> Ending:
    """How the run ended. ``command`` runs it again from the beginning, ``resume`` goes on with it."""
    began = bool(record.etag)
    happened = for_people(record.error)
    if not happened and record.status == "RUNNING":
        happened = "No Lambda works on the run any more: the one in charge died before it could say why."
    happened = happened or "The run left no message."
    kept = (
        f"{counted(record.blocks_done, 'finished block')} {'is' if record.blocks_done == 1 else 'are'} kept"
        if record.blocks_done
        else "Nothing is lost"
    )
    go_on = Step(f"{kept}. Resume the run, which does only what is missing:", resume) if resume else None
    again = Step("Or start a new run:" if resume else "Start a new run:", command)
    if not began or record.failed_with(InvalidRequest):
        return Ending(happened, [Step("Change what the message names, and start a new run:", command)])
    if TableUnusable.__name__ in _codes(record):
        changed = "Change the input or the options as the message says, and start a new run:"
        return Ending(happened, [Step(changed, command)])
    if _codes(record) & _OF_INPUT:
        mended = Step("Fix, replace or remove what the message names, and start a new run:", command)
        bad = {error.__name__ for error in BAD_OBJECT}
        if record.key is None and record.on_bad_object == "fail" and _codes(record) & bad:
            without = Step(
                "Or leave bad objects out; the result lists them:", f"{command} --on-bad-object skip"
            )
            return Ending(happened, [mended, without])
        return Ending(happened, [mended])
    if record.status == "FAILED":
        cause = Step("If the message names something to change, change it first.")
        return Ending(happened, [cause, *([go_on] if go_on else []), again])
    return Ending(happened, [*([go_on] if go_on else []), again])


def _codes(record: RunRecord) -> set[str]:
    """The names of the errors that ended the run, its own and those of its tasks."""
    texts = [record.error, *record.failures]
    return {record.error_code, *(name for text in texts for name in re.findall(r"\b([A-Z]\w+): ", text))}
