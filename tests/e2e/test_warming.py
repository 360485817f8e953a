"""The functions of the second stage are started while the first is at work."""

from collections import Counter
from pathlib import Path

from client.samples import SAMPLES
from tests.e2e.conftest import StackOf

BLOCK_CHOICES = 40_000
"""So many blocks that the first stage takes longer than half a second, be its function warm or not."""


def test_the_second_stage_is_started_early(stack_of: StackOf, tmp_path: Path) -> None:
    stack = stack_of("column_permutations")
    sample = SAMPLES["column_permutations"](tmp_path, 0, 7, lambda _: None)
    key = stack.put("input/warming.csv", sample.path.read_bytes())
    answer = stack.run(key, block_bytes=BLOCK_CHOICES, max_concurrency=16)
    assert sample.wrong(answer) == []
    calls = [call for call in stack.trace(answer["run_id"]).calls if call.task == "warming"]
    assert Counter((call.function, call.outcome) for call in calls) == {
        ("get_all_occurrences", "done"): 1,
        ("get_occurrences", "done"): 3,
        ("log_results", "done"): 1,
    }
