"""The best choices: R squared, rounded to 9 decimals, descending; then the target's name, then the
predictors' names in column order, by code point."""

from typing import Any, NamedTuple

BILLION = 10**9
"""Scale of R squared, which has 9 decimals."""


class Scored(NamedTuple):
    """A choice by the names of its columns, with minus its R squared in billionths, so that the best sorts
    first. ``adjusted`` is the adjusted R squared in billionths, if there is one."""

    minus_billionths: int
    target: str
    predictors: tuple[str, ...]
    adjusted: int | None = None

    def as_result(self) -> dict[str, Any]:
        """As the answer shows it."""
        return {
            "target": self.target,
            "predictors": list(self.predictors),
            "r_squared": decimals(-self.minus_billionths),
        }


def decimals(billionths: int) -> float | int:
    """A number of billionths. Whole numbers are integers, because the results table returns them so.

    >>> decimals(10**9), decimals(500_000_000), decimals(-250_000_000)
    (1, 0.5, -0.25)
    """
    return billionths / BILLION if billionths % BILLION else billionths // BILLION
