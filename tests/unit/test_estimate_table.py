"""What a person reads in an estimate, before anything is paid for."""

import io
import json
import math
import re
from collections.abc import Sequence
from typing import Any

import pytest
from rich.console import Console

from fanfold.errors import NotModelled
from fanfold.estimate.table import as_json, estimate, show
from fanfold.estimate.workload import Stored
from fanfold.jobs import access_log, top_words
from lambda_src.figures import Figure, Figures

MB = 10**6
ONE = Stored("one.xz", 200 * MB, "xz", 3.75, 200 * MB)
SHARED = Stored("one.bz2", 80 * MB, "bzip2", 3.75, 250_000)


def estimated(
    *objects: Stored, job: Any = top_words, figures: Figures | None = None, looked_at: int = 0
) -> str:
    total = sum(one.bytes for one in objects)
    console = Console(file=io.StringIO(), width=1000)
    workload = job.workload(total, None)._replace(objects=objects, looked_at=looked_at)
    workload = workload._replace(figures={**workload.figures, **(figures or {})})
    show(console, estimate(workload, total, 1000, "us-east-1"))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    "objects",
    [[ONE], [ONE._replace(format="gzip", bytes=2000 * MB)], [Stored("a", MB), ONE]],
)
def test_one_archive_that_bounds_a_run_is_named_with_what_to_do(objects: Sequence[Stored]) -> None:
    told = estimated(*objects)
    assert "One Lambda must unpack all of one.xz: " in told
    assert " of text, " in told
    assert "To be faster, split it into several objects, " in told
    assert "recompress it with bzip2" in told


@pytest.mark.parametrize(
    "objects",
    [
        [SHARED],
        [Stored("plain", 80 * MB)],
        [ONE._replace(bytes=MB, unit_bytes=MB), Stored("plain", 100_000 * MB)],
    ],
)
def test_what_does_not_bound_a_run_is_not_named(objects: Sequence[Stored]) -> None:
    assert "must unpack" not in estimated(*objects)


def test_an_archive_close_to_the_limit_of_time_is_said_to_be() -> None:
    assert "close to the" not in estimated(ONE)
    assert "That is close to the 4 min 50 s that it has: " in estimated(
        ONE._replace(bytes=5_000 * MB, unit_bytes=5_000 * MB, ratio=1.5)
    )


def test_an_archive_beyond_it_is_refused_as_the_run_would_be() -> None:
    """A Lambda unpacks 20 MB of xz a second, as measured: 5.8 GB in its time."""
    packed = 7_000 * MB
    large = ONE._replace(bytes=packed, unit_bytes=packed)
    with pytest.raises(NotModelled) as refused:
        estimated(Stored("a", MB), large)
    told = str(refused.value)
    assert told.startswith("A Lambda would take 7 min ")
    assert "to unpack and map one.xz, and has 4 min 50 s. One Lambda must unpack all of one.xz" in told
    assert "which is one block: split it into several objects" in told
    assert "must unpack" not in estimated(SHARED._replace(bytes=packed))


def test_an_input_of_many_objects_says_how_many() -> None:
    told = estimated(*(Stored(f"{number}", 1000) for number in range(5_000)))
    assert "5 MB in 5,000 objects, modelled for " in told
    (gets,) = (line for line in told.splitlines() if line.startswith("S3 GETs"))
    assert int(gets.split()[2].replace(",", "")) >= 5_000


def test_an_archive_with_too_many_words_is_told_to_be_split_and_not_to_have_smaller_blocks() -> None:
    few = {"block_distinct": Figure(1000, "words", "code", "distinct ones that a block may have")}
    with pytest.raises(NotModelled, match=r"distinct words; .* which is one block: split it into several"):
        estimated(ONE, figures=few)


def test_as_json_it_says_the_same() -> None:
    workload = top_words.workload(ONE.bytes, None)._replace(objects=[ONE], looked_at=1)
    found = as_json("top_words", estimate(workload, ONE.bytes, 1000, "us-east-1"))
    assert json.loads(json.dumps(found)) == found
    assert found["bound_by"]["key"] == "one.xz"
    cold = found["suggested"]["cold"]
    for parts in (cold["stages"], cold["items"]):
        assert math.isclose(sum(part["dollars"] for part in parts.values()), cold["dollars"])
    assert math.isclose(sum(stage["seconds"] for stage in cold["stages"].values()), cold["seconds"])
    assert cold["seconds"] > found["suggested"]["warm"]["seconds"] > found["bound_by"]["seconds"]
    assert (found["suggested"]["block_bytes"], found["suggested"]["shards"]) == (
        cold["block_bytes"],
        cold["shards"],
    )
    assert found["suggested"]["block_bytes_because"].startswith("planned for ")
    assert (found["objects"], found["objects_looked_at"], found["bytes"]) == (1, 1, ONE.bytes)


def test_what_was_not_looked_at_is_said() -> None:
    few = estimated(Stored("a", MB), Stored("b", MB), Stored("c", MB), looked_at=1)
    assert "1 object looked at, the largest of each ending; the others are taken to be like them." in few
    assert "looked at" not in estimated(Stored("a", MB), Stored("b", MB), looked_at=2)


def test_requests_to_kms_are_reported_with_what_is_assumed() -> None:
    assert "KMS" not in estimated(Stored("plain", 80 * MB))
    key = {"kms_input": Figure(1, "", "assumed", "requests to KMS")}
    told = estimated(Stored("plain", 80 * MB), figures=key)
    (row,) = (line for line in told.splitlines() if line.startswith("KMS requests"))
    assert float(row.split()[2]) > 0
    assert "KMS: one request for each request to S3, or with a bucket key, one for a hundred" in told


def test_it_says_what_keeping_the_intermediates_costs() -> None:
    """At 1 TB, 7 days of them cost $0.17 beside a run of $0.60."""
    told = estimated(Stored("plain", 10**6 * MB))
    found = re.search(r"Intermediates: ([0-9.]+) GB, .* each day .* costs ([0-9.]+) dollars\.", told)
    assert found
    assert float(found[2]) == pytest.approx(float(found[1]) * 1e9 / 2**30 * 0.023 / 30, abs=1e-4)
    assert 0.01 < float(found[2]) < 0.05


def test_an_input_that_is_too_much_is_split_as_it_is_stored() -> None:
    many = Stored("many.bz2", 20_000_000 * MB, "bzip2", 15.0, 1 * MB)
    with pytest.raises(NotModelled, match=r"split it into [0-9]+ inputs of about "):
        estimated(many, job=access_log)


def test_a_small_account_is_told_to_say_how_many_lambdas_it_may_run() -> None:
    def told(quota: int) -> str:
        console = Console(file=io.StringIO(), width=1000)
        show(console, estimate(top_words.workload(1000 * MB, None), 1000 * MB, quota, "us-east-1"))
        return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]

    assert "A run chooses this plan by itself." in told(1000)
    small = told(10)
    assert "Planned: 16 blocks of at most 62.5 MB (planned for 8 Lambdas at once), " in small
    assert "To run it so: --concurrency=8. Without it, it takes " in small


def test_it_fits_a_terminal() -> None:
    console = Console(file=io.StringIO(), width=80)
    options = "words=" + ",".join(["many"] * 30)
    for total, quota in ((10_000 * MB, 1000), (1000 * MB, 10)):
        show(console, estimate(top_words.workload(total, None), total, quota, "us-east-1"), options)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= 80
