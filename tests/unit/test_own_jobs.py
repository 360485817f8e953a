"""Own jobs in the stack of all jobs: runs take what is deployed, and nothing is removed unasked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fanfold.account import choice, deploy, doctor
from fanfold.account.choice import Account
from fanfold.account.connection import Aws
from fanfold.account.deployment import Deployment
from fanfold.cli import app as commands
from fanfold.errors import DeploymentError, JobNotUsable, NotDeployed, NotModelled
from fanfold.job_code import digest_of, job_named
from fanfold.local_aws import state
from fanfold.new_job import write_job
from fanfold.runs import app as app_module
from fanfold.runs.app import App
from fanfold.runs.run import Run
from lambda_src.settings import SETTINGS
from tests.standing import deployment

LOCAL: Any = Aws(None, "https://localhost", options=" --local")


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A job of one's own in the current folder."""
    monkeypatch.chdir(tmp_path)
    write_job(tmp_path, "my_job")
    return job_named("./my_job.py")


def with_jobs(**digests: str) -> Deployment:
    """The stack of all jobs and of these own ones."""
    own = tuple(f"{name}={digest}" for name, digest in digests.items())
    shared = deployment()
    return msgspec.structs.replace(shared, jobs=(*shared.jobs, *digests), own_jobs=own)


def account(stack: Deployment) -> Account:
    return Account(LOCAL, {stack.stack: stack})


def test_a_run_is_of_what_is_deployed(job: str) -> None:
    stack = with_jobs(my_job=digest_of(job))
    assert account(stack).current(job) == stack
    assert account(stack).current("access_log") == stack
    Path("my_job.py").write_text(f"{Path('my_job.py').read_text()}# changed\n")
    with pytest.raises(DeploymentError) as refused:
        account(with_jobs(my_job=stack.digests[job], other="1")).current(job)
    assert str(refused.value) == (
        "The stack Fanfold has another version of my_job.py. Deploy it again with "
        "`fanfold up --job=my_job.py --job=path/to/other.py`."
    )
    assert account(stack).deployment(job) == stack  # of runs that have begun


def test_a_job_that_is_not_deployed_is_deployed_by_its_file(job: str) -> None:
    with pytest.raises(
        DeploymentError, match=r"not my_job. Deploy it again with `fanfold up --job=my_job.py`."
    ):
        account(deployment()).current(job)


def test_a_deployment_does_not_remove_an_own_job_unasked(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "find_deployment", lambda _: with_jobs(my_job="1", other="2"))

    def check(own_jobs: Sequence[str], *context: str) -> None:
        wanted = deploy.given(context, None, "never", has_terminal=False, own_jobs=own_jobs)
        deploy._check_nothing_is_removed(wanted, LOCAL)

    with pytest.raises(NotDeployed) as refused:
        check([job])
    assert str(refused.value) == (
        "This would remove the job other from the stack Fanfold: give its file, too, as in --job "
        "path/to/other.py; or name the jobs to keep, as in -c jobs=top_words,access_log,my_job."
    )
    check([job], "jobs=top_words,my_job")
    check([], "job=access_log")
    monkeypatch.setattr(deploy, "find_deployment", lambda _: with_jobs(my_job="1"))
    check([job])
    check([], f"job_files={Path('my_job.py').absolute()}")


@pytest.mark.parametrize(
    ("words", "own", "added", "example"),
    [
        ([], None, [], "fanfold run --local FILE"),
        (["--job", "./my_job.py"], None, ["my_job"], "fanfold run --local --job=my_job.py FILE"),
        (["--job", "access_log"], "access_log", [], "fanfold run --local --job=access_log FILE"),
    ],
)
def test_up_adds_files_to_the_stack_of_all_jobs(
    words: list[str],
    own: str | None,
    added: list[str],
    example: str,
    *,
    job: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = []

    def up(own: str | None, _tell: object, *, added: Sequence[str]) -> state.LocalStack:
        asked.append((own, list(added)))
        return state.LocalStack(None, {})  # type: ignore[arg-type]

    monkeypatch.setattr(state, "up", up)
    assert commands.main(["up", *words]) == 0
    assert asked == [(own, added)]
    assert capsys.readouterr().out.endswith(f"To run a job on it: {example}\n")


def test_a_stack_alone_is_not_mixed_with_files(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["up", "--job", "./my_job.py", "--job", "access_log"]) == 2
    assert (
        "A job of Fanfold is in the stack of all jobs already; to deploy it alone" in capsys.readouterr().err
    )


def test_commands_of_a_run_name_the_file(job: str) -> None:
    run = Run(LOCAL, with_jobs(my_job="1"), "run", job)
    assert run.command("report") == "fanfold report --local --job=my_job.py run"
    with pytest.raises(JobNotUsable, match="This needs the code of the job other"):
        Run(LOCAL, with_jobs(other="1"), "run", "other").load_job()


def test_a_stack_is_compared_with_the_files_of_its_jobs(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    template: dict[str, Any] = {"Resources": {}, "Metadata": {SETTINGS: {}}}
    found = doctor.drift(template, with_jobs(other="1"), local=True)
    assert (found.state, found.fix) == ("note", "fanfold doctor --job=path/to/other.py")
    contexts = []

    def synthesized(context: dict[str, str]) -> dict[str, Any]:
        contexts.append(context)
        return {"Resources": {}}

    monkeypatch.setattr(doctor, "synthesized", synthesized)
    assert doctor.drift(template, with_jobs(my_job="1"), local=True).state == "ok"
    assert contexts == [{"job_files": str(Path("my_job.py").absolute())}]


def test_python_takes_the_path_of_a_job(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = App(account(with_jobs(my_job=digest_of(job))))
    for given in ("./my_job.py", Path("my_job.py").absolute()):
        with pytest.raises(NotModelled, match="no measurements for my_job"):
            app.estimate(1000, given)
    began = []
    monkeypatch.setattr(app_module, "upload_source", None)
    monkeypatch.setattr(app_module, "checked", lambda _aws, _deployment, source: source)
    monkeypatch.setattr(Run, "begin", lambda _, request: began.append(request.job))
    assert app.run("s3://bucket/input/x", "./my_job.py").job == job
    assert began == ["my_job"]


def test_a_name_is_enough_to_start_a_run_but_not_to_show_its_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = with_jobs(other="1")
    monkeypatch.setattr(choice, "open_account", lambda **_: account(stack))
    monkeypatch.setattr(app_module, "checked", lambda _aws, _deployment, source: source)
    began = []
    monkeypatch.setattr(Run, "begin", lambda _, request: began.append(request.job))
    run = ["run", "--local", "s3://bucket/input/x", "--job", "other"]
    assert commands.main(run) == 2
    assert "there is no job other; choose one of access_log, " in capsys.readouterr().err
    assert commands.main([*run, "--detach", "--set", "a=b"]) == 1
    assert (
        "This needs the code of the job other, which is not part of Fanfold: give" in capsys.readouterr().err
    )
    assert began == []
    assert commands.main([*run, "--detach"]) == 0
    assert began == ["other"]
