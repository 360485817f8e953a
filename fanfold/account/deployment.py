"""The deployed stack: deploying it into a local AWS, and finding it in any account."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from fanfold.account.connection import Aws, explain
from fanfold.checkout import CDK
from fanfold.errors import DeploymentError, StackNotFound
from fanfold.local_aws.assembly import assembled
from fanfold.local_aws.processes import started
from fanfold.local_aws.server import ACCOUNT, REGION, LocalAws
from fanfold.safe_text import shell_word
from lambda_src.settings import DEFAULT_JOB, Outputs, stack_name


class Deployment(Outputs, frozen=True, kw_only=True):
    """The outputs of the stack of ``job``."""

    job: str


def deploy_locally(aws: LocalAws, folder: Path, job: str, *, bootstrap: bool = True) -> Deployment:
    """Deploy the stack of ``job`` into ``aws`` as into a real account, after bootstrapping it for the CDK
    unless told not to.

    The CDK's output is kept in ``folder``. Raises DeploymentError.
    """
    stack, outputs = stack_name(job), folder / "outputs.json"
    with assembled(aws.environment, folder, job) as written:
        if bootstrap:
            _cdk(aws, folder, "bootstrap", f"aws://{ACCOUNT}/{REGION}")
        assembly = written()
        if not assembly:
            raise DeploymentError(_failed("synth", folder))
        _cdk(
            aws,
            folder,
            *("deploy", stack, "--app", str(assembly), "--require-approval", "never", "--method", "direct"),
            *("--progress", "events", "--outputs-file", str(outputs)),
        )
    return _deployment(job, msgspec.json.decode(outputs.read_bytes())[stack])


def find_deployment(aws: Aws, job: str) -> Deployment:
    """The stack of ``job`` as it is deployed in ``aws``. Raises DeploymentError."""
    stack = stack_name(job)
    try:
        stacks = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if (
            error.response["Error"]["Code"] == "ValidationError"
        ):  # the message says that the stack does not exist
            raise StackNotFound(
                f"There is no stack {stack} in {aws.session.region_name}. Deploy it with "
                f"`{deploy_command({'job': job})}`, or name its account by --profile and --region; for the "
                "local AWS, give --local."
            ) from error
        raise DeploymentError(f"The stack {stack} cannot be looked up: {explain(error)}") from error
    except BotoCoreError as error:
        raise DeploymentError(f"The stack {stack} cannot be looked up: {explain(error)}") from error
    return _deployment(
        job, {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
    )


def _deployment(job: str, outputs: Mapping[str, str]) -> Deployment:
    try:
        return msgspec.convert({**outputs, "job": job}, Deployment)
    except msgspec.ValidationError as error:
        raise DeploymentError(
            f"The stack {stack_name(job)} lacks an output ({error}). Deploy it again with "
            f"`{deploy_command({'job': job})}`."
        ) from error


def deploy_command(context: Mapping[str, str]) -> str:
    """The command that deploys to an account with these settings, such as the job.

    >>> deploy_command({"job": "top_words", "architecture": "x86_64"})
    'fanfold deploy -c architecture=x86_64'
    """
    settings = {name: value for name, value in context.items() if (name, value) != ("job", DEFAULT_JOB)}
    return " ".join(
        ["fanfold deploy", *(f"-c {shell_word(f'{name}={value}')}" for name, value in settings.items())]
    )


def _cdk(aws: LocalAws, folder: Path, command: str, *arguments: str) -> None:
    """Run a command of the CDK, but not in the checkout's folder, whose app it would run."""
    with (
        _log(command, folder).open("wb") as log_file,
        started([*CDK, command, *arguments], aws.environment, log_file, folder=folder) as group,
    ):
        status = group.leader.wait()
    if status:
        raise DeploymentError(_failed(command, folder))


def _log(command: str, folder: Path) -> Path:
    return folder / f"cdk-{command}.log"


def _failed(command: str, folder: Path) -> str:
    return f"cdk {command} failed. Its log: {_log(command, folder)}"
