"""The page of a run: what it says, and that nothing of the input becomes markup."""

import base64
import copy
import hashlib
import io
import itertools
import json
import re
import shlex
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rich.console import Console

import fanfold.report.page
from fanfold.format import dollars_in_report, share_text, time_in_report
from fanfold.jobs import _any_job, access_log, client_job
from fanfold.report.figures import Rankings, Stack, Table, axis_near
from fanfold.report.page import downloads, page
from fanfold.report.page.bill import bill_of
from fanfold.report.page.ending import ending_of
from fanfold.report.page.markup import as_data, number, prose, shown
from fanfold.report.page.proof import proof_of
from fanfold.safe_text import visible
from lambda_src.input.addresses import Placed
from lambda_src.job import Owned, Shards, Span, load, names
from lambda_src.run.prices import PRICES, prices_of
from lambda_src.run.summary import summarize
from lambda_src.telemetry.calls import Call, Trace, Usage
from lambda_src.wire.reports import PartReport, Piece
from stacks.storage import RECORDS_KEPT_DAYS
from tests.fake_runs import FakeRun, fake_run

MOST_BYTES = 1_500_000


def drawn(run: FakeRun, **changes: Any) -> str:
    given_: dict[str, Any] = {"trace": run.trace, "parts": run.parts, "manifest": run.manifest}
    return page(run.job, run.record, run.summary, version="0.1.0", **given_ | changes)


