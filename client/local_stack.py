"""A local AWS that stays, with stacks deployed in it: ``up`` starts it, any later command finds it, ``down``
ends it.

One for each checkout and user; all of it lies in one private folder, ``STATE``.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from client.deployment import ROOT, Deployment
from client.local_aws import LocalAws

STATE = ROOT / ".build" / "local-aws"


class LocalStackError(Exception):
    """The local AWS that was up is gone, or it cannot be ended."""


class LocalStack(NamedTuple):
    """A local AWS that is up, and what is deployed in it, by job. For an ``Aws``: ``account_of(
    aws.environment)``. No request is needed to find a deployment."""

    aws: LocalAws
    deployments: Mapping[str, Deployment]


def up(job: str, tell: Callable[[str], None], *, state: Path = STATE) -> LocalStack:
    """See to it that a local AWS is up, with the stack of ``job`` as this checkout has it.

    Whatever is done already is left alone: with nothing to do this takes milliseconds. ``tell`` is given what
    begins now, in a few words. An interruption leaves nothing half done. Raises LocalAwsError, LocalStackError,
    DeploymentError, OSError.
    """
    raise NotImplementedError


def standing(*, state: Path = STATE) -> LocalStack | None:
    """The local AWS that is up, or None where none was started. Takes milliseconds.

    Raises LocalStackError for one that was started and has died: ``up`` starts it again.
    """
    raise NotImplementedError


def down(*, delete_data: bool, state: Path = STATE) -> bool:
    """End the local AWS and all that it has started; whether there was one. ``delete_data`` deletes what is
    kept for the next ``up``, also where none is up. Raises LocalStackError, OSError."""
    raise NotImplementedError
