"""Lambda's memory limit, for functions that are processes of this machine.

What counts is the resident memory of a function's process. What it shares with others, such as the
interpreter's code, counts, too; child processes do not. A process that passes its limit is killed while its
call is under way. A peak too short to be seen is found when the call ends: the kernel keeps a mark of it.
"""

import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import getpagesize

SOONEST_S, LATEST_S = 0.02, 0.5
"""When a process is looked at again, at the soonest and at the latest."""

GROWTH_BYTES_PER_S = 4 << 30
"""No process gets fresh memory faster: one that is far from its limit need not be looked at soon."""

_PAGE_BYTES = getpagesize()


class Watched:
    """A function's call: its process, if that is there already, and the most memory that this may have."""

    def __init__(self, process: Callable[[], subprocess.Popen[str] | None], limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.is_killed = False
        self.due_at = 0.0
        self._process = process

    def look(self, now: float) -> None:
        """Kill the process if it has too much now, and say when to look again."""
        process = self._process()
        has_bytes = _resident_bytes(process.pid) if process else 0
        if process and has_bytes > self.limit_bytes:
            self._kill(process)
        left_s = (self.limit_bytes - has_bytes) / GROWTH_BYTES_PER_S
        self.due_at = now + min(max(left_s, SOONEST_S), LATEST_S)

    def look_back(self) -> None:
        """Kill the process if it ever had too much."""
        process = self._process()
        if process and not self.is_killed and _peak_bytes(process.pid) > self.limit_bytes:
            self._kill(process)

    def _kill(self, process: subprocess.Popen[str]) -> None:
        self.is_killed = True
        process.kill()


class MemoryLimit:
    """Watches over any number of calls, from one thread, which sleeps while there is none."""

    def __init__(self) -> None:
        self._calls: set[Watched] = set()
        self._changed = threading.Condition()
        threading.Thread(target=self._watch, daemon=True).start()

    @contextmanager
    def over(
        self, process: Callable[[], subprocess.Popen[str] | None], limit_bytes: int
    ) -> Iterator[Watched]:
        """Watch over a call, whose process may start meanwhile. Its ``is_killed`` is final afterwards."""
        call = Watched(process, limit_bytes)
        with self._changed:
            self._calls.add(call)
            self._changed.notify()
        try:
            yield call
        finally:
            with self._changed:
                self._calls.discard(call)
            call.look_back()

    def _watch(self) -> None:
        while True:
            with self._changed:
                while not self._calls:
                    self._changed.wait()
                calls = list(self._calls)
            now = time.monotonic()
            for call in calls:
                if call.due_at <= now:
                    call.look(now)
            time.sleep(SOONEST_S)


def _resident_bytes(process_id: int) -> int:
    """0 of a process that has gone."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * _PAGE_BYTES
    return 0


def _peak_bytes(process_id: int) -> int:
    """0 of a process that has gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0
