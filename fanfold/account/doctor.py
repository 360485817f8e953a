"""Finds what is wrong with an installation, an account or a deployment, and the command that fixes it. It
changes nothing and shows no secrets."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from fanfold.account.choice import Account
from fanfold.account.connection import Aws, explain
from fanfold.account.deployment import (
    Deployment,
    deploy_command,
    find_deployment,
    settings_of,
    up_command,
)
from fanfold.checkout import CDK, INSTALLED, NODE_MODULES, ROOT, with_node
from fanfold.errors import AccountError, DeploymentError, LocalStackError, StackNotFound
from fanfold.job_code import as_file, files_setting, is_own
from fanfold.local_aws.processes import started, temporary_folder
from fanfold.safe_text import shell_word, visible
from fanfold.tools import INSTALL_EXTRA, missing_packages
from lambda_src.settings import NEW_ACCOUNT_MB, SETTINGS, stack_name

PYTHONS = ((3, 11), (3, 15))
QUALIFIER = "@aws-cdk/core:bootstrapQualifier"
"""The CDK's context setting that distinguishes several bootstraps of one account."""

DEFAULT_QUALIFIER = "hnb659fds"
BOOTSTRAP_VERSION = 6
"""The bootstrap version that stacks of aws-cdk-lib require."""

ALWAYS_UNRESERVED = 100
"""Concurrency that a reservation must leave to all other functions of the account."""

CLOCK_S = 60.0
WRONG_CLOCK_S = 300.0
"""Age in seconds from which AWS rejects a signature."""

SMALL_ACCOUNT = 50
QUOTA = (
    "aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 "
    "--desired-value 1000"
)


class Finding(NamedTuple):
    """The finding of a check: ``ok``, a ``note`` that is good to know, or ``wrong``; ``fix`` is the command
    that fixes it."""

    check: str
    state: Literal["ok", "note", "wrong"]
    text: str
    fix: str = ""


MAKE_AGAIN = "rm -f .installed && make .installed"

STYLES = {"ok": "green", "note": "yellow", "wrong": "red"}


def examine(open_account: Callable[[], Account], job: str | None) -> Iterator[Finding]:
    """Make all checks, for the stack that runs ``job`` or for all deployed stacks."""
    yield from of_this_machine()
    try:
        account = open_account()
    except (AccountError, LocalStackError, DeploymentError) as error:
        yield Finding("Account", "wrong", str(error))
        return
    if not (yield from of_account(account, job)):
        return
    try:
        found = [account.deployment(job)] if job else account.deployments()
    except StackNotFound:
        yield from of_stack(account, None)
    except DeploymentError as error:
        yield Finding("Stack", "wrong", str(error))
    else:
        for stack in found:
            yield from of_stack(account, stack.own)


def show(console: Console, finding: Finding) -> None:
    """Print a finding, with the command that fixes it."""
    state = (f"{finding.state:5}", STYLES[finding.state])
    console.print(Text.assemble(state, f" {finding.check}: {visible(finding.text)}"), soft_wrap=True)
    if finding.fix and finding.state != "ok":
        console.print(Text(f"      {visible(finding.fix)}", style="bold"), soft_wrap=True)


def as_json(findings: Sequence[Finding]) -> list[dict[str, str | None]]:
    """The findings for a program; null if nothing needs fixing."""
    return [
        {
            "check": finding.check,
            "state": finding.state,
            "text": finding.text,
            "fix": finding.fix if finding.fix and finding.state != "ok" else None,
        }
        for finding in findings
    ]


def of_this_machine() -> Iterator[Finding]:
    """Python, the CDK, and the installed packages."""
    yield python_version(sys.version_info[:2])
    if not INSTALLED:
        yield cdk_installed(Path(CDK[0]), ROOT / "package-lock.json")
        yield packages((ROOT / "requirements-dev.txt").read_text(), _installed_version)
    elif missing_packages():
        yield Finding("CDK", "note", "not installed; deploying and the local AWS need it", INSTALL_EXTRA)
    elif not NODE_MODULES.exists():
        yield Finding("CDK", "ok", "not fetched yet; the first deployment fetches it")
    else:
        fix = f"rm -r {shell_word(str(NODE_MODULES.parent))}"
        yield cdk_installed(Path(CDK[0]), ROOT / "package-lock.json", fix)


def python_version(version: tuple[int, ...]) -> Finding:
    """Whether this project supports this version of Python."""
    text = ".".join(map(str, version))
    if PYTHONS[0] <= version < PYTHONS[1]:
        return Finding("Python", "ok", text)
    return Finding(
        "Python", "wrong", f"{text} is not supported; use 3.11 to 3.14", "make PYTHON=python3.13 .installed"
    )


