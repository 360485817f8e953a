"""An S3 of a few lines that a test tells what to answer: exact about keys, which moto and proxies are not."""

import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Answer(NamedTuple):
    """A status, with headers beyond those of every object, and a body."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""


NO_SUCH_VERSION = b"<Error><Code>NoSuchVersion</Code><Message>It does not exist.</Message></Error>"


class StubS3:
    """Answers by the key on the wire: ``objects``, else ``other``; a version by its id. ``asked`` lists
    method and key of each request, ``headers`` what it said besides."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.reset()

    def reset(self) -> None:
        """As new."""
        self.objects: dict[str, Answer] = {}
        self.other = Answer(404)
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.versions: dict[str, Answer] = {}

    def answer(self, method: str, url: str, headers: Mapping[str, str] = {}) -> Answer:
        path, _, query = url.partition("?")
        # Nothing is normalised here: /bucket/<key, percent-encoded>, whatever the key.
        _, _, key = path.removeprefix("/").partition("/")
        key = urllib.parse.unquote(key, errors="strict")
        self.asked.append((method, key))
        self.headers.append({name.lower(): value for name, value in headers.items()})
        if version := dict(urllib.parse.parse_qsl(query)).get("versionId"):
            return self.versions.get(version, Answer(404, body=NO_SUCH_VERSION))
        return self.objects.get(key, self.other)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    stub: StubS3

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, body = self.stub.answer(self.command, self.path, self.headers)  # type: ignore[arg-type]
        asked_range = self.headers.get("Range")
        etag = {"ETag": '"etag"', **headers}["ETag"]
        if status == 200 and self.headers.get("If-Match", etag) != etag:
            status, body = 412, b""
        if status == 200 and asked_range:
            first, last = map(int, asked_range.removeprefix("bytes=").split("-"))
            headers = {**headers, "Content-Range": f"bytes {first}-{min(last, len(body) - 1)}/{len(body)}"}
            status, body = 206, body[first : last + 1]
        self.send_response(status)
        for name, value in {
            "ETag": '"etag"',
            "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
            "Content-Length": str(len(body)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test says what it saw."""


@contextmanager
def serving() -> Iterator[StubS3]:
    """A stub on a free loopback port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {})) as server:
        stub = StubS3(f"http://127.0.0.1:{server.server_port}")
        server.RequestHandlerClass.stub = stub  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()
