"""Commands of a deployment to an AWS account: deploy, destroy, synth."""

from pathlib import Path
from typing import Annotated

import typer

from fanfold.cli.options import own_jobs
from fanfold.cli.session import complain

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--context", "-c", metavar="NAME=VALUE", help="A setting of the deployment. Repeat it for more."
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
    """Deploy to the account and region of your AWS credentials, and bootstrap the CDK there if necessary."""
    from fanfold.account import deploy as deployment

    has_terminal = deployment.has_terminal()
    wanted = deployment.given(context, tag, require_approval, has_terminal=has_terminal, own_jobs=job or ())
    return deployment.deploy(wanted, complain)


def destroy(job: OwnJobs = None, context: Settings = None, require_approval: Approval = None) -> int:
    """Remove the stack. Your data stay, unless it was deployed with retain_data=false."""
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
    """Write the CloudFormation template for review, without credentials."""
    from fanfold.account import deploy as deployment

    wanted = deployment.given(context, None, "never", has_terminal=False, own_jobs=job or ())
    return deployment.synth(wanted, output, complain)
