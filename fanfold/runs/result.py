"""The result of a run as JSON."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lambda_src.settings import DEFAULT_JOB


def as_json(job: str, summary: Mapping[str, Any], seconds: Mapping[str, float]) -> dict[str, Any]:
    """The result as ``make run JSON=path`` writes it; ``seconds`` adds the stages outside the run."""
    # The default job's result had no such field before there were other jobs.
    which = {} if job == DEFAULT_JOB else {"job": job}
    left_out = {"status", "block_bytes", "block_bytes_because", "shards", "shard_by", "shards_because"}
    own = {name: value for name, value in summary.items() if name not in left_out}
    return {"run_id": summary["run_id"], **which, **own, "seconds": {**seconds, **summary["seconds"]}}


def json_text(result: Mapping[str, Any]) -> bytes:
    """``result`` as JSON for a file."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"
