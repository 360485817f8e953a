"""How fast one process invokes Lambdas: python -m benchmarks.fan_out [CALLS,DELAY_MS,AT_ONCE ...]

Against a stub of Lambda's API on loopback, over TLS, that answers after a set delay: by the driver of
``aws.functions``, which waits for all calls in one thread, and by a thread for each call, as before it. Each
case runs in a process of its own, twice: with new connections, and again with those that it has. The drivers
take turns.
"""

import asyncio
import multiprocessing
import os
import resource
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec

from fanfold.local_aws.certificates import Certificates
from lambda_src.aws.endpoint import open_endpoint
from lambda_src.aws.functions import Invocation, Invocations, open_functions
from lambda_src.fan_out.drivers import Driver, Threads
from lambda_src.fan_out.map_reduce import map_reduce
from lambda_src.fields import MAX_CONCURRENCY
from lambda_src.input.addresses import Placed, Portion
from lambda_src.job import Owned, Shards
from lambda_src.store.digests import DIGEST_BYTES
from lambda_src.wire.codec import decode_answer, encode
from lambda_src.wire.reports import BlockReport
from lambda_src.wire.requests import ParseBlockRequest, RunContext
from lambda_src.wire.source import Source

CASES = ((64, 300, 64), (500, 0, 500), (2000, 500, 500), (950, 1500, 950), (4000, 500, 950))
ROUNDS = 3
DRIVERS = ("threads", "one thread")
BLOCK_BYTES = 5 << 20
SPAWN = multiprocessing.get_context("spawn")


class Case(NamedTuple):
    """``calls`` that take ``delay_ms`` each, up to ``at_once`` at a time from the start."""

    calls: int
    delay_ms: int
    at_once: int


class Measured(NamedTuple):
    """What all calls took, with new connections and again, and the most memory of the process."""

    new_s: float
    new_cpu_s: float
    kept_s: float
    kept_cpu_s: float
    peak_mib: float


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
            lambda: Lambda(answer), "127.0.0.1", 0, ssl=context, backlog=2 * MAX_CONCURRENCY
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


def measure(how: str, case: Case) -> Measured:
    """The case in this process."""
    drivers = threads if how == "threads" else one_thread
    tasks = tasks_of(case.calls)
    new, kept = (_once(drivers(case), tasks, case) for _ in range(2))
    return Measured(*new, *kept, peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def threads(case: Case) -> Driver[ParseBlockRequest]:
    """As the functions invoked each other before: a thread waits for each answer."""
    endpoint = open_endpoint("lambda", "amazonaws.com")
    path = f"/2015-03-31/functions/{case.delay_ms}/invocations"
    headers = {"x-amz-invocation-type": "RequestResponse"}

    def call(task: ParseBlockRequest) -> BlockReport:
        answer = endpoint.post(path, headers, encode(task), timeout_s=60)
        return decode_answer(answer.body, BlockReport)

    return Threads(call)


def one_thread(case: Case) -> Driver[ParseBlockRequest]:
    """As they do now."""
    return Invocations(
        open_functions("amazonaws.com"),
        lambda task: Invocation(str(case.delay_ms), task, 60),
        BlockReport,
    )


def _once(
    driver: Driver[ParseBlockRequest], tasks: list[ParseBlockRequest], case: Case
) -> tuple[float, float]:
    reports: list[BlockReport] = []
    began_at, cpu_s = time.monotonic(), time.process_time()
    map_reduce(
        driver,
        tasks,
        lambda _, report: reports.append(report),
        name=lambda task: f"block {task.block}",
        max_concurrency=case.at_once,
    )
    assert len(reports) == case.calls
    return time.monotonic() - began_at, time.process_time() - cpu_s


def tasks_of(calls: int) -> list[ParseBlockRequest]:
    """So many blocks of one object."""
    source = Source("bucket", "input/text", '"etag"', calls * BLOCK_BYTES)
    portion = Portion([Placed(0, "input/text", source.bytes, source.etag, "plain")], None)
    context = RunContext("top_words", Shards("part", 20, "run"), {}, {})
    starts = range(0, source.bytes, BLOCK_BYTES)
    return [
        ParseBlockRequest("run", source, number, start, start + BLOCK_BYTES, portion, "1", context)
        for number, start in enumerate(starts)
    ]


def alone(how: str, case: Case) -> Measured:
    """The case in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=SPAWN) as processes:
        return processes.submit(measure, how, case).result()


def main(cases: Sequence[Case]) -> None:
    """Print a line for each case and driver, and the ratios, as they are measured."""
    print(f"{'':34}{'new connections':>22}{'the same again':>22}{'peak':>10}{'stub':>9}")
    columns = f"{'seconds':>10}{'CPU, ms':>12}" * 2
    print(f"{'calls':>7}{'delay':>9}{'at once':>8}  {'how':<8}{columns}{'MiB':>10}{'CPU, ms':>9}")
    with stub() as pid:
        for case in cases:
            found: dict[str, list[Measured]] = {how: [] for how in DRIVERS}
            stub_s = cpu_s_of(pid)
            for _ in range(ROUNDS):
                for how in DRIVERS:
                    found[how].append(alone(how, case))
            stub_ms = (cpu_s_of(pid) - stub_s) / case.calls / 2 / len(DRIVERS) / ROUNDS * 1000
            medians = {how: Measured(*map(median, zip(*rows, strict=True))) for how, rows in found.items()}
            for how, of in medians.items():
                ms = [seconds / case.calls * 1000 for seconds in (of.new_cpu_s, of.kept_cpu_s)]
                print(
                    f"{case.calls:>7,}{case.delay_ms:>6} ms{case.at_once:>8}  {how:<8.8}"
                    f"{of.new_s:>10.2f}{ms[0]:>12.3f}{of.kept_s:>10.2f}{ms[1]:>12.3f}"
                    f"{of.peak_mib:>10.0f}{stub_ms:>9.2f}"
                )
            ratios = [new / old for old, new in zip(*medians.values(), strict=True)]
            print("{:>34}{:>10.2f}{:>12.2f}{:>10.2f}{:>12.2f}{:>10.2f}".format("ratio", *ratios), flush=True)


if __name__ == "__main__":
    main([Case(*map(int, case.split(","))) for case in sys.argv[1:]] or [Case(*case) for case in CASES])
