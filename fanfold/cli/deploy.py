"""Commands of a deployment to an AWS account: deploy, destroy, synth."""

from pathlib import Path
from typing import Annotated

import typer

from fanfold.cli.options import own_jobs
from fanfold.cli.session import complain

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast

_ACCOUNT = (
    "The environment chooses account and region: write `AWS_PROFILE=NAME AWS_REGION=NAME` before the command."
)
INSTEAD = dict.fromkeys(("--profile", "--region"), _ACCOUNT)
"""What to do in place of options that other commands have."""

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--context",
        "-c",
        metavar="NAME=VALUE",
        help="A setting of the deployment, such as dashboard=true; docs/operating.md lists them. Repeat it "
        "for more.",
    ),
]
OwnJobs = Annotated[
    list[str] | None,
    typer.Option(
        "--job",
        metavar="FILE",
        help="A job of your own that the stack has, too: a file or a folder, such as ./my_job.py. Repeat it "
        "for more.",
        callback=own_jobs,
    ),
]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="NAME=VALUE", help="Tag every resource. Repeat it for more."),
]
Approval = Annotated[
    str | None,
    typer.Option(
        "--require-approval",
        metavar="WHICH",
        help="Which changes need your approval: never, any-change, broadening or destructive.",
    ),
]


def deploy(
    job: OwnJobs = None, context: Settings = None, tag: Tags = None, require_approval: Approval = None
) -> int:
    """Deploy to your AWS account, named by AWS_PROFILE and AWS_REGION. It bootstraps the CDK there first if
    necessary."""
    from fanfold.account import deploy as deployment

    has_terminal = deployment.has_terminal()
    wanted = deployment.given(context, tag, require_approval, has_terminal=has_terminal, own_jobs=job or ())
    return deployment.deploy(wanted, complain)


def destroy(job: OwnJobs = None, context: Settings = None, require_approval: Approval = None) -> int:
    """Remove the stack. Your data stay, unless it was deployed with retain_data=false.
    AWS_PROFILE and AWS_REGION name the account."""
    from fanfold.account import deploy as deployment

    has_terminal = deployment.has_terminal()
    wanted = deployment.given(context, None, require_approval, has_terminal=has_terminal, own_jobs=job or ())
    return deployment.destroy(wanted, complain)


def synth(
    job: OwnJobs = None,
    context: Settings = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where to write it.")
    ] = Path("cdk.out"),
) -> int:
    """Write the CloudFormation template for review. It needs no credentials."""
    from fanfold.account import deploy as deployment

    wanted = deployment.given(context, None, "never", has_terminal=False, own_jobs=job or ())
    return deployment.synth(wanted, output, complain)
