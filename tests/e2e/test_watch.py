"""A person at a terminal while a run works, and what becomes of the run when they leave."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from fanfold.account.choice import Account
from fanfold.runs.app import App
from tests.deployed import Stack

FANFOLD = str(Path(sys.executable).with_name("fanfold"))
ESCAPE = re.compile(r"\x1b\[[0-9;?]*([A-Za-z])")
COLOUR = re.compile(r"\x1b\[[0-9;]*(3|4|9|10)[0-9][0-9;]*m")
CURSOR_HIDDEN, CURSOR_SHOWN = "\x1b[?25l", "\x1b[?25h"
RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")

SILENCE_S = 120.0
"""A live view is drawn twice a second."""

SLOWLY = ("--block-bytes", "2000", "--concurrency", "1", "--yes")
"""Long enough to be interrupted in any case: more than a thousand blocks, one after the other."""


class Screen:
    """A pseudo-terminal with a command in it, which this class reads for its person."""

    def __init__(self, terminal: int, process_id: int) -> None:
        self.text = ""
        self.process_id, self.has_ended = process_id, False
        self._terminal = terminal

    def read_until(self, wanted: str) -> None:
        while wanted not in self.text:
            self.text += self._read() or pytest.fail(f"It ended without {wanted!r}:\n{self.text}")

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def read_to_the_end(self) -> int:
        """The exit status."""
        while more := self._read():
            self.text += more
        _, status = os.waitpid(self.process_id, 0)
        self.has_ended = True
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """As a person closes a window."""
        if self._terminal >= 0:
            os.close(self._terminal)
        self._terminal = -1

    def _read(self) -> str:
        if self._terminal >= 0 and not select.select([self._terminal], [], [], SILENCE_S)[0]:
            pytest.fail(f"It has said nothing for {SILENCE_S:.0f} s:\n{self.text}")
        with suppress(OSError):  # as Linux tells that nobody has it open any more
            return os.read(self._terminal, 1 << 16).decode(errors="ignore")
        return ""


@contextmanager
def on_a_terminal(stack: Stack, columns: int, *arguments: str, **variables: str) -> Iterator[Screen]:
    process_id, terminal = pty.fork()
    if process_id == 0:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
        unwanted = ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR")
        environment = {name: value for name, value in stack.local.environment.items() if name not in unwanted}
        os.execve(FANFOLD, [FANFOLD, *arguments], {**environment, "TERM": "xterm", **variables})  # noqa: S606
    screen = Screen(terminal, process_id)
    try:
        yield screen
    finally:
        screen.close()
        if not screen.has_ended:
            os.kill(process_id, signal.SIGKILL)
            os.waitpid(process_id, 0)


def fanfold(stack: Stack, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Where no terminal is."""
    return subprocess.run(
        ["env", "--default-signal=INT,TERM,HUP", FANFOLD, *arguments],
        env=dict(stack.local.environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_python_api_does_what_the_commands_do(stack: Stack, file: str, tmp_path: Path) -> None:
    app = App(Account(stack.aws, {"Fanfold": stack.deployment}))
    run = app.run(file, block_bytes=1_000_000).wait()
    assert run.status == "SUCCEEDED"
    assert {"length": 7, "rank": 1, "word": "denmark", "count": 60_000} in run.rows()
    assert run.result["words"] == 660_000
    assert run.report(tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert run.run_id in [found.run_id for found in app.runs(status="SUCCEEDED")]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "text.txt"
    path.write_bytes(b"to be or not to be, says the prince of Denmark\n" * 60_000)
    return str(path)


def status_of(stack: Stack, run_id: str) -> str:
    record, _ = stack.results(run_id)
    assert record
    return record.status


def widest(text: str) -> int:
    """Of what a terminal has got: it wraps nothing."""
    plain = ESCAPE.sub("", text)
    return max(
        len(line) for line in re.split(r"[\r\n]+", plain) if not line.startswith(("Full report", "Already"))
    )


@pytest.mark.parametrize("columns", [80, 200])
def test_the_live_view_and_the_result_fit_the_terminal(stack: Stack, file: str, columns: int) -> None:
    with on_a_terminal(stack, columns, "run", file, "--block-bytes", "200000") as screen:
        assert screen.read_to_the_end() == 0, screen.text
    text = screen.text
    for wanted in ("Blocks  ", "Parts   ", " retries", "dollars so far", "denmark 60,000"):
        assert wanted in ESCAPE.sub("", text)
    run_id = RUN_ID.findall(text)[-1]
    assert f"fanfold report {run_id}" in text
    assert widest(text) <= columns
    assert COLOUR.search(text)
    assert text.count(CURSOR_HIDDEN) == text.count(CURSOR_SHOWN) > 0


def test_without_colour_there_is_none(stack: Stack, file: str) -> None:
    with on_a_terminal(stack, 80, "run", file, NO_COLOR="1") as screen:
        assert screen.read_to_the_end() == 0, screen.text
    assert "Blocks  " in screen.text
    assert not COLOUR.search(screen.text)


def test_into_a_pipe_go_lines_without_control_characters(stack: Stack, file: str) -> None:
    done = fanfold(stack, "run", file, "--block-bytes", "200000")
    assert done.returncode == 0, done.stderr
    assert "denmark 60,000" in done.stdout
    assert re.search(r"^0:00:\d\d (Reducing parts: \d+/20 parts|Done), ", done.stderr, re.MULTILINE)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout + done.stderr)


@contextmanager
def long_run(stack: Stack, file: str) -> Iterator[tuple[Screen, str]]:
    """A long run, watched. It is cancelled at the end, however it went."""
    begun = fanfold(stack, "run", file, "--detach", *SLOWLY)
    assert begun.returncode == 0, begun.stderr
    run_id = begun.stdout.strip()
    try:
        with on_a_terminal(stack, 80, "watch", run_id) as screen:
            screen.read_until("Mapping blocks")
            yield screen, run_id
    finally:
        fanfold(stack, "cancel", run_id)


def test_ctrl_c_asks_and_no_leaves_the_run_alone(stack: Stack, file: str) -> None:
    with long_run(stack, file) as (screen, run_id):
        screen.type("\x03")
        screen.read_until("Cancel the run (y)")
        screen.type("n\n")
        assert screen.read_to_the_end() == 130
        assert f"Stopped watching; the run {run_id} continues. To watch it again: fanfold watch {run_id}" in (
            screen.text.replace("\r\n", "")
        )
        assert screen.text.count(CURSOR_HIDDEN) == screen.text.count(CURSOR_SHOWN)
        assert status_of(stack, run_id) == "RUNNING"


def test_ctrl_c_twice_leaves_the_run_alone(stack: Stack, file: str) -> None:
    with long_run(stack, file) as (screen, run_id):
        screen.type("\x03")
        screen.read_until("Cancel the run (y)")
        screen.type("\x03")
        assert screen.read_to_the_end() == 130
        assert f"fanfold watch {run_id}" in screen.text
        assert "Traceback" not in screen.text
        assert status_of(stack, run_id) == "RUNNING"


def test_ctrl_c_and_yes_cancels_the_run_which_can_be_resumed(stack: Stack, file: str, tmp_path: Path) -> None:
    with long_run(stack, file) as (screen, run_id):
        screen.type("\x03")
        screen.read_until("Cancel the run (y)")
        screen.type("y\n")
        assert screen.read_to_the_end() == 1
        assert f"fanfold resume {run_id}" in screen.text
        assert status_of(stack, run_id) == "CANCELLED"
    refused = fanfold(stack, "results", run_id)
    assert (refused.returncode, refused.stderr.startswith("Error: The run ")) == (1, True)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP])
