"""HTTP/1.1 as bytes (RFC 9112): writes requests and reads answers. No I/O."""

import re
from collections.abc import Mapping
from typing import NamedTuple

MAX_HEAD_BYTES = 64 << 10
"""Of status line and headers together, and of the line before a chunk."""

_STATUS_LINE = re.compile(r"(HTTP/1\.[01]) ([1-9][0-9]{2})( .*)?", re.DOTALL)
_LENGTH = re.compile(r"[0-9]{1,18}")


class Response(NamedTuple):
    """An answer of a service; the names of ``headers`` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotHttp(Exception):
    """An answer breaks the protocol."""


def request_bytes(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A request as it is sent. ``headers`` are without the length of the body."""
    length = {"content-length": str(len(body))} if body or method in ("POST", "PUT") else {}
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**headers, **length}.items())
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


class AnswerReader:
    """Reads one answer to a request of ``method``, in pieces of any size."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._buffer = bytearray()
        self._status, self._headers = 0, dict[str, str]()
        self._body = bytearray()
        self._left = 0  # bytes of the body, or of its chunk
        self._is_chunked = self._in_trailer = self._until_end = False
        self.keeps_alive = False
        """Once the answer is complete: whether the connection can take another request."""

    def feed(self, data: bytes) -> Response | None:
        """More bytes have arrived: the answer, if it is complete. Raises NotHttp."""
        self._buffer += data
        if not (self._status or self._read_head()) or self._until_end:
            return None
        is_complete = self._read_chunks() if self._is_chunked else self._read_body()
        return self._complete() if is_complete else None

    def end(self) -> Response:
        """No more bytes will come: the answer, if that completes it. Raises NotHttp."""
        if not self._until_end:
            begun = "in the middle of" if self._status or self._buffer else "without"
            raise NotHttp(f"the connection was closed {begun} an answer")
        self._body, self._buffer = self._buffer, bytearray()
        self.keeps_alive = False
        return self._complete()

    def _complete(self) -> Response:
        if self._buffer:  # nobody has asked for more
            self.keeps_alive = False
        return Response(self._status, self._headers, bytes(self._body))

    def _read_head(self) -> bool:
        """Whether the head of the answer is complete. Interim answers, such as 100 Continue, are skipped."""
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise NotHttp("the head of the answer does not end")
                return False
            first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
            del self._buffer[: end + 4]
            begins = _STATUS_LINE.fullmatch(first)
            if not begins:
                raise NotHttp(f"the answer begins with {first[:100]!r}")
            status = int(begins[2])
            if status >= 200 or status == 101:
                self._status, self._headers = status, _headers(lines)
                self._frame(begins[1], status, self._headers)
                return True

    def _frame(self, version: str, status: int, headers: Mapping[str, str]) -> None:
        """Where the body ends (RFC 9112, section 6.3)."""
        options = {option.strip() for option in headers.get("connection", "").lower().split(",")}
        self.keeps_alive = "close" not in options if version == "HTTP/1.1" else "keep-alive" in options
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if self._method == "HEAD" or status in (204, 304):
            return
        if coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise NotHttp(f"the body has the coding {coding[:100]!r} and the length {length}")
            self._is_chunked = True
        elif length is not None:
            if not _LENGTH.fullmatch(length):
                raise NotHttp(f"the length of the body is {length[:100]!r}")
            self._left = int(length)
        else:
            self._until_end = True

    def _read_body(self) -> bool:
        """Whether all bytes that are left have arrived."""
        if len(self._buffer) < self._left:
            return False
        self._body += self._buffer[: self._left]
        del self._buffer[: self._left]
        return True

    def _read_chunks(self) -> bool:
        """Whether the last chunk and its trailer, which is left out, have arrived."""
        while True:
            if self._left:  # a chunk, with the end of its line
                if len(self._buffer) < self._left:
                    return False
                if self._buffer[self._left - 2 : self._left] != b"\r\n":
                    raise NotHttp("a chunk is longer than it says")
                self._body += self._buffer[: self._left - 2]
                del self._buffer[: self._left]
                self._left = 0
            end = self._buffer.find(b"\r\n")
            if end < 0:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise NotHttp("a line between chunks does not end")
                return False
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 2]
            if self._in_trailer:
                if not line:
                    return True
                continue
            size = line.partition(b";")[0].strip()
            if not size or size.strip(b"0123456789abcdefABCDEF") or len(size) > 16:
                raise NotHttp(f"the size of a chunk is {size[:100]!r}")
            self._left = int(size, 16) + 2
            if self._left == 2:
                self._left, self._in_trailer = 0, True


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise NotHttp(f"a header is {line[:100]!r}")
        key, value = name.lower(), value.strip()
        if key in headers:
            if key in ("content-length", "transfer-encoding") and headers[key] != value:
                raise NotHttp(f"the header {key} is given twice")
            value = value if headers[key] == value else f"{headers[key]}, {value}"
        headers[key] = value
    return headers
