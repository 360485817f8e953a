"""A TLS proxy between the Lambdas and the local AWS that injects faults into what passes."""

import random
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from fanfold.local_aws.certificates import Certificates


class Call(NamedTuple):
    """One request of a Lambda: ``service`` is s3, lambda or dynamodb; ``target`` the object's key (none if
    a bucket is listed), the function's name or the operation; ``port`` the caller's end of the connection."""

    service: str
    method: str
    target: str
    range: str
    port: int
    body: bytes

    @property
    def block(self) -> int | None:
        """The number of the block whose blob it stores, if it does."""
        return self._blob if self.method == "PUT" else None

    @property
    def block_read(self) -> int | None:
        """The number of the block whose blob it reads, if it does."""
        return self._blob if self.method == "GET" else None

    @property
    def _blob(self) -> int | None:
        return int(self.target.rpartition("/")[2][:6]) if self.target.startswith("blobs/") else None


class Answer(NamedTuple):
    """Answer this instead of asking AWS."""

    status: int
    body: bytes
    headers: dict[str, str]


class Reset(NamedTuple):
    """Reset the connection instead of answering."""


class Cut(NamedTuple):
    """Close the connection in the middle of the body."""


class Stall(NamedTuple):
    """Answer only after so long."""

    seconds: float


class Hold(NamedTuple):
    """Answer only once it is released."""

    released: threading.Event


class Tamper(NamedTuple):
    """Answer what ``change`` makes of the body."""

    change: Callable[[bytes], bytes]


Fault = Answer | Reset | Cut | Stall | Hold | Tamper
SLOW_DOWN = Answer(503, b"<Error><Code>SlowDown</Code><Message>Slow down</Message></Error>", {})
INTERNAL = Answer(500, b"<Error><Code>InternalError</Code><Message>Again</Message></Error>", {})
THROTTLED = Answer(
    429,
    b'{"Reason":"ConcurrentInvocationLimitExceeded","message":"Rate Exceeded."}',
    {"x-amzn-ErrorType": "TooManyRequestsException"},
)


def often(share: float, fault: Fault, matches: Callable[[Call], bool]) -> Callable[[Call], Fault | None]:
    """Inject ``fault`` into ``share`` of the calls that match, by a seeded generator."""
    generator = random.Random(1)

    def decide(call: Call) -> Fault | None:
        return fault if matches(call) and generator.random() < share else None

    return decide


class Proxy:
    """``decide`` says what happens to a call; ``injected`` counts what it did; ``calls`` is what passed."""

    def __init__(self, endpoint: str, authority: Path) -> None:
        self.endpoint = endpoint
        self.authority = authority
        self.upstream = ""
        self.upstream_trust: ssl.SSLContext | None = None
        self.lock = threading.RLock()
        self.under_way: set[_Handler] = set()
        self.reset()

    def reset(self) -> None:
        """No faults, nothing counted; who still waits for an answer is cut off."""
        with self.lock:
            self.decide: Callable[[Call], Fault | None] = lambda _: None
            self.injected = 0
            self.calls: list[Call] = []
            self.room = 10_000
            left, self.under_way = self.under_way, set()
        for handler in left:
            handler.cut_off()

    @property
    def invocations(self) -> int:
        """How many Lambdas that a Lambda invoked are at work."""
        with self.lock:
            return sum(handler.call.service == "lambda" for handler in self.under_way)

    def forward_to(self, endpoint: str, authority: str) -> None:
        """Where the calls go from now on."""
        self.upstream = endpoint.removeprefix("https://")
        self.upstream_trust = ssl.create_default_context(cafile=authority)

    def blocks_stored_since(self, calls: int) -> int:
        """How many different blocks were parsed after the first ``calls`` calls: a straggler's second copy
        stores the same one."""
        later = list(self.calls)[calls:]
        return len({call.target for call in later if call.block is not None})

    def wait_until_idle(self) -> None:
        """Until no Lambda that a Lambda invoked is at work."""
        self.wait_for(lambda: not self.invocations)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until ``condition`` holds, for at most a minute."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    @contextmanager
    def counted(self, handler: "_Handler") -> Iterator[Fault | None]:
        """The fault for a call, with its place in the account's concurrency if it is an invocation."""
        call = handler.call
        with self.lock:
            self.calls.append(call)
            # One place is parse_file's own.
            full = call.service == "lambda" and self.invocations + 1 >= self.room
            fault = THROTTLED if full else self.decide(call)
            self.injected += fault is not None
            self.under_way.add(handler)
        try:
            yield fault
        finally:
            with self.lock:
                self.under_way.discard(handler)


