"""What we send is what botocore would: method, path, query, body and headers, but for what is listed here."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import boto3
import msgspec
import pytest
from botocore import xform_name
from botocore.config import Config
from obstore.store import S3Store

from fanfold.account.connection import Aws, paying
from fanfold.account.deployment import Deployment
from fanfold.runs.inputs import contents
from fanfold.runs.source import Object, Objects
from lambda_src.aws.connections import Connections
from lambda_src.aws.dynamodb import EndpointTable
from lambda_src.aws.endpoint import Endpoint, Unreachable
from lambda_src.aws.events import Event, put_events
from lambda_src.aws.functions import Invocation, Invocations
from lambda_src.aws.own_requests import OwnRequests
from lambda_src.errors import FanfoldError
from lambda_src.jobs.top_words import JOB
from lambda_src.store.results import ResultsTable
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import PartReport, Warmed
from lambda_src.wire.requests import WarmRequest
from tests.integration.test_endpoint import once
from tests.standing import deployment

REGION = "eu-west-1"
TRACE_ID = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

ONLY_BOTOCORE_SENDS = {
    "user-agent": "Nobody needs to know it; not signed.",
    "amz-sdk-invocation-id": "Names the retries of one call, for debugging an SDK.",
    "amz-sdk-request": "Counts them.",
    "authorization": "Signs other headers at another time; test_sigv4 compares signatures.",
    "x-amz-date": "Another time.",
    "x-amz-checksum-mode": "Asks S3 for a checksum that botocore then checks. TLS protects what we read.",
    "content-length": "Of the body, which is compared.",
    "accept-encoding": "The HTTP library behind botocore adds it.",
}
ONLY_WE_SEND = {
    "host": "The HTTP library behind botocore adds it.",
    "authorization": "As above.",
    "x-amz-date": "As above.",
}
DIFFERENT_BODY = {
    "ReturnConsumedCapacity": "A run says what it used.",
    "ClientRequestToken": "botocore makes one for a transaction. Ours may be sent twice: it has conditions.",
}


class Sent(NamedTuple):
    """A request on its way."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes


