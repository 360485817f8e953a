"""What all tests share."""

from typing import Any

from hypothesis import settings

from tests.faults.faulty import ROWS

# No test depends on time: a slow machine is no failure.
settings.register_profile("fanfold", deadline=None, print_blob=True)
settings.load_profile("fanfold")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of the fault suite, if it ran."""
    if ROWS:
        titles = ("fault", "injected", "outcome", "words lost", "counted twice")
        widths = [max(len(str(row[column])) for row in (titles, *ROWS)) for column in range(5)]
        terminalreporter.section("faults")
        for row in (titles, *ROWS):
            cells = (str(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
            terminalreporter.write_line("  ".join(cells).rstrip())
