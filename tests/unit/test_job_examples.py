"""The examples of docs/jobs.md keep the laws of every job and answer what they should."""

import json
import math
import random
import re
import statistics
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanfold.testing import Objects, check_job, load_job, run_job
from lambda_src.errors import InvalidRequest, SourceTooLarge, TableUnusable
from lambda_src.input.findings import Findings
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Context, Job, Span
from lambda_src.run.warnings import warnings_of

DOCS = Path(__file__).parents[2] / "docs"
HOSTS, STATISTICS = (load_job(DOCS / "examples" / f"{name}.py") for name in ("hosts", "column_statistics"))


def test_the_counting_job_of_the_page() -> None:
    found = re.search(
        r"## A counting job.*?```python\n(.*?)```", (DOCS / "jobs.md").read_text("utf-8"), re.DOTALL
    )
    assert found
    names: dict[str, object] = {}
    exec(found[1], names)  # noqa: S102 - our own page
    answer = check_job(names["JOB"], {"log": b"Mon\tann\t10\nMon\tbob\t5\nno size\nTue\tann\t7\nMon\tann\t3"})  # type: ignore[arg-type]
    days = answer["results"]
    assert days["Mon"]["top_bytes"] == [
        {"key": "ann", "requests": 2, "bytes": 13, "largest": 10},
        {"key": "bob", "requests": 1, "bytes": 5, "largest": 5},
    ]
    assert [days[day]["requests"] for day in ("Mon", "Tue", "Wed", "malformed")] == [3, 1, 0, 1]


def test_the_folding_job_of_the_page() -> None:
    found = re.search(
        r"## A folding job.*?```python\n(.*?)```", (DOCS / "jobs.md").read_text("utf-8"), re.DOTALL
    )
    assert found
    names: dict[str, Any] = {"__name__": "page"}
    exec(found[1], names)  # noqa: S102 - our own page
    answer = check_job(names["JOB"], {"a": b"one\nthree\n\nseven", "b": b"nine"}, 20)
    assert answer == {"bytes": 20, "objects": 2, "lines": 5, "longest": "three"}


def sentences(job: Job, text: bytes, **options: Any) -> list[str]:
    """The warnings of a run."""
    source, findings = input_of_bytes([text]), Findings()
    context = Context(job.shards("run"), job.read_options(options), job.measure(source).facts)
    findings.add(job.map(Span(0, len(text)), source, context).findings)
    return [warning.message for warning in warnings_of(findings, job.concerns)]


# ------------------------------------------------------------------------------ hosts


def request(host: Any, status: Any, latency: Any) -> str:
    return json.dumps({"path": "/é", "host": host, "status": status, "latency": latency, "more": {"host": 1}})


def near(latency: float) -> Any:
    return pytest.approx(latency, rel=0.008)


