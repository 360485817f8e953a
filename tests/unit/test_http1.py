"""Answers as bytes: ours against h11, in pieces of any size, and what is no answer."""

from contextlib import suppress
from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src.aws.http1 import MAX_HEAD_BYTES, AnswerReader, NotHttp, Response, request_bytes

names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True).filter(
    lambda name: name.lower() not in ("connection", "content-length", "transfer-encoding", "upgrade")
)
values = st.from_regex(r"[!-~]([ -~]{0,10}[!-~])?", fullmatch=True)
bodies = st.binary(max_size=300)
FRAMINGS = ("length", "chunked", "until the end")


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bool]:
    """An answer, and whether it ends with its connection."""
    status = draw(st.sampled_from([200, 202, 204, 304, 400, 403, 429, 500, 503]))
    headers = {name.lower(): (name, value) for name, value in draw(st.dictionaries(names, values)).items()}
    lines = [f"{name}: {value}" for name, value in headers.values()]
    if draw(st.booleans()):
        lines.append(draw(st.sampled_from(["Connection: close", "connection: Keep-Alive"])))
    body, framing = draw(bodies), draw(st.sampled_from(FRAMINGS))
    if status in (204, 304):
        body, framing = b"", "length"
    elif framing == "length":
        lines.append(f"Content-Length: {len(body)}")
    elif framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
        body = chunked(draw, body)
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" if draw(st.booleans()) else b""
    head = "\r\n".join([f"HTTP/1.1 {status} Some reason", *lines, "", ""]).encode()
    return interim + head + body, framing == "until the end"


def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    cuts = sorted({0, len(body), *draw(st.lists(st.integers(0, len(body)), max_size=4))})
    pieces = [body[start:end] for start, end in pairwise(cuts)]
    extension = draw(st.sampled_from(["", ";a=b"]))
    trailer = draw(st.sampled_from(["", "x-checksum: 1\r\n"]))
    chunks = b"".join(f"{len(piece):X}{extension}\r\n".encode() + piece + b"\r\n" for piece in pieces)
    return chunks + f"0\r\n{trailer}\r\n".encode()


def by_h11(answer: bytes) -> tuple[Response, bool]:
    """The answer, and whether its connection can be kept."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("host", "x"), ("content-length", "0")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(answer)
    status, headers, body = 0, {}, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(b"")
        elif isinstance(event, h11.Response):
            status, headers = event.status_code, {name.decode(): of.decode() for name, of in event.headers}
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return Response(status, headers, body), connection.their_state is h11.DONE


@given(answers(), st.lists(st.integers(0, 600), max_size=8))
@settings(deadline=None, max_examples=300)
def test_an_answer_is_read_as_h11_reads_it_in_pieces_of_any_size(
    given_answer: tuple[bytes, bool], cuts: list[int]
) -> None:
    answer, ends_with_connection = given_answer
    reader, found = AnswerReader("POST"), None
    places = sorted({0, len(answer), *(cut for cut in cuts if cut < len(answer))})
    for start, end in pairwise(places):
        assert found is None
        found = reader.feed(answer[start:end])
    if ends_with_connection:
        assert found is None
        found = reader.end()
    expected, can_be_kept = by_h11(answer)
    assert found == expected
    assert reader.keeps_alive == (can_be_kept and not ends_with_connection)


@given(answers(), st.integers(0, 600))
@settings(deadline=None)
def test_half_an_answer_is_none(given_answer: tuple[bytes, bool], cut: int) -> None:
    answer, ends_with_connection = given_answer
    reader = AnswerReader("POST")
    if ends_with_connection:
        cut = min(cut, answer.rindex(b"\r\n\r\n"))
    if cut < len(answer) and reader.feed(answer[:cut]) is None:
        with pytest.raises(NotHttp, match="the connection was closed"):
            reader.end()


@given(answers(), st.binary(min_size=1, max_size=20))
@settings(deadline=None)
def test_a_connection_on_which_more_came_than_the_answer_is_not_kept(
    given_answer: tuple[bytes, bool], more: bytes
) -> None:
    answer, ends_with_connection = given_answer
    reader = AnswerReader("POST")
    if not ends_with_connection:
        assert reader.feed(answer + more)
        assert not reader.keeps_alive


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_not_http(data: bytes) -> None:
    reader = AnswerReader("POST")
    with suppress(NotHttp):
        assert reader.feed(data) or reader.end()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "begins with 'SSH-2.0"),
        (b"HTTP/2 200\r\n\r\n", "begins with"),
        (b"HTTP/1.1 OK\r\n\r\n", "begins with"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "begins with"),
        (b"HTTP/1.1 001 OK\r\n\r\n", "begins with"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "a header is 'no colon'"),
        (b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", "a header is"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "length of the body is '-1'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "length of the body is '999"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "given twice"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "coding 'gzip, chunked'"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", "length 3"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "size of a chunk is b'xyz'"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "size of a chunk"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "longer than it says"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * (MAX_HEAD_BYTES + 1), "does not end"),
    ],
)
def test_what_breaks_the_protocol_is_not_read(answer: bytes, says: str) -> None:
    with pytest.raises(NotHttp, match=says):
        AnswerReader("POST").feed(answer)


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_an_answer_to_head_has_a_length_and_no_body(method: str) -> None:
    found = AnswerReader(method).feed(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")
    assert found == (Response(200, {"content-length": "7"}, b"") if method == "HEAD" else None)


def test_an_older_service_closes_its_connections() -> None:
    reader = AnswerReader("POST")
    assert reader.feed(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert not reader.keeps_alive


@given(st.dictionaries(names, values), bodies)
@settings(deadline=None)
def test_a_request_is_read_by_h11(headers: dict[str, str], body: bytes) -> None:
    headers = {name.lower(): value for name, value in headers.items()} | {"host": "x"}
    server = h11.Connection(h11.SERVER)
    server.receive_data(request_bytes("POST", "/a?b=c", headers, body))
    request = server.next_event()
    assert isinstance(request, h11.Request)
    assert (request.method, request.target) == (b"POST", b"/a?b=c")
    sent = {name.decode(): value.decode() for name, value in request.headers}
    assert sent == {**headers, "content-length": str(len(body))}
    received = b""
    while isinstance(event := server.next_event(), h11.Data):
        received += bytes(event.data)
    assert (received, type(event)) == (body, h11.EndOfMessage)
