"""Inputs that broke other tools of this kind, with what is right for each: tests/field."""

import bz2
import gzip
import io
import json
import lzma
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from fanfold.here.files import find
from lambda_src.errors import ArchiveDamaged, SourceNotText
from lambda_src.input.findings import CONCERNS, Findings
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Context, Span, load
from lambda_src.run.map_block import map_watched
from lambda_src.run.warnings import warnings_of

FIELD = Path(__file__).parents[1] / "field"


def run(
    job: str,
    of: str | bytes | Sequence[bytes],
    block_bytes: int = 1 << 30,
    options: Mapping[str, Any] = {},
) -> tuple[dict[str, Any], dict[str, str]]:
    """The answer for a file of tests/field, or for these objects, and the messages of the warnings by their
    codes."""
    of = (FIELD / of).read_bytes() if isinstance(of, str) else of
    deployed, findings, extras = load(job), Findings(), Counter[str]()
    source = input_of_bytes([of] if isinstance(of, bytes) else of)
    measured = deployed.measure(source)
    context = Context(deployed.shards("run"), deployed.read_options(options), measured.facts)
    mapped = []
    for start in range(0, measured.units, block_bytes):
        block = Span(start, min(start + block_bytes, measured.units))
        mapped.append(map_watched(deployed, block, source, context))
        findings.add(mapped[-1].findings)
        extras.update(mapped[-1].extras)
    results = {
        part: dict(found.result)
        for shard in range(context.shards.count)
        for reduced in [deployed.reduce(shard, [each.lines[shard].data for each in mapped], context)]
        for part, found in deployed.finish([reduced.data], context).items()
    }
    warnings = warnings_of(findings, {**CONCERNS, **deployed.concerns})
    return deployed.summarize(context, extras, results), {
        warning.code: warning.message for warning in warnings
    }


def words_of(answer: Mapping[str, Any]) -> dict[str, int]:
    """The words that are ranked, with their counts."""
    return {top["word"]: top["count"] for ranked in answer["top_words"].values() for top in ranked}


def expected_words(file: str, section: str) -> dict[str, int]:
    """The words with their counts that expected.txt has in a section."""
    _, found, text = (FIELD / file).with_name("expected.txt").read_text("utf-8").partition(f"{section}:\n")
    assert found
    pairs = (pair.rpartition("=") for pair in text.partition("\n\n")[0].split())
    return {word: int(count) for word, _, count in pairs}


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


UNICODE, MEDIAWIKI = {"words": "unicode"}, {"markup": "mediawiki"}


def test_words_with_invisible_joiners_are_divided_and_the_warning_names_the_option() -> None:
    """By default a joiner is no letter. As Unicode says, U+200B does divide words."""
    file = "02-format-characters/text.txt"
    answer, warnings = run("top_words", file)
    assert list(warnings) == ["joined_words"]
    assert warnings["joined_words"].startswith(
        "8 invisible characters in words, soft hyphens or joiners, divided them, the first one at byte 4"
    )
    assert warnings["joined_words"].endswith("To keep such words whole: --set words=unicode")
    assert words_of(answer) == expected_words(file, "By default")
    answer, warnings = run("top_words", file, options=UNICODE)
    assert words_of(answer) == expected_words(file, "With words=unicode")
    assert (answer["words"], warnings) == (10, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("نمی\u200cشود نمی\u200cشود", {"نمی\u200cشود": 2}),
        ("inter\u00adnational Inter\u00adnatio\u00adnal international", {"international": 3}),
        ("അവൻ\u200dഒരു, can\u2060not", {"അവൻ\u200dഒരു": 1, "can\u2060not": 1}),
    ],
)
def test_other_words_with_joiners(text: str, expected: dict[str, int]) -> None:
    _, warnings = run("top_words", text.encode())
    assert "--set words=unicode" in warnings["joined_words"]
    answer, warnings = run("top_words", text.encode(), options=UNICODE)
    assert (words_of(answer), warnings) == (expected, {})


def test_joiners_of_pictures_and_marks_of_order_are_no_reason_to_warn() -> None:
    text = (
        "a family \U0001f469\u200d\U0001f469\u200d\U0001f467, \u2764\ufe0f\u200d\U0001f525, "
        "\ufeffone, zero\u200bwidth, \u200fword"
    )
    assert run("top_words", text.encode())[1] == {}


