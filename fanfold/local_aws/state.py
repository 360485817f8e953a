"""A local AWS that keeps running, with stacks deployed in it: ``up`` starts it, later commands find it,
``down`` ends it.

There is one for each clone and one for an installed package, in a private folder. The server holds a lock
there while it lives, so it cannot be mistaken for another process, or for another server on its port.
"""

import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from fanfold.account.connection import Stopped
from fanfold.account.deployment import Deployment, deploy_locally
from fanfold.checkout import BUILDS
from fanfold.errors import LocalStackError
from fanfold.local_aws.assembly import identity
from fanfold.local_aws.processes import end_group
from fanfold.local_aws.server import Access, LocalAws, client_environment, serving
from fanfold.signals import SIGNALS
from lambda_src.settings import stack_name

STATE = BUILDS / "local-aws"

STOP_TIMEOUT_S = 60.0
"""Seconds for the server to save its data."""


class LocalStack(NamedTuple):
    """A local AWS that is up, and its deployments by the names of their stacks. For an ``Aws``:
    ``account_of(aws.environment)``. ``was_saved``: it was down, and has just been started with its data."""

    aws: LocalAws
    deployments: Mapping[str, Deployment]
    was_saved: bool = False


class Deployed(msgspec.Struct, frozen=True):
    """A deployment, and the identity of the assembly that it was made from."""

    deployment: Deployment
    identity: str


class Running(msgspec.Struct, frozen=True):
    """The server: its credentials, the leader of its processes, and whether ``down`` has started to end
    it."""

    access: Access
    process_id: int
    ending: bool = False


class Record(msgspec.Struct, frozen=True):
    """The stored state of the local AWS. Without ``running`` it is down, and ``server`` has saved its
    data."""

    server: str
    running: Running | None = None
    bootstrapped: bool = False
    stacks: dict[str, Deployed] = {}


