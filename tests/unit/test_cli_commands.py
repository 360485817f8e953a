"""What a person types, and what a command says when it has done its part."""

import json
import os
import re
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from fanfold.account import choice as account
from fanfold.account.choice import Account
from fanfold.account.connection import Aws
from fanfold.cli import app as commands
from fanfold.cli import clean, terminal, watch
from fanfold.demo import demo
from fanfold.errors import LocalStackError, NotModelled, RunError
from fanfold.estimate import contents
from fanfold.local_aws import state as local_stack
from fanfold.new_job import write_job
from fanfold.runs import app, history
from fanfold.runs.run import Ended, Run
from fanfold.runs.upload import Input
from lambda_src.errors import BudgetExceeded
from lambda_src.jobs.access_log.figures import FIGURES
from lambda_src.wire.record import RunRecord
from lambda_src.wire.requests import ParseFileRequest

COMMANDS = typer.main.get_command(commands.app).commands  # type: ignore[attr-defined]

HEAVY = {"aws_cdk", "asyncio", "boto3", "botocore", "numpy", "pip", "pydantic", "rich", "stacks"} | {
    "fanfold.account.connection",
    "fanfold.runs.run",
}
"""What takes longer to import than most commands take to start."""


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    """One with a deployment of which nothing is asked."""
    deployment: Any = SimpleNamespace(
        stack="Fanfold", own=None, jobs=("top_words",), bucket="bucket", source_bucket="bucket", table="table"
    )
    session = SimpleNamespace(region_name="eu-west-1", profile_name="work")
    opened = Account(Aws(session), {"Fanfold": deployment})
    monkeypatch.setattr(account, "open_account", lambda **_: opened)
    monkeypatch.setattr(Run, "job", "top_words")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_an_example_that_can_be_typed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_job(tmp_path, "my_job")
    assert commands.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    examples = [line.strip() for line in re.split(r"Examples?:\n", text)[1].splitlines() if line.strip()]
    assert examples
    for line in examples:
        words = line.partition(" | ")[0].split()
        assert words[:2] == ["fanfold", name]
        COMMANDS[name].make_context(name, words[2:])
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_help_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(arguments) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in COMMANDS)
    assert "..." not in text.partition("Commands:")[2]  # no sentence is cut


def test_help_says_of_every_command_how_its_own_help_begins() -> None:
    for command in commands.COMMANDS:
        itself = " ".join(COMMANDS[command.name].help.split())
        assert itself.startswith(command.does), command.name


@pytest.mark.parametrize(
    ("arguments", "without"),
    [
        (["--help"], HEAVY | {"msgspec", "fanfold.cli.grep", "fanfold.cli.run", "lambda_src.job"}),
        *(([name, "--help"], HEAVY) for name in ("runs", "results", "estimate", "try", "grep")),
        (["grep", "error", "FILE"], HEAVY | {"multiprocessing"}),
        (["grep", "-i", "errors", "FILE"], HEAVY | {"multiprocessing"}),
        (["try", "access_log", "FILE"], HEAVY - {"rich", "stacks"} | {"multiprocessing"}),
        (["try", "top_words", "FILE", "--json"], HEAVY - {"stacks"} | {"multiprocessing"}),
    ],
)
def test_a_command_imports_nothing_that_is_slow_before_it_needs_it(
    arguments: list[str], without: set[str], tmp_path: Path
) -> None:
    (tmp_path / "FILE").write_bytes(b"error\n")
    code = f"import sys\nfrom fanfold.cli import app\napp.main({arguments})\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "FANFOLD_LOCAL": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not without & set(done.stdout.splitlines()[-1].split())


