"""The formats that a result can be written in, and the endings of files that name them."""

from enum import StrEnum


class Format(StrEnum):
    """JSON has the whole result; the others have one flat table."""

    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    MARKDOWN = "markdown"
    HTML = "html"
    PARQUET = "parquet"


ENDINGS = {
    ".json": Format.JSON,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".csv": Format.CSV,
    ".md": Format.MARKDOWN,
    ".markdown": Format.MARKDOWN,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".parquet": Format.PARQUET,
}

ALL_ENDINGS = ".json, .jsonl, .csv, .md, .html or .parquet"