@pytest.mark.parametrize("block_bytes", [1 << 30, 300])
def test_the_markup_of_a_dump_is_counted_and_the_warning_names_the_option(block_bytes: int) -> None:
    """The table of each page, with the words year, use and mortar, is removed with all it holds: its cells
    are no prose. The field's figures are those of a tool that keeps cells."""
    file = "06-wiki-markup/export.xml"
    answer, warnings = run("top_words", file, block_bytes)
    assert list(warnings) == ["mediawiki_dump"]
    assert warnings["mediawiki_dump"] == (
        "1 MediaWiki dump was counted with all its markup, at byte 0 of 0. "
        "To count only the text of articles: --set markup=mediawiki"
    )
    assert words_of(answer).items() > expected_words(file, "By default").items()
    answer, warnings = run("top_words", file, block_bytes, MEDIAWIKI)
    assert words_of(answer) == expected_words(file, "With markup=mediawiki")
    assert warnings == {}


DUMP = (FIELD / "06-wiki-markup" / "export.xml").read_bytes()


@pytest.mark.parametrize(
    "dump",
    [
        b"\xef\xbb\xbf" + DUMP,
        b'<?xml version="1.0" encoding="utf-8"?>\n' + DUMP,
        DUMP[DUMP.index(b"<page>") :],
        gzip.compress(DUMP),
        bz2.compress(DUMP[:400]) + bz2.compress(DUMP[400:]),
    ],
    ids=["bom", "declaration", "pages", "gzip", "multistream"],
)
def test_other_dumps(dump: bytes) -> None:
    assert "--set markup=mediawiki" in run("top_words", dump)[1]["mediawiki_dump"]
    answer, warnings = run("top_words", dump, options=MEDIAWIKI)
    assert (words_of(answer)["kiln"], answer["articles"], warnings) == (5, 5, {})


def test_a_text_about_dumps_is_none() -> None:
    assert run("top_words", b"The root of a dump is <mediawiki xmlns='x'>, then <page>.")[1] == {}


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
    """Ten of the fourteen paths are in the answer, and all with top=20."""
    answer, warnings = run("access_log", "17-odd-requests/access.log")
    wanted = expected_hours("17-odd-requests")["9"]
    found = hours(answer)["9"]
    everything = run("access_log", "17-odd-requests/access.log", options={"top": 20})[0]
    assert hours(everything)["9"] == wanted
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
    assert "format=auto" in warnings[code]
    answer, warnings = run("access_log", file, options={"format": "auto"})
    assert hours(answer) == expected_hours(file.partition("/")[0])
    assert not warnings


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


TEXT = (FIELD / "05-not-utf8" / "utf8.txt").read_bytes()
LOG = (FIELD / "15-stray-files" / "folder" / "a.log").read_bytes()


def tar_of(name: str, kind: int = tarfile.PAX_FORMAT) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=kind) as archive:
        member = tarfile.TarInfo(name)
        member.size = len(LOG)
        archive.addfile(member, io.BytesIO(LOG))
    return written.getvalue()


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (TEXT.decode().encode("utf-16-le"), "UTF-16LE without a byte order mark, not UTF-8 text: convert"),
        (gzip.compress(TEXT.decode().encode("utf-16-be")), "gzip of what is UTF-16BE without a byte order"),
        (TEXT.decode().encode("utf-32"), "UTF-32, not UTF-8 text: convert it to UTF-8"),
        (gzip.compress(bz2.compress(LOG)), "bzip2 inside gzip: unpack it once"),
        (bz2.compress(gzip.compress(LOG)), "gzip inside bzip2: unpack it once"),
        (lzma.compress(gzip.compress(LOG)), "gzip inside xz: unpack it once"),
        (tar_of("a.log"), "a tar archive, not UTF-8 text: unpack it into a folder"),
        (bz2.compress(tar_of("a.log")), "bzip2 of what is a tar archive, not UTF-8 text"),
        (gzip.compress(tar_of("a" * 150, tarfile.GNU_FORMAT)), "gzip of what is a tar archive"),
    ],
)
@pytest.mark.parametrize("job", ["access_log", "top_words", "grep"])
def test_other_things_that_are_no_text_are_refused_by_name(job: str, data: bytes, named: str) -> None:
    options = {"pattern": "a"} if job == "grep" else {}
    with pytest.raises(SourceNotText, match=re.escape(named)):
        run(job, data, options=options)


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman", "gb18030"])
def test_text_in_other_encodings_is_counted_and_told(encoding: str) -> None:
    _, warnings = run("top_words", TEXT.decode().encode(encoding))
    assert "These look binary, or like text in another encoding" in warnings["invalid_utf8"]


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
    assert (words_of(answer), warnings) == ({"alpha": 1, "beta": 1}, {})


@pytest.mark.parametrize(
    "packed",
    [
        bz2.compress(TEXT) + bytes(5000),
        bz2.compress(TEXT[:80]) + bz2.compress(TEXT[80:]) + bytes(9),
        gzip.compress(TEXT) + bytes(512),
        lzma.compress(TEXT) + bytes(512),
    ],
)
def test_zeros_behind_other_streams_are_padding(packed: bytes) -> None:
    answer, warnings = run("top_words", packed)
    assert ({**answer, "bytes": len(TEXT)}, warnings) == run("top_words", TEXT)


