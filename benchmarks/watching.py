"""What it costs a run to be watched, and to keep its books: python -m benchmarks.watching

200 blocks through the deployed stack in a local AWS: alone, and with a live view that follows the run's
record until the end. 10,000 calls of `parse_block` from one process to a stub of Lambda's API: without books,
and with those that the record, the cost and the report are made from. In turn, and as medians.
"""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from rich.console import Console

from benchmarks import fan_out
from benchmarks.ascii_text import write_text
from benchmarks.end_to_end import Deployed, deployed
from fanfold.cli import live
from fanfold.runs.run import Run
from fanfold.runs.upload import upload
from lambda_src.aws.functions import Invocation, Invocations, open_functions
from lambda_src.fan_out import map_reduce
from lambda_src.fan_out.map_reduce import Observer
from lambda_src.run.ledger import Ledger
from lambda_src.telemetry.calls import Usage
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import BlockReport
from lambda_src.wire.requests import ParseBlockRequest, new_run_id

ROUNDS = 7
BLOCKS, BLOCK_BYTES = 200, 500_000
CALLS, DELAY_MS, AT_ONCE = 10_000, 50, 250
NO_USAGE = Usage(1769, 0.0, 0.0, 0.0, 0.0, {})


def of_runs(stack: Deployed, key: str, rounds: int) -> list[tuple[float, float]]:
    """The seconds of a run alone, and of one that is watched, by its own clock."""
    stack.run(key, block_bytes=BLOCK_BYTES)  # cold
    found = []
    for number in range(rounds):
        both = {watched: _run(stack, key, watched=watched) for watched in _in_turn(number)}
        found.append((both[False], both[True]))
    return found


def _run(stack: Deployed, key: str, *, watched: bool) -> float:
    run_id = new_run_id()
    with ThreadPoolExecutor(1) as executor:
        answer = executor.submit(stack.run, key, block_bytes=BLOCK_BYTES, run_id=run_id)
        if watched:
            while Run(stack.aws, stack.deployment, run_id).find() is None:
                pass
            with Path("/dev/null").open("w") as terminal:
                console = Console(file=terminal, force_terminal=True, width=120)
                with live.shown(console, "bytes") as show:
                    Run(stack.aws, stack.deployment, run_id).follow(show)
        return sum(map(float, answer.result()["seconds"].values()))


def of_calls(rounds: int) -> list[tuple[float, float]]:
    """The seconds of so many calls to the stub, without books and with them."""
    with fan_out.stub():
        client, tasks = open_functions("amazonaws.com"), fan_out.tasks_of(CALLS)

        def once(observer: Observer | None, tick: Callable[[], None]) -> float:
            began_at = time.monotonic()
            map_reduce.map_reduce(
                Invocations(client, lambda task: Invocation(str(DELAY_MS), task, 60), BlockReport),
                tasks,
                lambda _task, _report: None,
                name=_name,
                max_concurrency=AT_ONCE,
                tick=tick,
                observer=observer,
            )
            return time.monotonic() - began_at

        def with_books() -> float:
            ledger = Ledger(
                RunRecord(run_id="run", started_at=time.time()),
                lambda: NO_USAGE,
                lambda: None,
                lambda _: None,
            )
            seconds = once(ledger.watch("parse_block", _name), ledger.show)
            ledger.close()
            return seconds

        once(None, lambda: None)  # with new connections
        found = []
        for number in range(rounds):
            both = {books: with_books() if books else once(None, lambda: None) for books in _in_turn(number)}
            found.append((both[False], both[True]))
    return found


def _name(task: ParseBlockRequest) -> str:
    return f"block {task.block}"


def _in_turn(number: int) -> tuple[bool, bool]:
    return (False, True) if number % 2 else (True, False)


def _line(what: str, found: list[tuple[float, float]]) -> str:
    alone, watched = (median(column) for column in zip(*found, strict=True))
    ratios = sorted(other / one for one, other in found)
    return (
        f"{what:44}{alone:8.2f} s{watched:8.2f} s{median(ratios):8.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


def main() -> None:
    """Print a line for each."""
    print(f"{'':44}{'without':>10}{'with':>10}   ratio")
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder)) as stack:
        text = Path(folder, "text")
        write_text(text, BLOCKS * BLOCK_BYTES, None)
        key = upload(stack.aws, stack.deployment.bucket, text).key
        print(_line(f"{BLOCKS} blocks, a live view", of_runs(stack, key, ROUNDS)), flush=True)
    print(_line(f"{CALLS:,} calls, the books", of_calls(ROUNDS)))


if __name__ == "__main__":
    main()