class Wire:
    """Takes the requests of both, and answers none."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []

    def take(self, method: str, url: str, headers: Any, body: bytes | None) -> None:
        parts = urlsplit(url)
        texts = {
            name.lower(): value.decode() if isinstance(value, bytes) else str(value)
            for name, value in headers.items()
        }
        self.sent.append(Sent(method, parts.path, parse_qsl(parts.query), texts, body or b""))


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "ASIATEST",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_LAMBDA_FUNCTION_NAME": "parse_file",
        "_X_AMZN_TRACE_ID": TRACE_ID + "\nx",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    wire = Wire()

    class Connection:
        """Takes the bytes of a request, as a socket or as one of ``Connections``."""

        def sendall(self, request: bytes) -> None:
            head, _, body = request.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            method, target, version = first.split(" ")
            assert version == "HTTP/1.1"
            wire.take(method, target, dict(line.split(": ", 1) for line in lines), body)
            raise ConnectionError("the test has seen enough")

        async def ask(self, request: bytes) -> None:
            self.sendall(request)

        def fileno(self) -> int:
            return -1

        def close(self) -> None:
            pass

        abort = close

    async def connected(_self: Connections) -> Any:
        return Connection()

    monkeypatch.setattr(Endpoint, "_connected", lambda _self, _ends_at: Connection())
    monkeypatch.setattr(Connections, "_connected", connected)
    return wire


def botocores(wire: Wire, service: str) -> Any:
    """A client of botocore whose requests go the same way."""
    once = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    client = boto3.Session().client(service, region_name=REGION, config=once)

    def before_send(request: Any, **_: object) -> None:
        wire.take(request.method, request.url, request.headers, request.body)
        raise ConnectionError("the test has seen enough")

    client.meta.events.register("before-send", before_send)
    return client


def ours(service: str) -> Endpoint:
    return Endpoint(service, REGION, f"https://{service}.{REGION}.amazonaws.com")


def compared(wire: Wire, we: Callable[[], object], botocore: Callable[[], object]) -> tuple[Sent, Sent]:
    """The same by both, without the headers that may differ."""
    sent = []
    for send in (we, botocore):
        wire.sent.clear()
        with pytest.raises((FanfoldError, Unreachable, ConnectionError)):
            send()
        sent.append(wire.sent[0])
    mine, theirs = sent
    assert (mine.method, mine.path, mine.query) == (theirs.method, theirs.path, theirs.query)
    for name in ("authorization", "x-amz-date"):
        assert name in mine.headers, name
        assert name in theirs.headers, name
    for one, other, may_differ in (
        (mine, theirs, ONLY_WE_SEND.keys() | ONLY_BOTOCORE_SENDS.keys()),
        (theirs, mine, ONLY_BOTOCORE_SENDS.keys()),
    ):
        assert {name: value for name, value in one.headers.items() if name not in may_differ} == {
            name: value for name, value in other.headers.items() if name in one.headers.keys() - may_differ
        }
    return mine, theirs


def signed_headers(sent: Sent) -> set[str]:
    return set(sent.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";"))


@pytest.mark.parametrize("kind", ["RequestResponse", "Event"])
@pytest.mark.parametrize(
    "function", ["Fanfold-ParseBlock", "arn:aws:lambda:eu-west-1:111122223333:function:f"]
)
def test_an_invocation(wire: Wire, kind: str, function: str) -> None:
    def invoked() -> None:
        functions = Connections("lambda", REGION, f"https://lambda.{REGION}.amazonaws.com")
        answer = None if kind == "Event" else Warmed
        try:
            once(
                Invocations(functions, lambda task: Invocation(function, task, 5), answer),
                WarmRequest("top_words"),
            )
        finally:
            functions.close()

    client = botocores(wire, "lambda")
    payload = msgspec.json.encode(WarmRequest("top_words"))
    mine, theirs = compared(
        wire,
        invoked,
        lambda: client.invoke(FunctionName=function, Payload=payload, InvocationType=kind),
    )
    assert mine.body == theirs.body == payload
    assert mine.headers["x-amzn-trace-id"] == TRACE_ID + "%0Ax"
    assert "x-amzn-trace-id" not in signed_headers(mine) | signed_headers(theirs)
    assert signed_headers(mine) == signed_headers(theirs) - {"amz-sdk-invocation-id", "amz-sdk-request"}


class Recorder:
    """A table that keeps what it is asked, and says what a run needs to go on asking."""

    name = "results"

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def call(self, operation: str, request: Any) -> dict[str, Any]:
        self.asked.append((operation, dict(request)))
        if operation == "Query" and "Select" not in request:
            item = ResultsTable(self, "run", JOB)._item("length#01", PartReport("1", 1, 1, {"words": 1}))
            return {"Items": [item]}
        record = RunRecord(run_id="run", owner="me", started_at=1.5, lease_until=time.time() + 30)
        return {"Count": 1, "Item": ResultsTable(self, "run", JOB)._item("run", record)}


def operations() -> list[tuple[str, dict[str, Any]]]:
    """One request of each kind that the results table sends."""
    recorder = Recorder()
    results = ResultsTable(recorder, "run", JOB)
    record = RunRecord(run_id="run", owner="me", started_at=1.5, key="input/größer", failures=["x"])
    results.claim(record, None)
    results.put_run(record)
    results.get_run()
    results.put_parts([PartReport("1", 1, 1, {"words": 1, "top_words": [{"word": "é", "count": 2}]})], "me")
    results.count_parts()
    results.get_parts()
    results.delete_parts("me")
    results.request_cancel()
    return recorder.asked


@pytest.mark.parametrize(("operation", "request_"), operations())
def test_a_request_to_the_table(wire: Wire, operation: str, request_: dict[str, Any]) -> None:
    client = botocores(wire, "dynamodb")
    mine, theirs = compared(
        wire,
        lambda: EndpointTable(ours("dynamodb"), "results").call(operation, request_),
        lambda: getattr(client, xform_name(operation))(**request_),
    )
    bodies = [
        {name: value for name, value in msgspec.json.decode(sent.body).items() if name not in DIFFERENT_BODY}
        for sent in (mine, theirs)
    ]
    assert bodies[0] == bodies[1] == request_


def test_every_operation_on_the_table_is_compared() -> None:
    operations_sent = {operation for operation, _ in operations()}
    assert operations_sent == {"GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"}


def test_an_event(wire: Wire) -> None:
    client = botocores(wire, "events")
    detail = '{"run_id":"é"}'
    event = {"Source": "fanfold", "DetailType": "Run Ended", "Detail": detail, "Time": 1.5}
    mine, theirs = compared(
        wire,
        lambda: put_events(ours("events"), "bus", [Event("fanfold", "Run Ended", detail, 1.5)]),
        lambda: client.put_events(Entries=[{**event, "EventBusName": "bus"}]),
    )
    assert msgspec.json.decode(mine.body) == msgspec.json.decode(theirs.body)


@pytest.mark.parametrize("key", ["a//b", "a/", "/a", "a\tb+c%41é~*'()!"])
@pytest.mark.parametrize("version", [None, "V.1_x-"])
@pytest.mark.parametrize("payer", [True, False])
def test_a_read_of_an_object(wire: Wire, key: str, version: str | None, payer: bool) -> None:
    endpoint = f"https://s3.{REGION}.amazonaws.com"
    objects = OwnRequests(S3Store("bucket", region=REGION, endpoint=endpoint, request_payer=payer))
    client = botocores(wire, "s3")
    more: dict[str, Any] = {"VersionId": version} if version else {}
    if payer:
        more["RequestPayer"] = "requester"
    compared(
        wire,
        lambda: objects.get(key, (3, 10), '"etag"', version),
        lambda: client.get_object(Bucket="bucket", Key=key, Range="bytes=3-9", IfMatch='"etag"', **more),
    )
    compared(
        wire,
        lambda: objects.head(key, version),
        lambda: client.head_object(Bucket="bucket", Key=key, **more),
    )


def test_a_person_of_a_deployment_that_pays_does_so_with_each_look_at_the_bucket(wire: Wire) -> None:
    client = paying(botocores(wire, "s3"))
    for operation, request in (
        ("list_objects_v2", {}),
        ("head_object", {"Key": "k"}),
        ("get_object", {"Key": "k"}),
    ):
        with pytest.raises(ConnectionError):
            getattr(client, operation)(Bucket="bucket", **request)
    assert [sent.headers.get("x-amz-request-payer") for sent in wire.sent] == ["requester"] * 3


def deployed(source_bucket: str, requester_pays: str) -> Deployment:
    """A deployment that reads ``source_bucket``."""
    own = deployment()
    return msgspec.structs.replace(own, source_bucket=source_bucket, requester_pays=requester_pays)


@pytest.mark.parametrize("source", [Object("bucket", "k"), Objects("bucket", "logs/")])
@pytest.mark.parametrize(
    ("deployment", "payer"),
    [
        (deployed("bucket", "on"), "requester"),
        (deployed("bucket", "off"), None),
        (deployed("other", "on"), None),  # nobody has consented to pay for that one
        (None, None),
    ],
)
def test_an_estimate_pays_for_what_its_deployment_pays_for(
    wire: Wire, source: Object | Objects, deployment: Deployment | None, payer: str | None
) -> None:
    aws = Aws(SimpleNamespace(client=lambda service, config: botocores(wire, service)))
    with pytest.raises(ConnectionError):
        contents(aws, source, deployment)
    assert [sent.headers.get("x-amz-request-payer") for sent in wire.sent] == [payer]
