"""The options of a job: how they are given, refused, kept and shown."""

import datetime as dt
import io
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Annotated, Any, Literal

import msgspec
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct
from rich.console import Console

from fanfold import job_code
from fanfold.account import choice
from fanfold.account.choice import Account
from fanfold.account.connection import Aws
from fanfold.cli import app as commands
from fanfold.cli.output import show
from fanfold.cli.runs_table import show_runs
from fanfold.errors import AccountError, OptionError, StackNotFound
from fanfold.estimate.workload import Workload, byte_by_byte
from fanfold.format import options_text, value_text
from fanfold.jobs import chosen_text
from fanfold.report.page import page
from fanfold.runs import app as app_module
from fanfold.runs import history
from fanfold.runs.app import App
from fanfold.runs.history import Past, PastRun
from fanfold.runs.options import checked, from_texts, options_of
from fanfold.runs.result import as_json
from fanfold.runs.run import Run
from fanfold.testing import LawBroken, check_job
from lambda_src.counts import Add, counts_job
from lambda_src.errors import InvalidRequest, RunConflict
from lambda_src.job import NoOptions, load, names
from lambda_src.run.admission import check_request, new_record
from lambda_src.run.summary import summarize
from lambda_src.wire.record import RunRecord
from lambda_src.wire.requests import ParseFileRequest

JOB = "lines_with"


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """Options of every kind."""

    words: Annotated[frozenset[str], Meta(description="A line counts if it has one of these words.")]
    longest: Annotated[int, Meta(ge=1, description="Only so much of a line is a key.")] = 1000
    share: Annotated[float, Meta(le=1, description="A number.")] = 0.5
    upper: Annotated[bool, Meta(description="Whether case matters.")] = False
    mode: Annotated[Literal["all", "first"], Meta(description="A choice.")] = "all"
    sizes: Annotated[tuple[int, ...], Meta(description="Whole numbers.")] = (1, 2)
    note: Annotated[str | None, Meta(description="Text, or nothing.")] = None
    weights: Annotated[dict[str, int], Meta(description="A mapping.")] = msgspec.field(default_factory=dict)
    zones: Annotated[list[Literal["UTC", "CET"]], Meta(description="Choices.")] = []
    pairs: Annotated[list[list[int]], Meta(description="Lists.")] = []


DEFAULTS = {"longest": 1000, "share": 0.5, "upper": False, "mode": "all", "sizes": [1, 2], "note": None}
DEFAULTS |= {"weights": {}, "zones": [], "pairs": []}


def count(text: bytes, add: Add) -> None:
    """Add the lines that have one of the words."""
    for line in text.decode(errors="replace").removesuffix("\n").split("\n"):
        if any(word in line for word in add.options.words):
            add("line", line[: add.options.longest])


LINES_WITH = counts_job(
    rules="1", part="kind", parts=("line",), columns=("lines",), count=count, options=Options
)


