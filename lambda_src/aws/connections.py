"""Many requests to a service at once, all from one thread: asyncio's event loop waits for them.

It was chosen over epoll by measurement (docs/decisions/0039). A thread for each request costs five times the
processor time, and a process has room for few threads.
"""

import asyncio
import resource
import socket
import ssl
import sys
import time
from asyncio import sslproto
from collections import deque
from collections.abc import Coroutine, Mapping
from functools import cache
from typing import Any, cast

from lambda_src.aws.endpoint import (
    CONNECT_TIMEOUT_S,
    IDLE_S,
    SOCKET_OPTIONS,
    Service,
    Unreachable,
    has_news,
    region_and_url,
)
from lambda_src.aws.http1 import AnswerReader, NotHttp, Response

TLS_BUFFER_BYTES = 32 << 10
"""Of a connection. asyncio's 256 KiB make each slower to open, and 950 of them take 250 MB; answers have some
kilobytes."""

OTHER_FILES = 74
"""A Lambda may have 1,024 open files, and needs some for S3, the table and its own."""

OPENED_AT_ONCE = 32
"""Connections: with more, each would only be slower, and the first requests would wait for the last
handshakes. Meanwhile the first throttles can stop the start of more."""
SLOW_S = 1.0
"""A connection that takes longer to open holds up no others: its address may be dead."""

ADDRESSES_S = 5.0
"""How long to use the addresses of a host before looking them up again: a fan-out opens hundreds of
connections within a second."""

sslproto.SSLProtocol.max_size = TLS_BUFFER_BYTES


