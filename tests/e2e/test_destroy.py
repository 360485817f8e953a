"""What stays when the stack is destroyed, and that it can be deployed again, as `make deploy` does."""

import json
import subprocess
from pathlib import Path

import pytest

from fanfold.account.connection import account_of
from fanfold.account.deployment import find_deployment
from fanfold.checkout import CDK, ROOT
from fanfold.local_aws.server import ACCOUNT, REGION, LocalAws, local_aws
from lambda_src.settings import stack_name
from tests.deployed import Stack

STACK = stack_name()


def make(local: LocalAws, target: str) -> str:
    """Run ``target`` as a pipeline would: without a terminal; what it prints."""
    done = subprocess.run(
        ["make", "--silent", target],
        cwd=ROOT,
        env={**local.environment, "CONTEXT": "architecture=host", "REQUIRE_APPROVAL": "never"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.long
def test_data_stay_and_the_stack_can_be_deployed_again(tmp_path: Path) -> None:
    with local_aws(tmp_path) as local:
        aws = account_of(local.environment)
        assert "bootstrapping" in make(local, "deploy").lower()
        first = Stack(local, aws, find_deployment(aws))
        run_id = first.run(first.put("input/text", b"some words"))["run_id"]

        make(local, "destroy")
        functions = aws.client("lambda").list_functions()["Functions"]
        assert not [function for function in functions if STACK in function["FunctionName"]]
        s3 = aws.client("s3")
        kept = s3.get_object(Bucket=first.deployment.bucket, Key="input/text")["Body"].read()
        assert kept == b"some words"
        policy = s3.get_bucket_policy(Bucket=first.deployment.bucket)["Policy"]
        assert "aws:SecureTransport" in policy
        assert len(first.results(run_id)[1]) == 20

        assert "bootstrapping" not in make(local, "deploy").lower()
        second = Stack(local, aws, find_deployment(aws))
        assert second.deployment.bucket != first.deployment.bucket
        assert second.run(second.put("input/text", b"some more words"))["words"] == 3


@pytest.mark.long
def test_a_hardened_stack_runs_as_far_as_the_local_aws_knows_it(tmp_path: Path) -> None:
    """It makes the rest, but enforces neither key nor network."""
    with local_aws(tmp_path) as local:
        settings = ["-c=hardened=true", "-c=architecture=host", "-c=retain_data=false"]
        assembly = tmp_path / "cdk.out"
        for command in (
            ["bootstrap", f"aws://{ACCOUNT}/{REGION}"],
            ["synth", "--quiet", f"--output={assembly}", *settings],
            ["deploy", STACK, f"--app={assembly}", "--require-approval=never"],
        ):
            done = subprocess.run(
                [*CDK, *command],
                cwd=ROOT,
                env=dict(local.environment),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            if command[0] == "synth":
                _leave_out_what_is_not_known(assembly / f"{STACK}.template.json")
        aws = account_of(local.environment)
        stack = Stack(local, aws, find_deployment(aws))
        assert stack.run(stack.put("input/text", b"some words"))["words"] == 2


def _leave_out_what_is_not_known(template: Path) -> None:
    """Flow logs; and versions, which the local AWS reads whole, whatever range is asked for."""
    whole = json.loads(template.read_text())
    (flow_log,) = (name for name, item in whole["Resources"].items() if item["Type"] == "AWS::EC2::FlowLog")
    del whole["Resources"][flow_log]
    for item in whole["Resources"].values():
        item.get("Properties", {}).pop("VersioningConfiguration", None)
    template.write_text(json.dumps(whole))
