"""Counting jobs as their authors write them, in C and in Python."""

import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.one_billion_rows import load_example, write_rows
from fanfold.testing import Objects, check_job, run_job
from lambda_src import counts
from lambda_src.counts import Add, Column, adding, c_counts, counts_job, python_counts
from lambda_src.counts.adding import LONGEST_KEY
from lambda_src.counts.table import Limits, Summed, Table
from lambda_src.errors import JobContractViolated
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Context, Job, NoOptions, Shards, Span

DAYS = ("Mon", "Tue", "Wed")


def count_clients(text: bytes, add: Add) -> None:
    """Lines of a day, a client and a size, with tabs between."""
    for line in text.decode(errors="replace").removesuffix("\n").split("\n"):
        day, _, rest = line.partition("\t")
        client, _, size = rest.partition("\t")
        if day in DAYS and size.isascii() and size.isdigit() and len(size) < 10:
            add(day, client, 1, int(size), int(size))
            add.sum(day, "bytes", int(size))
        else:
            add.sum("Mon", "malformed", 1)


def job_of(count: Callable[[bytes, Add], None], **more: Any) -> Job:
    return counts_job(rules="1", part="day", parts=DAYS, count=count, **more)


CLIENTS = job_of(count_clients, columns=("requests", "bytes_in", Column("largest", "max")), top=2)
LINES = b"Mon\ta\t5\nMon\tb\t1\nTue\ta\t3\nMon\tb\t1\nfoo\nMon\tc\t9\n"


@pytest.fixture(params=[c_counts.Table, python_counts.Table], ids=["C", "Python"], autouse=True)
def table(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Table]:
    monkeypatch.setattr(counts, "table_type", lambda: request.param)
    found: type[Table] = request.param
    return found


def test_a_job_of_several_columns_and_sums_keeps_the_laws() -> None:
    answer = check_job(CLIENTS, {"a": LINES, "b": b"Wed\td\t0", "c": b""}, examples=10)
    b, a, c = (
        {"key": "b", "requests": 2, "bytes_in": 2, "largest": 1},
        {"key": "a", "requests": 1, "bytes_in": 5, "largest": 5},
        {"key": "c", "requests": 1, "bytes_in": 9, "largest": 9},
    )
    assert answer["results"]["Mon"] == {
        "requests": 4,
        "bytes_in": 16,
        "largest": 9,
        "bytes": 16,
        "malformed": 1,
        "top_requests": [b, a],
        "top_bytes_in": [c, a],
        "top_largest": [c, a],
    }
    wednesday = answer["results"]["Wed"]
    assert [wednesday[name] for name in ("requests", "largest", "top_bytes_in")] == [1, 0, []]


def test_more_keys_than_are_held_at_once_go_to_lines_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = Objects([LINES])
    at_once = run_job(CLIENTS, stored)
    monkeypatch.setattr(adding, "FLUSH_BYTES", 0)
    monkeypatch.setattr(adding, "SPILL", Limits(2, 1000))
    monkeypatch.setattr(counts, "SPILL", Limits(1, 1000))
    assert run_job(CLIENTS, stored, [9, 20]) == at_once


def test_too_many_keys_are_reduced_in_several_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = run_job(CLIENTS, Objects([LINES]))
    mapped = CLIENTS.map(Span(0, len(LINES)), input_of_bytes([LINES]), CONTEXT)
    few = Limits(2, 1000)
    monkeypatch.setattr(c_counts, "limits", lambda _: few)
    monkeypatch.setattr(python_counts, "LIMITS", Limits(3 * few.keys, 1000))
    reduced = CLIENTS.reduce(0, [line.data for line in mapped.lines], CONTEXT)
    results = CLIENTS.finish([reduced.data], CONTEXT)
    assert {part: result.result for part, result in results.items()} == at_once["results"]


CONTEXT = Context(Shards("key", 1, "run"), NoOptions(), {})


def mapped(count: Callable[[bytes, Add], None], text: bytes = b"a\n") -> Any:
    return job_of(count).map(Span(0, len(text)), input_of_bytes([text]), CONTEXT)


@pytest.mark.parametrize(
    ("add", "fault"),
    [
        (lambda add: add("Thu", "a"), "the part 'Thu', which the job does not have"),
        (lambda add: add("Mon", b"a"), "the key b'a': a key is a str"),
        (lambda add: add("Mon", "a", 1, 2), "add got 2 counts"),
        (lambda add: (add("Mon", "a"), add("Mon", "a", 1, 2)), "add got 2 counts"),
        (lambda add: add("Mon", "a", -1), "the first one not negative"),
        (lambda add: add("Mon", "a", 1.5), "counts that are int"),
        (lambda add: add("Mon", "a", 1 << 63), "int of 64 bits"),
        (lambda add: add("Mon", "\ud800"), "without surrogates"),
        (lambda add: add.sum("Mon", "a", 1 << 63), "int of 64 bits"),
        (lambda add: [add.sum("Mon", str(name), 1) for name in range(10_001)], "10,000 sums by name"),
    ],
)
def test_what_add_does_not_take_is_reported(add: Callable[[Add], Any], fault: str) -> None:
    with pytest.raises(JobContractViolated, match=fault):
        mapped(lambda _, given_add: add(given_add))