def cdk_installed(cdk: Path, lock: Path, fix: str = MAKE_AGAIN) -> Finding:
    """Whether the CDK's command line is installed in the locked version and starts: it needs node."""
    wanted = json.loads(lock.read_text())["packages"]["node_modules/aws-cdk"]["version"]
    if not cdk.exists():
        return Finding("CDK", "wrong", "not installed", fix)
    try:
        asked = subprocess.run(
            [str(cdk), "--version"],
            env=with_node(os.environ),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("CDK", "wrong", f"does not start: {error}", fix)
    if asked.returncode:
        return Finding("CDK", "wrong", "does not start: node is not installed", fix)
    found = asked.stdout.split(" ")[0].strip()
    if found != wanted:
        return Finding("CDK", "wrong", f"{found} is installed, {wanted} is locked", fix)
    return Finding("CDK", "ok", found)


def packages(lock: str, installed: Callable[[str], str | None]) -> Finding:
    """Whether the installed packages have the locked versions. Packages for other platforms are ignored."""
    locked = dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+) \\$", lock, re.MULTILINE))
    wrong = [
        f"{name} is {installed(name) or 'missing'}, not {version}"
        for name, version in locked.items()
        if installed(name) != version
    ]
    if not wrong:
        return Finding(
            "Packages", "ok", f"all {len(locked)} match the lock file, boto3 {locked.get('boto3', '?')}"
        )
    more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return Finding("Packages", "wrong", f"{', '.join(wrong[:3])}{more}", MAKE_AGAIN)


def _installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def of_account(account: Account, job: str | None) -> Generator[Finding, None, bool]:
    """Region, credentials, clock, quota and bootstrap. Returns whether the credentials are valid."""
    aws = account.aws
    yield Finding("Region", "ok", aws.session.region_name)
    credentials, date = check_credentials(aws)
    yield credentials
    if date:
        yield clock(date, time.time())
    if credentials.state == "wrong":
        return False
    yield concurrency(aws)
    stacks = account.known or dict.fromkeys((stack_name(job), stack_name()))
    deployed = filter(None, (_deployed_qualifier(aws, stack) for stack in stacks))
    yield bootstrap(aws, next(deployed, None) or qualifier_of_files())
    return True


def check_credentials(aws: Aws) -> tuple[Finding, str]:
    """Whose credentials these are, if AWS accepts them, and the time according to AWS."""
    try:
        identity = aws.client("sts").get_caller_identity()
    except ClientError as error:
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return Finding("Credentials", "wrong", explain(error)), headers.get("date", "")
    except BotoCoreError as error:
        return Finding("Credentials", "wrong", explain(error)), ""
    date = identity["ResponseMetadata"].get("HTTPHeaders", {}).get("date", "")
    return Finding("Credentials", "ok", f"account {identity['Account']}, {identity['Arn']}"), date


def clock(date: str, now: float) -> Finding:
    """Whether this machine's clock is near that of AWS, which answered at ``date``."""
    try:
        ahead_s = now - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return Finding("Clock", "note", f"AWS gave no valid time: {date}")
    if abs(ahead_s) < CLOCK_S:
        return Finding("Clock", "ok", f"within {max(1, round(abs(ahead_s)))} s of AWS")
    where = "ahead of" if ahead_s > 0 else "behind"
    state: Literal["note", "wrong"] = "wrong" if abs(ahead_s) >= WRONG_CLOCK_S else "note"
    return Finding(
        "Clock", state, f"{abs(ahead_s):.0f} s {where} that of AWS", "sudo timedatectl set-ntp true"
    )


