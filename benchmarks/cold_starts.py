"""What a cold start of each function costs: processor time of imports and clients, and memory.

python -m benchmarks.cold_starts

With what the default job needs, once with bytecode of our code and the layer, as it is deployed, and once
without any, as it would be else; no process can leave any. Those that get the packages of jobs also with the
packages and libraries of all jobs, which the default job does not import. The runtime's boto3 has none, the
standard library has it. Clients are made and ask for nothing, so no TLS is in it. What only another Python
than Lambda's needs is left out; run it by Lambda's to have that one's figures: make PYTHON=python3.13.

By Python 3.13.0, as parts of the 0.53 s that boto3 alone takes, with and without bytecode: parse_file 0.22
and 0.42, parse_block 0.13 and 0.24, get_all_occurrences 0.17 and 0.32, get_occurrences 0.16 and 0.30,
log_results 0.12 and 0.23.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

from lambda_src.job import names
from lambda_src.settings import DEFAULT_JOB
from stacks.bytecode import write_bytecode
from stacks.dependency_layer import LOCK, build_layer, locks_of_jobs
from stacks.function_code import build_code
from stacks.native_library import build_libraries, sources_of_jobs

ROUNDS = 7

BUCKET = "handler.open_bucket('bucket', 'amazonaws.com')"
TABLE = "handler.open_table('table', 'amazonaws.com')"
FUNCTIONS = "handler.open_functions('amazonaws.com')"
CLIENTS = {
    "parse_file": [TABLE, FUNCTIONS, BUCKET],
    "parse_block": [BUCKET],
    "get_all_occurrences": [FUNCTIONS],
    "get_occurrences": [BUCKET, TABLE],
    "log_results": [TABLE],
    "announce_runs": ["handler.open_events('amazonaws.com')"],
}
"""What a handler makes before it can ask AWS for anything. Clients that two of its calls share count once."""

RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
"""boto3 and what it needs, as the runtime brings it."""

NOT_IN_LAMBDA = "typing_extensions*"
"""What the layer has on this machine only, for a Python before 3.13. Nothing needs it to be imported."""

SHIPPED, NONE, ALL = "shipped", "none", "all jobs"
"""Bytecode: that of our code and the layer, or none; the first with what all jobs need."""

WITH_PACKAGES = ("parse_file", "parse_block", "get_occurrences")
"""The functions that get the packages of jobs."""

PLAIN_BOTO3 = "boto3 alone"
"""What the others are compared with: the import of the runtime's boto3 and one client of it."""

PROGRAM = """
import sys, time
sys.path[:0] = {path!r}
started_at = time.process_time()
{imports}
imported_at = time.process_time()
{clients}
ended_at = time.process_time()
status = open("/proc/self/status").read()
peak_kib = int(status.partition("VmHWM:")[2].split()[0])
print([(imported_at - started_at) * 1e3, (ended_at - imported_at) * 1e3, peak_kib / 1024])
"""


class ColdStart(Struct, frozen=True):
    """Medians of one handler: milliseconds of a processor, and the peak of its process in MiB. ``ratio`` is
    that of all its milliseconds to those of ``PLAIN_BOTO3`` in the same round."""

    handler: str
    bytecode: str
    imports_ms: float
    clients_ms: float
    peak_mib: float
    ratio: float

    @property
    def ms(self) -> float:
        """Imports and clients."""
        return self.imports_ms + self.clients_ms


def measure(rounds: int = ROUNDS) -> list[ColdStart]:
    """Every handler with and without bytecode, and ``PLAIN_BOTO3`` as the last one."""
    with tempfile.TemporaryDirectory() as folder:
        runtime = _runtime(Path(folder) / "runtime")
        paths = {kind: [*_deployed(Path(folder), kind), runtime] for kind in (SHIPPED, NONE, ALL)}
        programs = {
            (handler, bytecode): _program(path, handler)
            for handler in CLIENTS
            for bytecode, path in paths.items()
            if bytecode != ALL or handler in WITH_PACKAGES
        }
        plain = (PLAIN_BOTO3, NONE)
        programs[plain] = PROGRAM.format(
            path=paths[NONE], imports="import boto3", clients="boto3.client('lambda')"
        )
        started = [{one: _run(program) for one, program in programs.items()} for _ in range(rounds)]
    cold_starts = []
    for one in programs:
        imports, clients, peak = zip(*(of_round[one] for of_round in started), strict=True)
        ratio = median(sum(of_round[one][:2]) / sum(of_round[plain][:2]) for of_round in started)
        cold_starts.append(ColdStart(*one, median(imports), median(clients), median(peak), ratio))
    return cold_starts


def _program(path: list[str], handler: str) -> str:
    of_job = [] if handler == "announce_runs" else [f"handler.job.load({DEFAULT_JOB!r})"]
    clients = [*of_job, *CLIENTS[handler]]
    return PROGRAM.format(
        path=path, imports=f"import lambda_src.handlers.{handler} as handler", clients="\n".join(clients)
    )


def _deployed(folder: Path, bytecode: str) -> list[str]:
    """Copies of our code and of the layer: the folders to import from."""
    jobs = [DEFAULT_JOB] if bytecode != ALL else names()
    layer = build_layer("host", [LOCK], build_libraries("host", sources_of_jobs(jobs)))
    task, opt = folder / bytecode / "task", folder / bytecode / "opt"
    _copy(build_code("host"), task)
    _copy(layer / "python", opt)
    if locks := locks_of_jobs(jobs):
        _copy(build_layer("host", locks) / "python", opt)
    if bytecode != NONE:
        # By this Python, as it is the one that reads it.
        for compiled in (task, opt):
            write_bytecode(str(compiled), str(compiled))
    return [str(task), str(opt)]


def _runtime(folder: Path) -> str:
    """A copy of the runtime's packages."""
    folder.mkdir()
    for package in RUNTIME_PACKAGES:
        spec = find_spec(package)
        assert spec
        assert spec.origin
        file = Path(spec.origin)
        if file.name == "__init__.py":
            _copy(file.parent, folder / package)
        else:
            shutil.copy(file, folder)
    return str(folder)


def _copy(folder: Path, to: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__", NOT_IN_LAMBDA)
    shutil.copytree(folder, to, ignore=ignore, dirs_exist_ok=True)


def _run(program: str) -> list[float]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIA0000000000000000",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    printed = subprocess.check_output([sys.executable, "-I", "-S", "-B", "-c", program], env=environment)
    return msgspec.json.decode(printed, type=list[float])


def main() -> None:
    """Print a line for each."""
    print(f"Python {platform.python_version()}, milliseconds of a processor, peak of memory")
    print(f"{'handler':20}{'bytecode':10}{'imports':>9}{'clients':>9}{'both':>6}{'of boto3':>10}{'MiB':>5}")
    for one in measure():
        print(
            f"{one.handler:20}{one.bytecode:10}{one.imports_ms:9.0f}{one.clients_ms:9.0f}{one.ms:6.0f}"
            f"{one.ratio:10.2f}{one.peak_mib:5.0f}"
        )


if __name__ == "__main__":
    main()
