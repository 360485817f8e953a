"""The examples of docs/jobs.md keep the laws of every job and answer what they should."""

import re
from pathlib import Path

from fanfold.testing import check_job

DOCS = Path(__file__).parents[2] / "docs"


def test_the_counting_job_of_the_page() -> None:
    found = re.search(
        r"## A counting job.*?```python\n(.*?)```", (DOCS / "jobs.md").read_text("utf-8"), re.DOTALL
    )
    assert found
    names: dict[str, object] = {}
    exec(found[1], names)  # noqa: S102 - our own page
    answer = check_job(names["JOB"], {"log": b"Mon\tann\t10\nMon\tbob\t5\nno size\nTue\tann\t7\nMon\tann\t3"})  # type: ignore[arg-type]
    days = answer["results"]
    assert days["Mon"]["top_bytes"] == [
        {"key": "ann", "requests": 2, "bytes": 13, "largest": 10},
        {"key": "bob", "requests": 1, "bytes": 5, "largest": 5},
    ]
    assert [days[day]["requests"] for day in ("Mon", "Tue", "Wed", "malformed")] == [3, 1, 0, 1]
