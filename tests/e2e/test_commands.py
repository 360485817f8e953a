"""What the README tells a person to type."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from client.deployment import ROOT
from tests import oracle
from tests.deployed import Stack


def readme_commands() -> str:
    """The README's console blocks that are marked for this test, in order."""
    blocks = re.findall(
        r"<!-- test: aws -->\n```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert len(blocks) == 2
    return "\n".join(blocks)


def test_the_aws_cli_runs_a_job_as_the_readme_writes_it(stack: Stack, tmp_path: Path) -> None:
    text = "to be or not to be, größte".encode()
    (tmp_path / "enwiki.xml").write_bytes(text)
    environment = {**stack.local.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", readme_commands()],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert answer["top_words"] == oracle.top_words(oracle.count_words(text))
    assert '"length#06"' in done.stdout
    assert '"event":"top_words"' in done.stdout


@contextmanager
def client(*arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """The client, ended if a test fails before it has ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "client", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def processes_of_session(session: int) -> list[str]:
    listed = subprocess.run(
        ["ps", "-eo", "sid=,pid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    # A zombie does not run: its new parent has only not asked yet how it ended.
    return [line for line in listed if int(line.split()[0]) == session and line.split()[2][0] != "Z"]


def test_make_run_s_command_ends_with_exact_counts(tmp_path: Path) -> None:
    file, result = tmp_path / "text.txt", tmp_path / "result.json"
    file.write_bytes("naïve naïve — don’t, ΟΔΟΣ".encode())
    with client("local", "--file", str(file), "--json", str(result), "--block-bytes", "7") as process:
        output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    answer = json.loads(result.read_text())
    assert answer["top_words"] == oracle.top_words(oracle.count_words(file.read_bytes()))
    assert set(answer) == {"run_id", "bytes", "blocks", "words", "longer_words", "top_words", "seconds"}
    assert {"start", "deploy", "upload", "parse", "reduce", "log"} <= set(answer["seconds"])
    assert "naïve 2" in output
    assert answer["run_id"] in output


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing_running(tmp_path: Path, end: signal.Signals) -> None:
    file = tmp_path / "text.txt"
    file.write_bytes(b"words " * 1000)
    with client("local", "--file", str(file)) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "Starting a local AWS" in line  # done; the CDK runs next
        while len(sessions := sessions_started_by(process.pid)) < 2:  # the server's and the CDK's
            assert process.poll() is None
        process.send_signal(end)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip().endswith("Stopped.")
    assert [processes_of_session(session) for session in (process.pid, *sessions)] == [[], [], []]


def sessions_started_by(parent: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-eo", "ppid=,sid=,args="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    children = {int(line.split()[1]) for line in listed if int(line.split()[0]) == parent}
    return sorted(children - {parent})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["local", "--file", "/nowhere"], "Error: /nowhere is not a file that can be read."),
        (["local", "--json", "/nowhere/x.json"], "Error: /nowhere/x.json cannot be written"),
        (["local", "--block-bytes", "0"], "argument --block-bytes: 0 is not a whole number from 1 up"),
        (["local", "--concurrency", "many"], "argument --concurrency"),
        (["run"], "one of the arguments --file --key is required"),
    ],
)
def test_a_wrong_argument_is_one_sentence(arguments: list[str], sentence: str) -> None:
    with client(*arguments) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert sentence in errors
    assert "Traceback" not in errors


def test_a_file_that_is_no_text_ends_with_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "archive"
    file.write_bytes(b"\x1f\x8bwords")
    with client("local", "--file", str(file)) as process:
        _, errors = process.communicate(timeout=180)
    assert process.returncode == 1
    assert "is gzip, not UTF-8 text: unpack or convert it" in errors
    assert "Traceback" not in errors


def test_the_local_aws_listens_on_loopback_only(stack: Stack) -> None:
    """The gate's is the only listening socket of the server and of the Lambdas that it started."""
    inodes = set()
    for line in processes_of_session(stack.local.process_id):
        for descriptor in Path(f"/proc/{line.split()[1]}/fd").iterdir():
            if match := re.match(r"socket:\[(\d+)\]", str(descriptor.readlink())):
                inodes.add(match[1])
    listening = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for row in table.read_text().splitlines()[1:]:
            columns = row.split()
            if columns[3] == "0A" and columns[9] in inodes:
                listening.append(columns[1])
    port = int(stack.local.environment["AWS_ENDPOINT_URL"].rpartition(":")[2])
    assert listening == [f"0100007F:{port:04X}"]


def test_credentials_are_of_this_run_only(stack: Stack) -> None:
    environment = stack.local.environment
    assert environment["AWS_ACCESS_KEY_ID"] not in os.environ.values()
    assert len(environment["AWS_SECRET_ACCESS_KEY"]) >= 40
    assert not [name for name in environment if name.startswith("AWS_") and name.endswith("PROFILE")]