@contextmanager
def proxy(folder: Path) -> Iterator[Proxy]:
    """A proxy on a free loopback port."""
    folder.mkdir(parents=True)
    certificates = Certificates(folder)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(certificates.certificate, certificates.key)
    server = _Server(("127.0.0.1", 0), _Handler, trust)
    server.proxy = Proxy(f"https://127.0.0.1:{server.server_address[1]}", certificates.authority)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    proxy: Proxy

    def __init__(self, address: tuple[str, int], handler: Any, trust: ssl.SSLContext) -> None:
        self._trust = trust
        super().__init__(address, handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread: a slow handshake holds up nobody else."""
        with self._trust.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Killed Lambdas and injected faults break connections: that is what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    call: Call
    _upstream: HTTPSConnection | None = None

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:  # the caller died in the middle: AWS would wait for the rest
            self.close_connection = True
            return
        self.call = self._parse(body)
        with self.server.proxy.counted(self) as fault:
            match fault:
                case Answer(status, answer, headers):
                    self._answer(status, list(headers.items()), answer)
                case Reset():
                    self._reset()
                case Cut():
                    self._answer(*self._forward(body), cut=True)
                case Stall(seconds):
                    time.sleep(seconds)
                    self._answer(*self._forward(body))
                case Hold(released):
                    released.wait()
                    self._answer(*self._forward(body))
                case Tamper(change):
                    status, headers_, answer = self._forward(body)
                    self._answer(status, headers_, change(answer))
                case None:
                    self._answer(*self._forward(body))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _handle

    def _parse(self, body: bytes) -> Call:
        path = unquote(urlsplit(self.path).path)
        if match := re.match(r"/2015-03-31/functions/([^/]+)/invocations", path):
            service, target = "lambda", match[1]
        elif operation := self.headers.get("X-Amz-Target", ""):
            service, target = "dynamodb", operation.partition(".")[2]
        else:
            service, target = "s3", path.removeprefix("/").partition("/")[2]
        port = self.client_address[1]
        return Call(service, self.command, target, self.headers.get("Range", ""), port, body)

    def cut_off(self) -> None:
        """From another thread: neither AWS's answer nor the caller is waited for any longer."""
        for connection in (self._upstream and self._upstream.sock, self.connection):
            if connection:
                with suppress(OSError):  # closed meanwhile
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)  # TLS is the other thread's

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        for attempt in range(2):
            if self not in self.server.proxy.under_way:
                raise ConnectionAbortedError("cut off meanwhile")
            if self._upstream is None:
                self._upstream = HTTPSConnection(
                    self.server.proxy.upstream, timeout=900, context=self.server.proxy.upstream_trust
                )
            try:
                self._upstream.request(self.command, self.path, body, dict(self.headers))
                response = self._upstream.getresponse()
                return response.status, response.getheaders(), response.read()
            except (ConnectionError, ssl.SSLError, HTTPException):  # a kept connection may be closed by now
                self._upstream = None
                if attempt:
                    raise
        raise AssertionError

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, *, cut: bool = False) -> None:
        self.send_response_only(status)
        length = str(len(body))
        for name, value in headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in ("content-length", "transfer-encoding", "connection", "keep-alive"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command == "HEAD":
            return
        if cut:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        self.wfile.write(body)

    def _reset(self) -> None:
        """As a peer that has gone: no goodbye of TLS, no FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.socket(fileno=self.connection.detach()).close()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def tamper_json(**changes: Callable[[Any], Any]) -> Tamper:
    """Change fields of a JSON answer."""

    def change(body: bytes) -> bytes:
        answer = msgspec.json.decode(body)
        for field, of in changes.items():
            answer[field] = of(answer[field])
        return msgspec.json.encode(answer)

    return Tamper(change)