@pytest.fixture(autouse=True)
def _job(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is one of those that there are, and deployed."""
    module: Any = ModuleType(f"lambda_src.jobs.{JOB}", "Counts lines\nwith words.\n\nMore.")
    module.JOB = LINES_WITH
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(job_code, "names", lambda: [JOB, "top_words"])
    session = SimpleNamespace(region_name="eu-west-1", profile_name="work")
    deployment: Any = SimpleNamespace(
        stack="Fanfold", own=None, jobs=(JOB,), bucket="bucket", source_bucket="bucket", table="table"
    )
    monkeypatch.setattr(choice, "open_account", lambda **_: Account(Aws(session), {"Fanfold": deployment}))


def test_the_options_of_a_run_change_its_answer_and_keep_the_laws() -> None:
    text = {"a": b"big cat\nbig dog\nsmall cat\n"}
    answer = check_job(LINES_WITH, text, 5, {"words": ["dog"]})
    assert "big dog" in str(answer)
    assert "cat" not in str(answer)


def test_a_record_names_the_options_that_differ_from_the_defaults() -> None:
    request = ParseFileRequest(key="k", options={"words": ["dog"], "longest": 1000})
    record = new_record(LINES_WITH, "run", "bucket", request, None)
    assert record.options == DEFAULTS | {"words": ["dog"]}
    assert record.options_chosen == ["words"]
    record.etag = '"e"'
    again = new_record(LINES_WITH, "run", "bucket", ParseFileRequest(key="k"), record)
    assert again.options_chosen == ["words"]


def test_runs_show_chosen_options_also_without_the_code_of_the_job() -> None:
    options = DEFAULTS | {"words": ["dog"]}
    assert chosen_text("elsewhere", options, ["words"]) == "words=dog"
    assert chosen_text("elsewhere", options, None) == chosen_text("elsewhere", options)
    assert "longest=" in chosen_text("elsewhere", options)


def test_each_option_has_a_sentence() -> None:
    class Silent(Struct, frozen=True):
        top: int = 3

    with pytest.raises(LawBroken, match="The option top has a sentence"):
        check_job(msgspec.structs.replace(LINES_WITH, options=Silent), {"a": b"x"}, 1)


def test_an_option_that_must_be_given_has_an_example() -> None:
    class Digits(Struct, frozen=True):
        code: Annotated[str, Meta(pattern="^[0-9]{3}$", description="A status.")]

    job = msgspec.structs.replace(LINES_WITH, options=Digits)
    with pytest.raises(LawBroken, match=r"The option code, which must be given, has an example: Meta\(exam"):
        check_job(job, {"a": b"x"}, 1)


@pytest.mark.parametrize(
    ("texts", "options"),
    [
        (["words=a"], {"words": ["a"]}),
        (["words=b,a"], {"words": ["a", "b"]}),
        (["words=b", "words=a"], {"words": ["a", "b"]}),
        ([r"words=a{1\,2},b"], {"words": ["a{1,2}", "b"]}),
        (["words="], {"words": []}),
        (["words=a=b"], {"words": ["a=b"]}),
        (["words=a", "longest=5", "share=0.25", "upper=true"], {"longest": 5, "share": 0.25, "upper": True}),
        (["words=a", "sizes=3,4", "sizes=5"], {"sizes": [3, 4, 5]}),
        (["words=a", "mode=first", "note=5"], {"mode": "first", "note": "5"}),
        (["words=a", "note=null"], {"note": None}),
        (["words=a", 'weights={"x": 1}'], {"weights": {"x": 1}}),
        (
            ["words=a", "zones=CET,UTC", "pairs=[[1, 2], []]"],
            {"zones": ["CET", "UTC"], "pairs": [[1, 2], []]},
        ),
        ([r"words=\d+\\,\b"], {"words": [r"\b", "\\d+\\"]}),
    ],
)
def test_texts_give_options_of_their_types(texts: list[str], options: dict[str, Any]) -> None:
    assert from_texts(LINES_WITH, texts) == DEFAULTS | {"words": ["a"]} | options


def test_try_takes_options_and_writes_any_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.txt").write_text("big cat\nbig dog\n")
    command = ["try", JOB, str(tmp_path / "in.txt"), "--set", "words=dog", "--processes", "1"]
    assert commands.main([*command, "--format", "csv"]) == 0
    assert '"line",1,"big dog"' in capsys.readouterr().out
    assert commands.main([*command, "-o", str(tmp_path / "out.md")]) == 0
    assert "| big dog |" in (tmp_path / "out.md").read_text()
    assert commands.main([*command, "--json"]) == 0
    written = capsys.readouterr().out
    assert msgspec.json.decode(written[written.index("\n{") :])["options"] == DEFAULTS | {"words": ["dog"]}


def test_the_demo_gets_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr("fanfold.tools.prepare_tools", lambda _: None)
    monkeypatch.setattr("fanfold.demo.demo.demo", lambda *_, **named: given.append(named["options"]))
    (tmp_path / "in.txt").touch()
    command = ["demo", "--job", JOB, "--file", str(tmp_path / "in.txt"), "--set", "words=dog"]
    assert commands.main(command) == 0
    assert given == [DEFAULTS | {"words": ["dog"]}]


def test_an_estimate_shows_its_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def workload(size: int, options: dict[str, Any]) -> Workload:
        assert options == DEFAULTS | {"words": ["dog"]}
        return byte_by_byte("mine", LINES_WITH, size, options)

    monkeypatch.setattr("fanfold.estimate.contents.modelled", lambda _: workload)
    command = ["estimate", "1GB", "--job", JOB, "--set", "words=dog"]
    assert commands.main(command) == 0
    assert "Options: words=dog\n" in capsys.readouterr().out
    assert commands.main([*command, "--json"]) == 0
    assert msgspec.json.decode(capsys.readouterr().out)["options"] == DEFAULTS | {"words": ["dog"]}


def test_without_texts_the_request_has_no_options() -> None:
    assert from_texts(LINES_WITH, []) is None


MISTAKES = [
    (["longest"], "--set longest: write name=value."),
    (
        ["word=a"],
        "options: this job has no option 'word': did you mean words? Its options are words, longest",
    ),
    (["words=a", "longest=x"], "--set longest=x: longest takes a whole number of at least 1."),
    (["words=a", "longest=0"], "--set longest=0: longest takes a whole number of at least 1."),
    (["words=a", "share=2"], "--set share=2: share takes a number of at most 1."),
    (["words=a", "share=nan"], "--set share=nan: share takes a number of at most 1."),
    (["words=a", "upper=yes"], "--set upper=yes: upper takes true or false."),
    (["words=a", "mode=last"], "--set mode=last: mode takes one of all, first."),
    (["words=a", "sizes=1,x"], "--set sizes=1,x: sizes takes a list, each a whole number."),
    (["words=a", "weights=x"], "--set weights=x: weights takes JSON."),
    (["words=a", "longest=1", "longest=2"], "--set longest: it is given 2 times, but takes one value."),
    (["words=a", "mode=frist"], "--set mode=frist: mode takes one of all, first. Did you mean first?"),
    (
        ["words=a", "zones=UTC,UTCC"],
        "--set zones=UTC,UTCC: zones takes a list, each one of CET, UTC. Did you mean UTC?",
    ),
    (["words=a", "pairs=[[1]"], "--set pairs=[[1]: pairs takes a list, each a list, each a whole number."),
]
MISSING = (["longest=5"], "options: words is missing: it takes a list, each text.")


COMMANDS = [
    ["run", "no-such-file", "--job", JOB],
    ["estimate", "no-such-file", "--job", JOB],
    ["demo", "--file", "no-such-file", "--job", JOB],
    ["try", JOB, "no-such-file"],
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("texts", "message"), [*MISTAKES, MISSING])
def test_a_mistake_is_reported_before_anything_is_read_or_uploaded(
    texts: list[str], message: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word for text in texts for word in ("--set", text)]
    assert commands.main([*command, *given]) == 1
    assert capsys.readouterr().err.startswith(f"Error: {message}")


@pytest.mark.parametrize(
    "command", [["demo", "--file", "no-such-file", "--job", JOB], ["try", JOB, "no-such-file"]]
)
def test_a_new_run_needs_options_without_a_default(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(command) == 1
    assert capsys.readouterr().err == f"Error: {MISSING[1]}\n"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"word": ["a"]}, "this job has no option 'word': did you mean words? Its options are words, longest,"),
    ({"longest": 5}, "words is missing: it takes a list, each text."),
    ({"words": "a"}, "words takes a list, each text, not 'a'."),
    ({"words": ["a", 1]}, "words takes a list, each text, not ['a', 1]."),
    ({"longest": "x" * 99}, f"longest takes a whole number of at least 1, not '{'x' * 59}…."),
    ({"longest": 0}, "longest takes a whole number of at least 1, not 0."),
    ({"share": 2}, "share takes a number of at most 1, not 2."),
    ({"upper": 1}, "upper takes true or false, not 1."),
    ({"mode": "frist"}, "mode takes one of all, first, not 'frist'. Did you mean first?"),
    (
        {"zones": ["UTC", "UTCC"]},
        "zones takes a list, each one of CET, UTC, not ['UTC', 'UTCC']. Did you mean UTC?",
    ),
    ({"sizes": [1, "x"]}, "sizes takes a list, each a whole number, not [1, 'x']."),
    ({"pairs": [1]}, "pairs takes a list, each a list, each a whole number, not [1]."),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_python_and_an_event_are_refused_with_the_same_sentence(
    options: dict[str, Any], message: str, sent: list[Any]
) -> None:
    if "missing" not in message:
        options = {"words": ["a"], **options}
    app = App(choice.open_account(local=False, profile=None, region=None))
    asked: list[Callable[[], object]] = [
        lambda: app.run("s3://bucket/key", JOB, options=options),
        lambda: app.run("s3://bucket/key", JOB, **options),
        lambda: app.estimate("no-such-file", JOB, **options),
        lambda: app.estimate("no-such-file", JOB, options=options),
    ]
    for ask in asked:
        with pytest.raises(OptionError) as told:
            ask()
        assert str(told.value).startswith(f"options: {message}")
    assert sent == []
    event = ParseFileRequest(key="input/a", options=options)
    with pytest.raises(InvalidRequest) as refused:
        new_record(LINES_WITH, "run", "bucket", event, None)
    assert str(refused.value).startswith(f"options: {message}")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The options of the requests that are sent."""
    requests: list[Any] = []
    monkeypatch.setattr(app_module, "checked", lambda _aws, _deployment, source: source)
    monkeypatch.setattr(Run, "begin", lambda _, request: requests.append(request.options))
    return requests


def test_the_command_and_python_send_all_options(sent: list[Any]) -> None:
    words = ["run", "s3://bucket/key", "--job", JOB, "--detach"]
    assert commands.main([*words, "--set", "words=a"]) == 0
    app = App(choice.open_account(local=False, profile=None, region=None))
    app.run("s3://bucket/key", JOB, options={"words": {"a"}})
    assert sent == [DEFAULTS | {"words": ["a"]}] * 2


@pytest.mark.parametrize(
    "options", [{"words": 3}, {"word": ["a"]}, {"words": ["a"], "note": object()}, {}, None]
)
def test_python_is_refused_wrong_options_before_anything_is_uploaded(
    options: Mapping[str, Any] | None, sent: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "exists", lambda _: False)
    app = App(choice.open_account(local=False, profile=None, region=None))
    for run_id in (None, "mine"):
        with pytest.raises(OptionError):
            app.run("s3://bucket/key", JOB, options=options, run_id=run_id)
    assert sent == []


def test_a_resumed_run_keeps_its_options(sent: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "exists", lambda _: True)
    assert commands.main(["run", "s3://bucket/key", "--job", JOB, "--detach", "--run-id", "mine"]) == 0
    assert sent == [None]


def test_an_option_is_given_once(sent: list[Any]) -> None:
    app = App(choice.open_account(local=False, profile=None, region=None))
    with pytest.raises(OptionError, match="options: words is given twice"):
        app.run("s3://bucket/key", JOB, options={"words": ["a"]}, words=["b"])
    app.run("s3://bucket/key", JOB, options={"words": ["a"]}, longest=3)
    assert sent == [DEFAULTS | {"words": ["a"], "longest": 3}]


def test_a_run_is_resumed_with_its_own_options_only() -> None:
    found = new_record(LINES_WITH, "run", "b", ParseFileRequest(key="k", options={"words": ["a"]}), None)
    found.etag = '"e"'
    check_request(LINES_WITH, found, "b", ParseFileRequest(key="k"))
    check_request(LINES_WITH, found, "b", ParseFileRequest(key="k", options={"words": ["a"], "mode": "all"}))
    with pytest.raises(RunConflict, match=r"options: the run has the options .* leave them out to resume"):
        check_request(LINES_WITH, found, "b", ParseFileRequest(key="k", options={"words": ["b"]}))


@given(
    st.builds(
        Options,
        words=st.frozensets(st.text('a,\\[]" ', max_size=4), max_size=4).filter(lambda words: words != {""}),
        note=st.none() | st.text(max_size=5).filter(lambda text: text != "null"),
        weights=st.dictionaries(st.text(max_size=3), st.integers(-9, 9), max_size=2),
        pairs=st.lists(st.lists(st.integers(0, 9), max_size=2), max_size=2),
        sizes=st.lists(st.integers(-9, 9), max_size=3).map(tuple),
        zones=st.lists(st.sampled_from(["UTC", "CET"]), max_size=2),
    )
)
def test_any_options_that_are_shown_can_be_set_again(options: Options) -> None:
    plain = checked(LINES_WITH, msgspec.to_builtins(options))
    assert from_texts(LINES_WITH, [f"{name}={value_text(value)}" for name, value in plain.items()]) == plain


def test_what_is_shown_can_be_set_again() -> None:
    options = checked(LINES_WITH, {"words": ["a,b", "c"], "note": "it's", "weights": {"x": 1}})
    assert (
        from_texts(LINES_WITH, [f"{name}={value_text(value)}" for name, value in options.items()]) == options
    )
    assert options_text(options).endswith(r"""weights={"x":1} words=a\,b,c zones=""")


RECORD = RunRecord(
    run_id="new", job=JOB, started_at=2e9, finished_at=2e9 + 1, status="SUCCEEDED", bucket="b", key="k",
    etag='"e"', bytes=3, objects=1, blocks=1, shards=1, shard_by="key", shards_because="x", block_units=3,
    block_units_because="x", options=DEFAULTS | {"words": ["<b>"]},
)  # fmt: skip
PLAIN = RunRecord(run_id="old", job=JOB, started_at=1e9, status="SUCCEEDED", bucket="b", key="k", etag='"e"')


def shown(runs: list[RunRecord], width: int | None) -> str:
    console = Console(file=io.StringIO(), force_terminal=width is not None, width=width or 80, no_color=True)
    deployment: Any = SimpleNamespace(stack="Fanfold", own=None, jobs=(JOB,))
    show_runs(console, [PastRun(deployment, record) for record in runs])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_runs_show_options_if_one_has_any() -> None:
    in_a_pipe = [line.split("\t") for line in shown([RECORD, PLAIN], None).splitlines()]
    assert [line[-1] for line in in_a_pipe] == ["Options", "words=<b>", ""]
    assert "Options" not in shown([PLAIN], None)
    assert "words=<b>" in shown([RECORD], 250)
    assert "words=<b>" not in shown([RECORD], 80)
    deployment: Any = SimpleNamespace(stack="Fanfold", own=None, jobs=(JOB,))
    past = history.as_json(Past([PastRun(deployment, one) for one in (RECORD, PLAIN)], []))
    assert past[0]["options"] == RECORD.options
    assert "options" not in past[1]


def test_a_report_has_options_in_its_title_and_in_its_command() -> None:
    text = page(JOB, RECORD, summarize(LINES_WITH, RECORD, []), None)
    title = text.partition("<title>")[2].partition("</title>")[0]
    assert "longest" not in title  # it is the default
    assert "words=&lt;b&gt;" in title
    assert "words=&lt;b&gt;" in text.partition("<h1>")[2].partition("</h1>")[0]
    assert "--set longest=1000 --set mode=all" in text
    plain = page("top_words", PLAIN, summarize(load("top_words"), PLAIN, []), None)
    assert "<title>Succeeded: Words of k · Fanfold</title>" in plain
    assert "<h1><bdi>Words of k</bdi></h1>" in plain
    assert "The run succeeded, but the table no longer has its result." in plain
    assert "--set" not in plain


def test_a_job_shows_its_options_and_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["jobs", JOB]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        f"{JOB}: Counts lines with words.",
        "The result is by kind: line",
        "Options:",
        "  words: a list, each text; it must be given",
    ]
    assert lines[4:7] == [
        "    A line counts if it has one of these words.",
        "  longest: a whole number of at least 1; default: 1000",
        "    Only so much of a line is a key.",
    ]
    assert lines[-1] == f"Example: fanfold run --job {JOB} --set words=text FILE"
    assert [option.default for option in options_of(LINES_WITH)][-5:] == ["1,2", "null", "{}", "", ""]


