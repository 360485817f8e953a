"""What a cold start of each function costs: processor time of imports and clients, and memory.

python -m benchmarks.cold_starts

As in Lambda, neither our code nor a layer's nor the runtime's boto3 has bytecode, and cannot leave any; the
standard library has it. Clients are made and ask for nothing, so no TLS is in it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

from lambda_src.settings import DEFAULT_JOB
from stacks.dependency_layer import LOCK, ROOT, build_layer
from stacks.native_library import build_library, source_of_job

ROUNDS = 7

BUCKET = "handler.open_bucket('bucket', 'amazonaws.com')"
TABLE = "handler.open_table('table', 'amazonaws.com')"
FUNCTIONS = "handler.open_functions('amazonaws.com', 60)"
CLIENTS = {
    "parse_file": [TABLE, FUNCTIONS, BUCKET],
    "parse_block": [BUCKET],
    "get_all_occurrences": [FUNCTIONS],
    "get_occurrences": [BUCKET, TABLE],
    "log_results": [TABLE],
}
"""What a handler makes before it can ask AWS for anything. Clients that two of its calls share count once."""

RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
"""boto3 and what it needs, as the runtime brings it."""

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
    imports_ms: float
    clients_ms: float
    peak_mib: float
    ratio: float

    @property
    def ms(self) -> float:
        """Imports and clients."""
        return self.imports_ms + self.clients_ms


def measure(rounds: int = ROUNDS) -> list[ColdStart]:
    """Every handler, and ``PLAIN_BOTO3`` as the last one."""
    with tempfile.TemporaryDirectory() as folder:
        path = _without_bytecode(Path(folder))
        programs = {handler: _program(path, handler) for handler in CLIENTS}
        programs[PLAIN_BOTO3] = PROGRAM.format(
            path=path, imports="import boto3", clients="boto3.client('lambda')"
        )
        started = [{name: _run(program) for name, program in programs.items()} for _ in range(rounds)]
    cold_starts = []
    for name in programs:
        imports, clients, peak = zip(*(of_round[name] for of_round in started), strict=True)
        ratio = median(sum(of_round[name][:2]) / sum(of_round[PLAIN_BOTO3][:2]) for of_round in started)
        cold_starts.append(ColdStart(name, median(imports), median(clients), median(peak), ratio))
    return cold_starts


def _program(path: list[str], handler: str) -> str:
    clients = [f"handler.job.load({DEFAULT_JOB!r})", *CLIENTS[handler]]
    return PROGRAM.format(
        path=path, imports=f"import lambda_src.handlers.{handler} as handler", clients="\n".join(clients)
    )


def _without_bytecode(folder: Path) -> list[str]:
    """Copies of our code, of the layer and of the runtime's packages: the folders to import from."""
    source = source_of_job(DEFAULT_JOB)
    layer = build_layer("host", LOCK, build_library("host", source) if source else None)
    task, opt, runtime = folder / "task", folder / "opt", folder / "runtime"
    _copy(ROOT / "lambda_src", task / "lambda_src")
    _copy(layer / "python", opt)
    for package in RUNTIME_PACKAGES:
        spec = find_spec(package)
        assert spec
        assert spec.origin
        file = Path(spec.origin)
        if file.name == "__init__.py":
            _copy(file.parent, runtime / package)
        else:
            shutil.copy(file, runtime)
    return [str(task), str(opt), str(runtime)]


def _copy(folder: Path, to: Path) -> None:
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("__pycache__"))


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
    print(f"{'handler':22}{'imports, ms':>12}{'clients, ms':>12}{'both':>6}{'of boto3':>10}{'peak, MiB':>11}")
    for one in measure():
        print(
            f"{one.handler:22}{one.imports_ms:12.0f}{one.clients_ms:12.0f}{one.ms:6.0f}{one.ratio:10.2f}"
            f"{one.peak_mib:11.0f}"
        )


if __name__ == "__main__":
    main()
