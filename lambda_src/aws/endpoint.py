"""A service of AWS over HTTP, for the functions: boto3 would be most of their cold start.

It has what they need: kept connections, signatures, one attempt. The caller decides how long a request may
take, and whether and when to retry. ``Endpoint`` blocks; ``connections`` is for many requests at once.
"""

import os
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cache
from urllib.parse import quote, urlsplit

from lambda_src.aws.http1 import AnswerReader, NotHttp, Response, request_bytes
from lambda_src.aws.sigv4 import Credentials, Scope, encoded, signed
from lambda_src.aws.trust import Trust
from lambda_src.fan_out.waits import waiting_for

CONNECT_TIMEOUT_S = 10.0

IDLE_S = 15.0
"""The other side may have closed a connection that was kept longer: a frozen function does not notice."""

KEEPALIVE_S = 60
"""NAT gateways and load balancers drop connections that are idle for 350 s, even during a request."""

PROBE_S, PROBES = 10, 3
"""Keepalive: the other side is gone after ``PROBES`` unanswered probes, ``PROBE_S`` apart."""

RECEIVE_BYTES = 256 << 10

GONE_S = KEEPALIVE_S + PROBES * PROBE_S
"""Sent data must also be acknowledged within this time."""

SOCKET_OPTIONS = [
    (getattr(socket, level), getattr(socket, name), value)
    for level, name, value in (
        ("SOL_SOCKET", "SO_KEEPALIVE", 1),
        ("IPPROTO_TCP", "TCP_NODELAY", 1),
        ("IPPROTO_TCP", "TCP_KEEPIDLE", KEEPALIVE_S),
        ("IPPROTO_TCP", "TCP_KEEPINTVL", PROBE_S),
        ("IPPROTO_TCP", "TCP_KEEPCNT", PROBES),
        ("IPPROTO_TCP", "TCP_USER_TIMEOUT", 1000 * GONE_S),
    )
    if hasattr(socket, name)  # not every one on every system
]

TRUST = Trust()


class Unreachable(Exception):
    """No complete answer came. The request may have been carried out."""


class Service:
    """``service`` at ``url``, and how to ask it."""

    def __init__(self, service: str, region: str, url: str) -> None:
        parts = urlsplit(url)
        self.is_tls = parts.scheme == "https"
        self.host, self.port = parts.hostname or "", parts.port or (443 if self.is_tls else 80)
        self._named = parts.netloc
        self._scope = Scope(region, service)

    def trust(self) -> ssl.SSLContext | None:
        """Whom to trust, if connections are encrypted."""
        return TRUST.context() if self.is_tls else None

    def trusts_more(self, trusted: ssl.SSLContext, error: ssl.SSLCertVerificationError) -> bool:
        """Whether to try again after this ``error``, with another ``trust()``."""
        return TRUST.believes_more(trusted, self.host, error)

    def signed_request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        query: Sequence[tuple[str, str]] = (),
    ) -> bytes:
        """A request as it is sent, signed now. ``path`` is percent-encoded."""
        all_headers = (
            signed(
                _credentials(),
                self._scope,
                method,
                path,
                query=query,
                headers={"host": self._named, **headers},
                body=body,
                now=time.time(),
            )
            | _trace_header()
        )
        return request_bytes(method, f"{path}?{encoded(query)}" if query else path, all_headers, body)


