"""No text of others steers a terminal or a shell."""

import re
import shlex
import subprocess
import unicodedata
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold.account.connection import Aws
from fanfold.cli import app as commands
from fanfold.cli.output import show
from fanfold.cli.terminal import Terminal
from fanfold.runs.run import Run
from fanfold.safe_text import shell_word, visible
from tests.summaries import SUMMARY

ANY_TEXT = st.text(st.characters())
"""Lone surrogates are in it, as in file names that are no UTF-8."""

STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(ANY_TEXT)
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    assert not [char for char in visible(text) if unicodedata.category(char) in STEERING]


@given(ANY_TEXT)
def test_what_shows_is_left_as_it_is(text: str) -> None:
    letters = "".join(char for char in text if char.isprintable())
    assert visible(letters) == letters


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;x\x07", "\\x1b]0;x\\x07"),
        ("a\x9bc", "a\\x9bc"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u2028b\nc", "a\\u2028b\\nc"),
        ("a\udcffb", "a\\udcffb"),
        ("größte ΟΔΟΣ 語 [red]:smile:", "größte ΟΔΟΣ 語 [red]:smile:"),
    ],
)
def test_by_example(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(ANY_TEXT)
def test_a_shell_s_word_is_safe_and_splits_to_the_text(text: str) -> None:
    word = shell_word(text)
    assert visible(word) == word
    if text.isprintable():
        assert shlex.split(word) == [text]


@given(ANY_TEXT)
def test_the_advice_to_resume_is_one_command(text: str) -> None:
    """What is pasted names the run, whatever the run is called."""
    deployment: Any = SimpleNamespace(own="access_log")
    advice = Run(Aws(None, options=" --local"), deployment, text).command("resume")
    assert visible(advice) == advice
    if text.isprintable():
        assert shlex.split(advice) == ["fanfold", "resume", "--local", "--job=access_log", text]


def test_bash_reads_the_word_as_the_text() -> None:
    """Also with control characters, which ``shlex`` has no way to write safely."""
    texts = ["a\x1b[31mb", "it's\n$(touch m)`touch m`\\n'", "é\u202e'\x9b\u2028", "-n\t", "!x\x01!"]
    script = "printf '%s\\0' " + " ".join(shell_word(text) for text in texts)
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == texts


def test_words_and_names_in_the_report_are_just_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither escapes nor the markup of the library that draws the table."""
    words = {str(length): [{"word": "[red]:smile:\x1b[2J", "count": 1}] for length in range(1, 21)}
    named = {"top_words": words, "seconds": {"parse\x07": 1.0}}
    summary = {**SUMMARY, **named}
    show(Terminal(), "top_words", summary, {})
    output = capsys.readouterr().out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", output)
    assert "[red]:smile:\\x1b[2J 1" in output
    assert "parse\\x07" in output


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "x", "\x1b]0;x\x07"],
        ["\x1b]0;x\x07"],
        ["run", "--\x1b]0;x\x07"],
        ["run", "x", "--job", "\x1b]0;x\x07"],
    ],
)
def test_a_wrong_argument_is_reported_without_what_steers(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(arguments) == 2
    assert "\\x1b]0;x\\x07" in capsys.readouterr().err


def test_an_error_is_reported_without_what_steers(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["run", "/nowhere/\x1b]0;x\x07"]) == 1
    error = capsys.readouterr().err
    assert error == "Error: There is no file or folder /nowhere/\\x1b]0;x\\x07: check the spelling.\n"
