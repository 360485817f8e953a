"""A run through the deployed system, beside what people would use instead, taken in turn on the same file.

The deployed stack works in a local AWS with IAM and TLS; its seconds are from invoking to the answer, the
upload apart. Peers read the local file; their seconds leave out the start of their process and their imports.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgspec
from botocore.config import Config
from msgspec import Struct

from benchmarks.peers import PROCESSORS, Peer, TopWords
from fanfold.account.connection import Aws, account_of
from fanfold.account.deployment import Deployment, deploy_locally, find_deployment
from fanfold.local_aws.server import LocalAws, local_aws
from fanfold.runs.upload import upload
from fanfold.safe_text import visible
from lambda_src.settings import PARSE_FILE_TIMEOUT_S

PUBLISHED_BLOCK_BYTES = 5 << 20

DEFAULT, PUBLISHED, COLD = "Fanfold", "Fanfold, 5 MiB blocks", "Fanfold, cold"
OWN: dict[str, dict[str, int]] = {DEFAULT: {}, PUBLISHED: {"block_bytes": PUBLISHED_BLOCK_BYTES}}
"""What differs in the requests of warm runs."""

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class RunFailed(Exception):
    """A run of ours has no answer."""


class AnswersDiffer(Exception):
    """Two contestants counted differently: their seconds mean nothing."""


class Deployed(NamedTuple):
    """The stack, deployed into a local AWS whose processes are of the session ``session``."""

    aws: Aws
    deployment: Deployment
    session: int

    def run(self, key: str, **request: Any) -> dict[str, Any]:
        """Have ``parse_file`` do a run, and wait for its answer; by default with as many Lambdas at once as
        `make run` has."""
        config = Config(read_timeout=PARSE_FILE_TIMEOUT_S + 5, retries={"total_max_attempts": 1})
        event = {"key": key, "max_concurrency": 2 * PROCESSORS, **request}
        response = self.aws.client("lambda", config).invoke(
            FunctionName=self.deployment.parse_file, Payload=msgspec.json.encode(event)
        )
        answer: dict[str, Any] = msgspec.json.decode(response["Payload"].read())
        if "FunctionError" in response:
            raise RunFailed(f"The run failed: {visible(answer['errorMessage'])}")
        return answer


class Ran(Struct, frozen=True):
    """One answer. ``stages_s`` are a run's own seconds, ``cpu_s`` those of processors by kind of process."""

    contestant: str
    wall_s: float
    stages_s: dict[str, float]
    cpu_s: dict[str, float]


class Answered(NamedTuple):
    """What a contestant answered, and what that took."""

    ran: Ran
    top_words: TopWords


class Round(Struct, frozen=True):
    """One deployment, and what was run then, the cold run first."""

    deploy_s: float
    upload_s: float
    ran: list[Ran]


class Summary(Struct, frozen=True):
    """Medians of one contestant. ``ratio`` is that of its seconds to a baseline's in the same round."""

    contestant: str
    wall_s: float
    stages_s: dict[str, float]
    cpu_s: dict[str, float]
    ratio: float


@contextmanager
def deployed(
    folder: Path,
    started: Callable[[LocalAws], None] = lambda _: None,
    **server_variables: str,
) -> Iterator[Deployed]:
    """The stack in a local AWS of its own, deployed as by `make run`. ``started`` gets the local AWS before
    the deployment."""
    with local_aws(folder, **server_variables) as local:
        started(local)
        deploy_locally(local, folder)
        aws = account_of(local.environment)
        yield Deployed(aws, find_deployment(aws), local.process_id)


def measure(text: Path, peers: Sequence[Peer], rounds: int) -> list[Round]:
    """So many rounds, each with a deployment of its own, for only the first run after that is cold. Raises
    AnswersDiffer."""
    return [_round(text, peers, number) for number in range(rounds)]


def summarize(rounds: Sequence[Round], baseline: str = DEFAULT) -> list[Summary]:
    """Medians over the rounds, our own runs first."""
    by_name = [{ran.contestant: ran for ran in of_round.ran} for of_round in rounds]
    own = (COLD, *OWN)
    return [
        Summary(
            name,
            median(of_round[name].wall_s for of_round in by_name),
            _medians([of_round[name].stages_s for of_round in by_name]),
            _medians([of_round[name].cpu_s for of_round in by_name]),
            median(of_round[name].wall_s / of_round[baseline].wall_s for of_round in by_name),
        )
        for name in (*own, *(name for name in by_name[0] if name not in own))
    ]


def _medians(of_rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: median(of_round[name] for of_round in of_rounds) for name in of_rounds[0]}


def _round(text: Path, peers: Sequence[Peer], number: int) -> Round:
    with tempfile.TemporaryDirectory(dir=text.parent) as folder:
        started_at = time.monotonic()
        with deployed(Path(folder)) as stack:
            deployed_at = time.monotonic()
            key = upload(stack.aws, stack.deployment.bucket, text).key
            uploaded_at = time.monotonic()
            answered = [_run(stack, COLD, key, {})]
            contestants: list[str | Peer] = [*OWN, *peers]
            first = number % len(contestants)
            answered += [
                _run(stack, one, key, OWN[one]) if isinstance(one, str) else _count(one, text)
                for one in contestants[first:] + contestants[:first]
            ]
    for other in answered[1:]:
        compare(answered[0], other)
    return Round(deployed_at - started_at, uploaded_at - deployed_at, [one.ran for one in answered])


def _run(stack: Deployed, name: str, key: str, request: Mapping[str, int]) -> Answered:
    before, started_at = cpu_by_kind(stack.session), time.monotonic()
    answer = stack.run(key, **request)
    wall_s, after = time.monotonic() - started_at, cpu_by_kind(stack.session)
    stages_s = {stage: float(seconds) for stage, seconds in answer["seconds"].items()}
    top_words = {
        length: [(entry["word"], entry["count"]) for entry in entries]
        for length, entries in answer["top_words"].items()
    }
    cpu_s = {kind: after[kind] - before[kind] for kind in after}
    return Answered(Ran(name, wall_s, stages_s, cpu_s), top_words)


def _count(peer: Peer, text: Path) -> Answered:
    (counted,) = peer.answers(text)
    return Answered(Ran(peer.name, counted.wall_s, {}, {"peer": counted.cpu_s}), counted.top_words)


def compare(one: Answered, other: Answered) -> None:
    """Raise AnswersDiffer unless both answered the same."""
    for length in sorted(one.top_words.keys() | other.top_words.keys(), key=int):
        mine, others = one.top_words.get(length), other.top_words.get(length)
        if mine != others:
            raise AnswersDiffer(
                f"Of length {length}, {one.ran.contestant} found {mine}, and {other.ran.contestant} {others}."
            )


def cpu_by_kind(session: int) -> dict[str, float]:
    """The processor seconds so far of this process, the client, and of the local AWS whose session that is:
    of its server, and of the Lambdas, those that ended included."""
    used = {"server": 0, "Lambdas": 0}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            # Behind the name, which may hold anything, begins the third field.
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        if int(fields[3]) != session or int(process.name) == session:  # the session's leader only waits
            continue
        own, ended = (int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14]))
        if b"hypercorn" in command:
            used["server"] += own
            used["Lambdas"] += ended
        else:
            used["Lambdas"] += own + ended
    seconds = {kind: ticks / TICKS_A_SECOND for kind, ticks in used.items()}
    return {**seconds, "client": time.process_time()}
