"""Where the time of a run's processes went."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

Function = tuple[str, int, str]
"""File, line and name, as ``cProfile`` has it."""

Stats = Mapping[Function, tuple[int, int, float, float, object]]
"""For each function its calls, without and with recursive ones, its own seconds, and those with what it
called."""

SHOWN = 15


def slowest(profiles: Sequence[Stats]) -> list[str]:
    """A table of the functions that took most time themselves, over all processes."""
    calls: defaultdict[Function, int] = defaultdict(int)
    own_s: defaultdict[Function, float] = defaultdict(float)
    for stats in profiles:
        for function, (_, made, seconds, _, _) in stats.items():
            calls[function] += made
            own_s[function] += seconds
    ranked = sorted(own_s, key=lambda function: -own_s[function])[:SHOWN]
    lines = ["   seconds       calls  function"]
    lines += [f"{own_s[one]:10.3f} {calls[one]:11,}  {_name(one)}" for one in ranked]
    return lines


def _name(function: Function) -> str:
    """
    >>> _name(("~", 0, "<built-in method len>")), _name(("/a/my_job.py", 7, "count"))
    ('<built-in method len>', 'my_job.py:7 count')
    """
    file, line, name = function
    return name if file == "~" else f"{Path(file).name}:{line} {name}"
