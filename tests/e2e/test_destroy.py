"""What stays when the stack is destroyed, and that it can be deployed again, as `make deploy` does."""

import subprocess
from pathlib import Path

import pytest

from client.aws import account_of
from client.deployment import ROOT, find_deployment
from client.local_aws import ACCOUNT, REGION, LocalAws, local_aws
from lambda_src.settings import stack_name
from tests.deployed import Stack

STACK = stack_name("top_words")


def cdk(local: LocalAws, folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [str(ROOT / "node_modules" / ".bin" / "cdk"), *arguments, "--output", str(folder / "cdk.out")],
        cwd=ROOT,
        env=dict(local.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_data_stay_and_the_stack_can_be_deployed_again(tmp_path: Path) -> None:
    with local_aws(tmp_path) as local:
        aws = account_of(local.environment)
        deploy = ("deploy", STACK, "--require-approval", "never", "-c", "architecture=host")
        cdk(local, tmp_path, "bootstrap", f"aws://{ACCOUNT}/{REGION}")
        cdk(local, tmp_path, *deploy)
        first = Stack(local, aws, find_deployment(aws, "top_words"))
        run_id = first.run(first.put("input/text", b"some words"))["run_id"]

        cdk(local, tmp_path, "destroy", STACK, "--force", "-c", "architecture=host")
        functions = aws.client("lambda").list_functions()["Functions"]
        assert not [function for function in functions if STACK in function["FunctionName"]]
        s3 = aws.client("s3")
        kept = s3.get_object(Bucket=first.deployment.bucket, Key="input/text")["Body"].read()
        assert kept == b"some words"
        policy = s3.get_bucket_policy(Bucket=first.deployment.bucket)["Policy"]
        assert "aws:SecureTransport" in policy
        assert len(first.results(run_id)[1]) == 20

        cdk(local, tmp_path, *deploy)
        second = Stack(local, aws, find_deployment(aws, "top_words"))
        assert second.deployment.bucket != first.deployment.bucket
        assert second.run(second.put("input/text", b"some more words"))["words"] == 3
