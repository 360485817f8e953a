"""How long the tasks of a fan-out take for their work, to tell a straggler from a large task."""

import bisect
import math

ENOUGH_DONE = 10
"""Number of tasks of about the same work that give a useful median."""


class Pace:
    """The seconds that tasks took, by size: tasks whose work is within a power of two have the same size."""

    def __init__(self) -> None:
        self._taken_s: dict[int | None, list[float]] = {}  # by size, each sorted

    def took(self, work: float, seconds: float) -> None:
        """Note a finished task."""
        bisect.insort(self._taken_s.setdefault(_size(work), []), seconds)

    def usual_s(self, work: float) -> float:
        """How long a task with this much work usually takes: the median of its size, or else of the nearest
        size, scaled up if that is smaller. Infinite until enough tasks are done; tasks without work do not
        count for those that have some."""
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
    """The exponent of the next power of two above ``work``; None for no work."""
    return math.frexp(work)[1] if work > 0 else None


def _median(ordered: list[float]) -> float:
    return ordered[len(ordered) // 2]
