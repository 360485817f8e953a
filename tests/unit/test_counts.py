"""Counting jobs: tables in C against those in Python, and what a job makes of them."""

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambda_src.counts import c_counts, library, python_counts
from lambda_src.counts.compiled import library_name
from lambda_src.counts.library import COUNTS, find_library
from lambda_src.counts.table import EVERY_KEY, KINDS, LEAST, MOST, MOST_NAMES, Limits, Summed, Table, Takes
from lambda_src.errors import BlobDamaged, JobContractViolated, TooManyDistinct
from lambda_src.job import Line, Shards
from lambda_src.sorted_rows import BETWEEN, counts_of, key_of
from stacks.native_library import sources_of_jobs

ROOT = Path(__file__).parents[2]
C, PYTHON = c_counts.Table, python_counts.Table
BOTH = pytest.mark.parametrize("table", [C, PYTHON])

PARTS = 3
ONE = Shards("key", 1, "run")
SHARDS = st.sampled_from(
    [ONE, Shards("key", 3, "run"), Shards("key", 4, "another"), Shards("part", PARTS, "run")]
)

# Around the 16 bytes of an entry; what JSON escapes; bytes of every length in UTF-8.
KEYS = (
    st.text(max_size=20)
    | st.text('"\\/\b\t\n\x00\x1f\x7fé日😀', max_size=6)
    | st.text("ab", min_size=14, max_size=18)
)
SMALL = st.integers(-9, 9)
NUMBERS = SMALL | st.integers(LEAST // 9, MOST // 9)


@st.composite
def columns_and_blocks(draw: st.DrawFn) -> tuple[list[str], list[bytes]]:
    """The kinds of columns, and the lines of blocks with all parts."""
    kinds = ["sum", *draw(st.lists(st.sampled_from(KINDS), max_size=2))]
    first = st.integers(0, 9) | st.integers(0, MOST // 99)
    counts: st.SearchStrategy[Any] = st.tuples(first, *[NUMBERS] * (len(kinds) - 1)).map(list)
    if len(kinds) == 1:
        counts = first
    keys = st.dictionaries(KEYS, counts, max_size=6).map(
        lambda piece: msgspec.json.encode(piece) if piece else b""
    )
    sums = st.dictionaries(KEYS, NUMBERS, max_size=3).map(
        lambda piece: msgspec.json.encode([*itertools.chain(*piece.items())]) if piece else b""
    )
    line = st.lists(keys | sums, max_size=3).map(lambda pieces: b"\t".join(filter(None, pieces)))
    block = st.lists(line, min_size=PARTS, max_size=PARTS).map(b"\n".join)
    return kinds, draw(st.lists(block, min_size=1, max_size=4))


def lines_of(
    table: type[Table], kinds: Sequence[str], blocks: Sequence[bytes], shards: Shards, writes: bool = False
) -> list[Line]:
    """The blocks' lines by ``shards``; with ``writes``, each block is a piece of its own."""
    one = table(PARTS, kinds)
    for block in blocks:
        one.add(block, 0, PARTS)
        if writes:
            one.write(shards)
    return one.lines(shards)


def summed(
    table: type[Table], kinds: Sequence[str], blocks: Sequence[bytes], takes: Takes = EVERY_KEY, top: int = 3
) -> list[Summed]:
    one = table(PARTS, kinds, takes)
    for block in blocks:
        one.add(block, 0, PARTS)
    return one.summed(range(PARTS), range(len(kinds)), top)


@given(columns_and_blocks(), SHARDS, st.booleans())
@settings(max_examples=250)
def test_c_writes_what_python_writes(
    columns: tuple[list[str], list[bytes]], shards: Shards, writes: bool
) -> None:
    ours = lines_of(C, *columns, shards, writes)
    assert ours == lines_of(PYTHON, *columns, shards, writes)
    assert len(ours) == shards.count


@given(columns_and_blocks(), st.integers(0, 4))
@settings(max_examples=250)
def test_c_sums_and_ranks_as_python_does(columns: tuple[list[str], list[bytes]], top: int) -> None:
    assert summed(C, *columns, top=top) == summed(PYTHON, *columns, top=top)


@given(columns_and_blocks(), SHARDS, st.booleans())
@settings(max_examples=150)
def test_the_shards_hold_together_what_there_was(
    columns: tuple[list[str], list[bytes]], shards: Shards, writes: bool
) -> None:
    kinds, blocks = columns
    whole = summed(PYTHON, kinds, blocks, top=99)
    totals = [0] * PARTS
    for shard, line in enumerate(lines_of(C, kinds, blocks, shards, writes)):
        takes = Takes(shards, shard)
        for table in (C, PYTHON):
            one = table(PARTS, kinds, takes)
            first, parts = (shard, 1) if shards.by == "part" else (0, PARTS)
            one.add(line.data, first, parts)
            found = one.summed(range(PARTS), range(len(kinds)), 99)
            assert [part.totals[0] if part.totals else 0 for part in found] == line.observed
            for part, of_whole in zip(found, whole, strict=True):
                for keys, all_keys in zip(part.best, of_whole.best, strict=True):
                    assert keys.items() <= all_keys.items()
        totals = [total + more for total, more in zip(totals, line.observed, strict=True)]
    assert totals == [part.totals[0] if part.totals else 0 for part in whole]


@given(columns_and_blocks(), st.integers(2, 5))
def test_every_key_is_in_one_pass(columns: tuple[list[str], list[bytes]], passes: int) -> None:
    kinds, blocks = columns
    whole = summed(PYTHON, kinds, blocks, top=99)
    for table in (C, PYTHON):
        found = [
            summed(table, kinds, blocks, Takes(number=number, passes=passes), 99) for number in range(passes)
        ]
        for part, of_whole in enumerate(whole):
            keys = [key for of_pass in found for key in of_pass[part].best[0]]
            assert sorted(keys) == sorted(of_whole.best[0])
            assert [of_pass[part].sums for of_pass in found] == [of_whole.sums, *[{}] * (passes - 1)]


@BOTH
def test_the_keys_over_all_parts_are_bounded_too(table: type[Table]) -> None:
    """But never so tightly that the parts of one key do not fit: passes would have no end."""
    takes = Takes(limits=Limits(PARTS, 1 << 20))
    one = table(PARTS, ["sum"], takes)
    one.add(b"\n".join([b'{"a":2}'] * PARTS), 0, PARTS)
    assert one.best_of_all(range(PARTS), 0, 9) == {"a": [2 * PARTS]}
    assert one.best_of_all(range(1, 2), 0, 9) == {"a": [2]}
    many = table(PARTS, ["sum"], Takes(limits=Limits(1500, 1 << 20)))
    many.add(msgspec.json.encode({str(number): 1 for number in range(1001)}), 0, 1)
    with pytest.raises(TooManyDistinct):
        many.best_of_all(range(PARTS), 0, 9)


INNER_KEYS = st.tuples(st.text("ab", max_size=18), st.sampled_from(["", "\0x", "\0y", "\0" + "z" * 20]))


@given(
    st.lists(
        st.dictionaries(INNER_KEYS.map("".join), st.integers(0, 9), min_size=1, max_size=12), max_size=3
    ),
    st.sampled_from([ONE, Shards("key", 3, "run"), Shards("part", PARTS, "run")]),
    st.integers(1, 3),
)
@settings(max_examples=150)
def test_inner_keys_are_where_their_key_is_and_are_reported_with_it(
    blocks: list[dict[str, int]], shards: Shards, passes: int
) -> None:
    """The same in C and in Python; a key and all its inner ones, and no other inner one."""
    data = [
        msgspec.json.encode({key: [0, n] if "\0" in key else [n, 0] for key, n in one.items()})
        for one in blocks
    ]
    expected: dict[str, int] = {}
    for key, number in itertools.chain(*(one.items() for one in blocks)):
        expected[key] = expected.get(key, 0) + number
    outer = {key for key, number in expected.items() if "\0" not in key and number}
    of_both: list[dict[str, list[int]]] = []
    for table in (C, PYTHON):
        block = table(PARTS, ["sum", "sum"], has_inner=True)
        for piece in data:
            block.add(piece, 0, 1)
        found: dict[str, list[int]] = {}
        for shard, line in enumerate(block.lines(shards)):
            for number in range(passes):
                one = table(PARTS, ["sum", "sum"], Takes(shards, shard, number, passes), has_inner=True)
                one.add(line.data, *((shard, 1) if shards.by == "part" else (0, PARTS)))
                (best,) = one.summed(range(PARTS), [0], 99)[0].best
                assert {key for key in best if "\0" not in key} >= {key.partition("\0")[0] for key in best}
                found |= {key: list(counts) for key, counts in best.items()}
        of_both.append(found)
    assert of_both[0] == of_both[1]
    assert {key: sum(counts) for key, counts in of_both[0].items()} == {
        key: number for key, number in expected.items() if key.partition("\0")[0] in outer
    }


# Long ones whose words of eight bytes agree, NULs that are no padding, and every kind of KEYS.
ALIKE = st.text("a\x00", max_size=40) | st.text("a\x00b", max_size=3).map("12345678abcdefgh".__add__)


@given(st.dictionaries(ALIKE | KEYS, st.tuples(st.integers(0, 9), SMALL), max_size=40), st.integers(1, 90))
@settings(max_examples=400)
@example({"": (1, 2), "\x00": (0, -1), "a" * 16: (1, 1), "a" * 17: (2, 2), "a" * 16 + "\x00": (3, 3)}, 1)
def test_all_keys_come_in_order_and_once(keys: dict[str, tuple[int, int]], most: int) -> None:
    for kinds in (["sum"], ["sum", "min"]):
        block = msgspec.json.encode({key: two if len(kinds) > 1 else two[0] for key, two in keys.items()})
        found = {}
        for table in (C, PYTHON):
            one = table(1, kinds)
            one.add(block if keys else b"", 0, 1)
            chunks = list(one.rows(0, most))
            found[table] = chunks, one.summed(range(1), range(len(kinds)), 99)
        assert found[C] == found[PYTHON]
        rows = [row for chunk in found[C][0] for row in chunk.data.split(BETWEEN)]
        assert rows == sorted(rows)
        assert {key_of(row).decode(): (*counts_of(row),) for row in rows} == {
            key: two[: len(kinds)] for key, two in keys.items()
        }
        assert [key_of(row) for row in rows] == sorted(key.encode() for key in keys)
        assert sum(chunk.keys for chunk in found[C][0]) == len(keys)
        assert sum(chunk.observed for chunk in found[C][0]) == sum(first for first, _ in keys.values())
        assert found[C][1] == summed_of(kinds, block if keys else b"")


def summed_of(kinds: list[str], block: bytes) -> list[Summed]:
    one = PYTHON(1, kinds)
    one.add(block, 0, 1)
    return one.summed(range(1), range(len(kinds)), 99)


@pytest.mark.parametrize("kind", ["random", "sorted", "reversed", "long"])
def test_many_keys_come_in_order(kind: str) -> None:
    keys = [b"/wiki/a/%s/%d" % (b"x" * (500 if kind == "long" else 0), number) for number in range(30_000)]
    keys.sort(reverse=kind == "reversed")
    if kind == "random":
        random.Random(1).shuffle(keys)
    one = C(1, ["sum", "max"])
    one.add(b"{%s}" % b",".join(b'"%s":[1,%d]' % (key, len(key)) for key in keys), 0, 1)
    rows = [row for chunk in one.rows(0, 1 << 16) for row in chunk.data.split(BETWEEN)]
    assert [(key_of(row), *counts_of(row)) for row in rows] == [(key, 1, len(key)) for key in sorted(keys)]


@pytest.mark.parametrize("kinds", [["sum"], ["sum", "min", "max"]])
def test_tables_that_grow_lose_nothing(kinds: list[str]) -> None:
    generator = random.Random(1)
    letters = 'abcdefghijklmnopqrstuvwxyz"é\n'
    keys = list({"".join(generator.choices(letters, k=generator.randint(1, 19))) for _ in range(8_000)})
    blocks = []
    for _ in range(3):
        counts = {key: [generator.randrange(9) for _ in kinds] for key in generator.sample(keys, 5_000)}
        piece = msgspec.json.encode(counts if len(kinds) > 1 else {key: one for key, [one] in counts.items()})
        blocks.append(b"\n".join([piece, b"", piece]))
    assert lines_of(C, kinds, blocks, Shards("key", 5, "x")) == lines_of(
        PYTHON, kinds, blocks, Shards("key", 5, "x")
    )
    for top in (1, 10, 3_000, 20_000):
        assert summed(C, kinds, blocks, top=top) == summed(PYTHON, kinds, blocks, top=top)


HOSTILE = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda columns, at, noise, gone: (
            columns[1][0][: at % (len(columns[1][0]) + 1)]
            + noise
            + columns[1][0][at % (len(columns[1][0]) + 1) + gone :]
        ),
        columns_and_blocks(),
        st.integers(0, 10_000),
        st.binary(max_size=3)
        | st.sampled_from([b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"0", b"-", b"9" * 20]),
        st.integers(0, 4),
    ),
    st.dictionaries(
        st.text(max_size=3), st.integers() | st.none() | st.floats() | st.booleans(), max_size=4
    ).map(lambda counts: json.dumps(counts).encode() + b"\n\n"),
)


