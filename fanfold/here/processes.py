"""Processes of this machine that do the work of a fan-out."""

import cProfile
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from fanfold.here.tracebacks import JobFailed, author_traceback
from fanfold.signals import SIGNALS
from lambda_src.errors import FanfoldError
from lambda_src.fan_out.drivers import Call, Finished

Work = Callable[[Any], Any]


class ProcessDied(FanfoldError):
    """A process ended in the middle of its work, or could not start."""


class Processes:
    """At most ``count`` processes that each call ``work(task)`` for one task at a time.

    Each is forked when a task needs it, so it knows all that this process has loaded by then, such as NumPy.
    No thread may be working then. They end with this process, however that ends. With ``profile``, they note
    where their time goes.
    """

    def __init__(self, count: int, work: Work, *, profile: bool = False) -> None:
        self.count = count
        self.idle: list[Connection] = []
        self._work, self._profile = work, profile
        self._all: list[tuple[multiprocessing.process.BaseProcess, Connection]] = []

    def has_room(self) -> bool:
        """Whether another task can be started."""
        return bool(self.idle) or len(self._all) < self.count

    def take(self) -> Connection:
        """The connection to a process that has no task. Raises ProcessDied."""
        return self.idle.pop() if self.idle else self._fork()

    def _fork(self) -> Connection:
        context = multiprocessing.get_context("fork")
        try:
            here, there = context.Pipe()
            inherited = [here, *(connection for _, connection in self._all)]
            process = context.Process(
                target=_serve, args=(there, inherited, self._work, self._profile), daemon=True
            )
            with SIGNALS.held():
                process.start()
                self._all.append((process, here))
        except OSError as error:
            raise ProcessDied(
                f"this machine cannot start another process ({error.strerror}): choose fewer (--processes)."
            ) from error
        there.close()
        return here

    def driver(self) -> "ProcessDriver":
        """A driver for one fan-out. One fan-out at a time uses the processes."""
        return ProcessDriver(self)

    def profiles(self) -> list[Any]:
        """What the idle processes noted, each as ``cProfile`` has it. They end."""
        found = []
        for connection in self.idle:
            connection.send(None)
            found.append(connection.recv())
        return found

    def close(self) -> None:
        """End all processes, whatever they do."""
        for process, connection in self._all:
            process.kill()
            connection.close()
        for process, _ in self._all:
            process.join()


class ProcessDriver:
    """Implements ``drivers.Driver``."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._under_way: dict[Connection, Call] = {}

    def now(self) -> float:
        """As ``Driver.now``."""
        return time.monotonic()

    def has_room(self) -> bool:
        """As ``Driver.has_room``."""
        return self._processes.has_room()

    def start(self, call: Call, task: Any) -> None:
        """As ``Driver.start``. A second copy of a call does not start: on one machine it would only take
        time from the first."""
        if any(call.number == other.number for other in self._under_way.values()):
            return
        connection = self._processes.take()
        self._under_way[connection] = call
        with suppress(OSError):  # the process is gone, as ``wait`` will find
            connection.send(task)

    def wait(self, timeout_s: float) -> Sequence[Finished]:
        """As ``Driver.wait``."""
        if not self._under_way:
            time.sleep(timeout_s)
        return [
            self._finished(connection)
            for connection in wait(list(self._under_way), timeout_s)
            if isinstance(connection, Connection)
        ]

    def abandon(self, call: Call) -> None:
        """As ``Driver.abandon``. Its process is not used again."""
        self._under_way = {where: other for where, other in self._under_way.items() if other != call}

    def close(self) -> None:
        """As ``Driver.close``."""

    def _finished(self, connection: Connection) -> Finished:
        call = self._under_way.pop(connection)
        try:
            answer, error = connection.recv()
        except (EOFError, OSError):
            died = ProcessDied(
                "a process of this run was killed, or ended in the job's own code: if this machine has run "
                "out of memory, choose smaller blocks (--block-bytes) or fewer processes (--processes)."
            )
            return Finished(call, time.monotonic(), None, died)
        self._processes.idle.append(connection)
        return Finished(call, time.monotonic(), answer, error and _raised(*error))


def _raised(kind: type[BaseException], message: str, fields: dict[str, Any]) -> BaseException:
    """An error that a process has sent, without a call of its ``__init__``."""
    error = kind.__new__(kind, message)
    error.__dict__.update(fields)
    return error


def _serve(connection: Connection, inherited: Sequence[Connection], work: Work, profile: bool) -> None:
    """A process's work: one task after another, until the process that forked it has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the process that forked it ends it
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as by nohup
            signal.signal(number, signal.SIG_DFL)
    for other in inherited:  # or this process would not notice that the other end is closed
        other.close()
    profiler = cProfile.Profile() if profile else None
    while True:
        try:
            task = connection.recv()
            if task is None:
                connection.send(_stats(profiler))
                break
            connection.send(_outcome(work, task, profiler))
        except (EOFError, OSError):
            break
    os._exit(0)


def _outcome(work: Work, task: Any, profiler: cProfile.Profile | None) -> tuple[Any, Any]:
    try:
        return profiler.runcall(work, task) if profiler else work(task), None
    except FanfoldError as error:
        return None, (type(error), str(error), error.__dict__)
    except BaseException as error:  # noqa: BLE001 - the job's own, which its author has to see
        return None, (JobFailed, author_traceback(error), {})


def _stats(profiler: cProfile.Profile | None) -> Any:
    if not profiler:
        return {}
    profiler.create_stats()
    return profiler.stats
