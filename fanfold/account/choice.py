"""The account that a command uses, the person's own or the local AWS, and the stacks in it."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from fanfold.account.connection import Aws, account_of, account_of_person
from fanfold.account.deployment import (
    STACK_VARIABLE,
    Deployment,
    deploy_command,
    find_deployment,
    settings_of,
    up_command,
)
from fanfold.errors import DeploymentError, LocalStackError, StackNotFound
from fanfold.job_code import as_file, as_given, digest_of, is_own, known_jobs
from fanfold.safe_text import shell_word
from lambda_src.job import names
from lambda_src.settings import stack_name


class Account(NamedTuple):
    """``known`` has the stacks of the local AWS by name; those of a real account are looked up. If a stack of
    another app is ``named``, it is the only one."""

    aws: Aws
    known: Mapping[str, Deployment] | None = None
    named: str | None = None

    def stack(self, own: str | None = None) -> Deployment:
        """The stack of all jobs, or that of the job ``own`` alone. Raises DeploymentError."""
        if self.named and own:
            raise StackNotFound(f"{STACK_VARIABLE} names the stack {self.named}, and no other is used.")
        if self.known is None:
            return find_deployment(self.aws, own, self.named)
        if (name := stack_name(own)) not in self.known:
            raise StackNotFound(
                f"There is no stack {name} in the local AWS; deploy it with `{up_command(own)}`."
            )
        return self.known[name]

    def find(self, own: str | None = None) -> Deployment | None:
        """The same, or None if that is not deployed."""
        try:
            return self.stack(own)
        except StackNotFound:
            return None

    def deployment(self, job: str) -> Deployment:
        """The stack to run ``job`` in: that of this job alone if it is deployed, else that of all jobs.
        Raises DeploymentError."""
        if own := self.find(job):
            return own
        shared = self.stack()
        if job in shared.jobs:
            return shared
        has = f"The stack {shared.stack} has the jobs {', '.join(shared.jobs)}, not {job}."
        if job not in names():
            raise DeploymentError(f"{has} Deploy it again with `{self.command_with(shared, job)}`.")
        again, alone = (
            (up_command(), up_command(job))
            if self.aws.is_local
            else (deploy_command({}), deploy_command(settings_of(job)))
        )
        raise DeploymentError(
            f"{has} Deploy it again with `{again}`, or {job} as a stack of its own with `{alone}`."
        )

    def current(self, job: str) -> Deployment:
        """The same for a new run. If ``job`` is a file of its author, the stack has it as it is now. Raises
        DeploymentError."""
        found = self.deployment(job)
        if is_own(job) and found.digests.get(job) != digest_of(job):
            raise DeploymentError(
                f"The stack {found.stack} has another version of {as_given(job)}. Deploy it again with "
                f"`{self.command_with(found, job)}`."
            )
        return found

    def command_with(self, deployment: Deployment, *more: str) -> str:
        """The command that deploys again the jobs of the stack that are files of their authors, and ``more``
        of them."""
        alone = f" -c job={deployment.own}" if deployment.own else ""
        jobs = "".join(f" --job={as_file(one)}" for one in sorted({*more, *deployment.digests}))
        return f"fanfold {'up' if self.aws.is_local else 'deploy'}{alone}{jobs}"

    def deployments(self, job: str | None = None) -> list[Deployment]:
        """All stacks that are deployed, or those that may have runs of ``job``, first that of all jobs.
        Raises DeploymentError if there is none."""
        found = [self.find(), *(self.find(own) for own in ([job] if job else known_jobs()))]
        return [stack for stack in found if stack] or [self.stack()]


def open_account(*, local: bool, profile: str | None, region: str | None) -> Account:
    """The account that the command line names. Raises AccountError, LocalStackError, DeploymentError."""
    if not local:
        given = {"profile": profile, "region": region}
        options = "".join(f" --{name}={shell_word(value)}" for name, value in given.items() if value)
        return Account(account_of_person(profile, region, options), None, os.environ.get(STACK_VARIABLE))
    from fanfold.local_aws.state import find_running, liveness  # noqa: PLC0415 - only where it is needed

    stack = find_running()
    if stack is None:
        raise LocalStackError("The local AWS is not running; start it with `fanfold up`.")
    aws = account_of(stack.aws.environment, " --local", lambda: liveness(stack.aws.process_id))
    return Account(aws, stack.deployments)
