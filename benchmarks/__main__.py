"""All measurements, as tables and a JSON: python -m benchmarks [--file=FILE] [--quick]

The speed of a machine drifts: only ratios within one run count, and only on a machine that does nothing else.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from rich.console import Console

from benchmarks import cold_starts, end_to_end, kernels, measured, memory, peers, questions, service_calls
from benchmarks.ascii_text import write_text
from benchmarks.end_to_end import AnswersDiffer, RunFailed
from fanfold.errors import DeploymentError, LocalAwsError, UploadError
from fanfold.safe_text import visible

ROUNDS = 3
SMALL_BYTES, LARGE_BYTES = 100_000_000, 1_000_000_000
FOLDER = peers.ROOT / ".build" / "bench"
CONSOLE = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 160)


def main(arguments: list[str]) -> None:
    """Measure, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--file", type=Path, help="a text, made ASCII and repeated, instead of generated text"
    )
    parser.add_argument(
        "--quick", action="store_true", help="100 MB only, and not the memory of the worst inputs"
    )
    options = parser.parse_args(arguments)
    if options.file and not options.file.is_file():
        parser.error(f"--file: {visible(str(options.file))} is no file: name the text to count.")
    if not Path("/proc/self/stat").is_file():
        parser.error("the processor time of other processes is read from /proc: run it on Linux.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        peers.install()
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            found = measure(Path(folder), options.file, quick=options.quick)
    except (AnswersDiffer, RunFailed, peers.PeerFailed, DeploymentError, LocalAwsError, UploadError) as error:
        sys.exit(f"Benchmark failed: {error}")
    CONSOLE.print(measured.table_of_ratios(found))
    json = FOLDER / f"{found.started_at}.json"
    json.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    CONSOLE.print(f"All figures are in {json.relative_to(Path.cwd())}.")


def measure(folder: Path, file: Path | None, *, quick: bool) -> measured.Measured:
    """Everything, each part printed as it comes. What is written goes to ``folder``."""
    started_at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    small, large = (folder / "ascii-100-MB", folder / "ascii-1-GB")
    CONSOLE.print("Writing the text ...")
    if not quick:
        write_text(large, LARGE_BYTES, file)
    write_text(small, SMALL_BYTES, file if quick else large)

    CONSOLE.print("Measuring the kernels ...")
    of_kernels = list(kernels.rows([str(small), *([str(file)] if file else [])]))
    CONSOLE.print(measured.table_of_kernels(of_kernels))
    CONSOLE.print("Measuring cold starts ...")
    starts = cold_starts.measure()
    CONSOLE.print(measured.table_of_cold_starts(starts))
    peaks = []
    if not quick:
        CONSOLE.print("Measuring peak memory ...")
        peaks = list(memory.peaks())
        CONSOLE.print(measured.table_of_memory(peaks))
    CONSOLE.print("Asking questions ...")
    sizes = questions.QUICK if quick else questions.Sizes()
    answers = list(questions.measure(folder, sizes, 1 if quick else ROUNDS))
    CONSOLE.print(measured.table_of_answers(answers))
    runs = []
    for text in (small,) if quick else (small, large):
        CONSOLE.print(f"Measuring {measured.size(text.stat().st_size)} end to end ...")
        runs.append(of_runs(text))
        CONSOLE.print(measured.table_of_runs(runs[-1]))
    counted_text = small if quick else large
    CONSOLE.print("Counting requests ...")
    counts = service_calls.measure(counted_text)
    for of_run in counts:
        CONSOLE.print(measured.table_of_requests(of_run, counted_text.stat().st_size))
    return measured.Measured(
        started_at=started_at,
        machine=machine(),
        text=file.name if file else "generated",
        kernels=of_kernels,
        cold_starts=starts,
        memory=peaks,
        questions=answers,
        end_to_end=runs,
        requests_of_bytes=counted_text.stat().st_size,
        requests=counts,
    )


def of_runs(text: Path) -> measured.EndToEnd:
    """All rounds on ``text``, with the peers that can run here."""
    skipped = {peer.name: reason for peer in peers.PEERS if (reason := peer.lacks())}
    here = [peer for peer in peers.PEERS if peer.name not in skipped]
    return measured.EndToEnd(text.stat().st_size, end_to_end.measure(text, here, ROUNDS), skipped)


def machine() -> measured.Machine:
    """This one."""
    described = Path("/proc/cpuinfo").read_text()
    model = described.partition("model name")[2].partition("\n")[0].strip("\t: ")
    processor = model or platform.machine()
    return measured.Machine(platform.platform(), processor, os.cpu_count() or 1, platform.python_version())


if __name__ == "__main__":
    main(sys.argv[1:])
