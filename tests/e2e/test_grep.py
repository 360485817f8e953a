"""`fanfold grep` on the deployed stack prints what grep prints, whatever the blocks are."""

import bz2
import gzip

import pytest

from fanfold.account import choice
from fanfold.account.choice import Account
from fanfold.cli import app as commands
from tests import grep_oracle
from tests.e2e.conftest import StackOf

LINES = [b"%d %s \xff" % (number, b"error" if number % 7 < 2 else b"fine") for number in range(300)]
TEXT = b"\n".join(LINES)
"""Its last line has no newline."""

STREAMS = b"".join(bz2.compress(TEXT[at : at + 100]) for at in range(0, len(TEXT), 100))
PREFIX = "input/grep/"


def test_lines_of_many_objects_and_blocks_are_printed_as_grep_does(
    stack_of: StackOf, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    stack = stack_of("grep")
    monkeypatch.setattr(choice, "open_account", lambda **_: Account(stack.aws, {"Fanfold": stack.deployment}))
    stored = {"a": TEXT, "b.gz": gzip.compress(TEXT), "c.bz2": STREAMS, "d": b"none\n"}
    for name, data in stored.items():
        stack.put(f"{PREFIX}{name}", data)
    source = f"s3://{stack.deployment.bucket}/{PREFIX}"
    objects = [(f"{source}{name}", b"none\n" if name == "d" else TEXT) for name in stored]

    def printed(*words: str, status: int = 0) -> bytes:
        assert commands.main(["grep", *words]) == status
        return capfdbinary.readouterr().out

    small = ["--block-bytes", "1000"]
    around = printed("-C", "3", "-m", "40", *small, "ERROR .", "-i", source)
    assert around == grep_oracle.grep(objects, b"ERROR .", ignore_case=True, before=3, after=3, most=40)
    assert printed("--run", "last") == around
    assert printed("-c", "error", source, f"{source}d") == grep_oracle.grep(
        [*objects, objects[3]], b"error", count=True
    )
    assert printed("zebra", source, status=1) == b""
    assert printed("(", source, status=2) == b""
