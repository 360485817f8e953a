"""How long a run takes in this checkout against another one, deployed side by side, run in turn.

python -m benchmarks.runs OTHER_CHECKOUT [MEGABYTES ...]

Both checkouts must be installed (make .installed); each is deployed by its own code into its own local AWS.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from fanfold.demo.corpus import write_corpus

ROUNDS = 7
DEFAULT_MEGABYTES = (2, 20, 200)

RUNNER = """
import json, sys, tempfile, time
from pathlib import Path
from fanfold.account.connection import account_of
from fanfold.account.deployment import deploy_locally, find_deployment
from fanfold.local_aws.server import local_aws
from botocore.config import Config
with tempfile.TemporaryDirectory() as name, local_aws(Path(name)) as local:
    folder = Path(name)
    deploy_locally(local, folder)
    aws = account_of(local.environment)
    deployment = find_deployment(aws)
    aws.client("s3").upload_file(sys.argv[1], deployment.bucket, "input/text")
    once = Config(read_timeout=905, retries={"total_max_attempts": 1})
    client = aws.client("lambda", once)
    event = json.dumps({"key": "input/text", "max_concurrency": 4})
    print("ready", flush=True)
    for _ in sys.stdin:
        started_at = time.monotonic()
        response = client.invoke(FunctionName=deployment.parse_file, Payload=event)
        assert "FunctionError" not in response, response["Payload"].read()
        print(time.monotonic() - started_at, flush=True)
"""


class Checkout:
    """A deployed checkout that runs the job when told."""

    def __init__(self, folder: Path, file: Path) -> None:
        self._process = subprocess.Popen(
            [
                str(folder / ".venv" / "bin" / "python"),
                "-c",
                "import benchmarks.runs; exec(benchmarks.runs.RUNNER)",  # its own: names may have changed
                str(file),
            ],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def run_s(self) -> float:
        """The seconds of one run, from invoking to the answer."""
        assert self._process.stdin
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        return float(self._line())

    def end(self) -> None:
        """Stop its local AWS."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


def main(other: Path, megabytes: Sequence[int]) -> None:
    """Print the ratios of paired runs for each size of generated text."""
    for size in megabytes:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            file = Path(folder, "corpus.xml")
            write_corpus(file, size * 1_000_000, 1)
            here, there = (Checkout(checkout, file) for checkout in (Path.cwd(), other))
            stack.callback(here.end)
            stack.callback(there.end)
            warm = [(here.run_s(), there.run_s()) for _ in range(ROUNDS + 1)][1:]
        ratios = sorted(here_s / there_s for here_s, there_s in warm)
        here_s, there_s = (median(seconds) for seconds in zip(*warm, strict=True))
        print(
            f"{size} MB: {here_s:.2f} s, there {there_s:.2f} s, here / there: median {median(ratios):.2f}"
            f" (from {ratios[0]:.2f} to {ratios[-1]:.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(size) for size in sys.argv[2:]] or DEFAULT_MEGABYTES)
