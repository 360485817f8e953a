"""Runs on this machine: the same answers as the engine gives in memory, and nothing is left behind."""

import bz2
import errno
import gzip
import io
import multiprocessing.process
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fanfold.cli import app as commands
from fanfold.errors import SourceError
from fanfold.here.blobs import FolderBlobs
from fanfold.here.files import find
from fanfold.here.processes import ProcessDied, Processes
from fanfold.here.run import Trial, Tried, run_here, workers
from fanfold.here.tracebacks import JobFailed
from fanfold.testing import Objects, run_job
from lambda_src.errors import FanOutFailed, SourceChanged
from lambda_src.job import Context, Input, Job, Mapped, Measured, Span, load
from lambda_src.run.summary import ENGINE_FIELDS
from lambda_src.wire.requests import ParseFileRequest
from tests.parity import HONEST, map_lines
from tests.unit.test_laws import INPUTS

TEXT = b"the cat and the dog, naive\n" * 200


def run(job: Job, sources: list[Path], folder: Path, **request: Any) -> Tried:
    blobs = folder / "blobs"
    trial = Trial(job, find(list(map(str, sources)), folder), FolderBlobs(blobs, "run"))
    processes = workers(trial, 2)
    try:
        return run_here(trial, processes, ParseFileRequest(**request))
    finally:
        processes.close()


def own_fields(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in summary.items() if name not in ENGINE_FIELDS}