class Folder:
    """The folder of the local AWS."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.private = path / "private"
        self.data = path / "data"
        self.saved = self.data / "state" / "whole"
        self.log = path / "local-aws.log"
        self._record = path / "record.json"
        self._alive = path / "alive"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lets one command at a time change the folder. Raises LocalStackError."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.path.stat()
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise LocalStackError(
                f"{self.path} holds keys and must be yours alone: remove it, or make it yours with mode 700."
            )
        with (self.path / "lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def record(self) -> Record | None:
        """Raises LocalStackError."""
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=Record)
        except FileNotFoundError:
            return None
        except ValueError as error:  # not UTF-8, not JSON, or of another shape
            raise LocalStackError(
                f"{self._record} cannot be read ({error}). Start over with `fanfold down --delete-data`."
            ) from error

    def write(self, record: Record) -> None:
        """Store ``record`` completely or not at all."""
        writing = self._record.with_suffix(".partial")
        writing.touch(mode=0o600)
        writing.write_bytes(msgspec.json.encode(record))
        writing.replace(self._record)

    def is_alive(self) -> bool:
        """Whether a server holds the lock."""
        try:
            alive = os.open(self._alive, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(alive, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(alive)
        return False

    def leader(self) -> int | None:
        """The leader of the processes that hold the lock, without the record."""
        for opened in Path("/proc").glob("[0-9]*/fd/*"):
            with suppress(OSError):  # another user's process, or one that has just ended
                if opened.readlink() == self._alive.resolve():
                    return os.getpgid(int(opened.parts[2]))
        return None

    def empty(self) -> None:
        """Delete the local AWS and its data."""
        self._record.unlink(missing_ok=True)
        _remove(self.private)
        _remove(self.data)

    @contextmanager
    def alive(self) -> Iterator[int]:
        """The lock for a server to hold. Only the server inherits the file."""
        with self._alive.open("wb") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX)
            yield alive.fileno()


def up(
    own: str | None, tell: Callable[[str], None], *, added: Sequence[str] = (), state: Path = STATE
) -> LocalStack:
    """Make sure that a local AWS is up, with the stack of all jobs and of those ``added``, or of the job
    ``own`` alone, as it is in this checkout.

    If nothing has changed, this takes milliseconds. ``tell`` gets each step as it starts. After an
    interruption, either a local AWS is up that the next command finds, or there is none.

    Raises LocalAwsError, LocalStackError, DeploymentError, OSError.
    """
    folder = Folder(state)
    with folder.locked():
        record = folder.record()
        if record and record.running and record.running.ending and folder.is_alive():
            _end(folder, record.running.process_id, STOP_TIMEOUT_S)  # a `down` was killed before it did
        was_saved = False
        if not (record and record.running and folder.is_alive()):
            was_saved = folder.saved.exists()
            record = _start(folder, record, tell)
        if not _is_current(record, own, added):
            record = _deploy(folder, record, own, added, tell)
    return _local_stack(folder, record)._replace(was_saved=was_saved)


def find_running(*, state: Path = STATE) -> LocalStack | None:
    """The local AWS that is up, or None. Takes milliseconds.

    Raises LocalStackError if it ended by itself or was killed.
    """
    folder = Folder(state)
    record = folder.record()
    if not record or not record.running:
        return None
    if not folder.is_alive():
        raise LocalStackError(_died(folder).text)
    return _local_stack(folder, record)


def liveness(process_id: int, *, state: Path = STATE) -> Stopped | None:
    """Why the local AWS whose processes ``process_id`` leads has stopped, or None while it is up. Raises
    LocalStackError."""
    folder = Folder(state)
    record = folder.record()
    if not record or not record.running or record.running.ending or record.running.process_id != process_id:
        return Stopped("The local AWS was stopped by `fanfold down`.", data_kept=record is not None)
    return None if folder.is_alive() else _died(folder)


def _died(folder: Folder) -> Stopped:
    kept = folder.saved.exists()
    data = "its data are kept" if kept else "its data are lost"
    return Stopped(
        f"The local AWS has died, and {data}; start it again with `fanfold up`. Its log: {folder.log}", kept
    )


def down(*, delete_data: bool, state: Path = STATE) -> bool:
    """End the local AWS and everything that it started. Returns whether it was up. The next ``up`` restores
    its data, unless ``delete_data``. Raises LocalStackError, OSError."""
    if not state.exists():
        return False
    folder = Folder(state)
    with folder.locked():
        was_up = folder.is_alive()
        try:
            record = folder.record()
        except LocalStackError:  # damaged; the server must end anyway
            if was_up and (leader := folder.leader()):
                _end(folder, leader, 0 if delete_data else STOP_TIMEOUT_S)
            if not delete_data:
                raise
            record = None
        if record and record.running and was_up:
            # Commands that watch a run notice now, not when the last process has ended.
            folder.write(
                msgspec.structs.replace(record, running=msgspec.structs.replace(record.running, ending=True))
            )
            timeout_s = 0 if delete_data else STOP_TIMEOUT_S
            _end(folder, record.running.process_id, timeout_s)
        kept = record and folder.saved.exists() and not delete_data
        if record and kept:
            folder.write(msgspec.structs.replace(record, running=None))
            _remove(folder.private)
        else:
            folder.empty()
    if was_up and not kept and not delete_data:
        raise LocalStackError(
            f"The local AWS is down, but its data could not be saved. Its log: {folder.log}"
        )
    return was_up


def _end(folder: Folder, leader: int, timeout_s: float) -> None:
    """End the server. Once its data are saved, running Lambdas are not waited for."""
    end_group(leader, lambda: not folder.is_alive() or folder.saved.exists(), timeout_s)


def _start(folder: Folder, record: Record | None, tell: Callable[[str], None]) -> Record:
    # Imported here: it takes longer than finding a local AWS, which does not need it.
    from importlib.metadata import version  # noqa: PLC0415

    server = f"ministack {version('ministack')}"
    if record and folder.saved.exists() and record.server == server:
        tell("Starting the local AWS, with its data")
    else:
        tell(f"Starting a local AWS{_why_empty(record, server)}")
        folder.empty()
        record = Record(server)
    _remove(folder.private)
    folder.private.mkdir(mode=0o700)
    kept = {"PERSIST_STATE": "1", "S3_PERSIST": "1"}
    with (
        folder.alive() as alive,
        serving(folder.private, folder.data, folder.log, kept, [alive]) as started,
        SIGNALS.held(),
    ):
        # From now on the data can change. If this fails, the server saves them again when it ends.
        folder.saved.unlink(missing_ok=True)
        running = Running(started.access, started.aws.process_id)
        record = msgspec.structs.replace(record, running=running)
        folder.write(record)
        started.group.detach()
    return record


def _why_empty(record: Record | None, server: str) -> str:
    if not record:
        return ""
    if record.server != server:
        return f", without the data of the last one, which {record.server} wrote"
    return ", without the data of the last one, which died before it could save them"


def _deploy(
    folder: Folder,
    record: Record,
    own: str | None,
    added: Sequence[str],
    tell: Callable[[str], None],
) -> Record:
    stack, new = stack_name(own), identity(own, added)
    before = record.stacks[stack].deployment.digests if stack in record.stacks else {}
    without = ", ".join(job for job in before if job not in added)
    tell(f"Deploying the stack {stack} into it{f', without {without}' if without else ''}")
    # Until the deployment is complete, the record must not say that it is.
    stacks = {name: one for name, one in record.stacks.items() if name != stack}
    folder.write(msgspec.structs.replace(record, stacks=stacks))
    aws = _local_stack(folder, record).aws
    deployment = deploy_locally(aws, folder.path, own, added=added, bootstrap=not record.bootstrapped)
    stacks[stack] = Deployed(deployment, new)
    record = msgspec.structs.replace(record, stacks=stacks, bootstrapped=True)
    folder.write(record)
    return record


def _is_current(record: Record, own: str | None, added: Sequence[str]) -> bool:
    found = record.stacks.get(stack_name(own))
    return found is not None and found.identity == identity(own, added)


def _local_stack(folder: Folder, record: Record) -> LocalStack:
    assert record.running
    environment = client_environment(record.running.access, folder.private)
    return LocalStack(
        LocalAws(environment, record.running.process_id, folder.log),
        {name: one.deployment for name, one in record.stacks.items()},
    )


def _remove(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
