"""The command grep, on files of this machine and without AWS: what it prints, and its exit status."""

import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fanfold.cli import app as commands
from fanfold.cli import grep as command
from fanfold.lines import pieces as reading
from lambda_src.errors import BlobDamaged
from lambda_src.jobs.grep import LONGEST_LINE
from lambda_src.jobs.grep.frames import Writer
from lambda_src.store.digests import digest_of
from lambda_src.wire.reports import Piece

TEXT = b"one\nERROR two\n\x1b[2Jerror\xff\tthree\r\n\nlast"

Grep = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def grep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Grep:
    """Runs the command in a folder with files; its status, output and messages."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FANFOLD_LOCAL", raising=False)
    Path("a.log").write_bytes(TEXT)
    Path("b.log.gz").write_bytes(gzip.compress(b"none\nerror 4\n"))

    def run(*words: str) -> tuple[int, bytes, str]:
        status = commands.main(["grep", *words])
        found = capfdbinary.readouterr()
        return status, found.out, found.err.decode()

    return run


def test_lines_are_printed_as_grep_prints_them(grep: Grep) -> None:
    three = b"14:\x1b[2Jerror\xff\tthree\r\n"
    assert grep("error", "b.log.gz", "a.log") == (0, b"a.log:" + three + b"b.log.gz:5:error 4\n", "")
    assert grep("-i", "-c", "error", "a.log", "b.log.gz") == (0, b"a.log:2\nb.log.gz:1\n", "")
    assert grep("-c", "^.$", "a.log") == (1, b"a.log:0\n", "")
    assert grep("-v", "-m", "1", "o", "a.log")[1] == b"a.log:32:\n"
    assert grep("-F", "[2J", "a.log") == (0, b"a.log:" + three, "")
    assert grep("-o", "[ao][ns]", ".")[1] == b"a.log:0:on\na.log:34:as\nb.log.gz:1:on\n"
    after = b"a.log:4:ERROR two\n" + b"a.log-" + three.replace(b":", b"-", 1)
    assert grep("-C", "1", "-B", "0", "two", "a.log")[1] == after


def test_the_exit_status_is_that_of_grep(grep: Grep) -> None:
    assert grep("zebra", "a.log") == (1, b"", "")
    status, out, told = grep("(", "a.log")
    assert (status, out, told) == (2, b"", "Error: options: pattern: missing ): (.\n")
    status, _, told = grep("x", "nowhere")
    assert (status, told) == (2, "Error: There is no file or folder nowhere: check the spelling.\n")
    # What was found before an error does not hide it.
    assert grep("error", "a.log", "a.log")[0] == 2
    assert grep("-o", "-A", "1", "x", "a.log")[0] == 2
    assert grep("-m", "0", "x", "a.log")[0] == 2
    status, _, told = grep("x")
    assert (status, "at least one SOURCE (- is standard input)" in told) == (2, True)
    for chosen in (["x"], ["-m", "1"], ["-i"], ["-w"], ["-x"], ["--block-bytes", "5MB"]):
        assert grep("--run", "last", *chosen)[0] == 2


FLAGS = [
    [],
    ["-c"],
    ["-l"],
    ["-q"],
    ["-cv"],
    ["-lv"],
    ["-c", "-m", "1"],
    ["-E"],
    ["-aH"],
    ["-il"],
    ["-L"],
    ["-Lv"],
    ["-w"],
    ["-ow"],
    ["-xi"],
    ["-cwx"],
]


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
@pytest.mark.parametrize("pattern", ["error", "^$", "zebra", ".", "r$"])
def test_output_and_status_are_those_of_grep_itself(grep: Grep, flags: list[str], pattern: str) -> None:
    files = ["a.log", "empty", "error", "none"]
    for name, text in (("empty", b""), ("error", b"error\nerror"), ("none", b"\n\n")):
        Path(name).write_bytes(text)
    itself = subprocess.run(
        ["grep", "-abH", *flags, "--", pattern, *files],
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    status, out, told = grep(*flags, "--", pattern, *files)
    assert (status, out) == (itself.returncode, itself.stdout)
    assert told == ""


def test_objects_without_text_are_counted_and_those_left_out_are_not(grep: Grep) -> None:
    Path("b.log").write_bytes(b"")  # at the same place of the input as what follows it, which is left out
    Path("b.log.gz").write_bytes(gzip.compress(b"error\n")[:-4])
    Path("c.gz").write_bytes(gzip.compress(b""))
    status, out, _ = grep("--on-bad-object", "skip", "-c", "error", ".")
    assert (status, out) == (0, b"a.log:1\nb.log:0\nc.gz:0\n")
    status, out, told = grep("-c", "error", "b.log")
    assert (status, out) == (1, b"b.log:0\n")
    assert "empty" in told


@pytest.mark.parametrize(
    ("habit", "told"),
    [
        ("-n", "Lines are not numbered: each begins with its offset in bytes."),
        ("-in", "Lines are not numbered"),
        ("-lL", "-l names the objects that have lines, -L the others: choose one."),
        ("--no-filename", "Every line names its object"),
        ("-P", "Patterns are in the syntax of RE2"),
        ("-e", "several patterns are one, with | between them."),
        ("-z", "No such option: -z"),
    ],
)
def test_an_option_of_other_greps_is_answered_with_what_there_is(grep: Grep, habit: str, told: str) -> None:
    status, out, error = grep(habit, "error", "a.log")
    assert (status, out) == (2, b"")
    assert error.startswith("Error: ")
    assert told in error


def test_json_has_every_byte(grep: Grep) -> None:
    _, out, _ = grep("--json", "-A", "1", "ERROR", "a.log")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"object": "a.log", "offset": 4, "line": "ERROR two"},
        {"object": "a.log", "offset": 14, "line_base64": "G1sySmVycm9y/wl0aHJlZQ0=", "context": True},
    ]
    found = json.loads(grep("--json", "-o", "t.o", "a.log")[1])
    assert found == {"object": "a.log", "offset": 10, "match": "two"}
    assert json.loads(grep("--json", "-c", "o", "b.log.gz")[1]) == {"object": "b.log.gz", "lines": 2}
    assert grep("--json", "-Lw", "one", ".")[1] == b'{"object":"b.log.gz"}\n'
    assert grep("--json", "-l", "error", ".")[1] == b'{"object":"a.log"}\n{"object":"b.log.gz"}\n'


def test_standard_input_and_folders_are_read_here(
    grep: Grep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"an error\n")))
    assert grep("error", "-")[1] == b"standard input:0:an error\n"
    assert grep("--", "error", str(tmp_path))[0] == 0


def test_a_damaged_file_is_left_out_on_request_and_named(grep: Grep) -> None:
    Path("c.gz").write_bytes(gzip.compress(b"error\n")[:-4])
    status, out, told = grep("error", ".")
    assert (status, out) == (2, b"")
    assert told.endswith("To leave such objects out: --on-bad-object skip.\n")
    assert "--on-bad-object" not in grep("error", "c.gz")[2]
    status, out, told = grep("--on-bad-object", "skip", "-c", "error", ".")
    assert (status, out) == (0, b"a.log:1\nb.log.gz:1\n")
    assert "Left out: c.gz" in told


def test_a_line_that_is_too_long_is_refused(grep: Grep) -> None:
    Path("long").write_bytes(b"error\n" + b"x" * (LONGEST_LINE + 1))
    status, out, told = grep("error", "long")
    assert (status, out) == (2, b"")
    assert "The line at byte 6 of long is longer than 8,388,608 bytes" in told


def test_nuls_are_bytes_like_any_others(grep: Grep) -> None:
    Path("nuls").write_bytes(b"an error\0here\n")
    assert grep(r"r\x00h", "nuls") == (0, b"nuls:0:an error\0here\n", "")


@pytest.mark.parametrize("flags", [[], ["--json"], ["-c"], ["-l"]])
def test_a_terminal_gets_nothing_that_it_might_obey(
    grep: Grep, flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("\x1b[2J.log").write_bytes("error \x1b]0;x\x07 \u202e\x9b\n".encode() + b"error \xff\n")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _, out, _ = grep(*flags, "error", ".")
    shown = out.decode()
    assert all(char.isprintable() or char in "\n\t" for char in shown), shown
    assert "\\x1b[2J.log" in shown or "\\u001b[2J.log" in shown


def test_a_pipe_that_is_closed_ends_it_silently(tmp_path: Path) -> None:
    (tmp_path / "many").write_bytes(b"error\n" * 300_000)
    words = [sys.executable, "-m", "fanfold", "grep", "error", "many"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    environment.pop("FANFOLD_LOCAL", None)
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"many:0:error\n"
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 0)


@pytest.mark.parametrize(
    ("redirection", "told"),
    [
        (">/dev/full", "Error: Standard output: No space left on device.\n"),
        (">&-", "Error: Standard output is closed: there is nowhere to print to.\n"),
    ],
)
def test_output_that_cannot_be_written_is_an_error(redirection: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"error\n")
    command = f"{sys.executable} -m fanfold grep error a {redirection}"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    environment.pop("FANFOLD_LOCAL", None)
    ran = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (2, told)


def test_what_is_printed_is_what_the_run_counted(grep: Grep, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that a block counted and did not store is missed, whatever else is right."""
    monkeypatch.setattr(Writer, "_take", lambda *_: None)
    status, _, told = grep("error", "a.log")
    assert status == 2
    assert told.startswith("Error: The run selected 1 lines, but its blocks kept 1, and 0 of 1 were printed")
    monkeypatch.undo()


