"""The result is written where it was asked for, and shown as well as the terminal can."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from fanfold.account import choice as account
from fanfold.account.connection import Aws
from fanfold.checkout import ROOT
from fanfold.cli import app as commands
from fanfold.cli import watch
from fanfold.cli.output import Output, check_path, write
from fanfold.cli.progress import Stages
from fanfold.cli.terminal import Terminal
from fanfold.demo import demo
from fanfold.errors import ReportError
from fanfold.runs.result import json_text
from fanfold.runs.run import Ended, Run
from lambda_src.wire.record import RunRecord
from tests.summaries import SUMMARY

RECORD = RunRecord(run_id="run", job="top_words", started_at=1.0)
RESULT = {"words": {"4": ["ΟΔΟΣ"]}}


def written(path: Path) -> bool:
    return bool(json.loads(path.read_text()) == RESULT)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    with path.open() as old:
        check_path(path)
        write(path, json_text(RESULT))
        assert old.read() == "old"
    assert written(path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o400, 0o777])
def test_a_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    """Whoever could not read the old result cannot read the new one, also while it is written."""
    path = tmp_path / "result.json"
    path.write_text("old")
    path.chmod(mode)
    modes: list[int] = []

    def watched(half: Path, target: Path) -> Any:
        modes.append(half.stat().st_mode & 0o777)
        return replace(half, target)

    replace = Path.replace
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", watched)
        write(path, json_text(RESULT))
    assert modes == [mode]
    assert path.stat().st_mode & 0o777 == mode
    assert written(path)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_written_through(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link, target = tmp_path / "link.json", folder / "result.json"
    if exists:
        target.write_text("old")
    link.symlink_to(target)
    check_path(link)
    write(link, json_text(RESULT))
    assert link.is_symlink()
    assert written(target)


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    """As root, a rename would put a file in its place."""
    null = tmp_path / "null"
    if os.geteuid():
        null = Path("/dev/null")
    else:
        os.mknod(null, 0o666 | 0o020000, os.makedev(1, 3))
    check_path(null)
    write(null, json_text(RESULT))
    assert null.is_char_device()


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_path(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        write(pipe, json_text(RESULT))
        assert reader.stdout
        assert json.load(reader.stdout) == RESULT
    assert pipe.is_fifo()


def test_a_full_disk_is_one_sentence() -> None:
    check_path(Path("/dev/full"))
    with pytest.raises(ReportError, match=r"^/dev/full cannot be written: No space left on device\.$"):
        write(Path("/dev/full"), json_text(RESULT))


def test_what_cannot_be_written_to_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="is a folder: name a file"):
        check_path(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("no/result.json")
    places = ("no/result.json", "loop", "loop/result.json", "dangling", "x" * 300, "/proc/result.json")
    for place in places:
        with pytest.raises(ReportError, match="cannot be written: "):
            check_path(tmp_path / place)
    assert {path.name for path in tmp_path.iterdir()} == {"loop", "dangling"}


def in_a_process(code: str, **options: object) -> "subprocess.CompletedProcess[bytes]":
    """``code`` after the imports of this module."""
    imports = "from pathlib import Path\nfrom tests.unit.test_cli_output import *\n"
    done: subprocess.CompletedProcess[bytes] = subprocess.run(
        [sys.executable, "-c", imports + code],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
        **options,  # type: ignore[call-overload]
    )
    return done


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_standard_output_goes_on_after_it(tmp_path: Path, kind: str) -> None:
    """/dev/stdout opened again would cut off the file that it leads to, and overwrite the rest."""
    code = "print('before', flush=True)\nwrite(Path('/dev/stdout'), json_text(RESULT))\nprint('after')"
    if kind == "file":
        with (tmp_path / "out").open("wb") as output:
            done = in_a_process(code, stdout=output)
        text = (tmp_path / "out").read_text()
    else:
        done = in_a_process(code, stdout=subprocess.PIPE)
        text = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    before, _, rest = text.partition("\n")
    assert (before, rest[-7:]) == ("before", "\nafter\n")
    assert json.loads(rest[:-7]) == RESULT


def finish(path: str) -> None:
    """The end of a command whose result is asked for in ``path``."""
    deployment: Any = SimpleNamespace(stack="Fanfold", own=None, jobs=("top_words",))
    run = Run(Aws(None), deployment, "run", "top_words")
    watch.finish(run, Ended(RECORD, SUMMARY), Stages(Terminal()), Output(Path(path)))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8:strict"])
def test_a_terminal_shows_what_it_can(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "result.json"
    done = in_a_process(
        f"finish({str(path)!r})", stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": encoding}
    )
    assert done.returncode == 0, done.stderr
    assert (
        "ΟΔΟΣ 7" if encoding.startswith("utf") else "\\u039f\\u0394\\u039f\\u03a3 7"
    ) in done.stdout.decode()
    assert json.loads(path.read_text())["top_words"]["4"] == [{"word": "ΟΔΟΣ", "count": 7}]


def test_a_full_disk_behind_standard_output_is_named() -> None:
    with Path("/dev/full").open("wb") as full:
        done = in_a_process("write(Path('-'), b'x' * 100_000)", stdout=full)
    assert b"ReportError: Standard output cannot be written: No space left on device." in done.stderr


def test_a_reader_that_has_gone_costs_nothing(tmp_path: Path) -> None:
    """As `| head -1`: the pipe breaks before the first stage has shown itself."""
    path = tmp_path / "result.json"
    reading, writing = os.pipe()
    os.close(reading)
    stages = "stages = Stages(Terminal())\nwith stages.stage('a', 'A stage'):\n    pass\n"
    done = in_a_process(f"{stages}finish({str(path)!r})", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(path.read_text())["words"] == 1


def test_a_stage_in_a_pipe_shows_at_once_and_leaves_no_line_open() -> None:
    file = io.StringIO()
    stages = Stages(Console(file=file))
    with stages.stage("a", "Deploying"):
        assert file.getvalue() == "Deploying ... "
    assert re.fullmatch(r"Deploying \.\.\. \d+\.\d s\n", file.getvalue())
    with pytest.raises(ReportError), stages.stage("b", "Starting"):
        raise ReportError
    assert file.getvalue().endswith("Starting ... \n")


def test_a_stage_on_a_terminal_shows_a_clock() -> None:
    file = io.StringIO()
    stages = Stages(Console(file=file, force_terminal=True, width=80))
    with stages.stage("a", "Deploying [x]"):
        pass
    assert "Deploying [x]" in file.getvalue()
    assert "0:00:00" in file.getvalue()


def test_a_result_that_cannot_be_written_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ReportError):
        finish("/dev/full")
    assert "ΟΔΟΣ 7" in capsys.readouterr().out


def test_a_result_says_how_the_work_was_divided_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(str(tmp_path / "result.json"))
    shown = capsys.readouterr().out
    assert "1 byte in 1 block of at most 1 byte (requested)\n" in shown
    assert "20 reducers by part (as the job always does)\n" in shown


def test_nothing_is_begun_for_a_result_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("begun")

    monkeypatch.setattr(account, "open_account", never)
    monkeypatch.setattr(demo, "run_folder", never)
    for arguments in (
        ["demo"],
        ["run", "s3://b/k"],
        ["watch", "run"],
        ["results", "run", "--csv"],
        ["resume", "run"],
        ["report", "run"],
    ):
        assert commands.main([*arguments, "--output", str(tmp_path)]) == 1
        assert capsys.readouterr().err == f"Error: {tmp_path} is a folder: name a file.\n"
