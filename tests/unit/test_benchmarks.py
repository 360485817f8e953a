"""What the benchmarks conclude from what they measure."""

import doctest
import io
import json
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from rich.console import Console

from benchmarks import ascii_text, cold_starts, measured, questions, service_calls
from benchmarks.ascii_text import write_text
from benchmarks.end_to_end import (
    COLD,
    DEFAULT,
    PUBLISHED,
    Answered,
    AnswersDiffer,
    Ran,
    Round,
    compare,
    cpu_by_kind,
    summarize,
)
from benchmarks.kernels import Row
from benchmarks.peers import PeerFailed
from benchmarks.service_calls import Counts, Passed, kinds_of
from lambda_src.run.prices import PRICES
from tests.faults.proxy import Call


def test_every_handler_makes_its_clients_as_the_cold_starts_do() -> None:
    starts = cold_starts.measure(rounds=1)
    handlers = {path.stem for path in Path("lambda_src/handlers").glob("[a-z]*.py")}
    rows = {
        (handler, bytecode) for handler in handlers for bytecode in (cold_starts.SHIPPED, cold_starts.NONE)
    }
    assert {(one.handler, one.bytecode) for one in starts} == {
        *rows,
        *((handler, cold_starts.ALL) for handler in cold_starts.WITH_PACKAGES),
        (cold_starts.PLAIN_BOTO3, cold_starts.NONE),
    }
    assert all(one.ms > 0 and one.peak_mib > 0 for one in starts)
    assert starts[-1].ratio == 1


def ran(name: str, wall_s: float) -> Ran:
    return Ran(name, wall_s, {"parse": wall_s}, {"server": wall_s})


def test_a_ratio_is_of_figures_of_the_same_round() -> None:
    """A machine that is slower in one round changes no ratio."""
    rounds = [
        Round(
            1, 1, [ran(COLD, 4 * slow), ran("Peer", 3 * slow), ran(DEFAULT, slow), ran(PUBLISHED, 2 * slow)]
        )
        for slow in (1, 9, 2)
    ]
    assert [(one.contestant, one.wall_s, one.ratio) for one in summarize(rounds)] == [
        (COLD, 8, 4),
        (DEFAULT, 2, 1),
        (PUBLISHED, 4, 2),
        ("Peer", 6, 3),
    ]
    assert {one.contestant: one.ratio for one in summarize(rounds, COLD)}["Peer"] == 0.75


def test_answers_that_differ_are_refused_by_name_and_length() -> None:
    one, other = ({"1": [("a", 2)], "2": [("ab", count)]} for count in (3, 4))
    compare(Answered(ran("one", 1), one), Answered(ran("same", 1), dict(one)))
    with pytest.raises(AnswersDiffer, match=r"Of length 2, one found .*3.*, and other .*4"):
        compare(Answered(ran("one", 1), one), Answered(ran("other", 1), other))
    with pytest.raises(AnswersDiffer, match="Of length 2"):
        compare(Answered(ran("one", 1), one), Answered(ran("other", 1), {"1": [("a", 2)]}))


BUSY = "import time\nwhile time.process_time() < 0.2: pass\n"
LAMBDA = BUSY + "import sys\nprint('busy', flush=True)\nsys.stdin.read()\n"
SERVER = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BUSY!r}])
with subprocess.Popen([sys.executable, "-c", {LAMBDA!r}]):
    {BUSY.replace(chr(10), chr(10) + "    ")}
    print("busy", flush=True)