class Reader(HTMLParser):
    """The tags of a page with their attributes' names, and its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.data = ""
        self._in = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self._in = dict(attrs).get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "data":
            self.data += data
        if self._in not in ("style", "script"):
            self.texts.append(data)

    def says(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))


# ---- hostile texts

NASTY = [
    *("<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "<!--", "]]>", '" onload="x'),
    *(
        "{{ 7 * 7 }}",
        "{% raw %}",
        "&lt;",
        "\u2028",
        "\u202eabc",
        "\x00",
        "\ud7ff",
        "<style>",
        "</td></table>",
    ),
]
HOSTILE = (
    st.lists(st.sampled_from(NASTY) | st.text(max_size=8), min_size=1, max_size=4).map("".join).filter(bool)
)


@given(
    st.recursive(
        HOSTILE | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(HOSTILE, inner)
    )
)
def test_data_stay_in_their_element_and_come_back_as_they_were(data: object) -> None:
    text = str(as_data(data))
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == data


RUN = fake_run(blocks=8, concurrency=4)


def with_words(word: str) -> FakeRun:
    """A run in which a text of the input, or of a service, stands wherever one can."""
    parts = [
        PartReport(part.part, part.blobs_read, part.observations,
                   {"words": 7, "top_words": [{"word": word, "count": 7}]})
        for part in RUN.parts
    ]  # fmt: skip
    calls = [
        msgspec.structs.replace(call, task=word, error=word, function=word, outcome="failed")
        for call in RUN.trace.calls
    ]
    texts = ["bucket", "key", "etag", "version_id", "error", "prices"]
    texts += ["block_units_because", "shards_because"]
    record = msgspec.structs.replace(
        RUN.record, **dict.fromkeys(texts, word), failures=[word], extras={word: 1}
    )
    summary = {**RUN.summary, "top_words": {part.part: part.result["top_words"] for part in parts}}
    return RUN._replace(record=record, parts=parts, summary=summary, trace=Trace("run", calls))


PLAIN = Reader(drawn(with_words("word")))


@settings(max_examples=40)
@given(HOSTILE)
def test_no_text_of_the_input_becomes_markup(word: str) -> None:
    assume(not re.search(r"[0-9]{4}", word))  # the page groups the digits of numbers
    read = Reader(drawn(with_words(word)))
    assert read.tags == PLAIN.tags
    assert visible(word)[:40] in "".join(read.texts)
    assert json.loads(read.data)["errors"] == [visible(word)]


@pytest.mark.parametrize("job", [*names(), "any"])
def test_no_text_of_a_jobs_result_becomes_markup(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if job == "any":  # one that brings no part of its own
        monkeypatch.setattr(fanfold.report.page, "client_job", lambda _: _any_job.JOB)
    run = fake_run("access_log" if job == "any" else job, blocks=8)

    def text_for(word: str) -> Reader:
        quoted = json.dumps(word)
        summary = re.sub(
            r'"(word|path|target|object)": "[^"]*"',
            lambda found: f'"{found[1]}": {quoted}',
            json.dumps(run.summary),
        )
        return Reader(drawn(run._replace(summary=json.loads(summary))))

    for word in NASTY:
        assert text_for(word).tags == text_for("plain").tags, word


def test_what_would_reorder_a_line_is_written_out() -> None:
    text = drawn(with_words("abc\u202edef"))
    assert "\u202e" not in text
    assert "abc\\u202edef" in text


# ---- one file


@pytest.mark.parametrize("job", names())
def test_the_page_asks_for_nothing(job: str) -> None:
    text = drawn(fake_run(job))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy[1].replace("&#39;", "'").split(";"))
    assert rules["default-src"] == "'none'"
    assert set(rules) == {"default-src", "style-src", "script-src", "img-src", "base-uri", "form-action"}
    assert rules["img-src"] == "data:"
    for element, rule in (("style", "style-src"), ("script", "script-src")):
        found = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
        assert len(found) == 1
        digest = base64.b64encode(hashlib.sha256(found[0].encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    markup = re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
    assert re.findall(r'(?:src|href|action|poster|data)="(?!#|data:)[^"]*"', markup) == []
    assert " style=" not in markup, "the policy allows no style attribute"
    handlers = [name for _, attributes in Reader(text).tags for name in attributes if name.startswith("on")]
    assert not handlers


def test_the_library_comes_with_its_licence() -> None:
    text = drawn(RUN)
    assert "leeoniya/uPlot" in text
    assert "The MIT License (MIT)" in text
    assert "Copyright (c) 2022 Leon Sorokin" in text


# ---- size


def test_ten_thousand_calls_fit() -> None:
    run = fake_run(blocks=10_000)
    text = drawn(run)
    assert len(run.trace.calls) > 10_000
    assert "holds" not in Reader(text).says().partition("one by one")[0][-80:]
    assert len(text.encode()) < MOST_BYTES


def test_of_a_hundred_thousand_blocks_the_page_says_what_it_leaves_out() -> None:
    run = fake_run(blocks=100_000)
    text = drawn(run)
    assert len(text.encode()) < MOST_BYTES
    said = Reader(text).says()
    assert f"{len(run.trace.calls)} calls" in said
    assert "This page details 12000 of them: " in said


def test_hostile_texts_and_errors_without_end_fit() -> None:
    calls = [
        Call("parse_block", f"{'<' * 90}{number}", 1, 0, 0, 1 + number, "failed", f"{'<' * 5000}{number}")
        for number in range(13_000)
    ]
    text = drawn(RUN, trace=Trace("run", calls))
    assert len(text.encode()) < 5 * MOST_BYTES  # nobody but an attacker has such names
    long = "<" * 2_048
    run = fake_run("access_log")
    hours = {
        hour: {**found, **{which: [{"path": f"{place}{long}", "count": 1} for place in range(10)]
                           for which in ("top_paths", "top_paths_5xx")}}
        for hour, found in run.summary["hours"].items()
    }  # fmt: skip
    assert len(drawn(run._replace(summary={**run.summary, "hours": hours})).encode()) < MOST_BYTES


# ---- what it says


def rows_of(text: str, caption: str) -> list[list[str]]:
    """The cells of the table behind an aria-label or caption."""
    table = text[text.index(f'aria-label="{caption}"') :]
    table = table[: table.index("</table>")]
    return [
        [
            re.sub(r"<[^>]*>", "", cell).strip()
            for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)
        ]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", table, re.DOTALL)
    ]


def test_numbers_are_numbers_once_their_markup_is_gone() -> None:
    for _, mapped, reduced, read, equal in rows_of(drawn(fake_run()), "Mapped and reduced")[1:]:
        assert int(mapped) == int(reduced) > 0
        assert (read, equal) == ("191", "Yes")


def test_the_bill_adds_up() -> None:
    run = fake_run()
    rows = rows_of(drawn(run), "Dollars by item")[1:]
    items = [row for row in rows if row[0] not in ("Total", "Athena, one scan")]
    assert len(items) == len(run.record.used)
    for name, used, _, per_million, charged, _ in items:
        assert float(used) * float(per_million) / 1e6 == pytest.approx(float(charged), rel=0.02, abs=1e-6), (
            name
        )
    assert sum(float(row[4]) for row in items) == pytest.approx(float(rows[-2][4]), abs=1e-6)
    assert float(rows[-1][4]) == 0.005


def test_athena_charges_no_query_for_less_than_ten_megabytes() -> None:
    assert bill_of(msgspec.structs.replace(RUN.record, bytes=1)).athena == pytest.approx(5e-5)
    assert bill_of(msgspec.structs.replace(RUN.record, bytes=2 * 10**12)).athena == pytest.approx(10)


def test_what_keeping_the_intermediates_costs_is_beside_the_bill() -> None:
    blocks = RUN.manifest.blocks
    stored = sum(block.header_bytes + sum(size + 1 for size in block.line_bytes) for block in blocks)
    bill = bill_of(RUN.record, RUN.manifest)
    assert bill.intermediates == stored
    assert bill.dollars_a_day == pytest.approx(stored / 2**30 * 0.023 / 30)
    assert bill.dollars == sum(RUN.record.dollars.values())
    assert "The run's intermediates had" in drawn(RUN)
    assert bill_of(RUN.record).intermediates == 0


def test_what_the_blocks_stored_beside_the_result_is_beside_the_bill() -> None:
    pieces = [Piece(2**30, b""), Piece(1, b"")]
    with_pieces = [msgspec.structs.replace(block, pieces=pieces) for block in RUN.manifest.blocks]
    run = RUN._replace(manifest=msgspec.structs.replace(RUN.manifest, blocks=with_pieces))
    bill = bill_of(run.record, run.manifest)
    assert bill.pieces == (2**30 + 1) * len(with_pieces)
    assert bill.pieces_dollars == pytest.approx(len(with_pieces) * 0.023 * RECORDS_KEPT_DAYS / 30)
    assert "What the blocks stored beside the result has 8.59 GB." in drawn(run)
    assert "stored beside" not in drawn(RUN)


@pytest.mark.parametrize(
    ("region", "architecture"), [*PRICES, ("eu-north-1", "arm64"), ("eu-north-1", "x86_64")]
)
def test_athenas_price_is_that_of_the_runs_prices(
    region: str, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = prices_of(region, architecture)
    where = region if (region, architecture) in PRICES else "us-east-1"
    monkeypatch.setitem(PRICES, (where, architecture), found.prices._replace(athena_tb=9.0))
    record = msgspec.structs.replace(
        RUN.record, price_region=found.region, price_architecture=found.architecture
    )
    assert bill_of(record).athena_tb == 9.0


def test_the_proof_holds_of_a_whole_run() -> None:
    found = proof_of(load(RUN.job), RUN.parts, RUN.manifest)
    assert found.holds()
    assert not found.broken
    assert found.observations == sum(part.observations for part in RUN.parts)


def broken_runs() -> Iterator[tuple[str, FakeRun]]:
    blocks = RUN.manifest.blocks

    def with_block(number: int, **changes: Any) -> FakeRun:
        changed = [*blocks]
        changed[number] = msgspec.structs.replace(changed[number], **changes)
        return RUN._replace(manifest=msgspec.structs.replace(RUN.manifest, blocks=changed))

    def with_part(**changes: Any) -> FakeRun:
        return RUN._replace(parts=[msgspec.structs.replace(RUN.parts[0], **changes), *RUN.parts[1:]])

    start, end = blocks[3].owned[:2]
    yield "a gap", with_block(3, owned=Owned(start + 1, end))
    yield "an overlap", with_block(3, owned=Owned(start - 1, end))
    yield "an end that is missing", with_block(7, owned=Owned(blocks[7].owned.start, blocks[7].owned.end - 1))
    swapped = [*blocks[:3], blocks[4], blocks[3], *blocks[5:]]
    yield (
        "two in the wrong order",
        RUN._replace(manifest=msgspec.structs.replace(RUN.manifest, blocks=swapped)),
    )
    yield "an observation too many", with_block(3, observations=[n + 1 for n in blocks[3].observations])
    yield "a reducer that read too little", with_part(blobs_read=7)
    yield "a reducer that lost one", with_part(observations=RUN.parts[0].observations - 1)
    yield (
        "a reducer that read another line",
        with_part(lines_read=f"1{RUN.parts[0].lines_read}"),
    )
    yield "a reducer that told of no line", with_part(lines_read="")
    yield "a block that wrote another line", with_block(3, line_digests=bytes(len(blocks[3].line_digests)))


BY_KEY = fake_run(blocks=5, shards=Shards("key", 8, "run"))


@pytest.mark.parametrize(
    ("run", "reads"),
    [
        (BY_KEY, "40 of 8 × 5 = 40 lines"),
        (fake_run("column_permutations", blocks=5), "5 of 1 × 5 = 5 lines"),
        (fake_run("access_log", blocks=5, shards=Shards("part", 25, "run")), "125 of 25 × 5 = 125 lines"),
    ],
)
def test_the_proof_holds_however_the_reducers_shared_their_work(run: FakeRun, reads: str) -> None:
    found = proof_of(load(run.job), run.parts, run.manifest)
    assert found.holds()
    assert reads in [check.found for check in found.checks]


@pytest.mark.parametrize("shard", range(8))
def test_a_line_of_any_shard_that_is_another_breaks_the_proof_of_every_part(shard: int) -> None:
    blocks = [*BY_KEY.manifest.blocks]
    digests = bytearray(blocks[2].line_digests)
    digests[16 * shard] ^= 1
    blocks[2] = msgspec.structs.replace(blocks[2], line_digests=bytes(digests))
    manifest = msgspec.structs.replace(BY_KEY.manifest, blocks=blocks)
    found = proof_of(load(BY_KEY.job), BY_KEY.parts, manifest)
    assert "The lines that the reducer of length 1 read are not those of the blocks" in found.broken
    assert "0 of 20 sums are the same, of 40 lines each" in [check.found for check in found.checks]


def test_a_run_without_digests_is_not_said_to_have_them() -> None:
    """It is of an older version, and its other checks hold."""
    blocks = [msgspec.structs.replace(block, line_digests=b"") for block in RUN.manifest.blocks]
    manifest = msgspec.structs.replace(RUN.manifest, blocks=blocks)
    assert msgspec.json.decode(
        msgspec.json.encode(manifest).replace(b',"line_digests":""', b""), type=type(RUN.manifest)
    )
    found = proof_of(
        load(RUN.job), [msgspec.structs.replace(part, lines_read="") for part in RUN.parts], manifest
    )
    assert found.holds()
    assert len(found.checks) == len(proof_of(load(RUN.job), RUN.parts, RUN.manifest).checks) - 1


def test_the_proof_says_what_was_left_out_and_that_all_blocks_did() -> None:
    run = fake_run("top_words", blocks=3)
    edge = run.manifest.blocks[0].owned.end
    bad = Span(edge - 10, edge + 10)  # of which two blocks own a part
    source = msgspec.structs.replace(run.manifest.source, key=None, prefix="in/", objects=9)
    blocks = [
        msgspec.structs.replace(block, left_out=[bad] * (block.block < 2)) for block in run.manifest.blocks
    ]
    manifest = msgspec.structs.replace(run.manifest, source=source, blocks=blocks)
    record = copy.deepcopy(run.record)
    record.key, record.prefix, record.objects, record.on_bad_object = None, "in/", 9, "skip"
    record.leave_out([(Placed(bad.start, "in/<b>.gz", 20, "etag"), "in/<b>.gz is cut.")])
    summary = summarize(load(run.job), record, run.parts)
    assert (summary["objects_left_out"], summary["bytes_left_out"]) == (1, 20)
    drawn = page(run.job, record, summary, run.trace, parts=run.parts, manifest=manifest)
    for said in ("covers 8 of 9 objects", "999,999,980 of 1,000,000,000 bytes", "in/&lt;b&gt;.gz is cut."):
        assert said in drawn
    assert "<strong>Yes</strong> every byte once of what was read, not of what was left out" in drawn
    assert "No byte is missing" not in drawn
    blocks[1] = msgspec.structs.replace(blocks[1], left_out=[])
    broken = proof_of(load(run.job), run.parts, msgspec.structs.replace(manifest, blocks=blocks))
    assert "Block 1 read an object that another block left out" in broken.broken
    assert [check.claim for check in broken.checks if not check.holds] == [
        "What was left out was left out as a whole"
    ]


@pytest.mark.parametrize(("fault", "run"), list(broken_runs()))
def test_what_does_not_hold_is_said_first(fault: str, run: FakeRun) -> None:
    said = Reader(drawn(run)).says()
    assert "Is it exact? NoA check does not hold" in said, fault
    assert "Does not hold" in said
    assert not proof_of(load(run.job), run.parts, run.manifest).holds()
    assert proof_of(load(run.job), run.parts, run.manifest).broken in said.replace("\n", " ")


def test_a_failed_run_has_no_result_and_says_why() -> None:
    text = drawn(fake_run(status="FAILED"), resume="fanfold resume RUN")
    said = Reader(text).says()
    assert "The run failed 2 of 191 tasks failed. block 17: Crashed: " in said
    assert "block 90: Crashed: it was killed." in said
    assert "189 finished blocks are kept. Resume the run, which does only what is missing:" in said
    assert said.index("fanfold resume RUN") < said.index("How far it came")
    assert "189 of 191 blocks done" in said
    assert "The proof" not in said
    assert 'id="result"' not in text
    assert "data:text/csv" not in text


def test_what_is_gone_is_said_to_be_gone() -> None:
    said = Reader(drawn(RUN, trace=None, manifest=None)).says()
    assert "The bucket has no trace of this run" in said
    assert "manifest.json, is no longer in the bucket" in said
    assert "Yes by the run's own check" in said


def test_a_run_that_has_died_has_a_page() -> None:
    record = msgspec.structs.replace(
        RUN.record, status="RUNNING", finished_at=0.0, seconds={}, used={}, dollars={}
    )
    said = Reader(drawn(RUN._replace(record=record), trace=Trace("run", []), parts=(), manifest=None)).says()
    assert "Died" in said
    assert "The run has died No Lambda works on the run any more" in said
    assert "Not counted" in said


def test_the_calls_add_up_and_each_rest_is_named() -> None:
    def said(**outcomes: str) -> str:
        one = RUN.trace.calls[0]
        calls = [
            msgspec.structs.replace(one, outcome=outcome, usage=None)
            for outcome in ("throttled", "given_up", "failed")
            for _ in range(int(outcomes.get(outcome, 0)))
        ]
        warm = msgspec.structs.replace(one, usage=Usage(1769, 0, 1, 0, 0, {}))
        return Reader(drawn(RUN, trace=Trace(RUN.record.run_id, [warm, *calls]))).says()

    assert "1 call: 0 started cold, 1 warm. " in said()
    assert "2 calls: 0 started cold, 1 warm; 1 never started, because Lambda throttled it. " in said(
        throttled="1"
    )
    assert "5 calls: 0 started cold, 1 warm; 4 never answered, so how they started is unknown. " in said(
        given_up="3", failed="1"
    )


def test_a_run_without_faults_says_so() -> None:
    said = Reader(drawn(fake_run(faults=False))).says()
    assert "Each succeeded at the first attempt" in said
    assert "Nothing: no call was throttled" in said


def test_the_command_survives_a_shell() -> None:
    key = "it's here; $(rm -rf x)/enwiki.xml"
    text = drawn(RUN._replace(record=msgspec.structs.replace(RUN.record, key=key)))
    command = re.search(r'id="command">(.*?)</pre>', text, re.DOTALL)
    assert command
    reader = Reader(command[1])
    assert shlex.split("".join(reader.texts)) == [
        "fanfold", "run", f"s3://fanfold-input/{key}", "--job", "top_words",
        "--block-bytes", str(RUN.record.block_units), "--concurrency", "4",
    ]  # fmt: skip
    local = drawn(RUN, options=" --local", is_local=True)
    assert "fanfold run --local s3://" in local
    assert "aws cloudformation" not in local
    assert "aws cloudformation" in text
    prefix = RUN._replace(record=msgspec.structs.replace(RUN.record, key=None, prefix="logs/2026/"))
    assert "fanfold run s3://fanfold-input/logs/2026/ --job" in drawn(prefix)
    begins = RUN._replace(record=msgspec.structs.replace(RUN.record, key=None, prefix="logs/2026-"))
    assert "fanfold run &#39;s3://fanfold-input/logs/2026-*&#39; --job" in drawn(begins)


# ---- what comes first, and titles


@pytest.mark.parametrize("job", names())
def test_the_answer_comes_before_the_run(job: str) -> None:
    text = drawn(fake_run(job), files={"csv": b"a"})
    order = ['class="headline"', "data:text/csv", *(f'id="{name}"' for name in ("result", "run", "lambdas"))]
    places = [text.index(one) for one in [*order, 'id="cost"', 'id="proof"']]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("changes", "heading"),
    [
        ({"key": "input/5f/enwiki.xml", "options": {"top": 25, "markup": "mediawiki"}},
         "Words of enwiki.xml\u00a0· markup=mediawiki, top=25"),
        ({"key": None, "prefix": "logs/2026/"}, "Words of logs/2026/"),
        ({"key": None, "prefix": "logs/2026-"}, "Words of logs/2026-*"),
        ({"key": None, "prefix": f"input/{'0a' * 16}/logs/"}, "Words of logs/"),
        ({"key": None, "prefix": ""}, "Words of fanfold-input"),
        ({"key": "a/"}, "Words of a"),
        ({"key": "a/b\u202ec\n\x1b.xml"}, "Words of b\\u202ec\\n\\x1b.xml"),
        ({"key": "<b>{name}&"}, "Words of <b>{name}&"),
        ({"key": "x" * 1000}, f"Words of {'x' * 80}…"),
        ({"key": "k", "options": {"stop_words": ["w" * 70]}}, f"Words of k\u00a0· stop_words={'w' * 49}…"),
    ],
)  # fmt: skip
def test_a_heading_names_the_input_and_what_was_chosen(changes: dict[str, Any], heading: str) -> None:
    text = drawn(RUN._replace(record=msgspec.structs.replace(RUN.record, **changes)))
    for tag, more in (("title", " · Fanfold"), ("h1", "")):
        found = Reader(text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0])
        assert "".join(found.texts) == heading + more


# ---- runs without a result


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"error": "RunCancelled: The run was cancelled.", "status": "CANCELLED"},
         ["fanfold resume", "fanfold run"]),
        ({"error": "Crashed: it was killed.", "status": "FAILED"}, ["", "fanfold resume", "fanfold run"]),
        ({"error": "FanOutFailed: 1 of 1 task failed. block 0: ArchiveDamaged: a.gz.", "status": "FAILED"},
         ["fanfold run"]),
        ({"error": "ArchiveDamaged: a.gz is cut.", "status": "FAILED", "key": None, "prefix": "logs/"},
         ["fanfold run", "fanfold run --on-bad-object skip"]),
        ({"error": "SourceChanged: a changed.", "status": "FAILED", "key": None, "prefix": "logs/"},
         ["fanfold run"]),
        ({"error": "SourceNotFound: There is no a.", "status": "FAILED", "etag": ""}, ["fanfold run"]),
        ({"error": "", "status": "RUNNING"}, ["fanfold resume", "fanfold run"]),
    ],
)  # fmt: skip
def test_what_to_do_depends_on_what_happened(changes: dict[str, Any], steps: list[str]) -> None:
    ending = ending_of(msgspec.structs.replace(RUN.record, **changes), "fanfold run", "fanfold resume")
    assert [step.command for step in ending.steps] == steps
    assert ending.happened


@pytest.mark.parametrize(
    ("done", "kept"),
    [(0, "Nothing is lost."), (1, "1 finished block is kept."), (1200, "1,200 finished blocks are kept.")],
)
def test_blocks_that_are_kept_are_counted(done: int, kept: str) -> None:
    record = msgspec.structs.replace(RUN.record, status="CANCELLED", error="", blocks_done=done)
    assert ending_of(record, "fanfold run", "fanfold resume").steps[0].sentence.startswith(kept)


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "RUNNING"])
def test_what_to_do_begins_with_no_alternative(status: str) -> None:
    record = msgspec.structs.replace(RUN.record, status=status, error="RunCancelled: The run was cancelled.")
    steps = ending_of(record, "fanfold run", "").steps
    assert [step.sentence for step in steps if step.command] == ["Start a new run:"]
    says = Reader(drawn(RUN._replace(record=record))).says()
    assert says.count("The run was cancelled") == 1


def test_what_to_do_about_a_table_may_be_an_option() -> None:
    error = "FanOutFailed: 1 of 4 tasks failed. share 0: TableUnusable: Leave it out by the option never=a."
    record = msgspec.structs.replace(RUN.record, status="FAILED", error=error)
    (step,) = ending_of(record, "fanfold run", "fanfold resume").steps
    assert step.sentence == "Change the input or the options as the message says, and start a new run:"


def test_a_run_without_blocks_says_nothing_of_them() -> None:
    record = msgspec.structs.replace(fake_run(status="FAILED").record, blocks=0, blocks_done=0)
    assert re.search(
        r"How long [0-9.]+ sup to \d+ Lambdas", Reader(drawn(RUN._replace(record=record))).says()
    )


def test_what_to_do_names_only_options_that_were_chosen() -> None:
    options = load("top_words").plain_options({"top": 3})
    record = msgspec.structs.replace(fake_run(status="FAILED").record, options=options)
    text = Reader(drawn(fake_run(status="FAILED")._replace(record=record))).says()
    assert "Start a new run: fanfold run s3://" in text
    first, _, same = text.partition("Start a new run: ")[2].partition("Run it again")
    assert first.count("--set") == 1
    assert same.count("--set") == len(options)


def test_a_run_in_which_no_lambda_worked_has_no_empty_chart() -> None:
    calls = [call for call in RUN.trace.calls if call.function == "parse_file"]
    run = fake_run(status="FAILED")
    assert 'id="concurrency"' in drawn(run)
    text = drawn(run, trace=Trace("run", calls))
    assert 'id="concurrency"' not in text
    assert 'id="timeline"' not in text
    assert "Where the time went" in Reader(text).says()


# ---- files


def files_in(text: str) -> dict[str, bytes]:
    """What the links of a page download, by the name of the file."""
    links = re.findall(r'href="data:[^,"]*;base64,([^"]*)" download="([^"]*)"', text)
    return {name: base64.b64decode(content, validate=True) for content, name in links}


def test_the_result_is_in_the_page_as_files_byte_for_byte() -> None:
    files = {"csv": '"=1","größe"\n"</a>"\n'.encode(), "json": b'{"a":"\xff"}'}
    found = files_in(drawn(RUN, files=files))
    assert found == {f"fanfold-{RUN.record.run_id}.{ending}": content for ending, content in files.items()}


def test_a_file_that_is_too_large_for_a_page_is_a_command() -> None:
    text = drawn(
        RUN, files={"csv": b"x" * (downloads.MOST_BYTES + 1), "json": b"{}"}, results="fanfold results R"
    )
    assert list(files_in(text)) == [f"fanfold-{RUN.record.run_id}.json"]
    assert "CSV: its 5 MB are too large for this page. fanfold results R -o result.csv" in Reader(text).says()


# ---- R squared


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_an_axis_has_all_values_and_none_at_a_place_of_another(values: list[float]) -> None:
    axis = axis_near(values)
    assert axis.low < axis.high
    shares = [axis.share(value) for value in values]
    assert all(0 <= share <= 1 for share in shares)
    if max(values) - min(values) > 1e-8:
        assert max(shares) - min(shares) > 0.3
    assert f"{axis.low:.{axis.decimals}f}" != f"{axis.high:.{axis.decimals}f}"


def test_an_axis_of_r_squared_ends_at_1() -> None:
    for values in ([1.0, 1.0], [0.999999999], [0.9999999999, 0.9999999991]):
        assert axis_near(values).high == 1
    assert axis_near([0.0, 0.0]).low == 0


def names_of(length: int) -> list[str]:
    return [letter * length for letter in "ypqrs"]


def test_no_column_of_a_model_and_no_reason_is_cut() -> None:
    run = fake_run("column_permutations")
    target, *predictors = names_of(256)
    model = {"r_squared": 0.5, "adjusted_r_squared": 0.25, "target": target, "predictors": predictors}
    reason = f"text: 8 of 9 cells, the first in the row at byte 1 of {'k' * 300}; name them in missing_words"
    left_out = [{"column": "x" * 256, "reason": reason}]
    summary = {**run.summary, "models": {"4": [{**model, "twins": {}}]}, "columns_left_out": left_out}
    said = Reader(drawn(run._replace(summary=summary))).says()
    assert f"{target} ~ {' + '.join(predictors)}" in said
    assert "x" * 256 in said
    assert reason in said


def test_a_heading_of_models_counts_the_columns_that_are_in_all() -> None:
    run = fake_run("column_permutations")
    model = {"r_squared": 0.5, "adjusted_r_squared": 0.25, "target": "y", "predictors": ["a", "b", "c"]}
    summary = {**run.summary, "models": {"1": [{**model, "twins": {}}]}, "best": {"1": [model]}}
    assert (
        "1 predictor besides the 2 that are in every model"
        in Reader(drawn(run._replace(summary=summary))).says()
    )


def test_models_have_their_adjusted_r_squared_beside_the_dots() -> None:
    run = fake_run("column_permutations")
    models = [
        {"r_squared": 0.9, "adjusted_r_squared": 0.875, "target": "y", "predictors": ["a"], "twins": {}},
        {"r_squared": 0.8, "adjusted_r_squared": None, "target": "y", "predictors": ["b"], "twins": {}},
    ]
    said = Reader(drawn(run._replace(summary={**run.summary, "models": {"1": models}}))).says()
    assert "R squaredAdjusted" in said
    assert "0.9000000000.875000000" in said.replace(" ", "")


def test_without_models_the_best_choice_is_the_answer() -> None:
    run = fake_run("column_permutations")
    twins = {
        "best": {"1": [{"r_squared": 1, "target": "a", "predictors": ["b"]}]},
        "models": {"1": []},
        "twins": [["a", "b"]],
    }
    said = Reader(drawn(run._replace(summary={**run.summary, **twins}))).says()
    assert "is the best R squared: a ~ b" in said
    assert "of the choices has an R squared" not in said


def test_twenty_good_models_are_told_apart() -> None:
    run = fake_run("column_permutations")
    best = [
        {"r_squared": 0.9951 + place * 0.000015, "target": "y", "predictors": [f"x{place}"]}
        for place in range(20, 0, -1)
    ]
    text = drawn(run._replace(summary={**run.summary, "models": {"1": best}, "best": {}}))
    dots = [float(x) for x in re.findall(r'class="end" d="M([0-9.]+) 6h', text)]
    assert len(dots) == 20
    assert all(one - other > 2 for one, other in itertools.pairwise(dots)), "percent of the axis"
    said = Reader(text).says()
    assert "0.995400000" in said
    assert "0.99510.9954" in said, "the ends of the axis"
    assert "It begins near the lowest one" in said


# ---- logs by anything but hours


def asked(by: str, keys: list[str], order: str | None = None, **more: Any) -> dict[str, Any]:
    counts = {"bytes_sent": 1, "2xx": 1, "3xx": 0, "4xx": 0, "5xx": 1, "other": 0}
    top = [{by: key, "requests": 9 - place, **counts, **more} for place, key in enumerate(keys)]
    options = {"by": by, "top": 10, "order": order}
    return {"options": options, "requests": 30, **counts, "top": top, "lines": 30}


@pytest.mark.parametrize(
    ("by", "keys", "order"),
    [
        ("day", ["2026-11-02", "2025-12-31"], ["2025-12-31", "2026-11-02"]),
        ("month", ["2026-02", "2026-01"], ["2026-01", "2026-02"]),
        ("weekday", ["Sunday", "Monday"], ["Monday", "Sunday"]),
        ("client", ["b", "a"], ["b", "a"]),
    ],
)
def test_times_are_in_their_order_and_all_else_by_requests(
    by: str, keys: list[str], order: list[str]
) -> None:
    figures = access_log.draw(asked(by, keys, p50=0.0421, p99=1.5)).figures
    stack = figures[0] if by != "client" else None
    assert stack is None or (isinstance(stack, Stack) and stack.labels == order)
    table = figures[1 if stack else 0]
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == order
    assert table.headings == [by, "requests", "2xx", "5xx", "bytes sent", "p50, ms", "p99, ms"]
    assert table.rows[0][-2:] == [42.1, 1500]
    assert table.bars == 1
    ranked = access_log.draw(asked(by, keys, "p99", p50=0.0421, p99=1.5))
    (by_time, _) = ranked.figures
    assert isinstance(by_time, Table)
    assert [row[0] for row in by_time.rows] == keys
    assert by_time.headings[:3] == [by, "p99, ms", "requests"]
    assert ranked.question == f"Which {by} has the highest p99?"
    kinds = {"formats": {"alb": 30}, "object_formats": {"alb": 2, "not a log line": 1}}
    lines = access_log.draw({**asked(by, keys), **kinds}).figures[-1]
    assert isinstance(lines, Table)
    assert lines.rows[-2:] == [["format: alb", 30, 2], ["format: not a log line", None, 1]]
    empty = access_log.draw(asked(by, []))
    assert all(isinstance(figure, Table) for figure in empty.figures)


@pytest.mark.parametrize(("width", "spared"), [(132, []), (80, ["3xx", "2xx"])])
def test_a_narrow_terminal_leaves_columns_out_and_says_which(width: int, spared: list[str]) -> None:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    times = {"mean": 0.1, "p50": 0.1, "p95": 0.2, "p99": 0.3, "slowest": 0.4}
    lines = {"formats": {}, "objects": 1, "filtered_out": 0, "malformed_lines": 0}
    answer = {**asked("path", ["/", "/a"], "p95", **times, **{"3xx": 1}), **times, **lines}
    access_log.show(console, answer)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(len(line) <= width for line in text.splitlines() if line.startswith(("│", "┃")))
    assert "┃path" in text
    assert text.index("┃ p95, ms") < text.index("┃ requests")
    said = re.search("In a wider terminal also: (.*)", text)
    assert (said[1].split("; ")[:2] if said else []) == spared


# ---- the jobs' parts


@pytest.mark.parametrize("job", names())
def test_every_job_of_ours_brings_its_part(job: str) -> None:
    run = fake_run(job)
    assert not isinstance(getattr(client_job(job).draw, "__self__", None), _any_job.AnyJob)
    text = drawn(run)
    assert "The ten most" in text or "Requests for each" in text or "Which " in text


def test_the_layers_of_an_hour_are_its_requests() -> None:
    summary = fake_run("access_log").summary
    summary = json.loads(json.dumps(summary))
    summary["hours"]["3"]["status"] |= {"-": 5, "101": 2}
    summary["hours"]["3"]["requests"] += 7
    stack = access_log.draw(summary).figures[0]
    assert isinstance(stack, Stack)
    assert [layer.name for layer in stack.layers] == ["2xx", "3xx", "4xx", "5xx", "other"]
    for place, hour in enumerate(stack.labels):
        requests = sum(layer.numbers[place] for layer in stack.layers)
        assert requests == summary["hours"][hour]["requests"]


def test_the_paths_of_all_hours_come_before_those_of_each() -> None:
    summary = {**fake_run("access_log").summary, "top_paths": [{"path": "/", "count": 7}]}
    tables = [figure for figure in access_log.draw(summary).figures if isinstance(figure, Table)]
    assert (tables[0].title, tables[0].rows) == ("Most frequent paths", [["/", 7]])


def test_an_input_without_anything_has_a_page() -> None:
    parts = [PartReport(part.part, part.blobs_read, 0, {"words": 0, "top_words": []}) for part in RUN.parts]
    summary = {**RUN.summary, "words": 0, "top_words": {part.part: [] for part in parts}}
    assert "words" in Reader(drawn(RUN._replace(parts=parts, summary=summary), manifest=None)).says()


# ---- numbers and texts


@given(st.integers(-(10**20), 10**20))
def test_a_whole_number_stays_itself(value: int) -> None:
    assert int(re.sub(r"<[^>]*>", "", number(value) if abs(value) < 2**53 else str(value))) == value


@given(st.text(alphabet="0123456789 .,<&abc", max_size=30))
def test_prose_says_what_was_said(text: str) -> None:
    assert "".join(Reader(str(prose(text))).texts) == text


@given(st.text())
def test_a_text_is_visible_and_has_an_end(text: str) -> None:
    assert len(shown(text)) <= 121
    assert shown(text).isprintable()


@given(st.floats(0, 1e6))
def test_an_amount_for_a_glance_is_near_the_amount(amount: float) -> None:
    told = float(dollars_in_report(amount).removeprefix("$"))
    assert told == pytest.approx(amount, rel=0.06, abs=1e-7)


@given(st.floats(0, 99))
def test_a_time_for_a_glance_is_near_the_time(amount: float) -> None:
    told, unit = time_in_report(amount).split()
    assert float(told) * {"ms": 0.001, "s": 1}[unit] == pytest.approx(amount, rel=0.01, abs=0.0006)


# ---- what looks exact is exact


def _pairs(value: Any) -> set[tuple[str, float]]:
    """Every text of a summary with a number that stands beside it."""
    found: set[tuple[str, float]] = set()
    if isinstance(value, dict):
        texts = [text for text in value.values() if isinstance(text, str)]
        numbers = [one for one in value.values() if isinstance(one, int | float)]
        found |= {(text, one) for text in texts for one in numbers}
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        found |= _pairs(inner)
    return found


@pytest.mark.parametrize("job", ["top_words", "access_log"])
def test_a_ranked_text_has_the_number_that_the_run_counted(job: str) -> None:
    """And no sum of numbers that were ranked before: of those, what was not ranked is missing."""
    summary = json.loads(json.dumps(fake_run(job).summary))
    told = _pairs(summary)
    for figure in client_job(job).draw(summary).figures:
        if isinstance(figure, Rankings):
            entries = [entry for ranking in figure.rankings for entry in ranking.entries]
        elif isinstance(figure, Table):
            entries = [
                (text, amount)
                for row in figure.rows
                for text, amount in itertools.pairwise(row)
                if isinstance(text, str) and isinstance(amount, int)
            ]
        else:
            continue
        assert entries
        assert set(entries) <= told


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [
        (0, 7, "0 %"),
        (7, 7, "100 %"),
        (1, 3, "33.3 %"),
        (1, 10**6, "less than 0.1 %"),
        (10**6 - 1, 10**6, "more than 99.9 %"),
        (9996, 10**4, "more than 99.9 %"),
        (0, 0, "0 %"),
    ],
)
def test_a_share_is_all_or_nothing_only_if_it_is(part: int, whole: int, told: str) -> None:
    assert share_text(part, whole) == told
    run = fake_run("access_log")
    summary = {**run.summary, "lines": max(whole, part), "malformed_lines": part}
    if part < whole:
        assert f"({told})" in Reader(drawn(run._replace(summary=summary))).says()


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        ({"3": 9}, "The busiest hour begins at 3:00 UTC, with 9 requests."),
        ({"3": 9, "7": 9}, "The busiest hours begin at 3:00, 7:00 UTC, with 9 requests each."),
        ({}, "There are no requests."),
    ],
)
def test_the_busiest_hour_is_one_only_if_it_is(hours: dict[str, int], told: str) -> None:
    summary = json.loads(json.dumps(fake_run("access_log").summary))
    for hour, found in summary["hours"].items():
        found.update(requests=hours.get(hour, 0), status={"200": hours.get(hour, 0)}, top_paths=[])
    assert access_log.draw(summary).figures[0].description == told  # type: ignore[union-attr]


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "RUNNING"])
def test_a_run_without_a_result_has_no_rate_no_shares_and_no_proof(status: Any) -> None:
    """It has not read its input, and what it took is all that there is."""
    record = msgspec.structs.replace(
        RUN.record, status=status, finished_at=RUN.record.started_at + 0.072, seconds={"claim": 0.073}
    )
    said = Reader(drawn(RUN._replace(record=record))).says()
    assert "72 ms" in said
    assert "a second" not in said.partition("What it cost")[0]
    assert "101 %" not in said
    assert "Is it exact?" not in said
    assert "The proof" not in said


def test_a_run_that_was_resumed_has_no_rate() -> None:
    record = msgspec.structs.replace(RUN.record, seconds={**RUN.record.seconds, "idle": 3600.0})
    assert "a second" not in Reader(drawn(RUN._replace(record=record))).says().partition("What it cost")[0]
    assert "a second" in Reader(drawn(RUN)).says().partition("What it cost")[0]


def test_stages_never_account_for_more_than_all() -> None:
    wall = RUN.record.finished_at - RUN.record.started_at
    record = msgspec.structs.replace(RUN.record, seconds={"parse": 1.01 * wall})
    said = Reader(drawn(RUN._replace(record=record))).says()
    assert "its stages account for all of that" in said
    assert "101 %" not in said


def test_what_was_not_counted_was_not_measured() -> None:
    record = msgspec.structs.replace(RUN.record, used={}, dollars={}, dollars_estimated=0.0)
    said = Reader(drawn(RUN._replace(record=record))).says()
    assert "All of it was measured" not in said
    assert "$0 at the list prices" not in said


def test_calls_that_a_dead_invocation_did_not_write_down_are_missed() -> None:
    calls = {**RUN.record.calls, "done": RUN.record.calls["done"] + 5}
    said = Reader(drawn(RUN._replace(record=msgspec.structs.replace(RUN.record, calls=calls)))).says()
    assert "5 more calls are not in the trace" in said
    assert "not in the trace" not in Reader(drawn(RUN)).says()


@pytest.mark.parametrize(("rules", "told"), [("of then", "of then"), ("", "not recorded")])
def test_the_rules_are_the_runs_and_the_version_is_the_clients(rules: str, told: str) -> None:
    said = Reader(drawn(RUN._replace(record=msgspec.structs.replace(RUN.record, rules=rules)))).says()
    assert f"Job, and the run's rulestop_words, {told}" in said
    assert "Report written by Fanfold 0.1.0" in said.replace("Fanfold0", "Fanfold 0")


def test_what_a_run_kept_is_in_its_proof() -> None:
    kept = msgspec.structs.replace(RUN.record, keep="all", kept={"keys": 1234567, "bytes": 2_000_000})
    assert " keys, 2 MB as stored</dd>" in drawn(RUN._replace(record=kept))
    assert "Complete sums" not in drawn(RUN)