class Endpoint:
    """``service`` at ``url``, for many threads that each wait for an answer."""

    def __init__(self, service: str, region: str, url: str) -> None:
        self._service = Service(service, region, url)
        self._kept: deque[tuple[float, socket.socket]] = deque()

    def post(self, path: str, headers: Mapping[str, str], body: bytes, *, timeout_s: float) -> Response:
        """As ``request``."""
        return self.request("POST", path, headers, body, timeout_s=timeout_s)

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        query: Sequence[tuple[str, str]] = (),
        timeout_s: float,
    ) -> Response:
        """The answer to one signed request, whatever its status, if it begins within ``timeout_s``. ``path``
        is percent-encoded. Raises Unreachable."""
        ends_at = time.monotonic() + timeout_s
        reader = AnswerReader(method)
        try:
            connection = self._connected(ends_at)
            try:
                with waiting_for(connection):
                    connection.sendall(self._service.signed_request(method, path, headers, body, query))
                    connection.settimeout(_left_s(ends_at))
                    response = _answer(connection, reader)
            except BaseException:
                connection.close()
                raise
        except (OSError, NotHttp) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        if reader.keeps_alive:
            self._kept.append((time.time(), connection))
        else:
            connection.close()
        return response

    def _connected(self, ends_at: float) -> socket.socket:
        """A connection that was kept, the latest first, or a new one. Raises OSError."""
        while self._kept:
            try:
                kept_at, connection = self._kept.pop()
            except IndexError:  # another thread was faster
                break
            if time.time() - kept_at < IDLE_S and not has_news(connection.fileno()):
                connection.settimeout(_left_s(ends_at))
                return connection
            connection.close()
        return self._opened(min(ends_at, time.monotonic() + CONNECT_TIMEOUT_S))

    def _opened(self, ends_at: float) -> socket.socket:
        """A new connection. Raises OSError."""
        service = self._service
        connected = _connect(service.host, service.port, ends_at)
        trusted = service.trust()
        if trusted is None:
            return connected
        try:
            return _encrypted(connected, service.host, ends_at, trusted)
        except ssl.SSLCertVerificationError as error:
            if service.trusts_more(trusted, error):
                return self._opened(ends_at)
            raise


def _answer(connection: socket.socket, reader: AnswerReader) -> Response:
    """The answer. Raises OSError, NotHttp."""
    while data := connection.recv(RECEIVE_BYTES):
        if response := reader.feed(data):
            return response
    return reader.end()


def open_endpoint(service: str, url_suffix: str) -> Endpoint:
    """``service`` in the region of the environment: at the endpoint that the environment names, or else at
    the domain of its partition. A warm process reuses it with its connections."""
    return open_at(service, *region_and_url(service, url_suffix))


def region_and_url(service: str, url_suffix: str) -> tuple[str, str]:
    """Where to find ``service``, according to the environment."""
    TRUST.context()  # before there are threads that would wait for it
    region = os.environ.get("AWS_REGION", "us-east-1")
    return region, os.environ.get("AWS_ENDPOINT_URL") or f"https://{service}.{region}.{url_suffix}"


@cache
def open_at(service: str, region: str, url: str) -> Endpoint:
    """``service`` of ``region`` at ``url``, made once per process."""
    return Endpoint(service, region, url)


def _connect(host: str, port: int, ends_at: float) -> socket.socket:
    """A connected socket. Unlike ``socket.create_connection``, it can be cancelled. Raises OSError."""
    failed: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connected = socket.socket(family, kind, protocol)
        try:
            for option in SOCKET_OPTIONS:
                connected.setsockopt(*option)
            connected.settimeout(_left_s(ends_at))
            with waiting_for(connected):
                connected.connect(address)
        except OSError as error:
            connected.close()
            failed = error
        else:
            return connected
    raise failed or OSError(f"{host} has no address")


def _encrypted(connected: socket.socket, host: str, ends_at: float, context: ssl.SSLContext) -> ssl.SSLSocket:
    """The connection with TLS. Raises OSError."""
    try:
        encrypted = context.wrap_socket(connected, server_hostname=host, do_handshake_on_connect=False)
    except BaseException:
        connected.close()
        raise
    try:
        encrypted.settimeout(_left_s(ends_at))
        with waiting_for(encrypted):
            encrypted.do_handshake()
    except BaseException:
        encrypted.close()
        raise
    return encrypted


def _left_s(ends_at: float) -> float:
    """The time left for a request. Raises TimeoutError."""
    left_s = ends_at - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("timed out")
    return left_s


def _credentials() -> Credentials:
    """The credentials of the function's role, from the environment."""
    return Credentials(
        os.environ["AWS_ACCESS_KEY_ID"],
        os.environ["AWS_SECRET_ACCESS_KEY"],
        os.environ.get("AWS_SESSION_TOKEN", ""),
    )


def _trace_header() -> dict[str, str]:
    """X-Ray and Lambda's recursion detection follow a chain of calls by it. Unsigned, as botocore sends
    it."""
    trace_id = os.environ.get("_X_AMZN_TRACE_ID")
    if not trace_id or "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        return {}
    return {"x-amzn-trace-id": quote(trace_id, safe="-=;:+&[]{}\"',")}


def has_news(connection: int) -> bool:
    """Whether an idle connection, given by its file descriptor, is readable: it has ended, then."""
    events = select.poll()
    events.register(connection, select.POLLIN)
    return bool(events.poll(0))
