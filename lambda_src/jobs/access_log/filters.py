"""Filters of requests by the job's options."""

import ipaddress
from collections.abc import Callable

from lambda_src.jobs.access_log.options import Options
from lambda_src.jobs.access_log.read import LONGEST_ADDRESS, Request
from lambda_src.jobs.access_log.times import minute_of

Takes = Callable[[Request], bool]
MOST_CLIENTS = 100_000


def filter_of(options: Options) -> Takes | None:
    """A test that selects the requests to count, or None if all are counted."""
    tests: list[Takes] = []
    if options.from_ is not None:
        first = minute_of(options.from_) or 0
        tests.append(lambda request: request.minute >= first)
    if options.to is not None:
        end = minute_of(options.to) or 0
        tests.append(lambda request: request.minute < end)
    if status := options.status:
        wanted = status.removesuffix("xx").encode()
        tests.append(lambda request: request.status.startswith(wanted))
    if options.method:
        method = options.method.encode()
        tests.append(lambda request: request.method == method)
    if options.host:
        host = options.host.lower().encode()
        tests.append(lambda request: request.host == host)
    if options.path:
        matches = glob(options.path.encode(errors="surrogatepass"))
        tests.append(lambda request: matches(request.path))
    if options.client:
        tests.append(_of_client(options.client))
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda request: all(test(request) for test in tests)


def glob(pattern: bytes) -> Callable[[bytes], bool]:
    """Whether a path is matched: by its beginning, or by all of it if there is a ``*``. In linear time.

    >>> [glob(b"/a*.js")(path) for path in (b"/a/b.js", b"/a.js.map", b"/b.js")], glob(b"/a")(b"/ab")
    ([True, False, False], True)
    """
    first, *others = pattern.split(b"*")
    if not others:
        return lambda path: path.startswith(pattern)
    *middle, last = others

    def matches(path: bytes) -> bool:
        at, end = len(first), len(path) - len(last)
        if not (path.startswith(first) and path.endswith(last) and at <= end):
            return False
        for piece in middle:
            at = path.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True

    return matches


def _of_client(client: str) -> Takes:
    try:
        network = ipaddress.ip_network(client, strict=False)
    except ValueError:
        name = client.encode()
        return lambda request: request.client == name
    known: dict[bytes, bool] = {}

    def is_inside(request: Request) -> bool:
        found = known.get(request.client)
        if found is None:
            if len(known) >= MOST_CLIENTS:
                known.clear()
            try:
                address = ipaddress.ip_address(request.client.decode("latin-1").strip("[]"))
                mapped = getattr(address, "ipv4_mapped", None)  # as servers write it that listen on both
                found = address in network or (mapped is not None and mapped in network)
            except ValueError:
                found = False
            if len(request.client) <= LONGEST_ADDRESS:
                known[request.client] = found
        return found

    return is_inside