def test_a_command_ends_without_tidying_its_memory_up() -> None:
    """That takes a fifth of the time of a short command."""
    code = (
        "import atexit, sys\n"
        "from fanfold.__main__ import fanfold\n"
        "Kept = type('Kept', (), {'__del__': lambda _: print('deleted')})\n"
        "kept = Kept()\n"
        "atexit.register(print, 'at exit')\n"
        "sys.argv = ['fanfold', *sys.argv[1:]]\n"
        "sys.exit(fanfold())"
    )

    def told(word: str) -> tuple[str, int]:
        command = [sys.executable, "-c", code, word]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout, done.returncode

    assert told("--version") == (f"fanfold {version('fanfold')}\nat exit\n", 0)
    assert told("no-such-command") == ("at exit\n", 2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run"], "Error: Missing argument 'SOURCE'."),
        *(
            ([command, option, "x"], "write `AWS_PROFILE=NAME AWS_REGION=NAME` before the command.")
            for command in ("deploy", "destroy", "synth")
            for option in ("--profile", "--region")
        ),
        (["rum", "x"], "Error: No such command 'rum'. Did you mean 'run', "),
        (["run", "x", "--job", "access-log"], "access-log is not the name of a job, such as access_log, "),
        (["run", "x", "--job", "words"], "there is no job words; choose one of access_log, "),
        (["run", "x", "--concurrency", "951"], "'--concurrency': 951 is not a whole number from 1 to 950."),
        (["run", "x", "--concurrency", "many"], "'--concurrency': many is not a whole number from 1 to 950."),
        (["run", "x", "--block-bytes", "5x"], "'--block-bytes': 5x is not a size of at least 1, such as 5MB"),
        (["run", "x", "--block-bytes", "0"], "'--block-bytes': 0 is not a size of at least 1"),
        (
            ["run", "x", "--max-dollars", "0"],
            "'--max-dollars': 0 is not an amount of dollars above 0, such as",
        ),
        (["run", "x", "--max-dollars", "nan"], "'--max-dollars': nan is not an amount of dollars"),
        (["resume", "run", "--max-dollars", "$1"], "'--max-dollars': $1 is not an amount of dollars"),
        (["runs", "--limit", "-1"], "'--limit': -1 is not a whole number of at least 1."),
        *(
            (
                ["estimate", size],
                f"{size} would be {size} bytes: write a unit, as in {size}GB, or {size}B for",
            )
            for size in ("10", "999999", "1.5")
        ),
        *(
            (["estimate", size], f"{size} is not a size, such as 500MB, 10GB or 1.5TiB, and there is no file")
            for size in ("100XB", "1e3GB", "10 G B", "1PB")
        ),
        (["estimate", "10GB", "--quota", "1"], "'--quota': 1 is not a whole number of at least 2."),
        (["run", "x", "--detach", "--json"], "--detach does not wait for a result"),
        (["run", "x", "--detach", "--output", "y"], "--detach does not wait for a result"),
        (["run", "x", "--run-id", "bad id"], "'bad id' is not a run id: use 1 to 64 letters, "),
        (["run", "x", "--run-id", "a/b"], "'a/b' is not a run id"),
        (["resume", "a/b"], "'a/b' is not a run id"),
        (["run", "x", "--run-id", "last"], "last stands for the newest run: choose another name"),
        (["runs", "--status", "dead"], "dead is none of RUNNING, SUCCEEDED, FAILED, CANCELLED, DIED."),
        (["watch", "r" * 65], "is not a run id"),
        (
            ["runs", "--local", "--region", "x"],
            "--local, or FANFOLD_LOCAL, cannot be combined with --profile or --region",
        ),
        (["clean", "run", "--older-than", "3"], "give run ids or --older-than, not both"),
        *(
            (
                ["clean", "--older-than", days],
                f"'--older-than': {days} is not a number of days from 0 to 36,500",
            )
            for days in ("nan", "inf", "-inf", "1e400", "1e9", "-1", "36501", "x", "1_0", "")
        ),
        *(
            (["run", "x", "--block-bytes", size], f"'--block-bytes': {size} is more than 50 TB")
            for size in ("60TB", "50000000000001", "9" * 5000)
        ),
        (["demo", "--corpus-bytes", "60TB"], "'--corpus-bytes': 60TB is more than 50 TB"),
        (["results", "run", "--json", "--csv"], "give --json or --csv, not both"),
        (["results", "run", "--csv", "-o", "a.json"], "a.json ends in .json, which --csv contradicts: leave"),
        (["results", "run", "--format", "csv", "--json"], "give --json or --format, not both"),
        (
            ["run", "x", "--format", "html", "-o", "a.md"],
            "a.md ends in .md, which --format contradicts: leave",
        ),
        (["run", "x", "--detach", "--format", "csv"], "--detach does not wait for a result"),
        (["run", "x", "--json", "-o", "a.CSV"], "a.CSV ends in .csv, which --json contradicts: leave"),
        (
            ["results", "run", "--output", "words.txt"],
            "words.txt: name a file that ends in .json, .jsonl, .csv, .md, .html or ",
        ),
        *(
            (
                [*way, "-o", "words.txt"],
                "words.txt: name a file that ends in .json, .jsonl, .csv, .md, .html or ",
            )
            for way in (["run", "x"], ["watch", "run"], ["resume", "run"], ["demo"])
        ),
        *(
            (
                [*way, "--all", "-o", f"words.{ending}"],
                "--all writes rows, as csv, jsonl, parquet; it cannot ",
            )
            for way in (["results", "run"], ["run", "x"], ["try", "top_words", "x"])
            for ending in ("md", "html")
        ),
        (["results", "run", "--all", "--json"], "it cannot write json"),
        (["results", "--json", "words.json", "run"], "Error: Got unexpected extra argument"),
    ],
)
def test_a_mistake_is_one_sentence_and_where_to_look(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(arguments) == 2
    errors = capsys.readouterr().err.splitlines()
    assert sentence in errors[0]
    assert len(errors) == 2
    assert errors[1].startswith("See `fanfold")
    assert errors[1].endswith(" --help`.")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("RUNNING", "The run is stopping: it starts no more blocks."),
        ("CANCELLED", "The run is cancelled."),
        ("SUCCEEDED", "The run has just ended: SUCCEEDED."),
    ],
)
def test_cancelling_says_what_the_record_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: Any, sentence: str
) -> None:
    record = RunRecord(run_id="run", job="top_words", started_at=1.0, status=status)
    monkeypatch.setattr(Run, "exists", lambda *_: True)
    monkeypatch.setattr(Run, "cancel", lambda *_: record)
    assert commands.main(["cancel", "run"]) == 0
    assert capsys.readouterr().out == f"{sentence}\n"


