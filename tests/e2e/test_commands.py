"""What the docs tell a person to type."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fanfold.checkout import ROOT
from fanfold.errors import RunError
from fanfold.runs import run as runs
from fanfold.runs.result import as_json
from fanfold.runs.run import start
from fanfold.runs.upload import upload
from lambda_src.wire.requests import ParseFileRequest, new_run_id
from tests import oracle
from tests.deployed import Stack
from tests.processes import processes_of


def documented_commands() -> str:
    """The console blocks of docs/operating.md that are marked for this test, in order."""
    blocks = re.findall(
        r"<!-- test: aws -->\n```console\n(.*?)```", (ROOT / "docs" / "operating.md").read_text(), re.DOTALL
    )
    assert len(blocks) == 2
    return "\n".join(blocks)


def test_the_aws_cli_runs_a_job_as_the_docs_write_it(stack: Stack, tmp_path: Path) -> None:
    text = "to be or not to be, größte".encode()
    (tmp_path / "enwiki.xml").write_bytes(text)
    environment = {**stack.local.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", documented_commands()],
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


FANFOLD = str(Path(sys.executable).with_name("fanfold"))
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def client(
    *arguments: str,
    folder: Path | None = None,
    python: Sequence[str] = (),
    under: Sequence[str] = (),
) -> "Iterator[subprocess.Popen[str]]":
    """The client, ended if a test fails before it has ended. ``folder`` holds its temporary files, and all
    that it starts has it in its environment. ``under`` is a command that becomes the client."""
    # The tests may run in the background, where a shell has SIGINT ignored, and the client then does.
    signals = ("env", "--default-signal=INT,TERM,HUP")
    process = subprocess.Popen(
        [*signals, *under, sys.executable, *python, FANFOLD, *arguments],
        cwd=ROOT,
        env={**os.environ, **({"TMPDIR": str(folder)} if folder else {})},
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
    with client("demo", "--file", str(file), "--output", str(result), "--block-bytes", "7") as process:
        output, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    answer = json.loads(result.read_text())
    assert answer["top_words"] == oracle.top_words(oracle.count_words(file.read_bytes()))
    own = {"words", "longer_words", "top_words"}
    assert set(answer) == {"run_id", "bytes", "blocks", *own, "seconds", "dollars", "warnings"}
    assert {"start", "deploy", "upload", "parse", "reduce", "log"} <= set(answer["seconds"])
    assert "naïve 2" in output
    assert answer["run_id"] in errors


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Path]:
    """Where the client puts its temporary files: in the end there are none, and no processes."""
    folder = tmp_path / "private"
    folder.mkdir()
    yield folder
    assert processes_of(folder) == []
    assert list(folder.glob("fanfold-*")) == []


def run_folders(process_id: int) -> set[Path]:
    """The folder of the run of that client, once it has one: it holds it open."""
    opened = set()
    for descriptor in Path(f"/proc/{process_id}/fd").glob("*"):
        with suppress(OSError):
            opened.add(descriptor.readlink())
    return {path for path in opened if path.parent == ROOT / ".build" / "runs"}


def left(folders: set[Path]) -> set[Path]:
    return {folder for folder in folders if folder.exists()}


def small(folder: Path) -> str:
    file = folder / "text.txt"
    file.write_bytes(b"words " * 1000)
    return str(file)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "end", [HANDLED[0], *(pytest.param(end, marks=pytest.mark.slow) for end in HANDLED[1:])]
)
@pytest.mark.parametrize("groups", [1, 2], ids=["server", "deploy"])
def test_interrupted_it_leaves_nothing_behind(
    tmp_path: Path, private: Path, end: signal.Signals, groups: int
) -> None:
    with client("demo", "--file", small(tmp_path), folder=private) as process:
        while len(sessions_started_by(process.pid)) < groups:  # the server's, then the CDK's
            assert process.poll() is None
        folders = run_folders(process.pid)
        process.send_signal(end)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "Stopped."
    assert "Traceback" not in errors
    assert len(folders) == 1
    assert left(folders) == set()


@pytest.mark.hostile
def test_interrupted_while_it_generates_it_leaves_nothing_behind(private: Path) -> None:
    with client("demo", "--corpus-bytes", str(10**9), folder=private) as process:
        while not list((ROOT / ".build" / "runs").glob(f"*/corpus.xml.{process.pid}.partial")):
            assert process.poll() is None
        folders = run_folders(process.pid)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.splitlines()[-1]) == (130, "Stopped.")
    assert left(folders) == set()


@pytest.mark.hostile
@pytest.mark.parametrize("module", ["fanfold.signals", "typer", "boto3", "rich.console", "msgspec"])
def test_interrupted_while_it_imports_it_ends_without_a_traceback(private: Path, module: str) -> None:
    python = ("-X", "importtime")
    with client("demo", "--file", __file__, folder=private, python=python) as process:
        assert process.stderr
        for line in process.stderr:
            if line.split("|")[-1].strip() == module:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in errors


@pytest.mark.hostile
def test_a_terminal_that_is_closed_leaves_nothing_behind(tmp_path: Path, private: Path) -> None:
    """The kernel sends SIGHUP, and then no line can be written any more."""
    file = small(tmp_path)
    child, terminal = pty.fork()
    if child == 0:
        for number in HANDLED:
            signal.signal(number, signal.SIG_DFL)
        os.environ["TMPDIR"] = str(private)
        os.chdir(ROOT)
        os.execv(FANFOLD, [FANFOLD, "demo", "--file", file])  # noqa: S606 - no shell is wanted
    while len(sessions_started_by(child)) < 2:
        os.read(terminal, 1 << 16)  # a terminal that nobody reads stops who writes
    folders = run_folders(child)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert left(folders) == set()


@pytest.mark.hostile
def test_killed_it_leaves_no_process_behind(tmp_path: Path) -> None:
    """Its files stay: nobody is left to remove them."""
    with client("demo", "--file", small(tmp_path), folder=tmp_path) as process:
        while len(sessions_started_by(process.pid)) < 2:
            assert process.poll() is None
        process.kill()
        process.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while processes_of(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.hostile
@pytest.mark.long
@pytest.mark.parametrize("end", HANDLED)
@pytest.mark.parametrize("moment", range(30))
def test_interrupted_at_any_moment_it_leaves_nothing_behind(
    tmp_path: Path, private: Path, end: signal.Signals, moment: int
) -> None:
    """From its first import to its last stage."""
    after_s = Random(f"{end} {moment}").uniform(0.1, 20)
    with client("demo", "--file", small(tmp_path), folder=private) as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(after_s)
        folders = run_folders(process.pid)
        process.send_signal(end)
        _, errors = process.communicate(timeout=60)
    if process.returncode:
        # Before it listens, within the first tenth of a second, the signal itself ends it.
        assert process.returncode in (130, -end), errors
        assert errors == "" or errors.endswith("Stopped.\n")
    assert "Traceback" not in errors
    assert left(folders) == set()


def sessions_started_by(parent: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-eo", "ppid=,sid=,args="], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    children = {int(line.split()[1]) for line in listed if int(line.split()[0]) == parent}
    return sorted(children - {parent})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["demo", "--file", "/nowhere"], "Error: There is no file or folder /nowhere: check the spelling.\n"),
        (["demo", "--output", "/nowhere/x.json"], "Error: /nowhere/x.json cannot be written"),
        (["demo", "--output", str(ROOT)], f"Error: {ROOT} is a folder: name a file."),
        (["demo", "--block-bytes", "0"], "Error: Invalid value for '--block-bytes': 0"),
        (["demo", "--concurrency", "many"], "Error: Invalid value for '--concurrency'"),
        (["run"], "Error: Missing argument 'SOURCE'."),
    ],
)
def test_a_wrong_argument_is_one_sentence(arguments: list[str], sentence: str) -> None:
    with client(*arguments) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert sentence in errors
    assert "Traceback" not in errors


def test_a_full_disk_is_one_sentence(private: Path) -> None:
    """A bound on the size of files fails a write as a full disk does."""
    limited = ("bash", "-c", 'ulimit -f 1024 && exec "$@"', "bash")
    with client("demo", folder=private, under=limited) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert re.search(
        r"^Error: The input could not be written to \S+: File too large\.$", errors, re.MULTILINE
    )


def test_two_of_the_same_name_at_once_are_each_shown_their_own(stack: Stack, tmp_path: Path) -> None:
    texts = {"mine": b"mine mine", "ours": b"ours ours ours"}
    both_uploaded = threading.Barrier(len(texts), timeout=60)

    def run(name: str) -> dict[str, Any]:
        (tmp_path / name).mkdir()
        file = tmp_path / name / "text.txt"
        file.write_bytes(texts[name])
        source = upload(stack.aws, stack.deployment.source_bucket, file)
        both_uploaded.wait()
        request = ParseFileRequest(key=source.key, etag=source.etag, run_id=new_run_id())
        summary = start(stack.aws, stack.deployment, request).follow().summary
        top_words: dict[str, Any] = as_json("top_words", summary, {})["top_words"]
        return top_words

    with ThreadPoolExecutor(len(texts)) as clients:
        shown = dict(zip(texts, clients.map(run, texts), strict=True))
    assert shown == {name: oracle.top_words(oracle.count_words(text)) for name, text in texts.items()}


def test_a_resumed_run_is_shown_again_although_nobody_waits_for_its_answer(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until Lambda has begun, its record tells how it failed the first time."""
    key = stack.put("input/again.txt", b"again")
    request = ParseFileRequest(key=key, run_id="again", etag='"another"')
    with pytest.raises(RunError, match=r"^etag: .* not \"another\"") as first:
        start(stack.aws, stack.deployment, request).follow()
    assert "(run again)" in str(first.value)
    monkeypatch.setattr(runs, "REFUSAL_TIMEOUT_S", 0.05)
    request = ParseFileRequest(key=key, run_id="again")
    assert start(stack.aws, stack.deployment, request).follow().summary["words"] == 1


