"""The One Billion Row Challenge: the lowest, mean and highest temperature of each weather station."""

from typing import Any

from lambda_src.counts import Add, Column, Sums, counts_job


def count(text: bytes, add: Add) -> None:
    """Add rows such as ``Hamburg;12.0``."""
    others = add.rows("all", text, b";", decimals=1)
    add.sum("all", "other_rows", len(others))


def show(_part: str, sums: Sums) -> dict[str, Any]:
    """The stations by name."""
    stations = [
        {
            "station": name,
            "rows": of["rows"],
            "min": of["min"] / 10,
            "mean": round(of["sum"] / of["rows"]) / 10,
            "max": of["max"] / 10,
        }
        for name, of in sorted(sums.best["rows"])
    ]
    return {"rows": sums.totals["rows"], **sums.named, "stations": stations}


JOB = counts_job(
    rules="1",
    part="part",
    parts=("all",),
    count=count,
    columns=("rows", "sum", Column("min", "min"), Column("max", "max")),
    ranked_by=("rows",),
    top=1000,
    show=show,
)
