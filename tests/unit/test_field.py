"""Inputs that broke other tools of this kind, with what is right for each: tests/field."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lambda_src.errors import FanfoldError, SourceNotText, TableUnusable
from lambda_src.input.findings import CONCERNS, Findings
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Span, load
from lambda_src.run.map_block import map_watched
from lambda_src.run.warnings import warnings_of
from tests.contexts import context_for

FIELD = Path(__file__).parents[1] / "field"


def run(job: str, file: str, block_bytes: int = 1 << 30) -> tuple[dict[str, Any], dict[str, str]]:
    """The answer, and the messages of the warnings by their codes."""
    deployed, data, findings = load(job), (FIELD / file).read_bytes(), Findings()
    source = input_of_bytes([data])
    measured = deployed.measure(source)
    context = context_for(deployed, facts=measured.facts)
    mapped = []
    for start in range(0, measured.units, block_bytes):
        block = Span(start, min(start + block_bytes, measured.units))
        mapped.append(map_watched(deployed, block, source, context))
        findings.add(mapped[-1].findings)
    results = {
        part: dict(found.result)
        for shard in range(context.shards.count)
        for reduced in [deployed.reduce(shard, [each.lines[shard].data for each in mapped], context)]
        for part, found in deployed.finish([reduced.data], context).items()
    }
    warnings = warnings_of(findings, {**CONCERNS, **deployed.concerns})
    return deployed.summarize(context, {"longer_words": 0}, results), {
        warning.code: warning.message for warning in warnings
    }


def expected_hours(folder: str) -> dict[str, Any]:
    """The hours with requests, as expected.txt has them."""
    text = (FIELD / folder / "expected.txt").read_text()
    hours: dict[str, Any] = json.loads(text[text.index("\n{\n") : text.index("\n}\n") + 2])
    return hours


def hours(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        hour: {
            "requests": found["requests"],
            "bytes_sent": found["bytes_sent"],
            "status": found["status"],
            "paths": {top["path"]: top["count"] for top in found["top_paths"]},
        }
        for hour, found in answer["hours"].items()
        if found["requests"]
    }


@pytest.mark.parametrize("block_bytes", [1 << 30, 100])
@pytest.mark.parametrize(
    ("file", "warned"),
    [
        ("19-times/good.log", []),
        ("20-line-ends-and-nul/nul-4k.log", ["nul_bytes"]),
    ],
)
def test_logs_are_read_as_the_field_reads_them(file: str, warned: list[str], block_bytes: int) -> None:
    answer, warnings = run("access_log", file, block_bytes)
    assert hours(answer) == expected_hours(file.partition("/")[0])
    assert list(warnings) == warned


def test_odd_requests_count_and_have_their_paths() -> None:
    """Ten of the fourteen paths are in the answer."""
    answer, warnings = run("access_log", "17-odd-requests/access.log")
    wanted = expected_hours("17-odd-requests")["9"]
    found = hours(answer)["9"]
    best = sorted(wanted.pop("paths").items(), key=lambda entry: (-entry[1], entry[0]))[:10]
    assert list(found.pop("paths").items()) == best
    assert found == wanted
    assert not warnings


@pytest.mark.parametrize(
    ("file", "code", "named"),
    [
        ("16-common-log-format/common.log", "common_log_format", "Common Log Format, which is not read"),
        ("22-classic-elb/classic.log", "classic_elb", "a Classic Load Balancer, which is not read"),
    ],
)
def test_a_format_that_is_not_read_is_no_silent_success(file: str, code: str, named: str) -> None:
    _, warnings = run("access_log", file)
    lines = (FIELD / file).read_bytes().count(b"\n")
    assert f"{lines} of {lines} lines (100 %)" in warnings["malformed_lines"]
    assert named in warnings[code]


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("05-not-utf8/utf16-with-bom.txt.gz", "gzip of what is UTF-16, not UTF-8 text: convert it to UTF-8"),
        ("12-gzip-twice/twice.log.gz", "gzip inside gzip: unpack it once"),
        (
            "13-tar-of-logs/logs.tar.gz",
            "gzip of what is a tar archive, not UTF-8 text: unpack it into a folder",
        ),
    ],
)
@pytest.mark.parametrize("job", ["access_log", "top_words"])
def test_what_is_no_text_is_refused_by_name(job: str, file: str, named: str) -> None:
    with pytest.raises(SourceNotText, match=re.escape(named)):
        run(job, file)


def test_latin1_and_one_bad_byte_are_counted_and_told() -> None:
    truth, none = run("top_words", "05-not-utf8/utf8.txt")
    assert none == {}
    assert {"word": "ångström", "count": 3} in truth["top_words"]["8"]
    for file in ("latin1.txt", "one-bad-byte.txt"):
        data = (FIELD / "05-not-utf8" / file).read_bytes()
        bad = len(data) - len(data.decode(errors="ignore").encode())
        answer, warnings = run("top_words", f"05-not-utf8/{file}")
        assert answer != truth
        assert re.match(rf"{bad} of {len(data)} bytes \(.* %\) (is|are) not UTF-8", warnings["invalid_utf8"])


def test_zeros_behind_bzip2_are_padding() -> None:
    answer, warnings = run("top_words", "08-bz2-one-stream/zeros-behind.bz2")
    assert answer["words"]
    assert not warnings


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("24-csv-missing-and-text/table.csv", "Row 2, column 'country'"),
        ("24-csv-missing-and-text/only-numbers.csv", "Row 4, column 'gdp'"),
        ("25-csv-dialects/semicolon.csv", "separated by semicolons"),
        ("25-csv-dialects/row-names.csv", "Column 1 has no name"),
    ],
)
def test_a_table_is_never_read_as_other_numbers(file: str, named: str) -> None:
    with pytest.raises(TableUnusable, match=re.escape(named)) as refused:
        run("column_permutations", file)
    assert isinstance(refused.value, FanfoldError)
    assert "\n" not in str(refused.value)