def test_any_other_signal_leaves_the_run_alone(stack: Stack, file: str, end: signal.Signals) -> None:
    with long_run(stack, file) as (screen, run_id):
        os.kill(screen.process_id, end)
        assert screen.read_to_the_end() == 130
        assert f"the run {run_id} continues" in screen.text.replace("\r\n", "")
        assert status_of(stack, run_id) == "RUNNING"


def test_a_closed_terminal_leaves_the_run_alone(stack: Stack, file: str) -> None:
    """The kernel sends SIGHUP, and then no line can be written any more."""
    with long_run(stack, file) as (screen, run_id):
        screen.close()
        assert screen.read_to_the_end() == 130
        assert status_of(stack, run_id) == "RUNNING"


def test_without_a_terminal_ctrl_c_leaves_the_run_and_says_how_to_come_back(stack: Stack, file: str) -> None:
    with long_run(stack, file) as (_, run_id):
        watching = subprocess.Popen(
            ["env", "--default-signal=INT", FANFOLD, "watch", run_id],
            env=dict(stack.local.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert watching.stderr
        watching.stderr.readline()  # it watches
        watching.send_signal(signal.SIGINT)
        _, errors = watching.communicate(timeout=60)
        assert watching.returncode == 130
        assert errors.endswith(
            f"Stopped watching; the run {run_id} continues. To watch it again: fanfold watch {run_id}\n"
        )
        assert status_of(stack, run_id) == "RUNNING"


def test_from_beginning_to_cleaning_each_command_knows_the_run(
    stack: Stack, file: str, tmp_path: Path
) -> None:
    """Detached, watched, listed, read as JSON and CSV, cleaned."""
    begun = fanfold(stack, "run", file, "--detach")
    run_id = begun.stdout.strip()
    assert RUN_ID.fullmatch(run_id), begun.stderr
    watched = fanfold(stack, "watch", run_id, "--output", str(tmp_path / "result.json"))
    assert watched.returncode == 0, watched.stderr
    listed = fanfold(stack, "runs").stdout.splitlines()
    assert [line.split("\t")[1:3] for line in listed if line.startswith(run_id)] == [
        ["top_words", "SUCCEEDED"]
    ]
    read: Any = json.loads(fanfold(stack, "results", "--json", run_id).stdout)
    written: Any = json.loads((tmp_path / "result.json").read_text())
    assert read == written
    assert read["top_words"]["7"] == [{"word": "denmark", "count": 60_000}]
    assert '7,1,"denmark",60000' in fanfold(stack, "results", run_id, "--csv").stdout.splitlines()
    cleaned = fanfold(stack, "clean", run_id, "--yes")
    assert cleaned.stdout.endswith("objects were deleted.\n")
    assert fanfold(stack, "results", run_id).returncode == 0
    again = fanfold(stack, "resume", run_id)
    assert f"has finished. Its result: fanfold results {run_id}" in again.stderr
