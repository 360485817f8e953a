"""Every patch of MiniStack, with its reason. All are written for one version."""

import contextlib
import hashlib
import json
import mmap
import os
import shutil
import subprocess
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from resource import getpagesize
from types import SimpleNamespace
from typing import Any, NamedTuple, Self

import ministack.app
from ministack.core import iam_actions, iam_evaluator, lambda_runtime, persistence
from ministack.services import eventbridge, lambda_svc, s3, sqs

from fanfold.local_aws.gate import wildcards

WRITTEN_FOR = "1.5.33"
"""The version of MiniStack. For another version, check whether every patch is still needed and still fits."""

# Credentials of functions

_guessable_credentials = lambda_runtime.execution_credentials


def execution_credentials(config: Mapping[str, str]) -> dict[str, str]:
    """A function's credentials, with the server's secret in the hash that they are derived from, as if it
    were part of the role's ARN."""
    role = f"{os.environ['AWS_SECRET_ACCESS_KEY']}:{config['Role']}"
    credentials: dict[str, str] = _guessable_credentials({**config, "Role": role})
    return credentials


# Starts of function processes

WORKER_SCRIPT = lambda_runtime._PYTHON_WORKER_SCRIPT.replace("    _ms_install_invoke_depth()\n", "")
"""What a process runs, without the import of botocore, whose requests it would mark."""


