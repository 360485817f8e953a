"""A service of AWS over HTTP, for the functions: boto3 would be most of their cold start.

It has what DynamoDB and Lambda's Invoke need: kept connections, signatures, one attempt. The caller decides
how long a request may take, and whether and when to retry.
"""

import http.client
import os
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from lambda_src.aws.sigv4 import Credentials, Scope, encoded, signed
from lambda_src.aws.trust import Trust
from lambda_src.waits import waiting_for

CONNECT_TIMEOUT_S = 10.0

IDLE_S = 15.0
"""The other side may have closed a connection that was kept longer: a frozen function does not notice."""

KEEPALIVE_S = 60
"""NAT gateways and load balancers drop connections that are idle for 350 s, even during a request."""

PROBE_S, PROBES = 10, 3
"""Keepalive: the other side is gone after ``PROBES`` unanswered probes, ``PROBE_S`` apart."""

GONE_S = KEEPALIVE_S + PROBES * PROBE_S
"""Sent data must also be acknowledged within this time."""

_SOCKET_OPTIONS = [
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


_TRUST = Trust()


class Response(NamedTuple):
    """An answer of a service; the names of ``headers`` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Unreachable(Exception):
    """No complete answer came. The request may have been carried out."""


class Endpoint:
    """``service`` at ``url``. For many threads."""

    def __init__(self, service: str, region: str, url: str) -> None:
        parts = urlsplit(url)
        self._is_tls, self._host = parts.scheme == "https", parts.netloc
        self._scope = Scope(region, service)
        self._kept: deque[tuple[float, http.client.HTTPConnection]] = deque()

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
        all_headers = (
            signed(
                _credentials(),
                self._scope,
                method,
                path,
                query=query,
                headers={"host": self._host, **headers},
                body=body,
                now=time.time(),
            )
            | _trace_header()
        )
        url = f"{path}?{encoded(query)}" if query else path
        try:
            connection = self._connected(ends_at)
            try:
                with waiting_for(connection.sock):
                    connection.request(method, url, body or None, all_headers)
                    connection.sock.settimeout(_left_s(ends_at))
                    answer = connection.getresponse()
                    response = Response(
                        answer.status,
                        {name.lower(): value for name, value in answer.getheaders()},
                        answer.read(),
                    )
            except BaseException:
                connection.close()
                raise
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        if connection.sock:  # else the service has closed it
            self._kept.append((time.time(), connection))
        return response

    def _connected(self, ends_at: float) -> http.client.HTTPConnection:
        """A connection that was kept, the latest first, or a new one. Raises OSError."""
        while self._kept:
            try:
                kept_at, connection = self._kept.pop()
            except IndexError:  # another thread was faster
                break
            if time.time() - kept_at < IDLE_S and not _has_news(connection.sock):
                connection.sock.settimeout(_left_s(ends_at))
                return connection
            connection.close()
        return self._opened(min(ends_at, time.monotonic() + CONNECT_TIMEOUT_S))

    def _opened(self, ends_at: float) -> http.client.HTTPConnection:
        """A new connection. Raises OSError."""
        # The socket is created here: http.client gives access to it only once it is connected.
        if not self._is_tls:
            plain = http.client.HTTPConnection(self._host)
            plain.sock = _connect(plain.host, plain.port, ends_at)
            return plain
        context = _TRUST.context()
        connection = http.client.HTTPSConnection(self._host, context=context)
        connected = _connect(connection.host, connection.port, ends_at)
        try:
            connection.sock = _encrypted(connected, connection.host, ends_at, context)
        except ssl.SSLCertVerificationError as error:
            if _TRUST.believes_more(context, connection.host, error):
                return self._opened(ends_at)
            raise
        return connection


def open_endpoint(service: str, url_suffix: str) -> Endpoint:
    """``service`` in the region of the environment: at the endpoint that the environment names, or else at
    the domain of its partition. A warm process reuses it with its connections."""
    _TRUST.context()  # before there are threads that would wait for it
    region = os.environ.get("AWS_REGION", "us-east-1")
    url = os.environ.get("AWS_ENDPOINT_URL") or f"https://{service}.{region}.{url_suffix}"
    return open_at(service, region, url)


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
            for option in _SOCKET_OPTIONS:
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


def _has_news(connected: socket.socket) -> bool:
    """Whether an idle connection is readable, which means that it has ended."""
    events = select.poll()
    events.register(connected, select.POLLIN)
    return bool(events.poll(0))
