"""A service of AWS over HTTP, for the functions: boto3 would make the better part of their cold starts.

It has what DynamoDB and Lambda's Invoke need and no more: kept connections, signatures, one attempt. What is
worth another attempt, and when, is decided by whoever knows the request.
"""

import http.client
import os
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

from lambda_src.sigv4 import Credentials, Scope, signed

CONNECT_TIMEOUT_S = 10.0

IDLE_S = 15.0
"""A connection that was kept longer may have been closed by the other side without a sign: while a function
is frozen, it hears of nothing."""

KEEPALIVE_S = 60
"""What is idle for 350 s is dropped by NAT gateways and load balancers, also while an answer is due."""


class Response(NamedTuple):
    """An answer of a service; the names of ``headers`` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Unreachable(Exception):
    """No whole answer came; the request may have been carried out."""


class Endpoint:
    """``service`` at ``url``, where each answer may take ``read_timeout_s``. For many threads."""

    def __init__(self, service: str, region: str, url: str, read_timeout_s: float) -> None:
        parts = urlsplit(url)
        self._is_tls, self._host = parts.scheme == "https", parts.netloc
        self._scope = Scope(region, service)
        self._read_timeout_s = read_timeout_s
        self._kept: deque[tuple[float, http.client.HTTPConnection]] = deque()

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """The answer to one signed POST, whatever its status. Raises Unreachable."""
        all_headers = signed(
            _credentials(),
            self._scope,
            "POST",
            path,
            headers={"host": self._host, **headers},
            body=body,
            now=time.time(),
        )
        try:
            connection = self._connected()
            try:
                connection.request("POST", path, body, all_headers)
                answer = connection.getresponse()
                response = Response(
                    answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
                )
            except BaseException:
                connection.close()
                raise
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        if connection.sock:  # else the service has closed it
            self._kept.append((time.time(), connection))
        return response

    def _connected(self) -> http.client.HTTPConnection:
        """A connection that was kept, the latest first, or a new one. Raises OSError."""
        while self._kept:
            try:
                kept_at, connection = self._kept.pop()
            except IndexError:  # another thread was faster
                break
            if time.time() - kept_at < IDLE_S and not _has_news(connection.sock):
                return connection
            connection.close()
        connection = (
            http.client.HTTPSConnection(self._host, timeout=CONNECT_TIMEOUT_S, context=_trust())
            if self._is_tls
            else http.client.HTTPConnection(self._host, timeout=CONNECT_TIMEOUT_S)
        )
        connection.connect()
        connection.sock.settimeout(self._read_timeout_s)
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):  # not on every system
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
        return connection


def open_endpoint(service: str, url_suffix: str, read_timeout_s: float) -> Endpoint:
    """``service`` in the region of the environment, at the domain of its partition; at the endpoint that the
    environment names instead, if it does. A process that is warm has it, and its connections, already."""
    _trust()  # before there are threads, each of which would make its own
    region = os.environ.get("AWS_REGION", "us-east-1")
    url = os.environ.get("AWS_ENDPOINT_URL") or f"https://{service}.{region}.{url_suffix}"
    return _open_once(service, region, url, read_timeout_s)


@cache
def _open_once(service: str, region: str, url: str, read_timeout_s: float) -> Endpoint:
    return Endpoint(service, region, url, read_timeout_s)


def _credentials() -> Credentials:
    """Those of the function's role, which Lambda puts into the environment."""
    return Credentials(
        os.environ["AWS_ACCESS_KEY_ID"],
        os.environ["AWS_SECRET_ACCESS_KEY"],
        os.environ.get("AWS_SESSION_TOKEN", ""),
    )


@cache
def _trust() -> ssl.SSLContext:
    """The system's certificate authorities, or those that the environment names."""
    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE"))


def _has_news(connected: socket.socket) -> bool:
    """Of a connection on which nothing is asked, the only news is that it has ended."""
    events = select.poll()
    events.register(connected, select.POLLIN)
    return bool(events.poll(0))
