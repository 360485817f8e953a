"""How fast one process invokes Lambdas: python -m benchmarks.fan_out

It goes through ``functions.invoke`` and ``map_reduce`` as ``parse_file`` does, against a stub of Lambda's API
on loopback, over TLS, that answers after a set delay. Beside it, a tree of two levels: one process for each
100 calls at once, as Lambdas of their own would be. Each case runs in a process of its own, twice: with new
connections, and again with those that it has.
"""

import asyncio
import multiprocessing
import os
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import msgspec

from fanfold.local_aws.certificates import Certificates
from lambda_src import map_reduce
from lambda_src.aws.functions import invoke, open_functions
from lambda_src.fields import MAX_CONCURRENCY
from lambda_src.input.addresses import Placed, Portion
from lambda_src.job import Owned
from lambda_src.store.digests import DIGEST_BYTES
from lambda_src.wire.reports import BlockReport
from lambda_src.wire.requests import ParseBlockRequest
from lambda_src.wire.source import Source

CALLS = (200, 1000, 10_000)
DELAYS_MS = (0, 50, 500)
BRANCH = 100
BLOCK_BYTES = 5 << 20
SPAWN = multiprocessing.get_context("spawn")


class Case(NamedTuple):
    """All that may be at once are begun at once: what the window does is not the question."""

    calls: int
    delay_ms: int
    at_once: int


class Measured(NamedTuple):
    """``all_in_s`` is the time until as many calls as may be were under way at once: never, if the first ones
    have ended before the last ones begin."""

    seconds: float
    cpu_s: float
    all_in_s: float | None


class Lambda(asyncio.Protocol):
    """One connection to the stub. The name of a function is its delay in milliseconds."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, ended, body = self._received.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        size = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        if not ended or len(body) < size:
            return
        self._received = b""
        delay_ms = int(head.split(b"/functions/")[1].split(b"/")[0])
        loop = asyncio.get_running_loop()
        loop.call_later(delay_ms / 1000, self._transport.write, self._answer)


def serve(certificates: Certificates, started: Connection) -> None:
    """Be the stub, and tell its port."""
    report = BlockReport(
        0,
        Owned(0, BLOCK_BYTES),
        1024,
        [30_000] * 20,
        [40_000] * 20,
        {"longer_words": 100},
        line_digests=bytes(20 * DIGEST_BYTES),
    )
    body = msgspec.json.encode(report)
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Amzn-RequestId: "
        b"00000000-0000-0000-0000-000000000000\r\nX-Amz-Executed-Version: $LATEST\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Lambda(answer), "127.0.0.1", 0, ssl=context, backlog=MAX_CONCURRENCY
        )
        started.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def stub() -> Iterator[int]:
    """The stub's process id, with the environment of a Lambda whose API it is."""
    with tempfile.TemporaryDirectory() as folder:
        certificates = Certificates(Path(folder))
        ours, theirs = SPAWN.Pipe()
        process = SPAWN.Process(target=serve, args=(certificates, theirs), daemon=True)
        process.start()
        authority = str(certificates.authority)
        os.environ |= {
            "AWS_ENDPOINT_URL": f"https://localhost:{ours.recv()}",
            "AWS_CA_BUNDLE": authority,
            "SSL_CERT_FILE": authority,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "stub",
            "AWS_SECRET_ACCESS_KEY": "stub",
        }
        try:
            assert process.pid
            yield process.pid
        finally:
            process.terminate()
            process.join()


def cpu_s_of(pid: int) -> float:
    """The processor seconds of another process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(case: Case) -> tuple[Measured, Measured]:
    """The case with new connections, and again."""
    map_reduce.FIRST_WINDOW = case.at_once
    return _once(case), _once(case)


def tasks_of(calls: int) -> list[ParseBlockRequest]:
    """So many blocks of one object."""
    source = Source("bucket", "input/text", '"etag"', calls * BLOCK_BYTES)
    portion = Portion([Placed(0, "input/text", source.bytes, source.etag, "plain")], None)
    starts = range(0, source.bytes, BLOCK_BYTES)
    return [
        ParseBlockRequest("run", source, number, start, start + BLOCK_BYTES, portion, "1")
        for number, start in enumerate(starts)
    ]


def _once(case: Case) -> Measured:
    client, tasks = open_functions("amazonaws.com"), tasks_of(case.calls)
    lock = threading.Lock()
    under_way = 0
    all_in_s: float | None = None
    most = min(case.calls, case.at_once)
    began_at, cpu_s = time.monotonic(), time.process_time()

    def call(task: ParseBlockRequest) -> BlockReport:
        nonlocal under_way, all_in_s
        with lock:
            under_way += 1
            if under_way == most and all_in_s is None:
                all_in_s = time.monotonic() - began_at
        try:
            return invoke(client, str(case.delay_ms), task, BlockReport, timeout_s=60)
        finally:
            with lock:
                under_way -= 1

    reports: list[BlockReport] = []
    map_reduce.map_reduce(
        call,
        tasks,
        lambda _, report: reports.append(report),
        name=lambda task: f"block {task.block}",
        max_concurrency=case.at_once,
    )
    assert len(reports) == case.calls
    return Measured(time.monotonic() - began_at, time.process_time() - cpu_s, all_in_s)


def alone(case: Case) -> tuple[Measured, Measured]:
    """The case in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=SPAWN) as processes:
        return processes.submit(measure, case).result()


def tree(case: Case) -> tuple[Measured, Measured]:
    """A tree for the case: one call for each branch, then what a branch takes, which is measured alone, for
    on AWS it has a processor alone. Its processor time is that of all branches."""
    branches = max(case.at_once // BRANCH, 1)
    trunk = alone(Case(branches, 0, branches))
    branch = alone(Case(case.calls // branches, case.delay_ms, case.at_once // branches))
    first, again = (
        Measured(
            of_trunk.seconds + of_branch.seconds,
            of_trunk.cpu_s + branches * of_branch.cpu_s,
            of_branch.all_in_s and of_trunk.seconds + of_branch.all_in_s,
        )
        for of_trunk, of_branch in zip(trunk, branch, strict=True)
    )
    return first, again


def main() -> None:
    """Print one line for each case, as it is measured."""
    print(f"{'':32}{'with new connections':>34}{'again':>34}{'stub':>10}")
    columns = (f"{'seconds':>10}{'CPU, ms a call':>16}{'all in':>8}") * 2
    print(f"{'calls':>8}{'delay':>8}{'at once':>10}{'how':>6}{columns}{'CPU, ms':>10}")
    with stub() as pid:
        for delay_ms in DELAYS_MS:
            for calls in CALLS:
                case = Case(calls, delay_ms, min(calls, MAX_CONCURRENCY))
                for how, run in (("one", alone), ("tree", tree)):
                    stub_s = cpu_s_of(pid)
                    found = run(case)
                    stub_s = (cpu_s_of(pid) - stub_s) / calls / len(found)
                    print(
                        f"{calls:>8,}{delay_ms:>5} ms{case.at_once:>10}{how:>6}"
                        + "".join(_columns(case, measured) for measured in found)
                        + (f"{stub_s * 1000:>10.2f}" if how == "one" else ""),
                        flush=True,
                    )


def _columns(case: Case, measured: Measured) -> str:
    all_in = "never" if measured.all_in_s is None else f"{measured.all_in_s:.2f} s"
    return f"{measured.seconds:>10.2f}{measured.cpu_s / case.calls * 1000:>16.2f}{all_in:>8}"


if __name__ == "__main__":
    main()
