"""One stack of all jobs, of some, or of one alone, made by the same lines."""

from pathlib import Path

import pytest

from fanfold.job_code import digest_of
from fanfold.new_job import write_job
from lambda_src.job import names
from lambda_src.settings import SETTINGS, stack_name
from stacks import dependency_layer
from stacks.context import InvalidContext
from stacks.dependency_layer import LocksDisagree, lock_of_job, locks_of_jobs

from .conftest import Synthesize
from .synthesized import FUNCTIONS, Synthesized
from .test_grants import GRANTS

LAYER = "AWS::Lambda::LayerVersion"

each_job = pytest.mark.parametrize("job", names())


@pytest.mark.parametrize(
    ("context", "jobs"),
    [
        ({}, ",".join(sorted(names(), key="top_words".__ne__))),
        ({"jobs": "access_log,top_words"}, "top_words,access_log"),
        ({"jobs": "column_permutations,access_log"}, "column_permutations,access_log"),
        *(({"job": job}, job) for job in names()),
    ],
)
def test_every_function_knows_the_jobs_of_the_stack(
    synthesize: Synthesize, context: dict[str, str], jobs: str
) -> None:
    """First the one of a request that names none."""
    stack = synthesize(**context)
    for name in FUNCTIONS:
        assert stack.function(name)["Environment"]["Variables"]["FANFOLD_JOBS"] == jobs
    assert stack.template["Outputs"]["Jobs"]["Value"] == jobs
    assert stack.template["Metadata"][SETTINGS] == context


@each_job
def test_grants_are_the_same_for_every_job(synthesize: Synthesize, job: str) -> None:
    stack = synthesize(job=job)
    assert {name: stack.grants(name) for name in FUNCTIONS} == GRANTS


@each_job
def test_packages_of_a_job_go_to_functions_that_measure_map_and_reduce(
    synthesize: Synthesize, job: str
) -> None:
    stack = synthesize(job=job)
    layers = {name: len(stack.function(name)["Layers"]) for name in FUNCTIONS}
    most = 2 if lock_of_job(job) else 1
    working = ("ParseFile", "ParseBlock", "GetOccurrences")
    assert layers == {name: most if name in working else 1 for name in FUNCTIONS}
    assert len(stack.resources("AWS::Lambda::LayerVersion")) == most


def test_packages_of_all_jobs_share_a_layer(default: Synthesized, synthesize: Synthesize) -> None:
    for stack, layers in ((default, 2), (synthesize(jobs="top_words,access_log"), 1)):
        assert len(stack.resources("AWS::Lambda::LayerVersion")) == layers
        assert len(stack.function("ParseBlock")["Layers"]) == layers


@each_job
def test_a_stack_names_nothing_that_another_could_have(synthesize: Synthesize, job: str) -> None:
    """CloudFormation makes up the names; nothing is exported or imported."""
    stack = synthesize(job=job)
    for item in stack.resources().values():
        named = {"BucketName", "TableName", "RoleName", "LogGroupName"} & set(item["Properties"])
        assert not named, item
    assert not any("Export" in output for output in stack.template["Outputs"].values())
    assert "Fn::ImportValue" not in str(stack.template)


def test_stacks_have_different_names() -> None:
    assert len({stack_name(own) for own in (None, *names())}) == len(names()) + 1


def lock(folder: Path, job: str, *packages: str) -> None:
    (folder / job).mkdir()
    (folder / job / "requirements.txt").write_text("".join(f"{one} \\\n    --hash=x\n" for one in packages))


def test_jobs_whose_locks_disagree_cannot_share_a_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        dependency_layer,
        "lock_of_job",
        lambda job: path if (path := tmp_path / job / "requirements.txt").exists() else None,
    )
    lock(tmp_path, "one", "numpy==2.4.6", "polars==1.0 ; python_version < '3.12'")
    lock(tmp_path, "same", "numpy==2.4.6")
    lock(tmp_path, "other", "numpy==2.2.0")
    lock(tmp_path, "engine", "msgspec==0.1")
    assert locks_of_jobs(["one", "none", "same"]) == [
        tmp_path / job / "requirements.txt" for job in ("one", "same")
    ]
    with pytest.raises(LocksDisagree) as refused:
        locks_of_jobs(["one", "other", "same"])
    assert str(refused.value) == (
        "The job other locks numpy 2.2.0, but the job one has 2.4.6: deploy other as a stack of its own, "
        "with -c job=other, and the other jobs without it, with -c jobs=one,same."
    )
    with pytest.raises(
        LocksDisagree, match=r"engine locks msgspec 0\.1, but every function has .*: lock that"
    ):
        locks_of_jobs(["engine"])


WITH_PACKAGE = """
from lambda_src.counts import counts_job

def count(text, add):
    import numpy
    add("all", "x")

JOB = counts_job(rules="1", part="kind", parts=("all",), count=count)
"""


def test_own_jobs_are_deployed_beside_the_others(
    synthesize: Synthesize, default: Synthesized, tmp_path: Path
) -> None:
    """A file, and a folder with its own lock. One with C is in test_wheel: to build its layer takes long."""
    file, folder = write_job(tmp_path, "my_job")[0], tmp_path / "in_folder"
    lock = lock_of_job("column_permutations")
    assert lock
    folder.mkdir()
    (folder / "__init__.py").write_text(WITH_PACKAGE)
    (folder / "requirements.txt").write_bytes(lock.read_bytes())
    stack = synthesize(job_files=f"{file}:{folder}", jobs="in_folder,my_job,top_words")
    for name in FUNCTIONS:
        jobs = stack.function(name)["Environment"]["Variables"]["FANFOLD_JOBS"]
        assert jobs == "top_words,in_folder,my_job"
        assert stack.grants(name) == default.grants(name)
    code = stack.asset(stack.function("ParseFile")["Code"]["S3Key"]) / "lambda_src" / "jobs"
    assert (code / "my_job.py").read_bytes() == file.read_bytes()
    assert {path.name for path in (code / "in_folder").iterdir()} == {"__init__.py", "__pycache__"}
    digests = stack.template["Outputs"]["OwnJobs"]["Value"]
    assert digests == f"in_folder={digest_of('in_folder')},my_job={digest_of('my_job')}"
    descriptions = [one["Properties"]["Description"] for one in stack.resources(LAYER).values()]
    assert "The packages of in_folder/requirements.txt" in descriptions
    assert str(tmp_path) not in str(stack.template)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("top_words", WITH_PACKAGE, "top_words is a job of Fanfold already: rename the file."),
        ("my_job", "import pandas", "Lambda has no pandas"),
        ("..", WITH_PACKAGE, "a job is a Python file, or a folder that has an __init__.py."),
    ],
)
def test_what_is_no_own_job_is_refused(
    synthesize: Synthesize, tmp_path: Path, name: str, text: str, sentence: str
) -> None:
    (tmp_path / f"{name}.py").write_text(text)
    path = tmp_path / (f"{name}.py" if name != ".." else name)
    with pytest.raises(InvalidContext, match=sentence):
        synthesize(job_files=str(path))
    with pytest.raises(InvalidContext, match=r"my_job.py is not an absolute path"):
        synthesize(job_files="my_job.py")