def concurrency(aws: Aws) -> Finding:
    """How many Lambdas the account may run at once."""
    try:
        limit = int(aws.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
    except (BotoCoreError, ClientError) as error:
        return Finding("Concurrency quota", "note", f"cannot be read: {explain(error)}")
    if limit < 2:
        return Finding("Concurrency quota", "wrong", f"{limit}; a run needs at least 2", QUOTA)
    if limit < SMALL_ACCOUNT:
        text = f"{limit}, as in new accounts; runs are slower, with the same results"
        return Finding("Concurrency quota", "note", text, QUOTA)
    # This is not a quota that can be raised, and a run reaches it only with very small blocks.
    text = f"{limit:,}; a function takes 10,000 requests at once, and 10,000 more every 10 s"
    return Finding("Concurrency quota", "ok", text)


def memory(template: Mapping[str, Any]) -> Finding:
    """Whether a new account allows the memory of the functions of ``template``. AWS has no request for the
    limit of an account."""
    functions = [one for one in template["Resources"].values() if one["Type"] == "AWS::Lambda::Function"]
    largest = max(int(one["Properties"].get("MemorySize", 128)) for one in functions)
    if largest <= NEW_ACCOUNT_MB:
        return Finding(
            "Memory quota",
            "ok",
            f"functions have up to {largest:,} MB; new accounts allow {NEW_ACCOUNT_MB:,}",
        )
    text = f"functions have up to {largest:,} MB; a new account allows {NEW_ACCOUNT_MB:,}: ask AWS Support"
    return Finding("Memory quota", "note", text)


def reservation(aws: Aws, wanted: int, reserved_now: int) -> Finding:
    """Whether the account can reserve ``wanted`` concurrent calls for parse_block, which has
    ``reserved_now``."""
    try:
        limits = aws.client("lambda").get_account_settings()["AccountLimit"]
    except (BotoCoreError, ClientError) as error:
        return Finding("Reserved concurrency", "note", f"cannot be checked: {explain(error)}")
    left = int(limits["UnreservedConcurrentExecutions"]) + reserved_now - wanted
    if left >= ALWAYS_UNRESERVED:
        text = f"{wanted:,} for parse_block, {left:,} for everything else in the account"
        return Finding("Reserved concurrency", "ok", text)
    possible = max(0, left + wanted - ALWAYS_UNRESERVED)
    advice = f"choose at most {possible:,}" if possible else "leave it out"
    text = (
        f"Lambda keeps {ALWAYS_UNRESERVED} of the account's quota unreserved, and "
        f"reserved_concurrency={wanted} would leave {max(left, 0):,}: {advice}, "
        "or ask AWS for a larger quota."
    )
    return Finding("Reserved concurrency", "wrong", text, QUOTA)


def reserved_now(aws: Aws, function: str) -> int:
    """The concurrency reserved for ``function``; 0 if that cannot be read."""
    try:
        found = aws.client("lambda").get_function_concurrency(FunctionName=function)
    except (BotoCoreError, ClientError):
        return 0
    return int(found.get("ReservedConcurrentExecutions", 0))


def qualifier_of_files() -> str:
    """The qualifier of the CDK's bootstrap, if one of the CDK's files sets it."""
    for path in (ROOT / "cdk.json", ROOT / "cdk.context.json", Path.home() / ".cdk.json"):
        try:
            settings = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        context = settings if path.name == "cdk.context.json" else settings.get("context", {})
        if qualifier := context.get(QUALIFIER):
            return str(qualifier)
    return DEFAULT_QUALIFIER


def _deployed_qualifier(aws: Aws, stack: str) -> str | None:
    try:
        return _qualifier(_template(aws, stack))
    except (BotoCoreError, ClientError):
        return None


def _qualifier(template: Mapping[str, Any]) -> str | None:
    """The qualifier of the bootstrap that a stack was synthesized for."""
    asked = template.get("Parameters", {}).get("BootstrapVersion", {}).get("Default")
    return str(asked).split("/")[2] if asked else None


def bootstrap(aws: Aws, qualifier: str) -> Finding:
    """Whether the CDK can deploy into the account and region."""
    try:
        parameter = aws.client("ssm").get_parameter(Name=f"/cdk-bootstrap/{qualifier}/version")
        version = int(parameter["Parameter"]["Value"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            named = "" if qualifier == DEFAULT_QUALIFIER else f" with the qualifier {qualifier}"
            text = f"not done in {aws.session.region_name}{named}; `fanfold deploy` does it"
            return Finding("CDK bootstrap", "wrong", text, "fanfold deploy")
        return Finding("CDK bootstrap", "note", f"cannot be read: {explain(error)}")
    except BotoCoreError as error:
        return Finding("CDK bootstrap", "note", f"cannot be read: {explain(error)}")
    if version < BOOTSTRAP_VERSION:
        text = f"version {version} is older than {BOOTSTRAP_VERSION}"
        return Finding("CDK bootstrap", "wrong", text, "fanfold deploy")
    return Finding("CDK bootstrap", "ok", f"version {version}")


def of_stack(account: Account, own: str | None) -> Iterator[Finding]:
    """Whether the stack of all jobs, or of the job ``own`` alone, is deployed completely, and as this
    checkout would deploy it."""
    aws, name = account.aws, stack_name(own)
    fix = up_command(own) if aws.is_local else deploy_command(settings_of(own))
    try:
        deployment = find_deployment(aws, own)
        template = _template(aws, name)
    except StackNotFound:
        yield Finding("Stack", "wrong", f"{name} is not deployed in {aws.session.region_name}", fix)
        return
    except (DeploymentError, BotoCoreError, ClientError) as error:
        yield Finding("Stack", "wrong", explain(error), fix)
        return
    if deployment.digests and aws.is_local:
        fix = account.command_with(deployment)
    yield Finding("Stack", "ok", f"{name}, with the jobs {', '.join(deployment.jobs)}")
    if reserved := reserved_now(aws, deployment.parse_block):
        yield reservation(aws, reserved, reserved)
    yield memory(template)
    yield drift(template, deployment, local=bool(aws.endpoint_url), fix=fix)


def drift(template: Mapping[str, Any], deployment: Deployment, *, local: bool, fix: str = "") -> Finding:
    """Whether ``template``, which is deployed, equals the one that this checkout makes from the same
    settings."""
    settings = template.get("Metadata", {}).get(SETTINGS)
    if settings is None:
        text = "an older version deployed the stack and did not record its settings; deploy again with yours"
        return Finding("Checkout", "wrong", text, fix if local else "fanfold deploy -c name=value ...")
    context = {**settings_of(deployment.own), **settings}
    if missing := [job for job in deployment.digests if not is_own(job)]:
        text = f"cannot compare the stack without the files of its own jobs, {', '.join(deployment.digests)}"
        only = f"fanfold doctor --job={as_file(missing[0])}" if len(deployment.digests) == 1 else ""
        return Finding("Checkout", "note", text, only)
    context |= dict(text.split("=", 1) for text in files_setting(list(deployment.digests)))
    qualifier = _qualifier(template)
    if qualifier and qualifier != DEFAULT_QUALIFIER:
        context[QUALIFIER] = qualifier
    fresh = synthesized(context)
    if isinstance(fresh, str):
        return Finding(
            "Checkout", "note", f"cannot synthesize a template to compare with: {fresh}", "fanfold synth"
        )
    different = differences(template, fresh)
    if not different:
        return Finding("Checkout", "ok", "the deployed stack matches this version")
    more = f", and {len(different) - 3} more" if len(different) > 3 else ""
    text = f"the deployed stack differs from this checkout: {', '.join(different[:3])}{more}"
    return Finding("Checkout", "wrong", text, fix if local else deploy_command(context))


def synthesized(context: Mapping[str, str]) -> dict[str, Any] | str:
    """The template that this checkout makes with ``context``, or the reason why it cannot."""
    environment = {
        **with_node(os.environ),
        "CDK_CONTEXT_JSON": json.dumps({**_app_context(), **context}),
    }
    with temporary_folder() as folder:
        log, command = folder / "log", [sys.executable, str(ROOT / "app.py")]
        with (
            log.open("wb") as log_file,
            started(command, {**environment, "CDK_OUTDIR": str(folder)}, log_file, folder=ROOT) as group,
        ):
            status = group.leader.wait()
        if status:
            return (log.read_text(errors="replace").strip().splitlines() or ["app.py failed"])[-1]
        made = folder / f"{stack_name(context.get('job'))}.template.json"
        template: dict[str, Any] = json.loads(made.read_text())
        return template


def differences(deployed: Mapping[str, Any], fresh: Mapping[str, Any]) -> list[str]:
    """The resources that differ, by their names in the template. Metadata on where a resource comes from is
    ignored.

    >>> differences({"Resources": {"A": {"Type": "T"}}}, {"Resources": {"A": {"Type": "T", "Metadata": 1}}})
    []
    >>> differences({"Resources": {"A": {}, "B": {}}}, {"Resources": {"A": {"Type": "T"}, "C": {}}})
    ['A', 'B (only deployed)', 'C (not deployed)']
    """
    one, other = deployed["Resources"], fresh["Resources"]
    found = []
    for name in sorted({*one, *other}):
        if name not in other:
            found.append(f"{name} (only deployed)")
        elif name not in one:
            found.append(f"{name} (not deployed)")
        elif _bare(one[name]) != _bare(other[name]):
            found.append(name)
    return [name for name in found if not name.startswith("CDKMetadata")]


def _bare(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name != "Metadata"}


def _template(aws: Aws, name: str) -> Mapping[str, Any]:
    body = aws.client("cloudformation").get_template(StackName=name)["TemplateBody"]
    template: Mapping[str, Any] = json.loads(body) if isinstance(body, str) else body
    return template


def _app_context() -> dict[str, Any]:
    context: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text()).get("context", {})
    return context
