"""`fanfold grep` on the deployed stack prints what grep prints, whatever the blocks are."""

import bz2
import gzip

import pytest

from fanfold.cli import app as commands
from lambda_src.wire.requests import new_run_id
from tests import grep_oracle
from tests.e2e.conftest import StackOf
from tests.e2e.roles import Role

pytestmark = pytest.mark.usefixtures("in_this_process")

LINES = [b"%d %s \xff" % (number, b"error" if number % 7 < 2 else b"fine") for number in range(300)]
TEXT = b"\n".join(LINES)
"""Its last line has no newline."""

STREAMS = b"".join(bz2.compress(TEXT[at : at + 100]) for at in range(0, len(TEXT), 100))
PREFIX = "input/grep/"


def test_lines_of_many_objects_and_blocks_are_printed_as_grep_does(
    stack_of: StackOf, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    stack = stack_of("grep")
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


def test_a_resumed_run_that_leaves_out_an_object_prints_all_others_in_order(
    stack_of: StackOf, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    stack = stack_of("grep")
    prefix, run_id = "input/grep-resumed/", new_run_id()
    stored = {"a": TEXT, "b": b"", "b.gz": gzip.compress(TEXT)[:-9], "c.bz2": STREAMS, "d": b"", "e": TEXT}
    for name, data in stored.items():
        stack.put(f"{prefix}{name}", data)
    event = {"prefix": prefix, "run_id": run_id, "block_bytes": 1000, "on_bad_object": "skip"}
    event["options"] = {"pattern": "error", "before": 2, "after": 1}
    with Role(stack, "GetAllOccurrences").without("lambda:InvokeFunction", "GetOccurrences"):
        _, failed = stack.invoke(event)
    assert failed
    _, failed = stack.invoke(event)
    assert not failed
    record, _ = stack.results(run_id)
    assert record is not None
    assert 0 < record.blocks_kept < record.blocks  # the block of the bad object is mapped again

    def printed(*words: str) -> bytes:
        assert commands.main(["grep", "--run", run_id, *words]) == 0
        out, told = capfdbinary.readouterr()
        assert f"Left out: {prefix}b.gz".encode() in told
        return out

    source = f"s3://{stack.deployment.bucket}/{prefix}"
    read = [(f"{source}{name}", TEXT if data else b"") for name, data in stored.items() if name != "b.gz"]
    assert printed() == grep_oracle.grep(read, b"error", before=2, after=1)
    assert printed("-c") == grep_oracle.grep(read, b"error", count=True)
