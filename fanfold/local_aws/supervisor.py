"""Runs a command, and ends its process group as soon as whoever started it lets go, or is gone.

    python -I -S lifeline.py DESCRIPTOR STOP_TIMEOUT_S COMMAND [ARGUMENT ...]

DESCRIPTOR is the reading end of a pipe whose other end only the starter holds: it closes when the starter
closes it, and when the starter ends, however that came. This process leads the group. A byte in the pipe says
that the group is to stay: from then on it ends when it is asked to by a signal, or as soon as COMMAND does.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence


def main(lifeline: int, stop_timeout_s: float, command: Sequence[str]) -> int:
    """Run ``command``; its exit status, as a shell gives it."""
    os.set_inheritable(lifeline, False)
    # The group is asked to end as a whole. Its leader waits for the others, some of which need a moment.
    signal.signal(signal.SIGTERM, lambda *_: None)
    leaves_nothing = threading.Event()

    def end_group() -> None:
        stays = os.read(lifeline, 1)
        leaves_nothing.set()
        if stays:
            return
        os.killpg(0, signal.SIGTERM)
        time.sleep(stop_timeout_s)
        os.killpg(0, signal.SIGKILL)

    process = subprocess.Popen(command, close_fds=False)
    threading.Thread(target=end_group, daemon=True).start()
    status = process.wait()
    if leaves_nothing.is_set():
        os.killpg(0, signal.SIGKILL)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
