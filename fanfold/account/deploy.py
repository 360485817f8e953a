"""What `fanfold deploy`, `fanfold destroy` and `fanfold synth` run: the CDK, with the settings given."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from fanfold.account import doctor
from fanfold.account.connection import Aws, account_of_person, explain
from fanfold.account.deployment import find_deployment
from fanfold.account.doctor import QUALIFIER, Finding
from fanfold.checkout import APP, BUILDS, CDK, INSTALLED, ROOT, with_node
from fanfold.errors import DeploymentError, NotDeployed
from fanfold.job_code import FILES, as_file, files_setting, jobs_in_setting
from fanfold.tools import prepare_tools

APPROVALS = ("never", "any-change", "broadening", "destructive")

NO_TERMINAL = (
    "Not a terminal, so nobody can approve changes: give --require-approval=never (with make, "
    "REQUIRE_APPROVAL=never) to do without approval."
)
OF_APP = (*APP, "--output", str((BUILDS if INSTALLED else ROOT) / "cdk.out"))


class Given(NamedTuple):
    """Settings and tags as ``name=value``, which changes need approval, and own jobs that were given."""

    context: tuple[str, ...]
    tags: tuple[str, ...]
    approval: str
    own_jobs: tuple[str, ...] = ()

    def setting(self, name: str) -> str | None:
        """The value of the setting ``name``. The last one wins, as in the CDK."""
        found = [setting.partition("=")[2] for setting in self.context if setting.partition("=")[0] == name]
        return found[-1] if found else None


def given(
    context: Sequence[str] | None,
    tags: Sequence[str] | None,
    approval: str | None,
    *,
    has_terminal: bool,
    own_jobs: Sequence[str] = (),
) -> Given:
    """Check what was given to the command. Raises NotDeployed, JobNotUsable."""
    for name, settings in (("--context", context), ("--tag", tags)):
        for setting in settings or ():
            if not setting.partition("=")[0] or "=" not in setting:
                raise NotDeployed(f"{name}: {setting} is not name=value.")
    if approval and approval not in APPROVALS:
        raise NotDeployed(f"--require-approval={approval}: choose one of {', '.join(APPROVALS)}.")
    if approval != "never" and not has_terminal:
        raise NotDeployed(NO_TERMINAL)
    settings = (*(context or ()), *files_setting(own_jobs))
    return Given(settings, tuple(tags or ()), approval or "", tuple(own_jobs))


def bootstrap_command(given: Given, qualifier: str, account: str, region: str) -> list[str]:
    """Bootstraps without running the app. A custom qualifier gets a stack of its own: in CDKToolkit it would
    replace the existing bootstrap."""
    command = ["bootstrap", f"aws://{account}/{region}"]
    if qualifier != doctor.DEFAULT_QUALIFIER:
        command += ["--qualifier", qualifier, "--toolkit-stack-name", f"CDKToolkit-{qualifier}"]
    if boundary := given.setting("permissions_boundary"):
        command += ["--custom-permissions-boundary", boundary, "--apply-permissions-boundary-to-all-roles"]
    return command + _each("--tags", given.tags)


def deploy_command(given: Given) -> list[str]:
    """Deploys the stack."""
    approval = ["--require-approval", given.approval] if given.approval else []
    return [
        "deploy",
        *OF_APP,
        *approval,
        *_each("--tags", given.tags),
        *_each("-c", given.context),
    ]


def destroy_command(given: Given) -> list[str]:
    """Removes the stack. The CDK asks once for confirmation."""
    force = ["--force"] if given.approval == "never" else []
    return ["destroy", *OF_APP, *force, *_each("-c", given.context)]


def check(given: Given, aws: Aws) -> Finding:
    """Check what must be right before deploying, and return the finding about the bootstrap. Raises
    NotDeployed."""
    credentials, _ = doctor.check_credentials(aws)
    if credentials.state == "wrong":
        raise NotDeployed(
            f"{credentials.text} The profile and the region come from AWS_PROFILE and AWS_REGION."
        )
    _check_nothing_is_removed(given, aws)
    wanted = given.setting("reserved_concurrency")
    if wanted and wanted.isdecimal():
        held = _reserved_now(aws, given.setting("job"))
        reserved = doctor.reservation(aws, int(wanted), held)
        if reserved.state == "wrong":
            raise NotDeployed(reserved.text)
    return doctor.bootstrap(aws, given.setting(QUALIFIER) or doctor.qualifier_of_files())


def _check_nothing_is_removed(given: Given, aws: Aws) -> None:
    """Raise NotDeployed if the stack has a job of its author's that it would lose, unless the settings say
    which jobs it is to have."""
    if given.setting("job") or given.setting("jobs"):
        return
    try:
        deployed = find_deployment(aws)
    except DeploymentError:  # not deployed yet, or by an older version; the CDK says what else may be wrong
        return
    files = given.setting(FILES)
    kept = given.own_jobs or (jobs_in_setting(files) if files else ())
    if removed := sorted(deployed.digests.keys() - set(kept)):
        raise NotDeployed(
            f"This would remove the job {removed[0]} from the stack {deployed.stack}: give its file, too, as "
            f"in --job {as_file(removed[0])}; or name the jobs to keep, as in -c jobs="
            f"{','.join(job for job in deployed.jobs if job not in removed)}."
        )


def _reserved_now(aws: Aws, own: str | None) -> int:
    try:
        return doctor.reserved_now(aws, find_deployment(aws, own).parse_block)
    except DeploymentError:  # not deployed yet
        return 0


def _each(option: str, values: tuple[str, ...]) -> list[str]:
    return [word for value in values for word in (option, value)]


def has_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _cdk(command: list[str]) -> int:
    return subprocess.run([*CDK, *command], cwd=ROOT, env=with_node(os.environ), check=False).returncode


def deploy(wanted: Given, tell: Callable[[str], None]) -> int:
    """Deploy, after bootstrapping if necessary, and return the CDK's exit status. Raises NotDeployed,
    ToolsMissing, AccountError."""
    prepare_tools(tell)
    aws = account_of_person()
    bootstrap = check(wanted, aws)
    if bootstrap.state != "ok":
        tell(f"CDK bootstrap: {bootstrap.text}")
    if bootstrap.state == "wrong":
        qualifier = wanted.setting(QUALIFIER) or doctor.qualifier_of_files()
        try:
            account = aws.client("sts").get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            raise NotDeployed(explain(error)) from error
        if status := _cdk(bootstrap_command(wanted, qualifier, account, aws.session.region_name)):
            return status
    return _cdk(deploy_command(wanted))


def destroy(wanted: Given, tell: Callable[[str], None]) -> int:
    """Remove the stack and return the CDK's exit status. Raises ToolsMissing."""
    prepare_tools(tell)
    return _cdk(destroy_command(wanted))


def synth(wanted: Given, output: Path, tell: Callable[[str], None]) -> int:
    """Write the template to the folder ``output`` and return the CDK's exit status. Raises ToolsMissing."""
    prepare_tools(tell)
    tell("Writing the template, which takes a minute the first time ...")
    folder = str(output.absolute())
    status = _cdk(["synth", *APP, "--quiet", "--output", folder, *_each("-c", wanted.context)])
    if not status:
        tell(f"Written to {output}.")
    return status