def test_names_of_sums_are_counted_while_they_are_added() -> None:
    added = 0

    def count(_: bytes, add: Add) -> None:
        nonlocal added
        for added in range(1_000_000):
            add.sum("Mon", str(added), 1)

    with pytest.raises(JobContractViolated, match="10,000 sums by name"):
        mapped(count)
    assert added == 10_000


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ([], "has 1 to 16 columns, not 0"),
        ([f"column {number}" for number in range(17)], "has 1 to 16 columns, not 17"),
        (["a", "a"], "two columns have the name 'a'"),
        ([Column("a", "min"), "b"], "first column must be a sum"),
    ],
)
def test_columns_that_cannot_be_counted_are_refused(columns: list[Any], fault: str) -> None:
    with pytest.raises(JobContractViolated, match=fault):
        job_of(count_clients, columns=columns)


def test_keys_cannot_be_chosen_so_that_all_are_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_counts, "LIMITS", Limits(4, 1000))
    monkeypatch.setattr(c_counts, "limits", lambda _: Limits(4, 1000))
    alike = [key for key in map(str, range(200_000)) if zlib.crc32(key.encode()) % 4**6 == 7][:12]
    line = msgspec.json.encode(dict.fromkeys(alike, 1)) + b"\n\n"
    passes = 0

    class Lines:
        def __iter__(self) -> Iterator[bytes]:
            nonlocal passes
            passes += 1
            assert passes < 500
            return iter([line])

    reduced = job_of(count_clients).reduce(0, Lines(), CONTEXT)
    assert list(reduced.observed) == [12, 0, 0]


def test_shards_are_finished_in_the_memory_of_a_few() -> None:
    def reduced(shards: int) -> Iterator[bytes]:
        for shard in range(shards):
            best = {f"{shard} {number} ".ljust(LONGEST_KEY): [shard + 1, 1, 1] for number in range(100)}
            yield msgspec.json.encode({"Mon": Summed([100, 100, 1], {}, [best, best, best])})

    one = len(next(reduced(1)))
    tracemalloc.start()
    try:
        parts = CLIENTS.finish(reduced(100), CONTEXT)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert parts["Mon"].observations == 100 * 100
    assert [each["requests"] for each in parts["Mon"].result["top_requests"]] == [100, 100]
    assert most < 25 * one


def test_a_long_key_is_counted_by_its_beginning_size_and_digest() -> None:
    longer = "a" * (LONGEST_KEY + 1)

    def count(_: bytes, add: Add) -> None:
        for key in (longer, longer[:-1], longer + "b", longer):
            add("Mon", key)

    job = job_of(count)
    reduced = job.reduce(0, [mapped(count).lines[0].data], CONTEXT)
    top = job.finish([reduced.data], CONTEXT)["Mon"].result["top"]
    assert [(entry["count"], len(entry["key"]) <= LONGEST_KEY) for entry in top] == [
        (2, True),
        (1, True),
        (1, True),
    ]
    assert top[0]["key"].startswith("a" * 500 + "... (1001 characters, SHA-256 ")


def test_add_knows_the_place_of_the_text() -> None:
    places = []

    def count(_: bytes, add: Add) -> None:
        places.append((add.place.key, add.place.offset))

    mapped(count, b"a\nb\n")
    assert places == [("0", 0)]


ROW_KEYS = st.sampled_from(
    [b"", b"a", b"Hamburg", "S\u00e3o".encode(), b"\xff", b"k" * 17, b"k" * 1000, b"k" * 1001]
)
NUMBERS = st.sampled_from(
    [b"", b"-", b"1", b"12.0", b"-0.5", b".5", b"5.", b"1.25", b"x.5", b"1" * 16 + b".5", b"1" * 17 + b".5"]
)


@given(
    st.lists(st.tuples(ROW_KEYS, st.sampled_from([b";", b"", b";;"]), NUMBERS), max_size=80),
    st.sampled_from([b"", b"\n"]),
    st.integers(0, 2),
)
@example([(b"a", b";", b"1.0")], b"", 1)
def test_rows_are_added_as_one_by_one(
    rows: list[tuple[bytes, bytes, bytes]], end: bytes, decimals: int
) -> None:
    """And what is none is handed back, each row once and in order."""
    text = b"\n".join(map(b"".join, rows)) + end
    outcomes = []
    for found in (c_counts.Table, python_counts.Table):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(adding, "SPILL", Limits(3, 100))
            add = Add(DAYS, ["sum", "sum", "min"], CONTEXT, found(3, ["sum", "sum", "min"]))
            others = add.rows("Mon", text, b";", decimals)
            outcomes.append((others, add.lines()))
    assert outcomes[0] == outcomes[1]
    others, [line] = outcomes[0]
    assert len(others) + line.observed[0] == len(text.split(b"\n")) - (text.endswith(b"\n") or not text)


def test_the_one_billion_row_challenge_in_small(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.txt", 5000, stations=20, seed=1)
    text = (tmp_path / "rows.txt").read_bytes()
    temperatures: dict[str, list[int]] = {}
    for row in text.decode().splitlines():
        station, _, temperature = row.rpartition(";")
        temperatures.setdefault(station, []).append(round(float(temperature) * 10))
    cut = text.index(b"\n", 30_000) + 1
    answer = check_job(load_example(), {"a": text[:cut], "b": text[cut:] + b"junk\n"}, examples=5)
    result = answer["results"]["all"]
    assert (result["rows"], result["other_rows"]) == (5000, 1)
    assert result["stations"] == [
        {
            "station": station,
            "rows": len(of),
            "min": min(of) / 10,
            "mean": round(sum(of) / len(of)) / 10,
            "max": max(of) / 10,
        }
        for station, of in sorted(temperatures.items())
    ]
