"""What all tests share."""

import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings

from lambda_src.settings import DEFAULT_JOB
from stacks.native_library import build_library, source_of_job
from tests.faults.faulty import ROWS, Row

# As in Lambda, whose layer has it: what is tested is what runs.
source = source_of_job(DEFAULT_JOB)
assert source
sys.path.append(str(build_library("host", source)))

# No test depends on time: a slow machine is no failure.
settings.register_profile("fanfold", deadline=None, print_blob=True)
settings.load_profile("fanfold")


HOSTILE: dict[str, Counter[str]] = {}
"""What came of the tests that are marked ``hostile``, by their names: they belong into the table too."""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Once per test: when it was called, or did not get so far."""
    if "hostile" in report.keywords and (report.when == "call" or not report.passed):
        name = report.nodeid.rpartition("::")[2].partition("[")[0].removeprefix("test_").replace("_", " ")
        HOSTILE.setdefault(name, Counter())[report.outcome] += 1


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of the fault suite, if it ran."""
    for name, outcomes in HOSTILE.items():
        others = [f"{count} {outcome}" for outcome, count in outcomes.items() if outcome != "passed"]
        outcome = ", ".join(others) or "as it says"
        ROWS.append(Row("", name.capitalize(), outcomes.total(), outcome, "", ""))
    if ROWS:
        titles = ("job", "fault", "injected", "outcome", "lost", "counted twice")
        widths = [max(len(str(row[column])) for row in (titles, *ROWS)) for column in range(6)]
        terminalreporter.section("faults")
        for row in (titles, *ROWS):
            cells = (str(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
            terminalreporter.write_line("  ".join(cells).rstrip())