@given(st.lists(HOSTILE, min_size=1, max_size=3), st.sampled_from([["sum"], ["sum", "max"]]))
@example([b"\n"], ["sum"])
@example([b"\n\n\n"], ["sum"])
@example([b"{}\n\n"], ["sum"])
@example([b'{"a":1,}\n\n'], ["sum"])
@example([b'{"a":01}\n\n'], ["sum"])
@example([b'{"a":-0}\n\n'], ["sum"])
@example([b'{"a":-1}\n\n'], ["sum"])
@example([b'{"a":1}\t\n\n'], ["sum"])
@example([b'{"\\u0061":1}\n\n'], ["sum"])
@example([b'{"\\u000A":1}\n\n'], ["sum"])
@example([b'{"\\ud800":1}\n\n'], ["sum"])
@example([b'{"\xed\xa0\x80":1}\n\n'], ["sum"])
@example([b'{"a":1,"a":2}\n\n'], ["sum"])
@example([b'{"a":9223372036854775808}\n\n'], ["sum"])
@example([b'{"a":9223372036854775807}\n\n', b'{"a":1}\n\n'], ["sum"])
@example([b'{"a":[1,-9223372036854775809]}\n\n'], ["sum", "max"])
@example([b'["a",1\n\n'], ["sum"])
@example([b'["a"]\n\n'], ["sum"])
@example([b"[]\n\n"], ["sum"])
@settings(max_examples=400)
def test_a_line_is_summed_as_python_does_or_refused_by_name(blocks: list[bytes], kinds: list[str]) -> None:
    """C takes only what it writes: what Python refuses, and JSON that nobody writes, it refuses by name."""
    try:
        ours = summed(C, kinds, blocks)
    except BlobDamaged as error:
        assert str(error).endswith("start the run again.")  # noqa: PT017
        return
    assert ours == summed(PYTHON, kinds, blocks)


