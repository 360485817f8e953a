"""A run as one HTML file: its result, its Lambdas, what it cost, and why the result is to be believed."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambda_src.messages import Manifest, PartReport, RunRecord, Trace


def page(
    job: str,
    record: RunRecord,
    summary: Mapping[str, Any],
    trace: Trace | None,
    *,
    parts: Sequence[PartReport] = (),
    manifest: Manifest | None = None,
    version: str = "",
) -> str:
    """The report of a run of ``job``, a whole HTML document that asks for nothing from anywhere.

    ``summary`` is what ``summarize`` gives of it, ``parts`` the results table's reports and ``manifest`` that
    of its blocks: with both, the report recomputes the run's proof. ``trace`` and ``manifest`` are None where
    the bucket does not hold them any more. ``version`` is Fanfold's. Raises LibraryMissing.
    """
    raise NotImplementedError