"""
LEADER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SERVER!r}, 'hypercorn'])"


def test_processor_time_is_told_by_kind_of_process() -> None:
    """The leader of a session starts a server, which has seen one Lambda end and has another one waiting."""
    with subprocess.Popen(
        [sys.executable, "-c", LEADER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as session:
        assert session.stdin
        assert session.stdout
        for _ in ("server", "Lambda"):
            assert session.stdout.readline() == b"busy\n"
        used = cpu_by_kind(session.pid)
        session.stdin.close()
    assert 0.15 <= used["server"] < 0.35  # in ticks of 10 ms
    assert 0.35 <= used["Lambdas"] < 0.75
    assert used["client"] == pytest.approx(time.process_time(), abs=0.5)


def test_requests_are_counted_by_kind_and_priced_by_item() -> None:
    def dynamodb(operation: str, request: object, answered_bytes: int = 2) -> Passed:
        return Passed(
            Call("dynamodb", "POST", operation, "", 1, json.dumps(request).encode()), answered_bytes
        )

    passed = [
        Passed(Call("s3", "GET", "blobs/1", "", 1, b""), 1000),
        Passed(Call("s3", "GET", "blobs/2", "", 1, b""), 500),
        Passed(Call("s3", "HEAD", "input/a", "", 1, b""), 0),
        Passed(Call("s3", "GET", "", "", 1, b""), 300),
        Passed(Call("s3", "PUT", "blobs/1", "", 1, b"12345"), 0),
        Passed(Call("lambda", "POST", "f", "", 1, b"{}"), 10),
        dynamodb("GetItem", {}, 4097),
        dynamodb("Query", {"ConsistentRead": True}, 4097),
        dynamodb("PutItem", {"Item": "x" * 1500}),
        dynamodb("TransactWriteItems", {"TransactItems": [{"Put": "x" * 1500}, {"ConditionCheck": "x"}]}),
    ]
    kinds = kinds_of(passed)
    gets = next(kind for kind in kinds if kind.kind == "S3 GET")
    assert (gets.requests, gets.answered_bytes) == (2, 1500)
    assert gets.dollars == pytest.approx(2 * PRICES["us-east-1", "arm64"].s3_gets)
    assert Counts("run", 1, kinds, {}).counted() == {
        "invocations": 2,
        "s3_gets": 3,
        "s3_puts": 2,
        "table_read_units": 3,
        "table_write_units": 8,
    }


def contestant(name: str, answer: str, needs: str = "") -> questions.Contestant:
    return questions.Contestant(name, ["printf", answer], bytes.decode, needs)


def test_contestants_answer_in_turn_and_one_that_is_not_installed_is_named() -> None:
    here = [contestant(questions.OURS, "7"), contestant("one", "7")]
    missing = contestant("none", "8", "no-such-program")
    found = questions.asked(questions.Question("what?", 1, [*here, missing]), rounds=2)
    assert found.skipped == {"none": "no-such-program is not installed"}
    assert found.seconds.keys() == {questions.OURS, "one"}
    assert found.ratios[questions.OURS] == 1


def test_an_answer_that_differs_ends_the_measurement() -> None:
    two = [contestant(questions.OURS, "7"), contestant("one", "8")]
    with pytest.raises(AnswersDiffer, match=r"what\?: Fanfold found 7, and one 8\."):
        questions.asked(questions.Question("what?", 1, two), rounds=1)
    failing = questions.Contestant("one", ["sh", "-c", "echo why >&2; exit 3"], bytes.decode)
    with pytest.raises(PeerFailed, match="one failed: why"):
        questions.asked(questions.Question("what?", 1, [failing]), rounds=1)


@pytest.mark.parametrize("size", [1, 1000])
def test_a_text_of_a_file_is_repeated_up_to_its_size(tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    source.write_bytes("größer\r\n".encode())
    write_text(tmp_path / "text", size, source)
    assert (tmp_path / "text").read_bytes() == (b"grer \n" * size)[:size]


def test_a_file_without_ascii_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("ж" * 10)
    with pytest.raises(SystemExit, match="holds no ASCII"):
        write_text(tmp_path / "text", 5, source)


@pytest.mark.parametrize("module", [ascii_text, measured, service_calls])
def test_examples(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_ratios_are_shown_beside_what_they_are_of() -> None:
    rounds = [Round(1, 1, [ran(COLD, 4), ran(DEFAULT, 1), ran(PUBLISHED, 2), ran("Peer", 3)])]
    found = measured.Measured(
        started_at="now",
        machine=measured.Machine("Linux", "x", 2, "3.13"),
        text="generated",
        kernels=[Row("\x1b[2J", (30, 300), 10, (9, 3), 3, (2, 1), 0.5, 200)],
        cold_starts=[
            cold_starts.ColdStart("parse_block", cold_starts.SHIPPED, 60, 10, 30, 0.25),
            cold_starts.ColdStart(cold_starts.PLAIN_BOTO3, cold_starts.NONE, 200, 80, 40, 1),
        ],
        memory=[],
        questions=[
            questions.Answered("grep", 1, {questions.OURS: 2, "rg": 1}, {questions.OURS: 1, "rg": 0.5}, {})
        ],
        end_to_end=[measured.EndToEnd(10**9, rounds, {"coreutils + mawk": "no mawk on this machine"})],
        requests_of_bytes=10**9,
        requests=[],
    )
    shown = io.StringIO()
    Console(file=shown, width=200).print(measured.table_of_ratios(found))
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.getvalue().splitlines()]
    assert [line for line in lines if line] == [
        [r"count, \x1b[2J", "300 MB/s", "in Python", "30 MB/s", "10.0 times as fast"],
        [r"sum, \x1b[2J", "3.00 ms a block", "in Python", "9.00 ms", "3.0 times as fast"],
        ["cold start, parse_block, bytecode: shipped", "70 ms", "boto3 alone", "280 ms", "0.25 of it"],
        ["grep", "2.00 s", "rg", "1.00 s", "0.50 times as fast"],
        ["Fanfold, cold, 1 GB", "4.00 s", "Peer", "3.00 s", "0.75 times as fast"],
        ["Fanfold, 1 GB", "1.00 s", "Peer", "3.00 s", "3.00 times as fast"],
        ["Fanfold, 5 MiB blocks, 1 GB", "2.00 s", "Peer", "3.00 s", "1.50 times as fast"],
    ]
    assert msgspec.json.decode(msgspec.json.encode(found))["end_to_end"][0]["rounds"][0]["ran"][1] == {
        "contestant": DEFAULT,
        "wall_s": 1,
        "stages_s": {"parse": 1},
        "cpu_s": {"server": 1},
    }
