"""The deployed stack: deploying it into a local AWS, and finding it in any account."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from fanfold.account.connection import Aws, explain
from fanfold.checkout import CDK
from fanfold.errors import DeploymentError, StackNotFound
from fanfold.job_code import as_given
from fanfold.local_aws.assembly import assembled
from fanfold.local_aws.processes import started
from fanfold.local_aws.server import ACCOUNT, REGION, LocalAws
from fanfold.safe_text import shell_word
from lambda_src.settings import Outputs, from_texts, stack_name

STACK_VARIABLE = "FANFOLD_STACK"
"""Names a stack of another app that has a ``MapReduceJob`` with outputs, in place of ours."""


class Deployment(Outputs, frozen=True, kw_only=True):
    """The outputs of ``stack``."""

    stack: str

    @property
    def own(self) -> str | None:
        """The job that has the stack for itself; None if it is the stack of all jobs."""
        return None if self.stack == stack_name() else self.jobs[0]

    @property
    def digests(self) -> dict[str, str]:
        """The digests of the jobs that are files of other authors, by the names of these jobs."""
        return dict(text.split("=", 1) for text in self.own_jobs)


def deploy_locally(
    aws: LocalAws,
    folder: Path,
    own: str | None = None,
    *,
    added: Sequence[str] = (),
    bootstrap: bool = True,
) -> Deployment:
    """Deploy the stack of all jobs and of those ``added``, or that of the job ``own`` alone, into ``aws`` as
    into a real account, after bootstrapping it for the CDK unless told not to.

    The CDK's output is kept in ``folder``. Raises DeploymentError.
    """
    stack, outputs = stack_name(own), folder / "outputs.json"
    with assembled(aws.environment, folder, own, added) as written:
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
    return _deployment(own, msgspec.json.decode(outputs.read_bytes())[stack])


def find_deployment(aws: Aws, own: str | None = None, named: str | None = None) -> Deployment:
    """The stack of all jobs, or that of the job ``own`` alone, as it is deployed in ``aws``; or the stack
    ``named`` so of another app. Raises DeploymentError."""
    stack = named or stack_name(own)
    try:
        stacks = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if (
            error.response["Error"]["Code"] == "ValidationError"
        ):  # the message says that the stack does not exist
            if named:
                raise StackNotFound(
                    f"There is no stack {named} in {aws.session.region_name}; {STACK_VARIABLE} names it."
                ) from error
            raise StackNotFound(
                f"There is no stack {stack} in {aws.session.region_name}. Deploy it with "
                f"`{deploy_command(settings_of(own))}`, or name its account by --profile and --region; for "
                "the local AWS, give --local."
            ) from error
        raise DeploymentError(f"The stack {stack} cannot be looked up: {explain(error)}") from error
    except BotoCoreError as error:
        raise DeploymentError(f"The stack {stack} cannot be looked up: {explain(error)}") from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
    return _deployment(own, outputs, named)


def _deployment(own: str | None, outputs: Mapping[str, str], named: str | None = None) -> Deployment:
    stack = named or stack_name(own)
    try:
        return from_texts(Deployment, {**outputs, "stack": stack})
    except msgspec.ValidationError as error:
        if named:
            raise DeploymentError(
                f"The stack {named} lacks an output ({error}). Call put_out() of its MapReduceJob, and "
                "deploy it again."
            ) from error
        raise DeploymentError(
            f"The stack {stack} lacks an output ({error}). Deploy it again with "
            f"`{deploy_command(settings_of(own))}`."
        ) from error


def settings_of(own: str | None) -> dict[str, str]:
    """The settings that make the stack of the job ``own`` alone, or that of all jobs."""
    return {"job": own} if own else {}


def deploy_command(settings: Mapping[str, str]) -> str:
    """The command that deploys to an account with these settings.

    >>> deploy_command({"job": "access_log", "architecture": "x86_64"})
    'fanfold deploy -c job=access_log -c architecture=x86_64'
    """
    return " ".join(
        ["fanfold deploy", *(f"-c {shell_word(f'{name}={value}')}" for name, value in settings.items())]
    )


def up_command(job: str | None = None) -> str:
    """The command that deploys the stack of all jobs into the local AWS: with ``job``, if that is a file of
    its author, or else the stack of ``job`` alone."""
    return f"fanfold up --job={as_given(job)}" if job else "fanfold up"


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
