"""The command doctor."""

from typing import Annotated

import typer

from fanfold.cli.options import AnyJob, Local, Profile, Region
from fanfold.cli.session import open_app, open_console, print_json

# ruff: noqa: PLC0415 - imported where it is used: `--help` stays fast


def doctor(
    *,
    job: AnyJob = None,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
) -> int:
    """Check this installation, your account and the deployment. It says how to fix what is wrong; the exit
    status is then 1."""
    from fanfold.account.doctor import as_json, examine, show

    console = open_console()
    findings = []
    for finding in examine(lambda: open_app(local, profile, region).account, job):
        findings.append(finding)
        if not json:
            show(console, finding)
    if json:
        print_json(as_json(findings))
    return 1 if any(finding.state == "wrong" for finding in findings) else 0
