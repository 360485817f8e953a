"""The result in files, inside the page: a link holds each as a data URI, which works without a script or a
network, and under the page's policy."""

import base64
from collections.abc import Mapping
from typing import NamedTuple

MOST_BYTES = 5_000_000
"""Of one file in a page. A result has up to 6 MB, and a page may be sent by mail."""

TYPES = {"csv": "text/csv;charset=utf-8", "json": "application/json"}


class Download(NamedTuple):
    """A file as a link; ``uri`` is empty if it is too large, and ``command`` writes it."""

    kind: str
    name: str
    bytes: int
    uri: str
    command: str


def downloads_of(run_id: str, files: Mapping[str, bytes], results: str) -> list[Download]:
    """Links to ``files``, which are named by their endings; ``results`` is the command for the result."""
    return [
        Download(
            ending.upper(),
            f"fanfold-{run_id}.{ending}",
            len(content),
            _uri(TYPES[ending], content) if len(content) <= MOST_BYTES else "",
            f"{results} -o result.{ending}",
        )
        for ending, content in files.items()
    ]


def _uri(kind: str, content: bytes) -> str:
    """
    >>> _uri("text/csv", b"a,b")
    'data:text/csv;base64,YSxi'
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
