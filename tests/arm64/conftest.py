"""Two Pythons that run the Lambdas' code on their own layers, Lambda's for arm64 and this machine's, and a
local AWS with TLS for both."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest

from fanfold.local_aws.server import LocalAws, local_aws
from stacks.dependency_layer import LOCK, build_layer, lock_of_job
from stacks.function_code import build_code
from stacks.native_library import build_libraries, sources_of_jobs
from tests.arm64.emulation import EmulatedPython, Unavailable, emulated_python

RUNTIME_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
"""What Lambda's runtime brings. It is Python only, so that this machine's serves every other one."""

INVOKE = Path(__file__).with_name("invoke.py")
TIMEOUT_S = 600.0
URL_SUFFIX = "amazonaws.com"


class Report(NamedTuple):
    """What ``invoke`` reports. ``modules`` and ``libraries`` are files: of Python, and of machine code;
    ``compiled`` are those of Python that had no bytecode. ``rules`` are the job's, which name the Unicode of
    its Python."""

    answers: list[Any]
    machine: str
    python: str
    modules: list[str]
    compiled: list[str]
    libraries: list[str]
    rules: str


class Machine(NamedTuple):
    """Runs the Lambdas' code by the Python that ``command`` starts, which lies in ``python``, with the layers
    for ``architecture``. ``code`` and ``runtime`` are what Lambda has in /var/task and /var/runtime."""

    architecture: str
    command: Sequence[str]
    python: Path
    code: Path
    runtime: Path
    environment: Mapping[str, str]

    @property
    def bucket(self) -> str:
        """Of its own, as ``table`` is."""
        return self.environment["FANFOLD_BUCKET"]

    @property
    def table(self) -> str:
        return self.environment["FANFOLD_TABLE"]

    def layers(self, function: str, job: str) -> list[Path]:
        """The layers of ``function``, as the stack gives them."""
        of_job = lock_of_job(job) if function in ("parse_block", "parse_file", "get_occurrences") else None
        libraries = build_libraries(self.architecture, sources_of_jobs([job]))
        layer = build_layer(self.architecture, [LOCK], libraries)
        return [layer, *([build_layer(self.architecture, [of_job])] if of_job else [])]

    def invoke(self, function: str, job: str, *events: object) -> Report:
        """Call ``function`` with each of ``events`` in one process."""
        layers = [layer / "python" for layer in self.layers(function, job)]
        arguments = map(str, (INVOKE, function, self.code, *layers, self.runtime))
        done = subprocess.run(
            [*self.command, "-I", "-S", "-B", *arguments],
            input=json.dumps(events),
            env={**self.environment, "FANFOLD_JOBS": job},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, done.stderr
        return Report(**json.loads(done.stdout))


@pytest.fixture(scope="session")
def emulated() -> EmulatedPython:
    try:
        return emulated_python()
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def local(emulated: EmulatedPython, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Started only where there is a Python to emulate."""
    with local_aws(tmp_path_factory.mktemp("local-aws")) as running:
        yield running


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Lambdas' runtime brings, in a folder with nothing else."""
    runtime = tmp_path_factory.mktemp("runtime")
    for package in RUNTIME_PACKAGES:
        (runtime / package).symlink_to(Path(boto3.__file__).parents[1] / package)
    return runtime


@pytest.fixture(scope="session")
def arm64(emulated: EmulatedPython, local: LocalAws, runtime: Path) -> Machine:
    """Lambda's Python for arm64, the code and the layers for it, emulated."""
    code = build_code("arm64")
    return Machine("arm64", emulated.command, emulated.root, code, runtime, _environment(local, "arm64"))


@pytest.fixture(scope="session")
def host(local: LocalAws, runtime: Path) -> Machine:
    """This Python, the code and the layers for it."""
    python = Path(sys.base_prefix)
    return Machine("host", [sys.executable], python, build_code("host"), runtime, _environment(local, "host"))


def _environment(local: LocalAws, architecture: str) -> dict[str, str]:
    """The local AWS, and a bucket and a table for the one architecture."""
    return {
        **{name: value for name, value in local.environment.items() if name.startswith("AWS_")},
        "SSL_CERT_FILE": local.environment["SSL_CERT_FILE"],
        "FANFOLD_URL_SUFFIX": URL_SUFFIX,
        "FANFOLD_BUCKET": f"fanfold-{architecture}",
        "FANFOLD_REQUESTER_PAYS": "off",
        "FANFOLD_TABLE": f"fanfold-{architecture}",
    }