@BOTH
@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"{]",
        b'{"a":-1}',
        b'{"a":1.5}',
        b'{"a":"1"}',
        b'{"a":[1]}',
        b'{"\xff":1}',
        b'{"a":1',
        b'["a"]',
        b"1",
        b'{"a":1}\t',
        b"\t",
    ],
)
def test_both_refuse_damaged_lines_by_name(table: type[Table], line: bytes) -> None:
    with pytest.raises(BlobDamaged, match="start the run again"):
        summed(table, ["sum"], [line + b"\n\n"])


@BOTH
def test_a_key_of_another_shard_is_refused(table: type[Table]) -> None:
    """Else the first keys of all shards would not be those of the whole."""
    shards = Shards("key", 2, "run")
    shard = shards.of_key(b"a")
    table(PARTS, ["sum"], Takes(shards, shard)).add(b'{"a":1}\n\n', 0, PARTS)
    with pytest.raises(BlobDamaged, match="has a key of another shard"):
        table(PARTS, ["sum"], Takes(shards, 1 - shard)).add(b'{"a":1}\n\n', 0, PARTS)
    with pytest.raises(BlobDamaged, match="has a key of another shard"):
        table(PARTS, ["sum"], Takes(shards, 1)).add(b'["a",1]\n\n', 0, PARTS)


