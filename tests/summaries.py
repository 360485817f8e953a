"""Summaries of runs, as the client shows them."""

SUMMARY = {
    "run_id": "run",
    "status": "SUCCEEDED",
    "bytes": 1,
    "block_bytes": 1,
    "block_bytes_because": "requested",
    "blocks": 1,
    "shards": 20,
    "shard_by": "part",
    "shards_because": "as the job always does",
    "words": 1,
    "longer_words": 0,
    "top_words": {str(length): [{"word": "ΟΔΟΣ", "count": 7}] for length in range(1, 21)},
    "seconds": {},
    "dollars": 0.0012,
}
