"""DuckDB, in SQL: python -m benchmarks.peer_duckdb FILE ..."""

import duckdb

from benchmarks.peers import LONGEST, TOP, Ranked, print_answers

QUERY = f"""
WITH words AS (
    SELECT unnest(regexp_extract_all(line, '[A-Za-z]+')) AS word
    FROM read_csv(
        ?, columns = {{'line': 'VARCHAR'}}, header = false, auto_detect = false,
        delim = '\x1f', quote = '', escape = '', nullstr = '\x1e',
        buffer_size = 8000000, max_line_size = 2000000
    )
),
counts AS (SELECT lower(word) AS word, count(*) AS count FROM words GROUP BY 1),
ranked AS (
    SELECT length(word) AS length, word, count,
        row_number() OVER (PARTITION BY length(word) ORDER BY count DESC, word) AS rank
    FROM counts WHERE length(word) <= {LONGEST}
)
SELECT length, word, count FROM ranked WHERE rank <= {TOP} ORDER BY length, rank
"""  # noqa: S608 -- two numbers of this project
"""The text holds no control characters, so a line is one field. Smaller buffers than by default occupy all
threads with 100 MB, too."""


def rank(file: str) -> Ranked:
    """In one query, in a database in memory."""
    rows: Ranked = duckdb.connect().execute(QUERY, [file]).fetchall()
    return rows


if __name__ == "__main__":
    print_answers(rank)
