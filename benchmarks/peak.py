"""The peak memory of this process."""

from pathlib import Path


def own_peak_kib() -> int:
    """Of this process alone: ``ru_maxrss`` may be that of the process which has started it."""
    (peak,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(peak.split()[1])
