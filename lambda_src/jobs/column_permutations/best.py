"""The ten best choices: R squared, rounded to 9 decimals, descending; then the target's name, then the
predictors' names in column order, by code point."""

from typing import Any, NamedTuple

TOP = 10
BILLION = 10**9
"""R squared has 9 decimals."""


class Scored(NamedTuple):
    """A choice by name and what it came to: minus R squared in billionths, so that the best sorts first."""

    minus_billionths: int
    target: str
    predictors: tuple[str, ...]

    def as_result(self) -> dict[str, Any]:
        """As the answer shows it. Whole numbers come back from the results table as such, so 0 and 1 are."""
        whole, billionths = divmod(-self.minus_billionths, BILLION)
        r_squared = whole + billionths / BILLION if billionths else whole
        return {"target": self.target, "predictors": list(self.predictors), "r_squared": r_squared}
