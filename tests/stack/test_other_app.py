"""``MapReduceJob`` in a CDK app of somebody else, as docs/examples/other_app.py has it."""

import json
import runpy
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import aws_cdk
import pytest
from aws_cdk import App, Stack, Validations
from aws_cdk import aws_s3 as s3
from cdk_nag import AwsSolutionsChecks

from fanfold import job_code
from fanfold.cdk import MapReduceJob, Objects
from fanfold.checkout import ROOT
from lambda_src.errors import InvalidRequest
from lambda_src.settings import ONE_VCPU_MB, THREADS

EXAMPLE = ROOT / "docs" / "examples" / "other_app.py"


def template_of(folder: Path, stack: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{stack}.template.json").read_text())
    return found


def test_the_example(tmp_path: Path) -> None:
    app = partial(App, outdir=str(tmp_path), context={"logs": "their-logs"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws_cdk, "App", app)
        runpy.run_path(str(EXAMPLE))
    template = template_of(tmp_path, "Website")
    assert list(template["Outputs"]) == ["CountRequests"]
    functions = [
        item["Properties"]
        for item in template["Resources"].values()
        if item["Type"] == "AWS::Lambda::Function"
    ]
    handlers = sorted(function["Handler"].split(".")[2] for function in functions)
    assert handlers == [
        "announce_runs",
        "get_all_occurrences",
        "get_occurrences",
        "log_results",
        "parse_block",
        "parse_file",
    ]
    (environment,) = (
        function["Environment"]["Variables"]
        for function in functions
        if function["Handler"].endswith("parse_file.handler")
    )
    assert environment["FANFOLD_SOURCE_BUCKET"] == "their-logs"
    assert environment["FANFOLD_JOBS"] == "access_log,top_words"


def test_many_in_one_stack_with_any_kind_of_bucket_pass_the_checks(tmp_path: Path) -> None:
    """An acknowledgement must name the bucket as cdk-nag does; other apps may be checked, too."""
    app = App(outdir=str(tmp_path))
    data, work = Stack(app, "Data"), Stack(app, "Work")
    buckets: dict[str, s3.IBucket] = {
        "Imported": s3.Bucket.from_bucket_name(work, "ByName", "an-existing-bucket"),
        "OfAnotherStack": s3.Bucket(data, "Bucket"),
        "OfTheSameStack": s3.Bucket(work, "Bucket"),
    }
    for name, bucket in buckets.items():
        MapReduceJob(work, f"Job{name}", inputs=Objects(bucket, "logs/"), jobs=["top_words"])
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError):  # for the buckets of this test
        app.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
    (nag,) = (one for one in report if one["pluginName"] == "AwsSolutions")
    found = {violation["ruleName"] for violation in nag["violations"]}
    assert found == {"AwsSolutions-S1", "AwsSolutions-S10"}
    assert len(template_of(tmp_path, "Data")["Outputs"]) == 2  # its name and its ARN
    assert "Outputs" not in template_of(tmp_path, "Work")


def test_a_job_of_its_author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_code, "_own", {})  # no later test knows it
    own = tmp_path / "kinds_of_bytes.py"
    own.write_text((ROOT / "docs" / "examples" / "one_billion_rows.py").read_text())
    app = App(outdir=str(tmp_path / "cdk.out"))
    stack = Stack(app, "Work")
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "their-logs")
    job = MapReduceJob(stack, "Job", inputs=Objects(bucket), jobs=[str(own)], map_memory_mb=2 * ONE_VCPU_MB)
    job.schedule("rate(1 day)", {"job": "kinds_of_bytes", "prefix": "anything/"})
    job.put_out()
    app.synth()
    template = template_of(tmp_path / "cdk.out", "Work")
    threads = {
        function["Properties"]["Handler"].split(".")[2]: function["Properties"]["Environment"]["Variables"][
            THREADS
        ]
        for function in template["Resources"].values()
        if function["Type"] == "AWS::Lambda::Function"
    }
    assert (threads["parse_block"], threads["get_occurrences"], threads["log_results"]) == ("2", "1", "1")
    outputs = template["Outputs"]
    assert outputs["Jobs"]["Value"] == "kinds_of_bytes"
    assert outputs["OwnJobs"]["Value"].startswith("kinds_of_bytes=")


def test_a_time_in_which_no_block_could_end_is_refused() -> None:
    """Each block fails when ``RESERVE_S`` are left."""
    stack = Stack(App(), "Work")
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "their-logs")
    with pytest.raises(InvalidRequest, match="map_timeout_s: give more than 10 seconds, not 10"):
        MapReduceJob(stack, "Job", inputs=Objects(bucket), jobs=["top_words"], map_timeout_s=10)


@pytest.mark.parametrize("order", ["theirs, ours", "ours, theirs"])
def test_an_app_may_have_a_package_of_the_same_name(tmp_path: Path, order: str) -> None:
    """``stacks`` is what many apps call theirs."""
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "__init__.py").write_text("")
    (tmp_path / "stacks" / "storage.py").write_text("NAME = 'theirs'\n")
    imports = {
        "ours": "from fanfold.cdk import MapReduceJob, Storage",
        "theirs": "from stacks import storage",
    }
    program = [
        "import sys",
        f"sys.path.insert(0, {str(tmp_path)!r})",
        *(imports[one] for one in order.split(", ")),
        "import stacks.storage",
        "print(storage.NAME, stacks.storage.NAME, Storage.__name__, MapReduceJob.__name__)",
    ]
    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(program)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["theirs", "theirs", "Storage", "MapReduceJob"]
