"""The deployed stack: deploying it into a local AWS, and finding it in any account."""

from pathlib import Path

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from client.aws import Aws
from client.local_aws import ACCOUNT, REGION, LocalAws
from client.processes import started
from lambda_src.settings import DEFAULT_JOB, Outputs, stack_name

ROOT = Path(__file__).resolve().parent.parent
CDK = ROOT / "node_modules" / ".bin" / "cdk"


class DeploymentError(Exception):
    """The stack could not be deployed or found."""


class Deployment(Outputs, frozen=True, kw_only=True):
    """The outputs of the stack of ``job``."""

    job: str


def deploy_locally(aws: LocalAws, folder: Path, job: str) -> None:
    """Bootstrap ``aws`` for the CDK and deploy the stack of ``job`` into it, as one would into an account.

    What the CDK prints stays in ``folder``. Raises DeploymentError.
    """
    # An output folder of its own, for the CDK locks it.
    output = ("--output", str(folder / "cdk.out"))
    _cdk(aws, folder, "bootstrap", f"aws://{ACCOUNT}/{REGION}", *output)
    _cdk(
        aws,
        folder,
        *("deploy", stack_name(job), "--require-approval", "never", *output),
        *("-c", f"job={job}", "-c", "architecture=host", "-c", "retain_data=false"),
    )


def find_deployment(aws: Aws, job: str) -> Deployment:
    """The stack of ``job`` as it is deployed in ``aws``. Raises DeploymentError."""
    stack = stack_name(job)
    deploy = "make deploy" if job == DEFAULT_JOB else f'make deploy CONTEXT="job={job}"'
    try:
        stacks = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise DeploymentError(
            f"No stack {stack} found: {error}. Check your AWS credentials and region, or `{deploy}`."
        ) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
    try:
        return msgspec.convert({**outputs, "job": job}, Deployment)
    except msgspec.ValidationError as error:
        raise DeploymentError(
            f"The stack {stack} lacks an output ({error}): deploy it again: {deploy}."
        ) from error


def _cdk(aws: LocalAws, folder: Path, command: str, *arguments: str) -> None:
    log = folder / f"cdk-{command}.log"
    with (
        log.open("wb") as log_file,
        started([str(CDK), command, *arguments], aws.environment, log_file, folder=ROOT) as process,
    ):
        status = process.wait()
    if status:
        raise DeploymentError(f"cdk {command} failed; what it said is in {log}.")
