"""The gate of the local AWS, before an app that answers 200 to whatever passes."""

import asyncio
import datetime as dt
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from fanfold.local_aws.gate import MAX_HASHED_BYTES, Gate, Message, wildcards

OWN = Credentials("AKIAOWN", "own secret")
ROLE = Credentials("ASIAROLE", "role secret", "role token")
HOST = "127.0.0.1:4566"


def secret_of(access_key_id: str, session_token: str) -> str | None:
    return {("AKIAOWN", ""): "own secret", ("ASIAROLE", "role token"): "role secret"}.get(
        (access_key_id, session_token)
    )


def answer(scope: dict[str, Any], parts: Iterable[bytes] = (b"",)) -> tuple[int, bytes]:
    """The status that the gate answers, and the body as the app received it."""
    incoming: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    incoming[-1]["more_body"] = False
    incoming.append({"type": "http.disconnect"})
    received: list[bytes] = []
    sent: list[Message] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request":
            received.append(message["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Gate(app, secret_of)(scope, receive, send))
    return sent[0]["status"], b"".join(received)


def scope_of(request: AWSRequest) -> dict[str, Any]:
    """As hypercorn gives it to an app."""
    url = urlsplit(request.url)
    headers = [(name.lower().encode(), str(value).encode()) for name, value in request.headers.items()]
    return {
        "type": "http",
        "method": request.method,
        "path": url.path,
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "headers": [(b"host", HOST.encode()), *headers],
    }


def signed(
    key: Credentials = OWN,
    service: str = "dynamodb",
    path: str = "/",
    body: bytes = b"{}",
    method: str = "POST",
) -> dict[str, Any]:
    request = AWSRequest(method, f"https://{HOST}{path}", {"X-Amz-Target": "GetItem"}, body)
    (S3SigV4Auth if service == "s3" else SigV4Auth)(key, service, "us-east-1").add_auth(request)
    return scope_of(request)


@pytest.mark.parametrize("key", [OWN, ROLE])
@pytest.mark.parametrize(
    ("service", "path", "method"),
    [
        ("dynamodb", "/", "POST"),
        ("lambda", "/2015-03-31/functions/arn%3Aaws%3Alambda/invocations?Qualifier=%24LATEST", "POST"),
        ("s3", "/bucket/input/a%20key%2Bof%2F%E8%AA%9E?partNumber=1&uploadId=a%3D", "PUT"),
        ("s3", "/bucket?list-type=2&prefix=", "GET"),
    ],
)
def test_what_is_signed_with_a_key_of_this_run_passes(
    key: Credentials, service: str, path: str, method: str
) -> None:
    assert answer(signed(key, service, path, b"body", method), [b"bo", b"", b"dy"]) == (200, b"body")


def test_a_body_whose_hash_is_in_a_header_is_not_held_back() -> None:
    """Objects pass as they come: their hash is signed, or they are, by name, not."""
    size = MAX_HASHED_BYTES + 1
    assert answer(signed(service="s3", path="/bucket/key", method="PUT"), [bytes(size)])[0] == 200


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ("method", "PUT"),
        ("raw_path", b"/other"),
        ("query_string", b"Action=Other"),
        ("headers", b"x-amz-target"),
        ("headers", b"host"),
        ("headers", b"x-amz-date"),
        ("headers", b"authorization"),
    ],
)
def test_what_was_changed_after_it_was_signed_is_refused(changed: str, value: Any) -> None:
    scope = signed()
    if changed == "headers":
        value = [(name, text + b"1" if name == value else text) for name, text in scope["headers"]]
    assert answer({**scope, changed: value}, [b"{}"])[0] == 403


@pytest.mark.parametrize("body", [b"", b"{} ", b'{"other": 1}'])
def test_another_body_than_the_signed_one_is_refused(body: bytes) -> None:
    assert answer(signed(), [b"{}"]) == (200, b"{}")
    assert answer(signed(), [body]) == (403, b"")


def test_a_long_body_without_a_hash_is_not_held() -> None:
    assert answer(signed(), [bytes(MAX_HASHED_BYTES), b"1"]) == (403, b"")


@pytest.mark.parametrize(
    "key",
    [
        Credentials("test", "test"),
        Credentials("test", "own secret"),
        Credentials("AKIAOWN", "guessed"),
        Credentials("AKIAOWN", ""),
        Credentials("AKIAOWN", "own secret", "a token"),
        Credentials("ASIAROLE", "role secret"),
        Credentials("ASIAROLE", "role secret", "other token"),
        Credentials("ASIAROLE", "own secret", "role token"),
    ],
)
@pytest.mark.parametrize("service", ["dynamodb", "s3"])
def test_another_key_or_secret_is_refused(key: Credentials, service: str) -> None:
    assert answer(signed(key, service), [b"{}"])[0] == 403


@pytest.mark.parametrize("minutes", [-20, 20])
def test_an_old_signature_is_refused(minutes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was recorded once is of no use for long."""
    moved = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moved)
    assert answer(signed(), [b"{}"])[0] == 403


@pytest.mark.parametrize(
    "path", ["/_ministack/health", "/_ministack/reset", "/_localstack/health", "/_alb/x"]
)
def test_the_administration_is_closed_to_everybody(path: str) -> None:
    assert answer(signed(path=path), [b"{}"])[0] == 403


def test_a_websocket_is_refused() -> None:
    assert_closed = []

    async def send(message: Message) -> None:
        assert_closed.append(message["type"])

    async def never(*_: Any) -> Any:
        raise AssertionError

    scope = {**signed(), "type": "websocket"}
    asyncio.run(Gate(never, secret_of)(scope, never, send))
    assert assert_closed == ["websocket.close"]


FIELDS = st.sampled_from(["Credential", "SignedHeaders", "Signature", "x"])
VALUES = st.sampled_from(["AKIAOWN/20260101/us-east-1/s3/aws4_request", "AKIAOWN", "host", "", "é", "//////"])


@given(
    st.text() | st.lists(st.builds("{}={}".format, FIELDS, VALUES | st.text(max_size=9))).map(", ".join),
    st.sampled_from(["AWS4-HMAC-SHA256 ", "AWS4-ECDSA-P256-SHA256 ", "AWS ", "Bearer ", ""]),
    st.sampled_from(["20260101T000000Z", dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ"), "now", ""]),
    st.binary(max_size=20),
)
def test_no_invented_signature_passes_or_breaks_the_gate(
    fields: str, algorithm: str, date: str, query: bytes
) -> None:
    scope = {
        **signed(),
        "query_string": query,
        "headers": [
            (b"authorization", (algorithm + fields).encode("utf-8", "surrogatepass")),
            (b"x-amz-date", date.encode()),
        ],
    }
    assert answer(scope)[0] == 403


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("arn:b/input/*", "arn:b/input/new\nline.log", True),
        ("arn:b/input/*", "arn:b/input/line\n", True),
        ("arn:b/a?", "arn:b/a\n", True),
        ("arn:b/a", "arn:b/a\n", False),
        ("arn:b/a.c", "arn:b/abc", False),
        ("s3:Get*", "S3:getobject", False),
    ],
)
def test_wildcards_of_policies_match_keys_with_line_ends(pattern: str, text: str, matches: bool) -> None:
    assert bool(wildcards(pattern, ignore_case=False).match(text)) == matches
    assert wildcards("s3:Get*", ignore_case=True).match("S3:getobject")
