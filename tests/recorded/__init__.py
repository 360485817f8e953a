"""Runs of an older version, as it stored and answered them; the README in this folder says how."""

import json
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "16fd7a8"
JOBS = sorted(path.stem for path in FOLDER.glob("*.json"))


class Recorded(NamedTuple):
    """A run of ``job``; ``unfinished`` is one of the same input that failed before its results were stored.

    ``input`` holds the objects in base64; ``items`` is what the table held, ``objects`` what the bucket held;
    ``messages`` are requests and answers by the name of the function.
    """

    job: str
    bucket: str
    table: str
    input: dict[str, str]
    request: dict[str, Any]
    answer: dict[str, Any]
    items: list[dict[str, Any]]
    objects: dict[str, str]
    messages: dict[str, list[dict[str, Any]]]
    results_json: dict[str, Any]
    results_csv: str
    unfinished: dict[str, Any]


def recorded(job: str, bucket: str) -> Recorded:
    """The recording of ``job``, with ``bucket`` in place of the bucket's name at that time."""
    text = (FOLDER / f"{job}.json").read_text("utf-8")
    return Recorded(**json.loads(text.replace(json.loads(text)["bucket"], bucket)))