class Connections:
    """Connections to ``service`` at ``url``, for one thread. Requests are carried out only during ``run``."""

    def __init__(self, service: str, region: str, url: str) -> None:
        self._service = Service(service, region, url)
        self._loop = asyncio.new_event_loop()
        self._requests: set[asyncio.Task[Any]] = set()
        self._kept: deque[tuple[float, _Connection]] = deque()
        self._lookup: asyncio.Future[Any] | None = None
        self._looked_up_at = 0.0
        self._opened = 0
        self._connecting: set[asyncio.Task[Any]] = set()
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._at_most = max(files - OTHER_FILES, 1) if files != resource.RLIM_INFINITY else sys.maxsize

    def has_room(self) -> bool:
        """Whether there may be one more request now."""
        return len(self._requests) < self._at_most and len(self._connecting) < OPENED_AT_ONCE

    def begin(self, request: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Begin a request, which is to call ``post``. When it ends, so does ``run``."""
        task = self._loop.create_task(request)
        self._requests.add(task)
        self._connecting.add(task)
        self._loop.call_later(SLOW_S, self._is_connected, task)
        task.add_done_callback(self._ended)
        return task

    def run(self, timeout_s: float) -> None:
        """Carry out requests until one has ended, or there is room again, for at most ``timeout_s``."""
        alarm = self._loop.call_later(timeout_s, self._loop.stop) if timeout_s > 0 else None
        if alarm is None:
            self._loop.stop()  # after one round
        self._loop.run_forever()
        if alarm is not None:
            alarm.cancel()

    def cancel(self, requests: "list[asyncio.Task[None]]") -> None:
        """Give requests up, and close their connections at once."""
        for request in requests:
            request.cancel()
        while any(not request.done() for request in requests):
            self.run(1.0)
        for _ in range(2):  # a connection is closed two rounds after it was aborted
            self.run(0.0)

    async def post(self, path: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float) -> Response:
        """The answer to one signed request, whatever its status. ``path`` is percent-encoded. Raises
        Unreachable."""
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self._connected()
                self._is_connected(asyncio.current_task())
                try:
                    response = await connection.ask(self._service.signed_request("POST", path, headers, body))
                except BaseException:
                    connection.abort()
                    raise
        except TimeoutError:
            raise Unreachable("TimeoutError: timed out") from None
        except (OSError, NotHttp) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        self._kept.append((time.time(), connection))
        return response

    def close(self) -> None:
        """Close all connections."""
        self.cancel(list(self._requests))
        while self._kept:
            self._kept.pop()[1].abort()
        self.cancel([])
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _ended(self, request: "asyncio.Task[Any]") -> None:
        self._is_connected(request)
        self._requests.discard(request)
        self._loop.stop()

    def _is_connected(self, request: "asyncio.Task[Any] | None") -> None:
        if request not in self._connecting:
            return
        self._connecting.remove(request)
        if len(self._connecting) == OPENED_AT_ONCE // 2:
            self._loop.stop()

    async def _connected(self) -> "_Connection":
        """A connection that was kept, the latest first, or a new one. Raises OSError."""
        while self._kept:
            kept_at, connection = self._kept.pop()
            if time.time() - kept_at < IDLE_S and connection.is_idle():
                return connection
            connection.abort()
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await self._open()

    async def _open(self) -> "_Connection":
        """A new connection. Raises OSError."""
        service = self._service
        trusted = service.trust()
        self._opened += 1
        addresses = await self._addresses()
        first = self._opened % len(addresses)
        failed = OSError(f"{service.host} has no address")
        for address in addresses[first:] + addresses[:first]:
            try:
                _, connection = await self._loop.create_connection(
                    _Connection,
                    address,
                    service.port,
                    ssl=trusted,
                    server_hostname=service.host if trusted else None,
                )
            except ssl.SSLCertVerificationError as error:
                if trusted and service.trusts_more(trusted, error):
                    return await self._open()
                raise
            except OSError as error:
                failed = error
            else:
                return connection
        raise failed

    async def _addresses(self) -> list[str]:
        """The addresses of the host, looked up once for all who ask within some seconds. Raises OSError."""
        now = time.monotonic()
        if self._lookup is None or now > self._looked_up_at + ADDRESSES_S:
            ask, host, port = socket.getaddrinfo, self._service.host, self._service.port
            self._lookup = self._loop.run_in_executor(None, ask, host, port, 0, socket.SOCK_STREAM)
            self._looked_up_at = now
        lookup = self._lookup
        try:
            return [address[0] for *_, address in await asyncio.shield(lookup)]
        except OSError:
            if self._lookup is lookup:
                self._lookup = None
            raise


@cache
def open_connections(service: str, url_suffix: str) -> Connections:
    """Connections to ``service`` as the environment names it, or else at the domain of its partition. A warm
    process uses them again."""
    return Connections(service, *region_and_url(service, url_suffix))


class _Connection(asyncio.Protocol):
    """One connection, which takes one request after another."""

    def __init__(self) -> None:
        self._reader: AnswerReader | None = None  # while there is a request
        self._answer: asyncio.Future[Response] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        connected = transport.get_extra_info("socket")
        for option in SOCKET_OPTIONS:
            connected.setsockopt(*option)

    async def ask(self, request: bytes) -> Response:
        """The answer to a request. Raises OSError, NotHttp."""
        if self._transport.is_closing():
            raise ConnectionResetError("the connection was closed")
        self._reader = AnswerReader("POST")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def is_idle(self) -> bool:
        """Whether it can take another request: it is open, and nothing has arrived that nobody asked for."""
        if self._transport.is_closing():
            return False
        return not has_news(self._transport.get_extra_info("socket").fileno())

    def abort(self) -> None:
        """Close it at once, without a goodbye that somebody would have to wait for."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._reader is None:
            self.abort()
            return
        try:
            response = self._reader.feed(data)
        except NotHttp as error:
            self._fail(error)
            return
        if response is not None:
            self._succeed(response, keeps_alive=self._reader.keeps_alive)

    def eof_received(self) -> None:
        if self._reader is None:
            return
        try:
            self._succeed(self._reader.end(), keeps_alive=False)
        except NotHttp as error:
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._reader is not None:
            self._fail(exc or ConnectionResetError("the connection was lost"))

    def _succeed(self, response: Response, *, keeps_alive: bool) -> None:
        self._reader = None
        if not keeps_alive:
            self.abort()
        if self._answer and not self._answer.done():
            self._answer.set_result(response)

    def _fail(self, error: Exception) -> None:
        self._reader = None
        self.abort()
        if self._answer and not self._answer.done():
            self._answer.set_exception(error)