class SharedZipFile:
    """The zip of code or of a layer, which MiniStack has copied for a function process. It is unpacked once,
    and the folder of each function process gets links to what is in it."""

    _one_at_a_time = threading.Lock()

    def __init__(self, path: str) -> None:
        self._copy = Path(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the copy, so that hundreds of processes do not fill the disk."""
        self._copy.unlink()

    def namelist(self) -> Sequence[str]:
        """Nothing to check: MiniStack would look for names that lead out of the folder, which takes longer
        than all else for a large layer, and ``ZipFile`` unpacks no file outside."""
        return ()

    def extractall(self, path: str) -> None:
        """Fill the empty folder ``path``."""
        shared = Path(tempfile.gettempdir(), "unpacked", hashlib.sha256(self._copy.read_bytes()).hexdigest())
        with self._one_at_a_time:
            if not shared.exists():
                self._remove_unused(shared.parent)
                unpacking = shared.with_suffix(".partial")
                shutil.rmtree(unpacking, ignore_errors=True)
                with zipfile.ZipFile(self._copy) as copy:
                    copy.extractall(unpacking)
                unpacking.rename(shared)
            for entry in shared.iterdir():
                Path(path, entry.name).symlink_to(entry)

    @staticmethod
    def _remove_unused(unpacked: Path) -> None:
        """Remove unpacked code that no function process links to."""
        links = Path(tempfile.gettempdir()).glob("ministack-lambda-*/*/*")
        used = {entry.readlink().parent for entry in links if entry.is_symlink()}
        for folder in unpacked.glob("*"):
            if folder not in used:
                shutil.rmtree(folder)


# Lambda's memory limit
#
# The resident memory of a function's process counts, including what it shares with others, such as the
# interpreter's code, but not that of child processes. A process over its limit is killed during its call. A
# peak too short to be seen is found when the call ends, by the kernel's high-water mark.

SHORTEST_CHECK_S, LONGEST_CHECK_S = 0.02, 0.5

GROWTH_BYTES_PER_S = 4 << 30
"""The fastest that a process can allocate memory: a process far from its limit need not be checked soon."""

_PAGE_BYTES = getpagesize()


class LimitedCall:
    """A call of a function: its process, once that has started, and the most memory that it may have."""

    def __init__(self, process: Callable[[], subprocess.Popen[str] | None], limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.is_killed = False
        self.next_check_at = 0.0
        self._process = process

    def check(self, now: float) -> None:
        """Kill the process if it has too much memory now, and schedule the next check."""
        process = self._process()
        resident_bytes = _resident_bytes(process.pid) if process else 0
        if process and resident_bytes > self.limit_bytes:
            self._kill(process)
        left_s = (self.limit_bytes - resident_bytes) / GROWTH_BYTES_PER_S
        self.next_check_at = now + min(max(left_s, SHORTEST_CHECK_S), LONGEST_CHECK_S)

    def check_peak(self) -> None:
        """Kill the process if it ever had too much memory."""
        process = self._process()
        if process and not self.is_killed and _peak_bytes(process.pid) > self.limit_bytes:
            self._kill(process)

    def _kill(self, process: subprocess.Popen[str]) -> None:
        self.is_killed = True
        process.kill()


class MemoryLimit:
    """Checks any number of calls from one thread, which sleeps while there are none."""

    def __init__(self) -> None:
        self._calls: set[LimitedCall] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def limited(
        self, process: Callable[[], subprocess.Popen[str] | None], limit_bytes: int
    ) -> Iterator[LimitedCall]:
        """Check a call, whose process may start during it. ``is_killed`` is final when the block ends."""
        call = LimitedCall(process, limit_bytes)
        with self._changed:
            if not self._thread:
                self._thread = threading.Thread(target=self._check_all, daemon=True)
                self._thread.start()
            self._calls.add(call)
            self._changed.notify()
        try:
            yield call
        finally:
            with self._changed:
                self._calls.discard(call)
            call.check_peak()

    def _check_all(self) -> None:
        while True:
            with self._changed:
                while not self._calls:
                    self._changed.wait()
                calls = list(self._calls)
            now = time.monotonic()
            for call in calls:
                if call.next_check_at <= now:
                    call.check(now)
            time.sleep(SHORTEST_CHECK_S)


def _resident_bytes(process_id: int) -> int:
    """0 for a process that has ended."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * _PAGE_BYTES
    return 0


def _peak_bytes(process_id: int) -> int:
    """0 for a process that has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0


_invoke, _execute_function = lambda_runtime.Worker.invoke, lambda_svc._execute_function_warm
_memory_limit = MemoryLimit()


def _killed(request_id: str) -> str:
    """Lambda's message for a call whose process was killed."""
    return f"RequestId: {request_id} Error: Runtime exited with error: signal: killed"


def invoke(worker: lambda_runtime.Worker, event: Any, request_id: str, **options: Any) -> dict[str, Any]:
    """Kills a process that has more memory than its function."""
    limit_bytes = int(worker.config["MemorySize"]) << 20
    with _memory_limit.limited(lambda: worker._proc, limit_bytes) as call:
        answer: dict[str, Any] = _invoke(worker, event, request_id, **options)
    if not call.is_killed:
        return answer
    return {"status": "error", "error": _killed(request_id), "log": answer.get("log", "")}


def execute_function(function: Any, event: Any, request_id: str) -> dict[str, Any]:
    """Gives the error of a killed process Lambda's name."""
    result: dict[str, Any] = _execute_function(function, event, request_id)
    if result.get("error") and result["body"]["errorMessage"] == _killed(request_id):
        result["body"]["errorType"] = "Runtime.OutOfMemory"
    return result


# Ranges of large objects

_answering = ContextVar("answering", default=False)
_get_object, _read_body = s3._get_object, s3._read_body


class MappedBody(mmap.mmap):
    """The file of an object, for a request that reads a range of it."""

    def encode(self, _encoding: str) -> bytes:
        """The whole body. MiniStack calls this for a body that is not bytes."""
        return self[:]


def get_object(*request: Any) -> Any:
    """Has ``read_body`` map the object."""
    token = _answering.set(True)
    try:
        return _get_object(*request)
    finally:
        _answering.reset(token)


def read_body(bucket: str, key: str, record: Mapping[str, Any]) -> bytes | MappedBody:
    """The body of an object."""
    if record.get("body") is not None or not _answering.get() or not record["size"]:
        return bytes(_read_body(bucket, key, record))
    with Path(s3._object_disk_path(bucket, key)).open("rb") as file:
        return MappedBody(file.fileno(), 0, access=mmap.ACCESS_READ)


# Events

_request_tag_context, _dispatch_to_sqs = iam_actions.request_tag_context, eventbridge._dispatch_to_sqs


def request_context(service: str, action: str, body: bytes, parameters: Any) -> dict[str, Any]:
    """The context of a request for conditions of policies, with the source of its events if they have one."""
    context: dict[str, Any] = _request_tag_context(service, action, body, parameters)
    if action == "events:PutEvents":
        sources = {entry.get("Source") for entry in json.loads(body).get("Entries", [])}
        if len(sources) == 1:
            context["events:source"] = sources.pop()
    return context


def dispatch_to_queue(target: Any, payload: str, parameters: Any = None) -> None:
    """Have the queue drop copies, as it does for messages that are sent to it."""
    queue = sqs._queue_by_arn(str(target))
    if queue and queue["attributes"].get("ContentBasedDeduplication") == "true":
        sqs._prune_dedup(queue)
        copy_of = hashlib.sha256(payload.encode()).hexdigest()
        if copy_of in queue["dedup_cache"]:
            return
        queue["dedup_cache"][copy_of] = {"expire": time.time() + sqs._DEDUP_WINDOW_S}
    _dispatch_to_sqs(target, payload, parameters)


# Saved state

WHOLE = "whole"
"""The file beside the saved state that says that the state is complete."""


def save_all(services: Mapping[str, Any]) -> None:
    """Save the state of ``services``, then ``WHOLE``."""
    state = Path(persistence.STATE_DIR)
    for old in state.glob("*.json"):
        old.unlink()
    persistence.save_all(services)
    if all((state / f"{service}.json").exists() for service in services):
        (state / WHOLE).touch()


class Patch(NamedTuple):
    """``replacement`` replaces the attribute ``name`` of ``owner``."""

    owner: Any
    name: str
    replacement: Any
    reason: str


PATCHES = (
    Patch(
        lambda_runtime,
        "execution_credentials",
        execution_credentials,
        "Credentials derived from the names of a function and its role can be guessed.",
    ),
    Patch(
        lambda_runtime,
        "zipfile",
        SimpleNamespace(**{**vars(zipfile), "ZipFile": SharedZipFile}),
        "Unpacking code for each process, without bytecode, is most of a cold start.",
    ),
    Patch(
        lambda_runtime,
        "_PYTHON_WORKER_SCRIPT",
        WORKER_SCRIPT,
        "Every process imports botocore, to count nested calls: longer than all that a function imports.",
    ),
    Patch(lambda_runtime.Worker, "invoke", invoke, "Processes have no memory limit."),
    Patch(
        lambda_svc,
        "_execute_function_warm",
        execute_function,
        "A process that was killed has an error type other than Lambda's.",
    ),
    Patch(s3, "_get_object", get_object, "A GET of a range reads the whole object from its file."),
    Patch(s3, "_read_body", read_body, "As _get_object."),
    Patch(
        iam_evaluator,
        "_fnmatch_compile",
        cache(wildcards),
        "No pattern of a policy matches a key with a line end.",
    ),
    Patch(
        iam_actions,
        "request_tag_context",
        request_context,
        "No condition on the source of an event is ever met.",
    ),
    Patch(
        eventbridge,
        "_dispatch_to_sqs",
        dispatch_to_queue,
        "A FIFO queue drops no copies of what EventBridge sends.",
    ),
    Patch(
        ministack.app,
        "save_all",
        save_all,
        "State that cannot be saved is only logged, and later restored in part.",
    ),
)


def apply() -> None:
    """Patch MiniStack in this process."""
    for patch in PATCHES:
        setattr(patch.owner, patch.name, patch.replacement)
