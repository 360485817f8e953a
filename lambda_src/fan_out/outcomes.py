"""The outcomes of a call of a fan-out."""

from typing import Literal, get_args

Outcome = Literal["done", "late", "throttled", "failed", "given_up"]
"""``done``: its answer is the task's. ``late``: another copy answered first. ``throttled``, ``failed``: it
raised an error. ``given_up``: its caller stopped waiting."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

CALL_COUNTS = {"done": "done", "failed": "tried_again", "throttled": "throttled", "late": "copies"}
"""The name under which ``RunRecord.calls`` counts each outcome."""