@pytest.mark.parametrize("pack", [bz2.compress, gzip.compress])
def test_text_behind_a_stream_is_refused_with_its_byte(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(TEXT)
    with pytest.raises(
        ArchiveDamaged, match=f"no stream of it begins at byte {len(packed)}: upload it again"
    ):
        run("top_words", packed + b"text behind")


def test_stray_files_of_a_folder_are_left_out_and_told(tmp_path: Path) -> None:
    """The test file that AWS puts beside logs has a plain name, so it is read: as one line that is none."""
    files = find([str(FIELD / "15-stray-files" / "folder")], tmp_path)
    assert [path.name for path in files.paths.values()] == ["ELBAccessLogTestFile", "a.log"]
    (warning,) = files.warnings
    assert "skipped .DS_Store, ._a.log, .a.log.swp and 1 more" in warning.message
    assert warning.message.endswith("To read them: --include-hidden")
    answer, warnings = run("access_log", [path.read_bytes() for path in files.paths.values()])
    assert hours(answer) == expected_hours("15-stray-files")
    assert answer["malformed_lines"] == 1
    assert list(warnings) == ["malformed_lines"]


@pytest.mark.parametrize(
    "stray", [".git/HEAD", "_temporary/0/part", "a.log~", "#a.log#", "__MACOSX/a.log", ".~lock.a.log#"]
)
def test_other_stray_files_are_left_out_and_told(stray: str, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    for name in ("a.log", stray):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(LOG)
    files = find([str(folder)], tmp_path)
    assert [path.name for path in files.paths.values()] == ["a.log"]
    assert "--include-hidden" in files.warnings[0].message
    assert len(find([str(folder)], tmp_path, include_hidden=True).paths) == 2


def expected_figures(folder: str) -> list[tuple[str, str]]:
    """The R squared and the models that expected.txt has, in order."""
    text = (FIELD / folder / "expected.txt").read_text()
    return re.findall(r"^  (\d\.\d{9})  (\S.*)$", text, re.MULTILINE)


def figures(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (f"{one['r_squared']:.9f}", f"{one['target']} ~ {' + '.join(one['predictors'])}")
        for best in answer["best"].values()
        for one in best
    ]


@pytest.mark.parametrize("block_bytes", [1 << 30, 37])
@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("24-csv-missing-and-text/table.csv", {"missing_words": ["?"]}),
        ("24-csv-missing-and-text/only-numbers.csv", {"missing_words": ["?"]}),
        ("25-csv-dialects/plain.csv", {}),
        ("25-csv-dialects/semicolon.csv", {}),
        ("25-csv-dialects/row-names.csv", {}),
        ("29-csv-one-target/table.csv", {"target": ["sales"]}),
    ],
)
def test_tables_are_read_as_the_field_reads_them(
    file: str, options: Mapping[str, Any], block_bytes: int
) -> None:
    answer, _ = run("column_permutations", file, block_bytes, options)
    assert figures(answer) == expected_figures(file.partition("/")[0])


def test_a_table_names_what_it_leaves_out_and_the_option_that_changes_that() -> None:
    answer, _ = run("column_permutations", "24-csv-missing-and-text/table.csv")
    reasons = {one["column"]: one["reason"] for one in answer["columns_left_out"]}
    assert list(reasons) == ["country", "date", "id", "life", "oecd"]
    assert "name them in the option missing_words" in reasons["life"]
    assert "the option booleans=true" in reasons["oecd"]
    answer, _ = run(
        "column_permutations", "24-csv-missing-and-text/table.csv", options={"missing_words": ["?"]}
    )
    assert (answer["rows_used"], answer["rows_left_out"]) == (6, 5)


def test_one_quantity_in_two_units_is_one_column_of_models() -> None:
    answer, _ = run("column_permutations", "29-csv-one-target/table.csv", options={"target": ["sales"]})
    assert answer["twins"] == [["temp_c", "temp_f"], ["rain_mm", "rain_cm"]]
    assert [(one["predictors"], one["twins"]) for one in answer["models"]["2"][:2]] == [
        (["temp_c", "rain_mm"], {"temp_c": ["temp_f"], "rain_mm": ["rain_cm"]}),
        (["temp_c", "day"], {"temp_c": ["temp_f"]}),
    ]
    whole, _ = run("column_permutations", "29-csv-one-target/table.csv")
    assert whole["models"]["1"][0]["target"] == "sales"
    assert all(one["r_squared"] < 1 for models in whole["models"].values() for one in models)
