"""The deployed stack: deploying it into a local AWS, and finding it in any account."""

from pathlib import Path
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from client.aws import Aws
from client.local_aws import ACCOUNT, REGION, LocalAws
from client.processes import started

ROOT = Path(__file__).resolve().parent.parent
CDK = ROOT / "node_modules" / ".bin" / "cdk"
STACK = "Fanfold"


class DeploymentError(Exception):
    """The stack could not be deployed or found."""


class Deployment(NamedTuple):
    """The stack's outputs, by their names."""

    bucket: str
    source_bucket: str
    table: str
    parse_file: str
    parse_block: str
    get_all_occurrences: str
    get_occurrences: str
    log_results: str
    log_results_log_group: str


def deploy_locally(aws: LocalAws, folder: Path) -> None:
    """Bootstrap ``aws`` for the CDK and deploy the stack into it, as one would into an account.

    What the CDK prints stays in ``folder``. Raises DeploymentError.
    """
    # An output folder of its own, for the CDK locks it.
    output = ("--output", str(folder / "cdk.out"))
    _cdk(aws, folder, "bootstrap", f"aws://{ACCOUNT}/{REGION}", *output)
    _cdk(
        aws,
        folder,
        *("deploy", STACK, "--require-approval", "never", *output),
        *("-c", "architecture=host", "-c", "retain_data=false"),
    )


def find_deployment(aws: Aws) -> Deployment:
    """The stack as it is deployed in ``aws``. Raises DeploymentError."""
    try:
        stacks = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        raise DeploymentError(
            f"No stack {STACK} found: {error}. Check your AWS credentials and region, or `make deploy`."
        ) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
    try:
        return Deployment(
            bucket=outputs["BucketName"],
            source_bucket=outputs["SourceBucketName"],
            table=outputs["TableName"],
            parse_file=outputs["ParseFileFunction"],
            parse_block=outputs["ParseBlockFunction"],
            get_all_occurrences=outputs["GetAllOccurrencesFunction"],
            get_occurrences=outputs["GetOccurrencesFunction"],
            log_results=outputs["LogResultsFunction"],
            log_results_log_group=outputs["LogResultsLogGroup"],
        )
    except KeyError as error:
        raise DeploymentError(
            f"The stack {STACK} has no output {error}: deploy it again: make deploy."
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
