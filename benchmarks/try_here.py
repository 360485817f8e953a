"""``fanfold try`` and Polars in turn on the same file: python -m benchmarks.try_here FILE [ROUNDS]

The seconds of both are those of whole programs, from their start to their answer.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks import peers
from fanfold.safe_text import visible


def ours(file: Path) -> tuple[float, peers.TopWords]:
    """Seconds and answer."""
    began_at = time.monotonic()
    command = [sys.executable, "-m", "fanfold", "try", "top_words", str(file), "--json"]
    done = subprocess.run(command, cwd=peers.ROOT, capture_output=True, check=True)
    taken_s = time.monotonic() - began_at
    found = json.loads(done.stdout)["top_words"]
    return taken_s, {length: [(one["word"], one["count"]) for one in top] for length, top in found.items()}


def of_polars(file: Path) -> tuple[float, peers.TopWords]:
    """Seconds and answer. Raises PeerFailed."""
    began_at = time.monotonic()
    (counted,) = peers.PEERS[0].answers(file)
    return time.monotonic() - began_at, counted.top_words


def main(file: Path, rounds: int) -> None:
    """Measure in turn, and print the medians."""
    peers.install()
    seconds: dict[str, list[float]] = {"fanfold try": [], "Polars": []}
    for _ in range(rounds):
        (own_s, own), (polars_s, theirs) = ours(file), of_polars(file)
        if own != theirs:
            sys.exit("The answers differ: use a text in ASCII, as `make bench` writes it.")
        seconds["fanfold try"].append(own_s)
        seconds["Polars"].append(polars_s)
    for name, taken in seconds.items():
        print(f"{name:12} {median(taken):7.2f} s ({', '.join(f'{one:.2f}' for one in taken)})")
    print(visible(f"Ratio {median(seconds['Polars']) / median(seconds['fanfold try']):.1f} on {file}"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
