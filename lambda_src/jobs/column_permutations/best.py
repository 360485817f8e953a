"""The ten best choices: R squared, rounded to 9 decimals, descending; then the target's name, then the
predictors' names in column order, by code point."""

from typing import Any, NamedTuple

TOP = 10
BILLION = 10**9
"""Scale of R squared, which has 9 decimals."""


class Scored(NamedTuple):
    """A choice by the names of its columns, with minus its R squared in billionths, so that the best sorts
    first."""

    minus_billionths: int
    target: str
    predictors: tuple[str, ...]

    def as_result(self) -> dict[str, Any]:
        """As the answer shows it. 0 and 1 are integers, because the results table returns whole numbers as
        integers."""
        whole, billionths = divmod(-self.minus_billionths, BILLION)
        r_squared = whole + billionths / BILLION if billionths else whole
        return {"target": self.target, "predictors": list(self.predictors), "r_squared": r_squared}
