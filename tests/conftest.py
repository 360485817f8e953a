"""What all tests share."""

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from fanfold import job_code
from lambda_src.job import names
from stacks.native_library import build_libraries, sources_of_jobs
from tests.faults.faulty import ROW, Row

# As in Lambda, whose layer has it: what is tested is what runs.
_SOURCES = dict.fromkeys(source for job in names() for source in sources_of_jobs([job]))
sys.path.append(str(build_libraries("host", list(_SOURCES))))

# No test depends on time: a slow machine is no failure.
settings.register_profile("fanfold", deadline=None, print_blob=True)
settings.load_profile("fanfold")


@pytest.fixture(autouse=True)
def _own_jobs_are_forgotten() -> Iterator[None]:
    """Those that a test gave by their files."""
    yield
    job_code._own.clear()


ROWS: list[Row] = []
"""The table of the fault suite."""

HOSTILE: dict[str, Counter[str]] = {}
"""The outcomes of the tests that are marked ``hostile``, by their names: they belong into the table too."""

SHARED_FIXTURES = ("tests/e2e/", "tests/faults/", "tests/stack/")
"""All tests in each of these folders share one local AWS, or what was synthesized."""


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Keep archives, which hold the time, out of the names of tests: workers must find the same names."""
    return argname if isinstance(val, bytes) and len(val) > 16 else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep tests that share a fixture in one worker: those of a module, or of one of those folders."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            shared = (folder for folder in SHARED_FIXTURES if nodeid.startswith(folder))
            return next(shared, nodeid.partition("::")[0])

    return Scheduler(config, log)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collect the rows of the table, in the process that prints it, whichever worker ran the test."""
    ROWS.extend(Row(*row) for name, row in report.user_properties if name == ROW and isinstance(row, list))
    # Once per test: when it was called, or did not get so far.
    if "hostile" in report.keywords and (report.when == "call" or not report.passed):
        name = report.nodeid.rpartition("::")[2].partition("[")[0].removeprefix("test_").replace("_", " ")
        HOSTILE.setdefault(name, Counter())[report.outcome] += 1


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table of the fault suite, if it ran."""
    rows = list(ROWS)
    for name, outcomes in HOSTILE.items():
        others = [f"{count} {outcome}" for outcome, count in outcomes.items() if outcome != "passed"]
        outcome = ", ".join(others) or "as it says"
        rows.append(Row("", name.capitalize(), outcomes.total(), outcome, "", ""))
    if rows:
        titles = ("job", "fault", "injected", "outcome", "lost", "counted twice")
        widths = [max(len(str(row[column])) for row in (titles, *rows)) for column in range(6)]
        terminalreporter.section("faults")
        for row in (titles, *rows):
            cells = (str(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
            terminalreporter.write_line("  ".join(cells).rstrip())