def test_nothing_is_started_for_a_pattern_that_is_not_valid(
    grep: Grep, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object, **__: object) -> Any:
        raise AssertionError("nothing is sent")

    monkeypatch.setattr(command, "open_app", started)
    status, _, told = grep("a{1,5000}", "s3://bucket/input/")
    assert (status, told) == (2, "Error: options: pattern: invalid repetition size: {1,5000}.\n")


# ---- reading pieces


def placed(texts: Sequence[bytes]) -> list[reading.Placed]:
    return [
        reading.Placed(number // 2, str(number), Piece(len(text), digest_of(text)))
        for number, text in enumerate(texts)
    ]


def whole(offset: int) -> bytes:
    found: list[bytes] = []
    writer = Writer(found.append)
    writer.begin("a", offset)
    writer.lines(offset, b"line\n", selected=True)
    writer.end(offset + 5, 1)
    writer.flush()
    return b"".join(found)


def test_pieces_are_read_ahead_in_bounded_memory_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [half for number in range(40) for half in (whole(number)[:9], whole(number)[9:])]
    monkeypatch.setattr(reading, "AHEAD_BYTES", 100)
    read: list[int] = []

    def get(key: str) -> bytes:
        read.append(int(key))
        return texts[int(key)]

    blocks = reading.frames_by_block(placed(texts), get)
    for number, block in enumerate(blocks):
        assert len(list(block)) == 3
        assert max(read) <= 2 * number + 1 + 100 // 9
        if number == 20:
            break
    assert len(read) < len(texts)


def test_a_piece_that_was_changed_is_not_printed() -> None:
    pieces = placed([whole(0)])
    with pytest.raises(BlobDamaged, match="0 is not as the run wrote it"):
        next(reading.frames_by_block(pieces, lambda _: whole(1)))
