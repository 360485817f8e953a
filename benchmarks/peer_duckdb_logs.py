"""Logs in DuckDB, in SQL: python -m benchmarks.peer_duckdb_logs FILE ...

Of Combined Log Format, and of ASCII: its answer is that of ``access_log`` on the logs of ``benchmarks.logs``.
"""

from typing import Any

import duckdb

from benchmarks.peers import TOP, print_outputs

_TEXT = r'(?:[^"\\]|\\.)*'
_LONG_MONTHS, _ALL_BUT_FEBRUARY = "Jan|Mar|May|Jul|Aug|Oct|Dec", "Jan|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DATE = (
    rf"(?:(?:0[1-9]|1\d|2[0-8])/(?:{_ALL_BUT_FEBRUARY}|Feb)|(?:29|30)/(?:{_ALL_BUT_FEBRUARY})|31/(?:{_LONG_MONTHS}))"
    r"/\d{4}"
)
_REQUEST = (
    r"[A-Za-z_-]+ ((?:[^?\"\\ ]|\\.)(?:[^?\"\\]|\\.)*?)(?:\?" + _TEXT + r")? HTTP/\d(?:\.\d)?"
    r"|[A-Za-z_-]+ (/(?:[^? \"\\]|\\.)*)(?:\?(?:[^ \"\\]|\\.)*)?"
    r"|" + _TEXT
)
LINE = (
    rf"^[^ ]+ [^ ]+ [^\[]* \[{_DATE}:([01]\d|2[0-3]):([0-5]\d):[0-5]\d ([+-])(\d\d)(\d\d)\] "
    rf'"(?:{_REQUEST})" (\d{{3}}) (\d{{1,15}}|-) "{_TEXT}" "{_TEXT}"(?: .*)?$'
)
"""What ``python_scan.py`` reads of such a line, but for leap days and leap seconds."""
_GROUPS = ["hour", "minute", "sign", "zone_hours", "zone_minutes", "path", "bare", "status", "sent"]

QUERY = f"""
CREATE TEMP TABLE requests AS
WITH matched AS (
    SELECT regexp_extract(line, '{LINE}', {_GROUPS}) AS found
    FROM read_csv(
        ?, columns = {{'line': 'VARCHAR'}}, header = false, auto_detect = false,
        delim = '\x1f', quote = '', escape = '', nullstr = '\x1e',
        buffer_size = 8000000, max_line_size = 2000000
    )
),
read AS (
    SELECT
        CASE WHEN found.status = '' THEN NULL ELSE
            (60 * (found.hour::INT + 48) + found.minute::INT - (found.sign || '1')::INT
                * (60 * found.zone_hours::INT + found.zone_minutes::INT)) // 60 % 24
        END AS hour,
        found.status AS status,
        CASE WHEN found.path <> '' THEN found.path WHEN found.bare <> '' THEN found.bare ELSE '-' END AS path,
        CASE WHEN found.sent IN ('', '-') THEN 0 ELSE found.sent::BIGINT END AS sent
    FROM matched
)
SELECT hour, status, path, count(*)::BIGINT AS count, sum(sent)::BIGINT AS sent FROM read GROUP BY ALL
"""  # noqa: S608 -- only text of this module
"""The text holds no control characters, so a line is one field."""

STATUSES = "SELECT hour, status, sum(count)::BIGINT, sum(sent)::BIGINT FROM requests GROUP BY ALL"
TOPS = f"""
SELECT hour, path, sum(count)::BIGINT AS total FROM requests WHERE hour IS NOT NULL AND status LIKE ?
GROUP BY hour, path QUALIFY row_number() OVER (PARTITION BY hour ORDER BY total DESC, path) <= {TOP}
ORDER BY hour, total DESC, path
"""  # noqa: S608 -- a number of this project


def answer(file: str) -> dict[str, Any]:
    """What ``access_log`` answers of lines and hours."""
    database = duckdb.connect()
    database.execute(QUERY, [file])
    hours: dict[str, dict[str, Any]] = {
        str(hour): {"requests": 0, "bytes_sent": 0, "status": {}, "top_paths": [], "top_paths_5xx": []}
        for hour in range(24)
    }
    malformed = 0
    for hour, status, count, sent in sorted(database.execute(STATUSES).fetchall(), key=lambda row: row[1]):
        if hour is None:
            malformed += count
            continue
        found = hours[str(hour)]
        found["requests"] += count
        found["bytes_sent"] += sent
        found["status"][status] = count
    for name, statuses in (("top_paths", "%"), ("top_paths_5xx", "5%")):
        for hour, path, count in database.execute(TOPS, [statuses]).fetchall():
            hours[str(hour)][name].append({"path": path, "count": count})
    return {"malformed_lines": malformed, "hours": hours}


if __name__ == "__main__":
    print_outputs(answer)