class Needed(Struct, frozen=True):
    """Options that must be given, of every kind."""

    pattern: Annotated[str, Meta(pattern="^[0-9]+$", description="Digits.", examples=["404"])]
    words: Annotated[list[str], Meta(min_length=1, description="Words.", examples=[["a b", "c,d"]])]
    most: Annotated[int, Meta(ge=5, description="A bound.")]
    share: Annotated[float, Meta(le=0.1, description="A bound.")]
    mode: Annotated[Literal["all", "first"], Meta(description="A choice.")]
    since: Annotated[dt.date, Meta(description="A day.")]
    weights: Annotated[dict[str, int], Meta(description="A mapping.")]


@pytest.mark.parametrize("job", [*names(), JOB, "needing"])
def test_the_example_of_a_job_can_be_run(
    job: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module: Any = ModuleType("lambda_src.jobs.needing")
    module.JOB = msgspec.structs.replace(LINES_WITH, options=Needed)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(job_code, "names", lambda: [*names(), JOB, "needing"])
    assert commands.main(["jobs", job]) == 0
    example = capsys.readouterr().out.splitlines()[-1].removeprefix("Example: ")
    _, command, *words = shlex.split(example)
    context = typer.main.get_command(commands.app).commands[command].make_context(command, words)  # type: ignore[attr-defined]
    assert context.params["job"] == job
    given = context.params["set_"] or []
    checked(load(job), from_texts(load(job), given) or {})
    assert "VALUE" not in example
    assert not any(text.endswith("=") for text in given)


def test_a_job_without_options_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module: Any = ModuleType("lambda_src.jobs.plain")
    module.JOB = msgspec.structs.replace(LINES_WITH, options=NoOptions)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(job_code, "names", lambda: [*names(), "plain"])
    assert commands.main(["jobs", "plain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["It has no options.", "Example: fanfold run --job plain FILE"]


def test_jobs_are_listed_and_which_are_deployed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def states() -> list[str]:
        assert commands.main(["jobs"]) == 0
        return [line.split("  ")[1].strip() for line in capsys.readouterr().out.splitlines()]

    assert states() == ["deployed", "not deployed"]
    there: Any = SimpleNamespace(stack="Fanfold", own=None, jobs=(JOB, "elsewhere"))
    with monkeypatch.context() as patched:
        patched.setattr(Account, "deployments", lambda *_: [there])
        assert commands.main(["jobs"]) == 0
        assert "deployed      To see what it does, name its file, as in `fanfold jobs ./elsewhere.py`." in (
            capsys.readouterr().out
        )

    def fails(error: Exception) -> None:
        def opened(**_: Any) -> Any:
            raise error

        monkeypatch.setattr(choice, "open_account", opened)

    fails(StackNotFound("none"))
    assert states() == ["not deployed", "not deployed"]
    fails(AccountError("No region."))
    assert commands.main(["jobs"]) == 0
    told = capsys.readouterr()
    assert told.err == "Cannot tell which jobs are deployed. No region.\n"
    assert told.out.count("?") == 2


def test_the_answer_and_its_table_show_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    answer = summarize(LINES_WITH, RECORD, [])
    assert answer["options"] == RECORD.options
    assert as_json(JOB, answer, {})["options"] == RECORD.options
    show(Console(width=200), JOB, answer, {})
    assert "\nOptions: words=<b>\n" in capsys.readouterr().out
