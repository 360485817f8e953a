"""The account that a command uses, the person's own or the local AWS, and the stacks in it."""

from collections.abc import Mapping
from typing import NamedTuple

from fanfold.account.connection import Aws, account_of, account_of_person
from fanfold.account.deployment import Deployment, find_deployment
from fanfold.errors import DeploymentError, LocalStackError, StackNotFound
from fanfold.safe_text import shell_word
from lambda_src.job import names
from lambda_src.settings import DEFAULT_JOB


class Account(NamedTuple):
    """``known`` has the stacks of the local AWS by job; those of a real account are looked up."""

    aws: Aws
    known: Mapping[str, Deployment] | None = None

    def deployment(self, job: str) -> Deployment:
        """The stack of ``job``. Raises DeploymentError."""
        if self.known is None:
            return find_deployment(self.aws, job)
        if job not in self.known:
            option = "" if job == DEFAULT_JOB else f" --job={job}"
            raise DeploymentError(
                f"The job {job} is not deployed in the local AWS; deploy it with `fanfold up{option}`."
            )
        return self.known[job]

    def deployments(self, job: str | None = None) -> list[Deployment]:
        """The stack of ``job``, or those of all jobs that are deployed, the default job's first. Raises
        DeploymentError if there is none."""
        if job:
            return [self.deployment(job)]
        found = []
        for name in sorted(names(), key=lambda name: (name != DEFAULT_JOB, name)):
            try:
                if self.known is None or name in self.known:
                    found.append(self.deployment(name))
            except StackNotFound:
                continue
        return found or [self.deployment(DEFAULT_JOB)]


def open_account(*, local: bool, profile: str | None, region: str | None) -> Account:
    """The account that the command line names. Raises AccountError, LocalStackError, DeploymentError."""
    if not local:
        given = {"profile": profile, "region": region}
        options = "".join(f" --{name}={shell_word(value)}" for name, value in given.items() if value)
        return Account(account_of_person(profile, region, options))
    from fanfold.local_aws.state import find_running, liveness  # noqa: PLC0415 - only where it is needed

    stack = find_running()
    if stack is None:
        raise LocalStackError("The local AWS is not running; start it with `fanfold up`.")
    aws = account_of(stack.aws.environment, " --local", lambda: liveness(stack.aws.process_id))
    return Account(aws, stack.deployments)