def test_a_run_id_in_use_is_reported_as_the_function_tells_it(stack: Stack) -> None:
    key = stack.put("input/once.txt", b"once")
    request = ParseFileRequest(key=key, run_id="once")
    summary = start(stack.aws, stack.deployment, request).follow().summary
    assert start(stack.aws, stack.deployment, request).follow().summary == summary
    other = ParseFileRequest(key=stack.put("input/other.txt", b"other"), run_id="once")
    with pytest.raises(
        RunError, match=r"^run_id: it is the run of s3://.*/input/once\.txt; .* \(run once\)$"
    ):
        start(stack.aws, stack.deployment, other).follow()


def test_a_refused_request_is_reported(stack: Stack) -> None:
    request = ParseFileRequest(key="elsewhere/text.txt", run_id=new_run_id())
    with pytest.raises(RunError, match=r"^key: the inputs in .* begin with input/"):
        start(stack.aws, stack.deployment, request).follow()


def test_a_file_that_is_no_text_ends_with_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "archive"
    file.write_bytes("words".encode("utf-16"))
    with client("demo", "--file", str(file)) as process:
        _, errors = process.communicate(timeout=180)
    assert process.returncode == 1
    assert "is UTF-16, not UTF-8 text: convert it to UTF-8" in errors
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