@BOTH
def test_more_keys_than_a_table_holds_are_refused(table: type[Table]) -> None:
    one = table(PARTS, ["sum"], Takes(limits=Limits(2, 1000)))
    one.add(b'{"a":1}\n{"b":1}\n', 0, PARTS)
    one.add(b'{"a":1}\n\n', 0, PARTS)
    with pytest.raises(TooManyDistinct):
        one.add(b'\n\n{"a":1}', 0, PARTS)
    with pytest.raises(TooManyDistinct):
        table(PARTS, ["sum"], Takes(limits=Limits(9, 20))).add(b'{"%s":1}\n\n' % (b"a" * 21), 0, PARTS)


@BOTH
def test_a_part_has_few_sums_by_name(table: type[Table]) -> None:
    names = [*itertools.chain(*((str(number), 1) for number in range(MOST_NAMES)))]
    one = table(PARTS, ["sum"])
    one.add(msgspec.json.encode(names) + b"\n\n", 0, PARTS)
    with pytest.raises(JobContractViolated, match="sums by name"):
        one.add(b'["x",1]\n\n', 0, PARTS)


def test_what_is_stored_does_not_depend_on_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    block = b'{"a":1,"b":2,"%s":3}\n\n' % (b"c" * 30)
    stored = []
    for secret in (bytes(32), b"\xff" * 32, os.urandom(32)):
        monkeypatch.setattr(library, "SECRET", secret)
        monkeypatch.setattr(c_counts, "_kept", {})
        stored.append(lines_of(C, ["sum"], [block], Shards("key", 2, "run")))
    assert stored[0] == stored[1] == stored[2]


