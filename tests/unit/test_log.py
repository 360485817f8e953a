"""A log line is one line, whoever reads it."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.telemetry.log import log


@given(text=st.text())
def test_a_line_stays_one_line_and_steers_no_terminal(text: str) -> None:
    """For one in Python, which also breaks lines at U+0085 and U+2028, and for the terminal that shows it."""
    with pytest.MonkeyPatch.context() as patch:
        written: list[str] = []
        patch.setattr("sys.stdout.write", written.append)
        log("failed", key=text)
    (line,) = written
    assert json.loads(line) == {"event": "failed", "key": text}
    assert len(line.splitlines()) == 1
    assert line.endswith("\n")
    assert not [char for char in line[:-1] if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp")]


def test_letters_stay_readable(capsys: pytest.CaptureFixture[str]) -> None:
    log("top_words", words=["größte", "ΟΔΟΣ", "語"])
    assert capsys.readouterr().out == '{"event":"top_words","words":["größte","ΟΔΟΣ","語"]}\n'
