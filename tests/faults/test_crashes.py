"""Processes that die: workers before they store, the orchestrator at ten moments, and then resumed."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from fanfold.demo.corpus import write_corpus
from lambda_src.fan_out.map_reduce import MAX_ATTEMPTS
from lambda_src.wire.requests import new_run_id
from tests import oracle
from tests.faults.cases import BLOCK_BYTES, right_words
from tests.faults.faulty import Faulty, each_job, kill, process_of_connection
from tests.faults.proxy import Call, Fault, Reset, Stall

FUNCTIONS = ("parse_block", "get_occurrences")


def at_work(call: Call, faulty: Faulty) -> int | None:
    """The number of a task whose work is to be lost: of a block, or of a part, both from 0, whose result is
    about to be stored; or of the only reducer, when it reads the first block."""
    if call.block is not None:
        return call.block
    if faulty.shards.by != "part":
        return 0 if call.block_read == 0 else None
    if call.target == "TransactWriteItems":
        for action in msgspec.json.decode(call.body)["TransactItems"]:
            if "Put" in action:
                return faulty.job.parts.index(action["Put"]["Item"]["part"]["S"])
    return None


def kill_workers(faulty: Faulty, function: str, times: Callable[[int], int]) -> Counter[int]:
    """Kill the worker of each task of ``function`` when its work is to be lost, ``times(task)`` times; how
    often that was done."""
    kills: Counter[int] = Counter()

    def decide(call: Call) -> Fault | None:
        task = at_work(call, faulty)
        if task is None or kills[task] >= times(task):
            return None
        worker = process_of_connection(call.port, faulty.workers(function))
        if worker is None:  # of another function
            return None
        kills[task] += 1
        kill(worker)
        return Reset()

    faulty.proxy.decide = decide
    return kills


@each_job
@pytest.mark.parametrize("function", FUNCTIONS)
def test_killed_workers_lose_nothing(faulty: Faulty, function: str) -> None:
    """What is promised: a task has five attempts, so four of its workers may die; of any number of tasks."""
    kills = kill_workers(faulty, function, lambda task: MAX_ATTEMPTS - 1 - task if task < MAX_ATTEMPTS else 0)
    faulty.must_be_exact(f"SIGKILL of {function} workers, up to 4 of a task", faulty.event())
    tasks = 20 if function == "parse_block" else faulty.shards.count
    assert sum(kills.values()) == sum([4, 3, 2, 1, 0][:tasks])


@each_job
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_task_whose_workers_all_die_fails_the_run_by_name(faulty: Faulty, function: str) -> None:
    """The edge of the promise."""
    last = min(2, 2 if function == "parse_block" else faulty.shards.count - 1)
    kills = kill_workers(faulty, function, lambda task: 1_000 if task == last else 0)
    reducer = faulty.shards.name(last, faulty.job.part, faulty.job.parts)
    named = "block 2" if function == "parse_block" else reducer
    faulty.must_fail(f"SIGKILL of every worker of {named}", faulty.event(), named, "Worker process died")
    assert kills[last] == MAX_ATTEMPTS


def test_killed_reducers_by_key_lose_nothing(faulty: Faulty) -> None:
    """Four of them, each when it has begun to read."""
    killed: list[int] = []

    def decide(call: Call) -> Fault | None:
        if call.block_read != 0 or len(killed) == MAX_ATTEMPTS - 1:
            return None
        worker = process_of_connection(call.port, faulty.workers("get_occurrences"))
        if worker is None:
            return None
        killed.append(worker)
        kill(worker)
        return Reset()

    faulty.proxy.decide = decide
    event = faulty.event(shard_by="key", shards=3)
    faulty.must_be_exact("SIGKILL of four reducers by key", event)
    assert len(killed) == MAX_ATTEMPTS - 1


def nth(matches: Callable[[Call], bool], n: int) -> Callable[[Call], bool]:
    """Whether a call is the ``n``-th that matches."""
    seen = 0

    def is_nth(call: Call) -> bool:
        nonlocal seen
        seen += matches(call)
        return bool(matches(call)) and seen == n

    return is_nth


MOMENTS: dict[str, Callable[[Faulty], Callable[[Call], bool]]] = {
    "at the first block": lambda faulty: nth(faulty.is_function("parse_block"), 1),
    "at block 5": lambda faulty: nth(faulty.is_function("parse_block"), 5),
    "at block 10": lambda faulty: nth(faulty.is_function("parse_block"), 10),
    "at block 15": lambda faulty: nth(faulty.is_function("parse_block"), 15),
    "at the last block": lambda faulty: nth(faulty.is_function("parse_block"), 20),
    "at the manifest": lambda _: nth(lambda call: call.target.startswith("runs/"), 1),
    "at the reducers": lambda faulty: nth(faulty.is_function("get_all_occurrences"), 1),
    "at the first reducer": lambda faulty: nth(faulty.is_function("get_occurrences"), 1),
    "at the last reducer": lambda faulty: nth(faulty.is_function("get_occurrences"), faulty.shards.count),
    "at the log": lambda faulty: nth(faulty.is_function("log_results"), 1),
}
SHORT = {"at block 10", "at the last reducer"}


@each_job
@pytest.mark.parametrize(
    "moment", [name if name in SHORT else pytest.param(name, marks=pytest.mark.long) for name in MOMENTS]
)
def test_a_killed_orchestrator_is_resumed(faulty: Faulty, moment: str) -> None:
    event = faulty.event()
    is_moment = MOMENTS[moment](faulty)

    def decide(call: Call) -> Fault | None:
        if is_moment(call):
            for worker in faulty.workers("parse_file"):  # the one at work, and idle ones
                kill(worker)
            return Stall(0.0)
        return None

    faulty.proxy.decide = decide
    _, failed = faulty.stack.invoke(event)
    assert failed
    faulty.proxy.wait_until_idle()
    faulty.proxy.decide = lambda _: None
    record, _ = faulty.stack.results(event["run_id"])
    assert record is not None
    assert record.status == "RUNNING"

    # Another invocation is told to wait for the lease of the one that died ...
    answer, failed = faulty.stack.invoke(event)
    assert failed
    assert "another invocation works on the run" in answer["errorMessage"]
    # ... and once it has run out, parses only the blocks that have no blob.
    faulty.let_lease_run_out(event["run_id"])
    blobs = faulty.blobs(event["run_id"])
    before = len(faulty.proxy.calls)
    faulty.must_be_exact(f"parse_file killed {moment}, then resumed", event)
    parsed = faulty.proxy.blocks_stored_since(before)
    record, _ = faulty.stack.results(event["run_id"])
    assert record is not None
    assert (record.blocks_kept, parsed) == (blobs, record.blocks - blobs)


def test_runs_side_by_side_share_nothing(faulty: Faulty, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("objects")
    texts = {}
    for number in range(5):
        write_corpus(folder / "corpus", 5 * BLOCK_BYTES, number)
        key = faulty.stack.put(f"input/side-{number}", (folder / "corpus").read_bytes())
        texts[key] = right_words(oracle.count_words((folder / "corpus").read_bytes()))
    events = [
        {"key": key, "block_bytes": BLOCK_BYTES, "max_concurrency": 3, "run_id": new_run_id()}
        for key in [*texts, *texts]
    ]
    with ThreadPoolExecutor(len(events)) as executor:
        answers = list(executor.map(faulty.stack.invoke, events))
    for event, (answer, failed) in zip(events, answers, strict=True):
        faulty.check_exact("Ten runs at once on five objects", answer, failed, texts[str(event["key"])])
