"""``access_log`` beside DuckDB with an equivalent regular expression, in turn on the same file.

python -m benchmarks.logs [--mb=1000] [--rounds=3]
"""

import argparse
import random
import re
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.end_to_end import COLD, DEFAULT, AnswersDiffer, Deployed, RunFailed, deployed
from benchmarks.peers import LOG_PEER, ROOT, PeerFailed, install
from fanfold.demo.logs import write_logs
from fanfold.errors import DeploymentError, LocalAwsError, UploadError
from fanfold.runs.upload import upload
from fanfold.safe_text import visible

FOLDER = ROOT / ".build" / "bench"
GENERATED_BYTES = 100_000_000

Seconds = dict[str, list[float]]
"""Of each contestant, round by round."""


def write_log(path: Path, size: int) -> None:
    """Write a log in Combined Log Format and ASCII, of about ``size`` bytes: generated lines, again and again
    with other numbers in their paths."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        write_logs(Path(folder, "logs"), min(GENERATED_BYTES, size), seed=1, files=1)
        (file,) = Path(folder, "logs").iterdir()
        text = re.sub(rb"[^\n -~]", b"~", re.sub(rb"\n+", b"\n", file.read_bytes())) + b"\n"
    item = re.compile(rb"(?<=/)[0-9]{3,6}(?=[ ?])")
    generator = random.Random(1)
    with path.open("wb") as log:
        while log.tell() < size:
            log.write(item.sub(lambda _: b"%d" % generator.randrange(100, 1_000_000), text))


def measure(log: Path, rounds: int) -> Seconds:
    """So many rounds, each with a deployment of its own. Raises AnswersDiffer."""
    found: Seconds = {COLD: [], DEFAULT: [], LOG_PEER.name: []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=log.parent) as folder, deployed(Path(folder)) as stack:
            key = upload(stack.aws, stack.deployment.bucket, log).key
            cold = _run(stack, key, found[COLD])
            warm = _run(stack, key, found[DEFAULT])
            (peer,) = LOG_PEER.outputs(log)
            found[LOG_PEER.name].append(peer["wall_s"])
        for name, hours in (("the warm run", warm), (LOG_PEER.name, peer["hours"])):
            if hours != cold:
                raise AnswersDiffer(f"The cold run and {name} counted differently.")
    return found


def _run(stack: Deployed, key: str, seconds: list[float]) -> Any:
    started_at = time.monotonic()
    answer = stack.run(key, job="access_log")
    seconds.append(time.monotonic() - started_at)
    return answer["hours"]


def main(arguments: list[str]) -> None:
    """Measure, and print the medians and the ratios within a round."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.logs", description=__doc__)
    parser.add_argument("--mb", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        install()
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            log = Path(folder, "access.log")
            write_log(log, 1_000_000 * options.mb)
            found = measure(log, options.rounds)
    except (AnswersDiffer, RunFailed, PeerFailed, DeploymentError, LocalAwsError, UploadError) as error:
        sys.exit(f"Benchmark failed: {visible(str(error))}")
    for name, seconds in found.items():
        ratio = median(peer / own for peer, own in zip(found[LOG_PEER.name], seconds, strict=True))
        print(f"{name:14} {median(seconds):7.2f} s, {ratio:.2f} times as fast as {LOG_PEER.name}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