def written(folder: Path, objects: Mapping[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in objects.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("request_", [{}, {"block_bytes": 7}, {"block_bytes": 50, "shards": 3}])
@pytest.mark.parametrize("name", INPUTS)
def test_every_job_answers_as_in_memory(name: str, request_: dict[str, int], tmp_path: Path) -> None:
    job, objects = load(name), INPUTS[name]
    if "key" not in job.sharded_by:
        request_ = {field: value for field, value in request_.items() if field != "shards"}
    tried = run(job, [written(tmp_path / "in", objects)], tmp_path, **request_)
    expected = run_job(job, Objects([objects[key] for key in sorted(objects)]))
    assert own_fields(tried.summary) == {"bytes": tried.record.bytes, **expected}
    assert (tried.summary["status"], tried.summary["dollars"]) == ("SUCCEEDED", 0.0)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_one_file_plain_or_packed(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(pack(TEXT))
    tried = run(load("top_words"), [file], tmp_path, block_bytes=100)
    assert own_fields(tried.summary) == run_job(load("top_words"), Objects([pack(TEXT)]))
    assert tried.summary["words"] == 1200


def test_files_and_folders_are_one_input(tmp_path: Path) -> None:
    folder, file = written(tmp_path / "in", {"a": b"one\n", "b": b"four\n"}), tmp_path / "c"
    file.write_bytes(b"three\n")
    assert run(HONEST, [file, folder], tmp_path).summary["lines"] == {"even": 1, "odd": 2}
    with pytest.raises(SourceError, match="named twice"):
        find([str(file), str(file)], tmp_path)


def test_a_file_that_changes_is_no_input(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(TEXT)
    found = find([str(file)], tmp_path)
    (one,) = found.pin().listing.addresses.objects(Span(0, 1))
    chunks = found.read(one, 0, len(TEXT))
    assert next(chunks) == TEXT
    with file.open("ab") as grows:
        grows.write(b"more")
    with pytest.raises(SourceChanged, match="changed while it was read"):
        list(chunks)


def fails(*_: Any) -> Any:
    raise ZeroDivisionError("in map")


def dies(*given: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)
    return map_lines(*given)


def test_a_mistake_of_the_job_shows_its_own_lines(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(TEXT)
    with pytest.raises(FanOutFailed) as failed:
        run(replace(HONEST, map=fails), [file], tmp_path)
    text = str(failed.value.__cause__)
    assert isinstance(failed.value.__cause__, JobFailed)
    assert text.splitlines()[1].startswith(f'  File "{__file__}"')
    assert text.endswith("ZeroDivisionError: in map")


def test_a_process_that_is_killed_fails_the_run(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(TEXT)
    with pytest.raises(FanOutFailed, match="a process of this run was killed"):
        run(replace(HONEST, map=dies), [file], tmp_path)


def test_a_process_that_cannot_start_is_no_mistake_of_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", start)
    file = tmp_path / "file"
    file.write_bytes(TEXT)
    with pytest.raises(ProcessDied, match=r"cannot start another process \(Too many open files\): choose"):
        run(HONEST, [file], tmp_path)


@pytest.mark.parametrize(
    ("name", "has_processes"), [("access_log", False), ("top_words", False), ("column_permutations", True)]
)
def test_a_small_input_is_read_without_processes_unless_reducers_have_more_to_do(
    name: str, has_processes: bool, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(TEXT)
    files = find([str(tmp_path / "file")], tmp_path)
    processes = workers(Trial(load(name), files, FolderBlobs(tmp_path, "run")))
    processes.close()
    assert isinstance(processes, Processes) == has_processes


def test_what_nohup_ignores_ends_no_process() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    processes = Processes(1, signal.getsignal)
    try:
        connection = processes.take()
        connection.send(signal.SIGHUP)
        assert connection.recv() == (signal.SIG_IGN, None)
    finally:
        processes.close()
        signal.signal(signal.SIGHUP, before)


def test_processes_know_what_measuring_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy is imported once, not by every process, and does not start threads of its own."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    file = tmp_path / "file"
    file.write_bytes(TEXT)
    loaded: list[str | None] = []

    def measure(source: Input) -> Measured:
        loaded.append(os.environ.get("OMP_NUM_THREADS"))
        return HONEST.measure(source)

    def map_(block: Span, source: Input, context: Context) -> Mapped:
        assert loaded == ["1"]
        return map_lines(block, source, context)

    tried = run(replace(HONEST, measure=measure, map=map_), [file], tmp_path)
    assert tried.summary["lines"] == {"even": 200, "odd": 0}


MY_JOB = """
from lambda_src.counts import counts_job

def count(text, add):
    for word in text.decode().split():
        if word == "boom":
            raise ValueError("no such word")
        add("all", word)

JOB = counts_job(rules="1", part="kind", parts=("all",), count=count)
"""


def test_a_file_of_ones_own_is_a_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    job = tmp_path / "my_words.py"
    job.write_text(MY_JOB)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a b a")))
    assert commands.main(["try", str(job), "-", "--json"]) == 0
    assert '"key": "a",\n          "count": 2' in capsys.readouterr().out
    bad = tmp_path / "bad.txt"
    bad.write_text("boom")
    assert commands.main(["try", str(job), str(bad)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == f'  File "{job}", line 7, in count'
    assert lines[-2:] == [
        "ValueError: no such word",
        "Error: the job's code failed: see the lines above.",
    ]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("my_job.py", None, "There is no job"),
        ("my_job.txt", "JOB = 1", "a job is a Python file, or a folder that has an __init__.py."),
        ("my_job.py", "JOB = 1", "does not define JOB, a Job"),
        ("my_job.py", "from lambda_src import nothing_like_it", "ImportError: cannot import name 'nothing_"),
        ("My-Job.py", MY_JOB, "so name that with up to 40 lower-case letters"),
        ("top_words.py", MY_JOB, "top_words is a job of Fanfold already"),
    ],
)
def test_what_is_no_job(
    name: str, text: str | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    if text is not None:
        file.write_text(text)
    assert commands.main(["try", str(file), __file__]) == 1
    assert sentence in capsys.readouterr().err


SLEEPS = MY_JOB.replace(
    "    for word",
    """    import os, pathlib, time
    pathlib.Path(os.environ["PIDS"], str(os.getpid())).touch()
    time.sleep(600)
    for word""",
)


def _heed_ctrl_c() -> None:
    """A shell's background jobs ignore Ctrl-C, and so do their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "sleeps.py").write_text(SLEEPS)
    (tmp_path / "in.txt").write_text("a b")
    pids, temporary = tmp_path / "pids", tmp_path / "temporary"
    pids.mkdir()
    temporary.mkdir()
    command = [sys.executable, "-m", "fanfold", "try", str(tmp_path / "sleeps.py"), str(tmp_path / "in.txt")]
    environment = {**os.environ, "PIDS": str(pids), "TMPDIR": str(temporary)}
    running = subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_heed_ctrl_c,  # noqa: PLW1509 - it sets a signal, no more
    )
    ends_at = time.monotonic() + 60
    while not list(pids.iterdir()):
        assert running.poll() is None
        assert time.monotonic() < ends_at
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(30) == 130
    for file in pids.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.name), 0)
    assert not list(temporary.iterdir())