def test_memory_that_is_used_again_has_forgotten() -> None:
    block = b'{"a":1}\t["x",2]\n\n{"b":1}'
    for _ in range(3):
        assert summed(C, ["sum"], [block]) == summed(PYTHON, ["sum"], [block])
        assert lines_of(C, ["sum"], [block], ONE) == lines_of(PYTHON, ["sum"], [block], ONE)
    interrupted = C(PARTS, ["sum"])
    interrupted.add(block, 0, PARTS)
    del interrupted
    one, other = C(PARTS, ["sum"]), C(PARTS, ["sum"])
    one.add(block, 0, PARTS)
    assert other.lines(ONE) == [Line(b"\n\n", [0, 0, 0])]


def test_the_library_is_of_the_source_that_is_here() -> None:
    """After a change of counts.c or counts.h, its new name goes into library.py."""
    assert COUNTS in map(library_name, sources_of_jobs(["top_words"]))


def in_a_process(code: str) -> str:
    """What ``code`` prints, with the libraries that these tests have."""
    found = find_library(COUNTS)
    assert found
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(found.parent.parent)))}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_table_takes_little_more_memory_than_its_keys() -> None:
    """Where it takes most for each: slots have just become four times as many. An entry has 32 bytes, which
    makes 53 with its slots."""
    code = """
from pathlib import Path
from lambda_src.counts.c_counts import Table
def peak_kib():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
KEYS, LINES = 800_000, 16
lines = [b"{%s}" % b",".join(b'"%012d":1' % key for key in range(line, KEYS, LINES)) for line in range(LINES)]
before = peak_kib()
table = Table(1, ["sum"])
for line in lines:
    table.add(line, 0, 1)
assert table.summed(range(1), [0], 10)[0].totals == [KEYS]
print((peak_kib() - before) * 1024 // KEYS)
"""
    assert 40 < int(in_a_process(code)) < 60


def test_too_little_memory_has_a_name() -> None:
    code = """
import resource
from lambda_src.counts.c_counts import Table
from lambda_src.errors import OutOfMemory
line = b"{%s}" % b",".join(b'"%020d":1' % key for key in range(200_000))
table = Table(1, ["sum"])
mapped = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (mapped + 4_000_000, resource.RLIM_INFINITY))
try:
    table.add(line, 0, 1)
except OutOfMemory as error:
    print(type(error).__name__)
"""
    assert in_a_process(code) == "OutOfMemory"
