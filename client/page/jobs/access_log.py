"""Requests for each hour of the day, stacked by status, and the most frequent paths."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from client.page.figures import Layer, Ranking, Rankings, Result, Stack, Summary, Table

CLASSES = {
    "2": ("2xx", "good"),
    "3": ("3xx", "calm"),
    "4": ("4xx", "warm"),
    "5": ("5xx", "bad"),
}
TOP = 10


def draw(summary: Summary) -> Result:
    hours = sorted(summary["hours"].items(), key=lambda entry: int(entry[0]))
    by_class = {first: [_of_class(found, first) for _, found in hours] for first in CLASSES}
    rest = [
        found["requests"] - sum(numbers[place] for numbers in by_class.values())
        for place, (_, found) in enumerate(hours)
    ]
    layers = [Layer(*CLASSES[first], numbers) for first, numbers in by_class.items()]
    if any(rest):
        layers.append(Layer("other", "other", rest))
    busiest, found = max(hours, key=lambda entry: entry[1]["requests"])
    failed = sum(by_class["5"])
    lines, malformed = summary["lines"], summary["malformed_lines"]
    share = 100 * malformed / max(lines, 1)
    percent = "less than 0.1 %" if 0 < share < 0.1 else f"{share:.3g} %"
    return Result(
        "Requests for each hour of the day",
        lines - malformed,
        "request" if lines - malformed == 1 else "requests",
        f"{failed} of them answered with 5xx; {malformed} of {lines} lines ({percent}) "
        f"{'is not a log line' if malformed == 1 else 'are not log lines'}",
        [
            Stack(
                "Requests by hour and status",
                "Hour (UTC)",
                [hour for hour, _ in hours],
                layers,
                f"The busiest hour begins at {busiest}:00 UTC, with {found['requests']} requests.",
            ),
            Rankings(
                "Paths",
                [
                    _ranking("Most requested", summary, "top_paths"),
                    _ranking("Most often answered with 5xx", summary, "top_paths_5xx"),
                ],
                "Summed over the hours in which a path is among the ten most frequent; others may "
                "bring it more.",
            ),
            Table(
                "Hour by hour",
                ["Hour (UTC)", "Requests", "Bytes sent", "Most frequent path", "Its requests"],
                [
                    [int(hour), found["requests"], found["bytes_sent"], *_first(found["top_paths"])]
                    for hour, found in hours
                ],
            ),
        ],
        warning=_warning(lines, malformed),
    )


def _warning(lines: int, malformed: int) -> str:
    if 2 * malformed <= lines:
        return ""
    found = f"Only {lines - malformed}" if lines > malformed else "None"
    return (
        f"Warning: {found} of the {lines} line{'s' if lines != 1 else ''} could be read as log lines. Check "
        "that the input is an access log in Combined Log Format or of an AWS load balancer."
    )


def _of_class(found: Mapping[str, Any], first: str) -> int:
    return sum(count for status, count in found["status"].items() if status.startswith(first))


def _ranking(title: str, summary: Summary, which: str) -> Ranking:
    counts: Counter[str] = Counter()
    for found in summary["hours"].values():
        for top in found[which]:
            counts[top["path"]] += top["count"]
    return Ranking(
        title, "Path", "Requests", sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:TOP]
    )


def _first(top: list[dict[str, Any]]) -> tuple[str | None, int | None]:
    return (top[0]["path"], top[0]["count"]) if top else (None, None)