@pytest.mark.parametrize(
    ("option", "had_data", "was_up", "told"),
    [
        (
            [],
            True,
            True,
            "it stops now. To resume it: fanfold up, then fanfold resume busy\nThe local AWS is down.\n",
        ),
        (["--delete-data"], True, True, "it stops now.\nThe local AWS is down, and its data are deleted.\n"),
        (["--delete-data"], True, False, "The local AWS is down, and its data are deleted.\n"),
        (["--delete-data"], False, False, "The local AWS was not running.\n"),
        ([], True, False, "The local AWS was not running.\n"),
    ],
)
def test_down_says_what_becomes_of_runs_and_of_data(
    *,
    option: list[str],
    had_data: bool,
    was_up: bool,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if had_data:
        (tmp_path / "record.json").touch()
    opened = account.open_account(local=True, profile=None, region=None)

    def open_account(**_: Any) -> Account:
        if not was_up:
            raise LocalStackError("not running")
        return opened

    busy = RunRecord(run_id="busy", job="top_words", started_at=1.0, lease_until=time.time() + 30)
    done = RunRecord(run_id="done", job="top_words", started_at=1.0, status="SUCCEEDED")
    past = [history.PastRun(opened.deployment("top_words"), record) for record in (busy, done)]
    monkeypatch.setattr(account, "open_account", open_account)
    monkeypatch.setattr(history, "past_runs", lambda *_: history.Past(past, []))
    monkeypatch.setattr(local_stack, "STATE", tmp_path)
    monkeypatch.setattr(local_stack, "down", lambda **_: was_up)
    assert commands.main(["down", *option]) == 0
    assert capsys.readouterr().out.removeprefix("The run busy is still running; ") == told


def test_a_file_that_is_gone_before_its_upload_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "text.txt"
    file.write_bytes(b"words")
    opened = account.open_account(local=False, profile=None, region=None)

    def open_account(**_: Any) -> Account:
        file.unlink()
        return opened

    monkeypatch.setattr(account, "open_account", open_account)
    assert commands.main(["run", str(file)]) == 1
    told = capsys.readouterr().err
    assert told.splitlines()[-1] == f"Error: {file} cannot be read: No such file or directory."


def test_a_full_disk_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/somewhere")

    monkeypatch.setattr(demo, "run_folder", full)
    assert commands.main(["demo"]) == 1
    assert capsys.readouterr().err == "Error: /somewhere: No space left on device.\n"


def test_a_full_disk_behind_standard_output_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(history, "past_runs", full)
    assert commands.main(["runs"]) == 1
    assert capsys.readouterr().err == "Error: No space left on device.\n"


@pytest.mark.parametrize("words", [["run"], ["demo", "--file"]])
def test_what_a_job_refuses_at_a_glance_is_not_uploaded(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("begun")

    monkeypatch.setattr(account, "open_account", never)
    monkeypatch.setattr(demo, "run_folder", never)
    table = tmp_path / "table.csv"
    table.write_text("sales,day\n1,2\n")
    asked = ["--job", "column_permutations", "--set", "target=sale"]
    assert commands.main([*words, str(table), *asked]) == 1
    assert capsys.readouterr().err == (
        f"Error: column_permutations cannot read {table}: options: target: the table has no column 'sale': "
        "did you mean sales?\n"
    )


@pytest.mark.parametrize("was_saved", [True, False])
def test_up_again_gives_up_the_runs_that_its_end_has_stopped(
    was_saved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = account.open_account(local=True, profile=None, region=None)
    busy = history.PastRun(
        opened.deployment("top_words"), RunRecord(run_id="busy", job="top_words", started_at=1.0)
    )
    given_up: list[str] = []
    monkeypatch.setattr(local_stack, "up", lambda *_, **__: SimpleNamespace(was_saved=was_saved))
    monkeypatch.setattr(history, "past_runs", lambda *_: history.Past([busy], []))
    monkeypatch.setattr(Run, "give_up", lambda _, found: given_up.append(found.run_id))
    assert commands.main(["up"]) == 0
    assert given_up == ["busy"] * was_saved


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["--version"]) == 0
    assert capsys.readouterr().out == f"fanfold {version('fanfold')}\n"


def test_an_option_before_the_command_is_reported_where_it_belongs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert commands.main(["--region", "eu-west-1", "runs"]) == 2
    assert "Put options after the command" in capsys.readouterr().err


def test_a_block_may_be_given_as_a_size_in_any_case(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Any] = []

    def begin(_: Any, request: Any) -> None:
        asked.append(request.block_bytes)

    monkeypatch.setattr(app, "checked", lambda _aws, _deployment, source: source)
    monkeypatch.setattr(Run, "begin", begin)
    for size in ("5MB", "5mb", "5 MB", "5000000"):
        assert commands.main(["run", "s3://bucket/key", "--detach", "--yes", "--block-bytes", size]) == 0
    assert asked == [5_000_000] * 4


def test_an_error_that_nobody_foresaw_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(demo, "run_folder", broken)
    with pytest.raises(ZeroDivisionError):
        commands.main(["demo"])


def test_what_is_there_already_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    def begin(_: Any, request: Any) -> None:
        asked.append((request.key, request.etag))
        raise RunError("enough")

    (tmp_path / "text.txt").write_bytes(b"words")
    there = Input("input/0/text.txt", '"etag"', sent=False)
    monkeypatch.setattr(watch, "upload", lambda *_: there)
    monkeypatch.setattr(Run, "begin", begin)
    monkeypatch.setattr(Run, "find", lambda *_: None)
    assert commands.main(["run", str(tmp_path / "text.txt")]) == 1
    assert "Already uploaded: input/0/text.txt" in capsys.readouterr().err
    assert asked == [("input/0/text.txt", '"etag"')]


def test_detached_it_prints_the_run_id_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_bytes(b"words")
    there = Input("input/0/text.txt", '"etag"', sent=True)
    monkeypatch.setattr(watch, "upload", lambda *_: there)
    monkeypatch.setattr(Run, "begin", lambda *_: None)
    assert commands.main(["run", str(tmp_path / "text.txt"), "--detach", "--run-id", "mine"]) == 0
    output = capsys.readouterr()
    assert output.out == "mine\n"
    assert output.err.endswith("To watch it: fanfold watch mine\n")


ENDED = Ended(
    RunRecord(run_id="run", job="top_words", started_at=1.0, dollars={"gb_s": 0.5}, prices="us-east-1"),
    {
        "run_id": "run",
        "status": "SUCCEEDED",
        "bytes": 7,
        "block_bytes": 7,
        "block_bytes_because": "x",
        "blocks": 1,
        "words": 1,
        "longer_words": 0,
        "top_words": {"7": [{"word": "denmark", "count": 1}]},
        "seconds": {},
        "dollars": 0.5,
    },
)


def resumed(_: Run, max_dollars: float | None = None) -> ParseFileRequest:
    return ParseFileRequest(key="key", run_id="run", max_dollars=max_dollars)


@pytest.fixture
def _ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that has ended well, however one comes to it."""
    monkeypatch.setattr(Run, "exists", lambda *_: True)
    monkeypatch.setattr(Run, "read", lambda *_: ENDED)
    monkeypatch.setattr(Run, "follow", lambda *_: ENDED)
    monkeypatch.setattr(Run, "begin", lambda *_: None)
    monkeypatch.setattr(Run, "request_to_resume", resumed)
    monkeypatch.setattr(app, "checked", lambda _aws, _deployment, source: source)


WAYS = (["run", "s3://bucket/key"], ["watch", "run"], ["resume", "run"], ["results", "run"])


@pytest.mark.usefixtures("_ended")
@pytest.mark.parametrize(("options", "limit"), [([], None), (["--max-dollars", "0.25"], 0.25)])
def test_a_run_may_be_given_a_limit_of_dollars_at_its_start_and_when_it_is_resumed(
    options: list[str], limit: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float | None] = []
    monkeypatch.setattr(Run, "begin", lambda _, request: asked.append(request.max_dollars))
    monkeypatch.setattr(Run, "follow", lambda *_: ENDED)
    monkeypatch.setattr(watch, "watch_run", lambda *given: given[-1]() or ENDED)
    assert commands.main(["run", "s3://bucket/key", *options]) == 0
    assert commands.main(["resume", "run", *options]) == 0
    assert asked == [limit, limit]


def test_a_run_that_has_reached_its_limit_of_dollars_is_told_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = RunRecord(run_id="run", job="top_words", started_at=1.0, etag="etag", max_dollars=0.01)
    record.fail(BudgetExceeded("max_dollars: the run has cost $0.011. Resume it with a higher limit."))

    def follow(*_: object) -> None:
        raise RunError("The run has cost $0.011.")

    monkeypatch.setattr(Run, "exists", lambda *_: True)
    monkeypatch.setattr(Run, "find", lambda *_: record)
    monkeypatch.setattr(Run, "follow", follow)
    assert commands.main(["watch", "run"]) == 1
    assert capsys.readouterr().err.endswith("To resume it: fanfold resume run --max-dollars=0.020\n")


@pytest.mark.usefixtures("_ended")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_what_is_printed_for_programs_is_that_alone(
    way: list[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever among the words the option stands: it takes none of them for its own."""
    if option == "--csv" and way[0] != "results":
        return
    for arguments in ([*way, option], [way[0], option, *way[1:]]):
        assert commands.main(arguments) == 0
        told = capsys.readouterr()
        if option == "--json":
            assert json.loads(told.out)["top_words"]["7"] == [{"word": "denmark", "count": 1}]
        else:
            assert told.out.splitlines()[1] == '7,1,"denmark",1'
        assert ("Dollars: 0.5" in told.err) == (way[0] != "results")
        assert "denmark" not in told.err


@pytest.mark.usefixtures("_ended")
@pytest.mark.parametrize("way", WAYS)
def test_every_command_prints_every_format(way: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for name, row in (("jsonl", '{"length":7,'), ("markdown", "| 7 | 1 | denmark |"), ("csv", "7,1,")):
        assert commands.main([*way, "--format", name]) == 0
        assert row in capsys.readouterr().out


def test_parquet_without_its_library_is_refused_before_a_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    assert commands.main(["run", "s3://b/k", "--format", "parquet"]) == 1
    assert capsys.readouterr().err.endswith("-m pip install pyarrow\n")


@pytest.mark.usefixtures("_ended")
@pytest.mark.parametrize("way", WAYS)
def test_a_file_gets_the_same_and_people_see_the_result(
    way: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, options = tmp_path / "result.json", ["--json"] * (way[0] == "results")
    assert commands.main([*way, *options, "-o", str(path)]) == 0
    assert json.loads(path.read_text())["words"] == 1
    told = capsys.readouterr()
    assert ("denmark 1" in told.out) == (way[0] != "results")
    assert f"Written to {path}\n" in told.err
    assert "denmark" not in told.err
    assert commands.main([*way, *options, "-o", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["words"] == 1


@pytest.mark.usefixtures("_ended")
@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("r.json", "{"),
        ("r.CSV", '"length",'),
        ("r.jsonl", '{"length":'),
        ("r.md", "| length |"),
        ("r.html", "<!doctype html>"),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_the_name_of_a_file_says_what_it_holds(
    way: list[str], name: str, beginning: str, tmp_path: Path
) -> None:
    assert commands.main([*way, "-o", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_text().startswith(beginning)


@pytest.mark.usefixtures("_ended")
@pytest.mark.parametrize("way", WAYS[:3])
def test_in_a_pipe_there_is_the_result_alone(way: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(way) == 0
    told = capsys.readouterr()
    assert "denmark 1" in told.out
    assert "Full report: " in told.err
    assert "Full report: " not in told.out


@pytest.mark.parametrize(
    ("job", "told", "athena"),
    [
        ("top_words", "modelled for top_words on English text", True),
        ("access_log", "modelled for access_log on logs in Combined Log Format", True),
        ("column_permutations", "on 3 columns, 9 choices", True),
    ],
)
def test_every_job_is_estimated_without_an_account(
    job: str, told: str, athena: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,b,c\n1,2,3\n4,5,6\n")
    assert commands.main(["estimate", "--job", job, str(table)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert told in text
    assert "Planned: 1 block of at most " in text
    assert ("Athena" in text) == athena
    assert commands.main(["estimate", "--json", "--job", job, str(table)]) == 0
    assert json.loads(capsys.readouterr().out)["job"] == job


def test_an_estimate_says_what_a_run_would_skip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.txt", "_SUCCESS"):
        (tmp_path / name).write_text("words")
    assert commands.main(["estimate", "--json", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert "Warning:" not in shown.out
    assert "skipped _SUCCESS" in shown.err


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_an_empty_input_which_a_run_answers_can_be_estimated(
    names: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert commands.main(["estimate", "--json", str(tmp_path)]) == 0
    assert commands.main(["estimate", str(tmp_path / "a")]) == 0
    assert "Planned: " in capsys.readouterr().out


def test_what_cannot_be_estimated_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["estimate", "1GB", "--job", "column_permutations"]) == 1
    assert capsys.readouterr().err.endswith("not tell: name the table as a file on this machine.\n")
    job = write_job(tmp_path, "line_count")[0]
    assert commands.main(["estimate", "1GB", "--job", str(job)]) == 1
    assert capsys.readouterr().err == (
        "Error: There are no measurements for line_count, so it cannot be estimated: run it on a part of the "
        "input, then see its seconds and dollars with `fanfold runs --job line_count`.\n"
    )


def test_what_no_block_size_can_do_is_not_suggested(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(FIGURES, "distinct", FIGURES["distinct"]._replace(value=10))
    assert commands.main(["estimate", "10TB", "--job", "access_log"]) == 1
    out, err = capsys.readouterr()
    assert not out
    told = re.search(
        r"its time-out is 10 min\. Instead, split it into [0-9]+ inputs of about ([0-9.]+ [MGT]B), and run "
        r"each by itself\.\n$",
        err,
    )
    assert told
    assert commands.main(["estimate", told[1].replace(" ", ""), "--job", "access_log"]) == 0


def test_the_block_sizes_that_cannot_succeed_are_marked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = FIGURES["block_distinct"]._replace(value=400_000)
    monkeypatch.setitem(FIGURES, "block_distinct", few)
    assert commands.main(["estimate", "200GB", "--job", "access_log"]) == 0
    _, _, table = capsys.readouterr().out.rpartition("\n\n")
    rows = table.splitlines()[1:]
    notes = [row.split("#")[-1].strip() for row in rows]
    assert {"cannot succeed", "planned"} <= set(notes)


class TestARunThatCostsFarMoreThanSuggested:
    """13.5 MB in blocks of one byte ran for ten minutes, and cost $0.38 instead of $0.002."""

    @pytest.fixture(autouse=True)
    def _file(self, _ended: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[Any] = []
        self.file = tmp_path / "text.txt"
        with self.file.open("wb") as file:
            file.truncate(13_500_000)
        there = Input("input/0/text.txt", '"etag"', sent=True)
        monkeypatch.setattr(watch, "upload", lambda *_: there)
        monkeypatch.setattr(Run, "begin", lambda _, request: self.begun.append(request))
        session = SimpleNamespace(region_name="us-east-1", profile_name="work")
        opened = account.open_account(local=False, profile=None, region=None)
        opened = opened._replace(aws=Aws(session))
        monkeypatch.setattr(account, "open_account", lambda **_: opened)

    def not_modelled(self, job: str) -> None:
        raise NotModelled(job)

    def run(self, *options: str) -> int:
        return commands.main(["run", str(self.file), *options])

    def test_is_refused_where_nobody_can_be_asked(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run("--block-bytes", "1") == 1
        told = capsys.readouterr().err
        assert re.fullmatch(
            r"Error: This run is modelled at [0-9.]+ dollars and .* with 100,000 blocks of 135 bytes, but at "
            r"0\.000[0-9] dollars and [0-9.]+ s as planned without --block-bytes, in blocks of [0-9.]+ MB: "
            r"give --yes to run it anyway, or leave out --block-bytes\.\n",
            told,
        )
        assert not self.begun

    @pytest.mark.parametrize(("answer", "status"), [("y", 0), ("", 1), ("n", 1)])
    def test_is_asked_about_at_a_terminal(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, status: int
    ) -> None:
        asked: list[str] = []

        def ask(question: str) -> str:
            asked.append(question)
            return answer

        monkeypatch.setattr(terminal, "ask", ask)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
        assert self.run("--block-bytes", "1") == status
        assert "dollars" in asked[0]
        assert asked[0].endswith(". Run it anyway (y), or not (Enter)? ")
        assert bool(self.begun) == (status == 0)
        assert ("Nothing was started." in capsys.readouterr().err) == (status == 1)

    @pytest.mark.parametrize("options", [["--block-bytes", "1", "--yes"], ["--block-bytes", "1MB"], []])
    def test_is_not_asked_about_if_meant_or_cheap(self, options: list[str]) -> None:
        assert self.run(*options) == 0
        assert self.begun

    def test_is_asked_about_without_measurements_but_not_without_the_code(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(contents, "modelled", self.not_modelled)
        assert self.run("--block-bytes", "1MB") == 0
        self.begun.clear()
        assert self.run("--block-bytes", "1") == 1
        assert not self.begun
        monkeypatch.setattr(contents, "known_jobs", list)
        assert self.run("--block-bytes", "1") == 0


RECORDS = [
    RunRecord(run_id="new", job="top_words", started_at=2e9,
               status="SUCCEEDED", finished_at=2e9 + 1.5, etag='"e"',
              bucket="b", key="k", bytes=7, dollars={"gb_s": 0.00001}),
    RunRecord(run_id="old", job="top_words", started_at=1e9, status="FAILED", error="no"),
]  # fmt: skip


@pytest.fixture
def _past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs, and one whose record cannot be read."""
    of = account.open_account(local=False, profile=None, region=None).deployment("top_words")

    def past_runs(
        _aws: Any, _deployments: Any, limit: int, status: str | None = None, job: str | None = None
    ) -> history.Past:
        found = [history.PastRun(of, record) for record in RECORDS if status in (None, record.status)]
        return history.Past(
            found[:limit], [] if limit == 1 else [history.Unreadable(of, "bad", "It is bad.")]
        )

    monkeypatch.setattr(history, "past_runs", past_runs)


@pytest.mark.usefixtures("_past")
def test_runs_are_data_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["runs", "--json"]) == 0
    told = capsys.readouterr()
    assert told.err == "It is bad.\n"
    assert json.loads(told.out) == [
        {"run_id": "new", "job": "top_words", "status": "SUCCEEDED", "input": "s3://b/k", "bytes": 7,
         "started_at": "2033-05-18T03:33:20Z", "seconds": 1.5, "dollars": 1e-05, "error": None},
        {"run_id": "old", "job": "top_words", "status": "FAILED", "input": None, "bytes": None,
         "started_at": "2001-09-09T01:46:40Z", "seconds": None, "dollars": None, "error": "no"},
        {"run_id": "bad", "job": None, "status": None, "error": "It is bad."},
    ]  # fmt: skip


@pytest.mark.usefixtures("_past")
@pytest.mark.parametrize("status", ["failed", "FAILED"])
def test_runs_of_one_status(status: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["runs", "--status", status]) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == ["Run", "old"]


@pytest.mark.usefixtures("_past", "_ended")
def test_last_is_the_newest_run_and_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def read(run: Run) -> Any:
        asked.append(run.run_id)
        return ENDED

    monkeypatch.setattr(Run, "read", read)
    assert commands.main(["results", "last"]) == 0
    assert asked == ["new"]
    assert capsys.readouterr().err == "The newest run is new.\n"
    monkeypatch.setattr(history, "past_runs", lambda *_, **__: history.Past([], []))
    assert commands.main(["results", "last"]) == 1
    assert "There are no runs yet." in capsys.readouterr().err


@pytest.mark.usefixtures("_past")
@pytest.mark.parametrize(
    ("value", "words", "local"),
    [("1", [], True), ("true", [], True), ("0", [], False), ("", [], False), (None, [], False),
     (None, ["--local"], True), ("1", ["--local"], True), ("0", ["--local"], True)],
)  # fmt: skip
def test_a_variable_means_the_local_aws_and_is_reported(
    value: str | None,
    words: list[str],
    local: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened = account.open_account(local=False, profile=None, region=None)
    asked: list[bool] = []

    def open_account(*, local: bool, **_: Any) -> Account:
        asked.append(local)
        return opened

    monkeypatch.setattr(account, "open_account", open_account)
    monkeypatch.delenv("FANFOLD_LOCAL", raising=False)
    if value is not None:
        monkeypatch.setenv("FANFOLD_LOCAL", value)
    assert commands.main(["runs", *words]) == 0
    assert asked == [local]
    by_variable = local and not words
    assert ("On the local AWS, because FANFOLD_LOCAL is set." in capsys.readouterr().err) == by_variable
    if by_variable:
        assert commands.main(["runs", "--region", "eu-west-1"]) == 2
        assert "FANFOLD_LOCAL, cannot be combined with --profile or --region" in capsys.readouterr().err


CHANGES = (["run", "s3://bucket/key"], ["resume", "run"], ["cancel", "run"], ["clean"])


@pytest.mark.usefixtures("_ended")
@pytest.mark.parametrize("words", CHANGES)
def test_what_changes_something_says_on_which_aws(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Run, "cancel", lambda *_: ENDED.record)
    monkeypatch.setattr(clean, "clean_up", lambda *_, **__: None)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    assert commands.main(words) == 0
    assert "On AWS in eu-west-1, by the profile work\n" in capsys.readouterr().err
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    assert commands.main(words) == 0
    assert "On AWS in eu-west-1\n" in capsys.readouterr().err


@pytest.mark.usefixtures("_ended")
def test_commands_to_be_pasted_are_not_broken_into_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe has 80 columns for rich, and no width at all for who reads it."""
    ended = ENDED._replace(record=RunRecord(run_id="r" * 64, job="top_words", started_at=1.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "follow", lambda *_: ended)
        assert commands.main(["watch", "r" * 64]) == 0
        assert f"Full report: fanfold report {'r' * 64}\n" in capsys.readouterr().err
    assert commands.main(["run", "s3://bucket/key", "--detach", "--run-id", "r" * 64]) == 0
    assert f"To watch it: fanfold watch {'r' * 64}\n" in capsys.readouterr().err
