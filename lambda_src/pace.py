"""How long tasks of a fan-out take, by how much work each has: what tells a straggler from a large task."""

import bisect
import math

ENOUGH_DONE = 10
"""Of tasks with about as much work, so that their median says something."""


class Pace:
    """The seconds that tasks took. Those whose work is within a power of two are of one size."""

    def __init__(self) -> None:
        self._taken_s: dict[int | None, list[float]] = {}  # by size, each sorted

    def took(self, work: float, seconds: float) -> None:
        """A task that had so much work is done."""
        bisect.insort(self._taken_s.setdefault(_size(work), []), seconds)

    def usual_s(self, work: float) -> float:
        """How long a task with so much work usually takes: the median of those of its own size, or else of
        the nearest size, in proportion where these had less work. Infinite while too few are done: tasks
        without work say nothing of those that have some."""
        size = _size(work)
        known = {other: taken_s for other, taken_s in self._taken_s.items() if len(taken_s) >= ENOUGH_DONE}
        if size in known:
            return _median(known[size])
        sizes = [other for other in known if other is not None]
        if size is None or not sizes:
            return math.inf
        nearest = min(sizes, key=lambda other: abs(other - size))
        return _median(known[nearest]) * max(work / 2.0 ** (nearest - 1), 1.0)


def _size(work: float) -> int | None:
    """``work`` is at least half of two to the power of it, and less than all; None for no work."""
    return math.frexp(work)[1] if work > 0 else None


def _median(ordered: list[float]) -> float:
    return ordered[len(ordered) // 2]
