"""``fanfold try``, Polars and DuckDB in turn on the same file: python -m benchmarks.try_here FILE [ROUNDS]

Seconds are those of whole programs, from their start to their answer.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks import peers

OURS = "fanfold try"


def ours(file: Path) -> tuple[float, peers.TopWords]:
    """Seconds and answer."""
    began_at = time.monotonic()
    command = [sys.executable, "-m", "fanfold", "try", "top_words", str(file), "--json"]
    done = subprocess.run(command, cwd=peers.ROOT, capture_output=True, check=True)
    taken_s = time.monotonic() - began_at
    found = json.loads(done.stdout)["top_words"]
    return taken_s, {length: [(one["word"], one["count"]) for one in top] for length, top in found.items()}


def of_peer(peer: peers.Peer, file: Path) -> tuple[float, peers.TopWords]:
    """Seconds and answer. Raises PeerFailed."""
    began_at = time.monotonic()
    (counted,) = peer.answers(file)
    return time.monotonic() - began_at, counted.top_words


def main(file: Path, rounds: int) -> None:
    """Measure in turn, and print the medians."""
    peers.install()
    rivals = [peer for peer in peers.PEERS if peer.name in ("Polars", "DuckDB")]
    seconds: dict[str, list[float]] = {OURS: [], **{rival.name: [] for rival in rivals}}
    for _ in range(rounds):
        own_s, own = ours(file)
        seconds[OURS].append(own_s)
        for rival in rivals:
            rival_s, theirs = of_peer(rival, file)
            if own != theirs:
                sys.exit("The answers differ: use a text in ASCII, as `make bench` writes it.")
            seconds[rival.name].append(rival_s)
    for name, taken in seconds.items():
        ratio = median(one / own for one, own in zip(taken, seconds[OURS], strict=True))
        print(f"{name:12} {median(taken):7.2f} s, {ratio:5.2f} times as long", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
