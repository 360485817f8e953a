"""The gate of the local AWS: it passes only requests that are signed with a key of this run.

Any user of the machine can connect to a loopback port. So every request must have an AWS Signature Version 4
in its Authorization header. It is checked here, for every path.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from ministack.core import sigv4

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]

MAX_HASHED_BYTES = 16 << 20
"""Largest body whose hash no header gives: it is held here to check its signature. Requests to Lambda and
DynamoDB are never larger."""


def wildcards(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    """An IAM pattern as a regular expression. Its ``*`` and ``?`` also match line ends, which keys may
    have."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile(f"(?:{''.join(parts)})\\Z", re.DOTALL | (re.IGNORECASE if ignore_case else 0))


class Denied(Exception):
    """The request is rejected."""


class Gate:
    """Checks requests to ``app``. ``secret_of`` returns the secret key of an access key and a session token,
    or None if this run has not issued them."""

    def __init__(self, app: App, secret_of: Callable[[str, str], str | None]) -> None:
        self._app = app
        self._secret_of = secret_of

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request, or the start and the end of the server."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            try:
                passed = await self._check(scope, receive)
            except Denied as denial:
                await _answer_403(str(denial), scope["method"], send)
            else:
                await self._app(scope, passed, send)
        else:  # a WebSocket: closed before it is accepted, which answers 403
            await send({"type": "websocket.close", "code": 1008})

    async def _check(self, scope: Mapping[str, Any], receive: Receive) -> Receive:
        """The function from which the app receives the body. Raises Denied."""
        if scope["path"].startswith("/_"):
            raise Denied("The administration of the local AWS is closed.")
        headers = _headers(scope)
        # Signatures in the query (presigned URLs) and in forms are not needed here.
        if not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
            raise Denied("The request is not signed in its Authorization header.")
        signature = sigv4.parse_header_signature(headers)
        if isinstance(signature, tuple) or not signature.signature.isascii():
            raise Denied("The signature is not complete.")
        secret = self._secret_of(signature.access_key_id, headers.get("x-amz-security-token", ""))
        if not secret:
            raise Denied("The access key is not of this run.")
        if failure := sigv4.request_time_failure(signature):
            raise Denied(failure[1])
        body = b""
        if not headers.get("x-amz-content-sha256"):
            body = await _read(receive)
            receive = _again(body, receive)
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        path = scope["raw_path"].decode("latin-1")
        if sigv4.header_signature_failure(signature, secret, scope["method"], path, query, headers, body):
            raise Denied("The signature is wrong.")
        return receive


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """The headers by their names in lower case. A repeated header is signed as its values joined by
    commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), sigv4.decode_header_value(raw_value)
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Denied("The request ended before its body did.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_HASHED_BYTES:
            raise Denied(f"The body is longer than {MAX_HASHED_BYTES} bytes, and no header gives its hash.")
        if not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that first returns ``body``, which was read already, then the rest."""
    waiting = [body]

    async def receive_again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return receive_again


async def _answer_403(reason: str, method: str, send: Send) -> None:
    """Answer 403 in a form whose reason the clients of all AWS services show."""
    error = f"<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{reason}</Message></Error>"
    body = f"<ErrorResponse>{error}</ErrorResponse>".encode()
    headers = [
        (b"content-type", b"text/xml"),
        (b"content-length", str(len(body)).encode()),
        (b"x-amzn-errortype", b"AccessDenied"),
    ]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
