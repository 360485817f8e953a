"""Requests for each hour of the day, stacked by status, and the most frequent path of each hour.

No ranking of the whole day: a path that is in no hour's ten most frequent ones could still come first.
"""

from collections.abc import Mapping
from typing import Any

from fanfold.report.page.figures import Layer, Result, Stack, Summary, Table, share_text

CLASSES = {
    "2": ("2xx", "good"),
    "3": ("3xx", "calm"),
    "4": ("4xx", "warm"),
    "5": ("5xx", "bad"),
}


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
    failed = sum(by_class["5"])
    lines, malformed = summary["lines"], summary["malformed_lines"]
    return Result(
        "Requests for each hour of the day",
        lines - malformed,
        "request" if lines - malformed == 1 else "requests",
        f"{failed} of them answered with 5xx; {malformed} of {lines} lines ({share_text(malformed, lines)}) "
        f"{'is not a log line' if malformed == 1 else 'are not log lines'}",
        [
            Stack(
                "Requests by hour and status",
                "Hour (UTC)",
                [hour for hour, _ in hours],
                layers,
                _busiest({hour: found["requests"] for hour, found in hours}),
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
    )


def _of_class(found: Mapping[str, Any], first: str) -> int:
    return sum(count for status, count in found["status"].items() if status.startswith(first))


def _busiest(requests: Mapping[str, int]) -> str:
    most = max(requests.values())
    if not most:
        return "There are no requests."
    busiest = [hour for hour, number in requests.items() if number == most]
    count = f"{most} request{'' if most == 1 else 's'}"
    if len(busiest) == 1:
        return f"The busiest hour begins at {busiest[0]}:00 UTC, with {count}."
    return f"The busiest hours begin at {', '.join(f'{hour}:00' for hour in busiest)} UTC, with {count} each."


def _first(top: list[dict[str, Any]]) -> tuple[str | None, int | None]:
    return (top[0]["path"], top[0]["count"]) if top else (None, None)
