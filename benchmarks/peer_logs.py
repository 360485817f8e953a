"""The most frequent paths of a log in Combined Log Format, by an engine of tables:
python -m benchmarks.peer_logs ENGINE STATUS FILE

``STATUS`` is the first digit of the statuses that count, or "-" for all. It prints a JSON: path and requests.
"""

import json
import sys

REQUEST = r'"[A-Z]+ ([^ ?"]+)[^"]*" ([0-9])[0-9]{2} '
TOP = 10

Paths = list[tuple[str, int]]


def duckdb(status: str, file: str) -> Paths:
    """In SQL."""
    import duckdb  # noqa: PLC0415 - a peer needs only its own package

    wanted = "" if status == "-" else f"WHERE found.status = '{status}'"
    query = f"""
    WITH read AS (
        SELECT regexp_extract(line, '{REQUEST}', ['path', 'status']) AS found
        FROM read_csv(?, columns = {{'line': 'VARCHAR'}}, header = false, auto_detect = false,
            delim = '\x1f', quote = '', escape = '', nullstr = '\x1e', buffer_size = 8000000,
            max_line_size = 2000000)
    )
    SELECT found.path, count(*) AS requests FROM read {wanted} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {TOP}
    """  # noqa: S608 -- only text of this module, and a digit
    rows: Paths = duckdb.connect().execute(query, [file]).fetchall()
    return rows


def polars(status: str, file: str) -> Paths:
    """By the streaming engine."""
    import polars as pl  # noqa: PLC0415 - as above

    line = pl.col("line")
    read = pl.scan_lines(file, name="line").select(
        line.str.extract(REQUEST, 1).alias("path"), line.str.extract(REQUEST, 2).alias("status")
    )
    wanted = read if status == "-" else read.filter(pl.col("status") == status)
    ranked = wanted.group_by("path").len("requests").sort("requests", "path", descending=[True, False])
    rows: Paths = ranked.head(TOP).collect(engine="streaming").rows()
    return rows


if __name__ == "__main__":
    print(json.dumps({"DuckDB": duckdb, "Polars": polars}[sys.argv[1]](*sys.argv[2:])))
