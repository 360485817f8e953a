"""Processes that die: workers at random moments, the orchestrator at ten, and then resumed."""

import contextlib
import os
import random
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from client.corpus import write_corpus
from lambda_src.messages import new_run_id
from tests import oracle
from tests.faults.faulty import BLOCK_BYTES, Faulty
from tests.faults.proxy import Call, Fault, Stall

START_S = 1.5
"""The local AWS takes a worker that dies while it starts for a broken function, and ends all others of it."""


def kill(process_id: int) -> None:
    """SIGKILL."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process_id, signal.SIGKILL)


@pytest.mark.parametrize("function", ["parse_block", "get_occurrences"])
def test_killed_workers_lose_nothing(faulty: Faulty, function: str) -> None:
    generator = random.Random(1)
    over = threading.Event()
    killed = 0

    def kill_now_and_then() -> None:
        nonlocal killed
        while not over.wait(generator.uniform(0.1, 0.5)):
            workers = faulty.workers(function, START_S)
            if workers:
                kill(generator.choice(workers))
                killed += 1

    killer = threading.Thread(target=kill_now_and_then)
    # Slow enough to be caught at work.
    faulty.proxy.decide = lambda call: Stall(0.3) if call.service == "s3" else None
    killer.start()
    try:
        answer, failed = faulty.stack.invoke(faulty.event())
    finally:
        over.set()
        killer.join()
    assert killed
    faulty.proxy.injected = killed
    faulty.check_exact(f"SIGKILL of {function} workers", answer, failed)


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
    "at reducer 1": lambda faulty: nth(faulty.is_function("get_occurrences"), 1),
    "at reducer 20": lambda faulty: nth(faulty.is_function("get_occurrences"), 20),
    "at the log": lambda faulty: nth(faulty.is_function("log_results"), 1),
}
SHORT = {"at block 10", "at reducer 20"}


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
        texts[key] = oracle.count_words((folder / "corpus").read_bytes())
    events = [
        {"key": key, "block_bytes": BLOCK_BYTES, "max_concurrency": 3, "run_id": new_run_id()}
        for key in [*texts, *texts]
    ]
    with ThreadPoolExecutor(len(events)) as executor:
        answers = list(executor.map(faulty.stack.invoke, events))
    for event, (answer, failed) in zip(events, answers, strict=True):
        faulty.check_exact("Ten runs at once on five objects", answer, failed, texts[str(event["key"])])
