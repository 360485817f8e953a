"""How long is usual for a task, by its work."""

import math

import pytest

from lambda_src.fan_out.pace import ENOUGH_DONE, Pace

MB = 1e6


@pytest.mark.parametrize(
    ("done", "work", "usual_s"),
    [
        ({}, 5 * MB, math.inf),
        ({5 * MB: [1.0] * (ENOUGH_DONE - 1)}, 5 * MB, math.inf),
        ({5 * MB: [1.0] * 4 + [2.0] * 3 + [9.0] * 4}, 5 * MB, 2.0),
        ({5 * MB: [1.0] * 10}, 1 * MB, 1.0),  # as long as larger ones, for to start takes time, too
        ({5 * MB: [1.0] * 10}, 500 * MB, 500 / 4.194304),  # in proportion to the least of their size
        ({0: [0.05] * 63}, 300 * MB, math.inf),  # blocks of an archive that had nothing to do
        ({0: [0.05] * 63}, 0, 0.05),
        ({5 * MB: [1.0] * 63}, 0, math.inf),
        ({0: [0.05] * 50, 300 * MB: [60.0] * 10}, 300 * MB, 60.0),
        ({1: [0.1] * 90, 5 * MB: [1.0] * 10}, 6 * MB, 1.0),  # many small ones say nothing of it
        ({1: [0.1] * 90, 5 * MB: [1.0] * 9}, 1 * MB, 0.1 * MB),
    ],
)
def test_a_task_is_compared_with_those_of_its_size(
    done: dict[float, list[float]], work: float, usual_s: float
) -> None:
    pace = Pace()
    for amount, times in done.items():
        for seconds in times:
            pace.took(amount, seconds)
    assert pace.usual_s(work) == pytest.approx(usual_s)
