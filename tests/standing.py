"""A local AWS that stays, without the minute that a deployment takes.

python -m tests.standing STATE [SIGNAL MODULE.FUNCTION]    up, in a process of its own, which gets that signal
as it comes to that function of the client
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

from fanfold.account.deployment import Deployment
from fanfold.local_aws import state as local_stack
from fanfold.local_aws.state import LocalStack, up
from fanfold.signals import SIGNALS
from lambda_src.settings import stack_name


def deployment(own: str | None = None) -> Deployment:
    """A stack that was never deployed: that of all jobs, or of the job ``own`` alone."""
    others = set(Deployment.__struct_fields__) - {"jobs", "own_jobs", "stack"}
    named: dict[str, Any] = {field: field for field in others}
    jobs = (own,) if own else ("top_words", "access_log")
    return Deployment(**named, jobs=jobs, stack=stack_name(own))


@contextmanager
def nothing_deployed() -> Iterator[mock.Mock]:
    """Within it ``up`` takes a stack for deployed as soon as it has asked for it."""

    def deploy(
        _aws: object, _folder: Path, own: str | None, *, added: Sequence[str], bootstrap: bool
    ) -> Deployment:
        return deployment(own)

    with mock.patch.object(local_stack, "deploy_locally", side_effect=deploy) as deploying:
        yield deploying


def signal_at(number: int, name: str) -> Any:
    """Within it this process gets the signal when it calls ``MODULE.FUNCTION``."""
    module, *path, function = name.split(".")
    owner = reduce(getattr, path, import_module(f"fanfold.local_aws.{module}"))
    original: Callable[..., Any] = getattr(owner, function)

    def interrupted(*arguments: Any, **options: Any) -> Any:
        os.kill(os.getpid(), number)
        return original(*arguments, **options)

    return mock.patch.object(owner, function, interrupted)


def main(state: Path, *interruption: str) -> LocalStack:
    """Bring it up."""
    SIGNALS.listen()
    try:
        with nothing_deployed():
            if interruption:
                with signal_at(int(interruption[0]), interruption[1]):
                    return up(None, print, state=state)
            return up(None, print, state=state)
    finally:
        SIGNALS.end()


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # what runs in the background may have them ignored
    main(Path(sys.argv[1]), *sys.argv[2:])