def test_requests_errors_and_percentiles_of_hosts() -> None:
    lines = [request("a", 200, 0.5), request("b", "503", "2"), "", request("a", 500, 0), request("a", 404, 8)]
    text = "\n".join(lines).encode()
    answer = check_job(HOSTS, {"1": text, "2": b'{"latency":1,"status":599.0,"host":"\\u00e9"}\r\n'})
    assert (answer["requests"], answer["hosts"]) == (5, 3)
    a, b, other = answer["by_host"]
    shown = {"host": "a", "requests": 3, "share_5xx": round(1 / 3, 6)}
    assert a == {**shown, "p50": near(0.5), "p95": near(8), "p99": near(8)}
    assert [b["host"], other["host"], other["share_5xx"]] == ["b", "é", 1]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.integers(100, 599),
            st.floats(0, allow_infinity=False) | st.integers(0, 2000) | st.just(5e-324),
        ),
        min_size=1,
    )
)
@settings(max_examples=100, deadline=None)
def test_percentiles_are_within_their_bound(requests: list[tuple[str, int, float]]) -> None:
    text = "\n".join(request(*one) for one in requests).encode()
    for found in run_job(HOSTS, Objects([text]), [len(text) // 2])["by_host"]:
        of_host = [one for one in requests if one[0] == found["host"]]
        latencies = np.array([latency for *_, latency in of_host], dtype=float)
        assert found["requests"] == len(of_host)
        assert found["share_5xx"] == pytest.approx(
            statistics.fmean(status >= 500 for _, status, _ in of_host), abs=1e-6
        )
        for percent in (50, 95, 99):
            wanted = np.percentile(latencies, percent, method="inverted_cdf")
            assert math.isclose(found[f"p{percent}"], wanted, rel_tol=0.008, abs_tol=5e-324)


MALFORMED = [
    *(b"", b"null", b"[]", b"{}", b"{", b"\xff", b"[" * 100_000, b'{"host":"\xff","status":200,"latency":1}'),
    *(request(*one).encode() for one in [("", 200, 1), ("a" * 254, 200, 1), (1, 200, 1), ("a", 99, 1)]),
    *(request(*one).encode() for one in [("a", 600, 1), ("a", None, 1), ("a", 200, -1), ("a", 200, "nan")]),
    *(request(*one).encode() for one in [("a", 200, "inf"), ("a", 200, math.nan), ("a", 200, True)]),
    *(
        b'{"host":"a","status":200,"latency":1e999}',
        b'{"host":"a","status":2' + b"0" * 9999 + b',"latency":1}',
    ),
]


@pytest.mark.parametrize("line", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_line_is_named_and_left_out(line: bytes) -> None:
    text = request("a", 200, 1).encode() + b"\n" + line + b"\n" + request("a", 200, 1).encode()
    assert run_job(HOSTS, Objects([text]))["requests"] == 2
    at = text.index(b"\n" + line) + 1
    said = "1 of 3 lines (33.3 %) is not JSON of the expected form, and was left out"
    named = [f"{said}, at byte {at} of 0."]
    assert sentences(HOSTS, text) == (named if line else [])


def test_fields_of_a_log_may_have_other_names() -> None:
    text = b'{"h":"a","s":200,"time taken":1}\n'
    options = {"host": "h", "status": "s", "latency": "time taken", "top": 1}
    assert check_job(HOSTS, {"a": text}, 3, options)["by_host"][0]["host"] == "a"
    for bad in ({"host": "status"}, {"host": '"'}):
        with pytest.raises(InvalidRequest, match="cannot be the names of three fields"):
            check_job(HOSTS, {"a": text}, 3, bad)


def test_more_than_fits_into_memory_is_refused_wherever_it_meets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["lambda_src.jobs.hosts"], "MOST_STEPS", 100)
    for requests in (
        [(f"{number}", 1) for number in range(101)],
        [("a", 2**number) for number in range(101)],
    ):
        text = "\n".join(request(host, 200, latency) for host, latency in requests).encode()
        for cuts in ([], [len(text) // 2]):
            with pytest.raises(SourceTooLarge, match="more than 100 pairs of a host and a step"):
                run_job(HOSTS, Objects([text]), cuts)
            run_job(HOSTS, Objects([text.rpartition(b"\n")[0]]), cuts)


# ------------------------------------------------------------------------------ columns


def test_statistics_of_columns() -> None:
    one = b'\xef\xbb\xbfid,"na,me",price\n1,x,2.5\n2,,NA\n1,2\n"4,0","a ""b""",1e1\n'
    answer = check_job(STATISTICS, {"a.csv": one, "b.csv": b'id,"na,me",price\r\n3,7, -0.5 \r\n'})
    assert (answer["rows"], answer["without_numbers"]) == (4, [])
    assert answer["columns"] == [
        {
            "column": "id",
            "count": 3,
            "missing": 0,
            "texts": 1,
            "min": 1,
            "max": 3,
            "mean": 2,
            "variance": 1,
        },
        {
            "column": "na,me",
            "count": 1,
            "missing": 1,
            "texts": 2,
            "min": 7,
            "max": 7,
            "mean": 7,
            "variance": None,
        },
        {
            "column": "price",
            "count": 3,
            "missing": 1,
            "texts": 0,
            "min": -0.5,
            "max": 10,
            "mean": 4,
            "variance": 29.25,
        },
    ]
    (warning,) = sentences(STATISTICS, one)
    said = "1 of 4 rows (25 %) has more or fewer cells than the header, and was left out"
    assert warning == f"{said}, at byte {one.index(b'1,2')} of 0."


NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(-(10**9), 10**9, places=3).map(str),
    st.floats(-1e9, 1e9, allow_subnormal=False).map(repr),
    st.sampled_from(["007", "+5", ".5", "5.", "-0", "1e-60", "9e60", "1E+5", "1000000000.1", "1000000000.2"]),
)
CELLS = st.one_of(
    NUMBERS, NUMBERS, st.sampled_from(["", "NA", "x", "1_000", "NaN", "inf", "１", "1.2.3", "1e61"])
)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=30), st.lists(st.integers(1, 500), max_size=3))
@settings(max_examples=100, deadline=None)
def test_statistics_are_exact_however_the_table_is_cut(rows: list[tuple[str, str]], cuts: list[int]) -> None:
    text = "a,b\n" + "".join(f"{one},{other}\n" for one, other in rows)
    stored = Objects([text.encode(), b"a,b\n1,1\n"])
    answer = run_job(STATISTICS, stored, cuts)
    assert answer == run_job(STATISTICS, stored)
    for found, cells in zip(answer["columns"], zip(*rows, ("1", "1"), strict=True), strict=True):
        numbers = [
            Decimal(cell)
            for cell in cells
            if re.fullmatch(r"(?a)[-+]?(\d+\.?\d*|\.\d+)(e-?\d+|E[+-]\d+)?", cell)
        ]
        numbers = [
            number for number in numbers if not number or Decimal("1e-60") <= abs(number) < Decimal("1e61")
        ]
        fractions = [Fraction(number) for number in numbers]
        ends = min(fractions), max(fractions)
        shown = [int(end) if end.denominator == 1 and abs(end) < 10**38 else float(end) for end in ends]
        assert [found["count"], found["min"], found["max"]] == [len(numbers), *shown]
        assert found["mean"] == float(statistics.mean(fractions))
        assert found["variance"] == (float(statistics.variance(fractions)) if len(numbers) > 1 else None)
        assert found["missing"] == sum(cell in ("", "NA", "NaN") for cell in cells)
        assert found["count"] + found["missing"] + found["texts"] == len(rows) + 1


def test_a_table_may_have_no_rows() -> None:
    answer = check_job(STATISTICS, {"a": b"a,b\n", "b": b"a,b"}, 5)
    assert (answer["rows"], answer["columns"], answer["without_numbers"]) == (0, [], ["a", "b"])


def test_variance_far_from_zero_is_that_of_numpy_without_the_offset() -> None:
    drawn = random.Random(1)
    cells = [f"{drawn.gauss(0, 1):.6f}" for _ in range(100)]
    text = "x\n" + "".join(f"{Decimal(cell) + 10**15}\n" for cell in cells)
    (found,) = run_job(STATISTICS, Objects([text.encode()]))["columns"]
    assert found["variance"] == pytest.approx(float(np.var(np.array(cells, dtype=float), ddof=1)), rel=1e-12)


def test_cells_may_be_separated_and_missing_otherwise() -> None:
    options = {"separator": ";", "missing": ["-999", "?"]}
    (found,) = check_job(STATISTICS, {"a": b"x\n1\n -999\n-999\n?\n\n"}, 10, options)["columns"]
    assert [found[name] for name in ("count", "missing", "texts")] == [1, 3, 1]


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([b""], "begins with a header of 1 to 100,000 bytes"),
        ([b"\na,b\n"], "begins with a header"),
        ([b"x" * 100_001], "begins with a header"),
        ([b"a,b\r1,2\r3,4\r"], "begins with a header of .* and a"),
        ([b",".join([b"x"] * 1001)], "more than 1,000 columns"),
        ([b"a,b\n1,2\n", b"b,a\n2,1\n"], "1 begins with another header than the first object"),
        ([b"a,b\n1,2\n", b"3,4\n"], "1 begins with another header"),
        ([b'a,b\n1,"two\nlines"\n'], "line break inside quotes cannot be read"),
        ([b'a,b\nx"y,"two\nlines"\n'], "line break inside quotes cannot be read"),
        ([b'"a\nb",c\n'], "line break inside quotes cannot be read"),
    ],
)
def test_what_is_no_such_table_is_refused(objects: list[bytes], message: str) -> None:
    for cuts in ([], list(range(1, 40))):
        with pytest.raises(TableUnusable, match=message):
            run_job(STATISTICS, Objects(objects), cuts)
