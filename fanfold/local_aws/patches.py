"""What hypercorn serves as the local AWS: MiniStack behind the gate. For the server's process only."""

import asyncio.constants
import hashlib
import mmap
import os
import shutil
import stat
import tempfile
import threading
import time
import zipfile
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ministack.app
from ministack.core import lambda_runtime, persistence
from ministack.core.iam_evaluator import (
    ResolvedCredential,
    find_iam_access_key_account,
    is_root_access_key,
    resolve_credential,
)
from ministack.services import lambda_svc, s3, sts

from fanfold.local_aws.gate import Gate
from fanfold.local_aws.memory_limit import MemoryLimit

OWN_KEY = os.environ["AWS_ACCESS_KEY_ID"]
OWN_SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]

MAX_LOG_BYTES = 10 << 20
LOG_LOOKED_AT_S = 2.0

WHOLE = "whole"
"""The file that says that all of the state was saved, beside it."""

# A client that is idle answers no goodbye. The server would wait for it, and only then save its state.
asyncio.constants.SSL_SHUTDOWN_TIMEOUT = 0.2

# Functions share what is unpacked once; so their bytecode, too.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_guessable_credentials = lambda_runtime.execution_credentials


def execution_credentials(config: Mapping[str, str]) -> dict[str, str]:
    """A function's own credentials. MiniStack derives them from the names of the function and its role,
    which are the same on every machine: a secret goes into the hash, as if it were part of the role's ARN."""
    credentials: dict[str, str] = _guessable_credentials({**config, "Role": f"{OWN_SECRET}:{config['Role']}"})
    return credentials


def secret_of(access_key_id: str, session_token: str) -> str | None:
    """The secret key of an access key that belongs to this run: its own, those of users that were made in it,
    those of roles that were assumed in it."""
    if access_key_id == OWN_KEY:
        return OWN_SECRET
    if is_root_access_key(access_key_id):  # "test" and whatever else MiniStack takes for its own
        return None
    session = sts._sessions.get(access_key_id)
    account = str(session["Arn"]).split(":")[4] if session else find_iam_access_key_account(access_key_id)
    if account is None:
        return None
    found = resolve_credential(access_key_id, account, session_token)
    return found.secret_access_key if isinstance(found, ResolvedCredential) else None


class SharedZipFile(zipfile.ZipFile):
    """Code and layers as MiniStack unpacks them, anew for each copy of a function: most of what a cold start
    would take here. Each is unpacked once, and linked to."""

    _one_at_a_time = threading.Lock()  # ZipFile has a _lock of its own, one for each

    def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
        """Into ``path``, a folder of a copy's own folder."""
        assert self.filename
        target, content = Path(path), Path(self.filename).read_bytes()
        shared = Path(tempfile.gettempdir(), "unpacked", hashlib.sha256(content).hexdigest())
        with self._one_at_a_time:
            if not shared.exists():
                self._tidy(shared.parent)
                unpacking = shared.with_suffix(".partial")
                shutil.rmtree(unpacking, ignore_errors=True)
                super().extractall(unpacking, members, pwd)
                unpacking.rename(shared)
            for entry in shared.iterdir():
                (target / entry.name).symlink_to(entry)

    @staticmethod
    def _tidy(unpacked: Path) -> None:
        """Remove what no copy of a function links to any more."""
        copies = Path(tempfile.gettempdir()).glob("ministack-lambda-*/*/*")
        used = {entry.readlink().parent for entry in copies if entry.is_symlink()}
        for folder in unpacked.glob("*"):
            if folder not in used:
                shutil.rmtree(folder)


_invoke, _execute_function = lambda_runtime.Worker.invoke, lambda_svc._execute_function_warm
_memory_limit = MemoryLimit()


def killed(request_id: str) -> str:
    """What Lambda says of a call whose function was killed."""
    return f"RequestId: {request_id} Error: Runtime exited with error: signal: killed"


def invoke(worker: lambda_runtime.Worker, event: Any, request_id: str, **options: Any) -> dict[str, Any]:
    """MiniStack's, but that a process with more memory than its function has is killed, as in Lambda."""
    limit_bytes = int(worker.config["MemorySize"]) << 20
    with _memory_limit.over(lambda: worker._proc, limit_bytes) as call:
        answer: dict[str, Any] = _invoke(worker, event, request_id, **options)
    if not call.is_killed:
        return answer
    return {"status": "error", "error": killed(request_id), "log": answer.get("log", "")}


def execute_function(function: Any, event: Any, request_id: str) -> dict[str, Any]:
    """MiniStack's, but that the error of a process that was killed has its name."""
    result: dict[str, Any] = _execute_function(function, event, request_id)
    if result.get("error") and result["body"]["errorMessage"] == killed(request_id):
        result["body"]["errorType"] = "Runtime.OutOfMemory"
    return result


_answering = ContextVar("answering", default=False)
_get_object, _read_body = s3._get_object, s3._read_body


class Mapped(mmap.mmap):
    """An object that is kept in a file, of which a request reads a range."""

    def encode(self, _encoding: str) -> bytes:
        """All of it: what MiniStack calls of a body that is not bytes."""
        return self[:]


def get_object(*request: Any) -> Any:
    """MiniStack's, but that an object in a file is not read as a whole for each range."""
    token = _answering.set(True)
    try:
        return _get_object(*request)
    finally:
        _answering.reset(token)


def read_body(bucket: str, key: str, record: Mapping[str, Any]) -> bytes | Mapped:
    """The body of an object."""
    if record.get("body") is not None or not _answering.get() or not record["size"]:
        return bytes(_read_body(bucket, key, record))
    with Path(s3._object_disk_path(bucket, key)).open("rb") as file:
        return Mapped(file.fileno(), 0, access=mmap.ACCESS_READ)


def bound_log() -> None:
    """Begin the log anew whenever it has grown too long."""
    while True:
        written = os.fstat(2)
        if stat.S_ISREG(written.st_mode) and written.st_size > MAX_LOG_BYTES:
            os.ftruncate(2, 0)
        time.sleep(LOG_LOOKED_AT_S)


def save_all(services: Mapping[str, Any]) -> None:
    """Save the state of ``services``, and that it is whole: MiniStack only logs what could not be saved."""
    state = Path(persistence.STATE_DIR)
    for old in state.glob("*.json"):
        old.unlink()
    persistence.save_all(services)
    if all((state / f"{service}.json").exists() for service in services):
        (state / WHOLE).touch()


lambda_runtime.execution_credentials = execution_credentials
lambda_runtime.Worker.invoke = invoke
lambda_svc._execute_function_warm = execute_function
lambda_runtime.zipfile = SimpleNamespace(ZipFile=SharedZipFile, BadZipFile=zipfile.BadZipFile)
ministack.app.save_all = save_all
s3._get_object, s3._read_body = get_object, read_body
app = Gate(ministack.app.app, secret_of)
threading.Thread(target=bound_log, daemon=True).start()
