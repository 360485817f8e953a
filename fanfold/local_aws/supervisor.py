"""Runs a command, and ends its process group when the process that started it ends.

    python -I -S supervisor.py DESCRIPTOR STOP_TIMEOUT_S COMMAND [ARGUMENT ...]

DESCRIPTOR is the reading end of a pipe. Only the starter holds the other end, so the pipe closes when the
starter closes it or ends for any reason. This process leads the group. A byte in the pipe lets the group
outlive the starter: it then ends on SIGTERM, or when COMMAND ends.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence


def main(descriptor: int, stop_timeout_s: float, command: Sequence[str]) -> int:
    """Run ``command`` and return its exit status, as a shell does."""
    os.set_inheritable(descriptor, False)
    # SIGTERM goes to the whole group. The leader waits for the others, which may need a moment.
    signal.signal(signal.SIGTERM, lambda *_: None)
    ends_whole_group = threading.Event()

    def end_group() -> None:
        stays = os.read(descriptor, 1)
        ends_whole_group.set()
        if stays:
            return
        os.killpg(0, signal.SIGTERM)
        time.sleep(stop_timeout_s)
        os.killpg(0, signal.SIGKILL)

    process = subprocess.Popen(command, close_fds=False)
    threading.Thread(target=end_group, daemon=True).start()
    status = process.wait()
    if ends_whole_group.is_set():
        os.killpg(0, signal.SIGKILL)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
