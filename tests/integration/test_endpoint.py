"""Requests over real connections, to a service that does what each test says."""

import contextlib
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore.session
import msgspec
import pytest

from lambda_src.aws import connections as connections_module
from lambda_src.aws import dynamodb
from lambda_src.aws import endpoint as module
from lambda_src.aws import functions as functions_module
from lambda_src.aws.connections import OPENED_AT_ONCE, OTHER_FILES, Connections
from lambda_src.aws.dynamodb import DynamoDbError, EndpointTable
from lambda_src.aws.endpoint import Endpoint, Unreachable
from lambda_src.aws.functions import Invocation, Invocations
from lambda_src.errors import (
    AccessDenied,
    FanfoldError,
    FunctionFailed,
    MemoryExceeded,
    SourceNotFound,
    Throttled,
    Transient,
)
from lambda_src.fan_out import drivers, map_reduce
from lambda_src.run.ledger import Watch
from lambda_src.run.warming import Warming
from lambda_src.telemetry.calls import Call, Usage
from lambda_src.wire.record import RunRecord
from lambda_src.wire.reports import Failure, LogResultsReport, Warmed
from lambda_src.wire.requests import LogResultsRequest, WarmRequest


class Service(ThreadingHTTPServer):
    """Answers as ``answer`` does; counts connections and requests."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer: Callable[[Handler, bytes], None] = lambda handler, body: handler.say(200, body)
        self.connections = 0
        self.requests: list[dict[str, str]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The caller has hung up."""

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append({name.lower(): value for name, value in self.headers.items()})
        self.server.answer(self, body)

    def say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with Service() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def endpoint(service: Service) -> Endpoint:
    return Endpoint("lambda", "us-east-1", f"http://127.0.0.1:{service.server_port}")


@pytest.fixture
def functions(service: Service) -> Iterator[Connections]:
    with connections(service.server_port) as opened:
        yield opened


@contextlib.contextmanager
def connections(port: int, scheme: str = "http") -> Iterator[Connections]:
    opened = Connections("lambda", "us-east-1", f"{scheme}://127.0.0.1:{port}")
    yield opened
    opened.close()


def once(driver: drivers.Driver[Any], task: Any) -> Any:
    """The answer of one call, which is not tried again."""
    driver.start(drivers.Call(0, 1, 0.0, 0.0), task)
    (finished,) = driver.wait(10)
    driver.close()
    if finished.error:
        raise finished.error
    return finished.answer


def test_a_connection_is_kept(service: Service, endpoint: Endpoint) -> None:
    for number in range(3):
        assert endpoint.post("/", {}, b"%d" % number, timeout_s=5).body == b"%d" % number
    assert service.connections == 1


def test_each_thread_has_its_own_connection_and_answer(service: Service, endpoint: Endpoint) -> None:
    together = threading.Barrier(8)

    def answer(handler: Handler, body: bytes) -> None:
        together.wait(10)
        handler.say(200, body)

    service.answer = answer
    with ThreadPoolExecutor(8) as threads:
        bodies = [b"%d" % number for number in range(16)]
        assert [
            answer.body
            for answer in threads.map(lambda body: endpoint.post("/", {}, body, timeout_s=5), bodies)
        ] == bodies
    assert service.connections == 8


def test_what_the_service_has_closed_is_not_asked_again(service: Service, endpoint: Endpoint) -> None:
    closed = threading.Event()

    def close(handler: Handler, body: bytes) -> None:
        handler.say(200, body)
        handler.wfile.flush()
        handler.connection.shutdown(2)
        handler.close_connection = True
        closed.set()

    service.answer = close
    for _ in range(3):
        endpoint.post("/", {}, b"x", timeout_s=5)
        closed.wait(10)
        closed.clear()
    assert service.connections == 3


def test_what_was_idle_for_long_is_not_asked_again(
    service: Service, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.post("/", {}, b"x", timeout_s=5)
    monkeypatch.setattr(module, "IDLE_S", -1.0)
    endpoint.post("/", {}, b"x", timeout_s=5)
    assert service.connections == 2


def cut(handler: Handler, body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "10")
    handler.end_headers()
    handler.wfile.write(b"123")
    handler.close_connection = True


def hang_up(handler: Handler, body: bytes) -> None:
    handler.close_connection = True


@pytest.mark.parametrize("fault", [cut, hang_up])
def test_half_an_answer_is_none_and_its_connection_goes(
    service: Service, endpoint: Endpoint, fault: Callable[[Handler, bytes], None]
) -> None:
    service.answer = fault
    with pytest.raises(Unreachable):
        endpoint.post("/", {}, b"x", timeout_s=5)
    assert len(service.requests) == 1  # it may have been carried out: whoever asked decides
    service.answer = lambda handler, body: handler.say(200, body)
    assert endpoint.post("/", {}, b"x", timeout_s=5).body == b"x"


def test_an_answer_that_takes_too_long_is_none(service: Service) -> None:
    endpoint = Endpoint("lambda", "us-east-1", f"http://127.0.0.1:{service.server_port}")
    ended = threading.Event()
    service.answer = lambda handler, body: handler.say(200, body) if ended.wait(10) else None
    with pytest.raises(Unreachable, match="timed out"):
        endpoint.post("/", {}, b"x", timeout_s=0.05)
    ended.set()


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(Unreachable, match="refused"):
        Endpoint("lambda", "us-east-1", "http://127.0.0.1:9").post("/", {}, b"x", timeout_s=5)


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a listener that never answers, nor takes a connection: those that do not fit its queue wait
    to be connected, the others for an answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        yield listener.getsockname()[1]


def answered_late(service: Service) -> threading.Event:
    """Until it is set, nothing is answered."""
    ended = threading.Event()

    def answer(handler: Handler, _body: bytes) -> None:
        ended.wait(10)
        handler.say(200, b"{}")

    service.answer = answer
    return ended


class GivenUp(Exception):
    pass


def open_sockets() -> int:
    """How many sockets this process has."""
    return sum(link.is_socket() for link in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.usefixtures("service")
def test_calls_that_are_given_up_hold_no_connection(
    silent: int, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether they wait to be connected, for TLS or for an answer."""
    monkeypatch.setattr(map_reduce, "TICK_S", 0.01)
    with connections(silent, scheme) as functions:
        before = open_sockets()

        def give_up() -> None:
            if open_sockets() >= before + OPENED_AT_ONCE:
                raise GivenUp

        with pytest.raises(GivenUp):
            map_reduce.map_reduce(
                log_results(functions, timeout_s=60),
                [REQUEST] * 60,
                lambda _task, _answer: None,
                name=str,
                max_concurrency=60,
                tick=give_up,
            )
        assert open_sockets() == before


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.usefixtures("service")
def test_threads_that_are_given_up_end(silent: int, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether they wait to be connected, for TLS or for an answer."""
    monkeypatch.setattr(map_reduce, "TICK_S", 0.01)
    endpoint = Endpoint("lambda", "us-east-1", f"{scheme}://127.0.0.1:{silent}")

    def calling() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if "_call_in_turn" in thread.name]

    def give_up() -> None:
        if len(calling()) == 60:
            raise GivenUp

    with pytest.raises(GivenUp):
        map_reduce.map_reduce(
            lambda _: endpoint.post("/", {}, b"x", timeout_s=60),
            range(60),
            lambda _task, _answer: None,
            name=str,
            max_concurrency=60,
            tick=give_up,
        )
    for thread in calling():
        thread.join(1)
    assert calling() == []


def many(functions: Connections, calls: int) -> list[LogResultsReport]:
    """The answers of so many calls at once."""
    found: list[LogResultsReport] = []
    map_reduce.map_reduce(
        log_results(functions),
        [REQUEST] * calls,
        lambda _, report: found.append(report),
        name=str,
        max_concurrency=calls,
    )
    return found


def report(handler: Handler, _body: bytes) -> None:
    handler.say(200, b'{"outcome": "done", "parts": 3}')


def in_chunks(handler: Handler, _body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for piece in (b'{"outcome": "done", ', b'"parts": 3}', b""):
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.flush()


@pytest.mark.parametrize("answer", [report, in_chunks])
def test_calls_at_once_have_a_connection_each_and_leave_it_to_later_ones(
    service: Service, functions: Connections, answer: Callable[[Handler, bytes], None]
) -> None:
    together = threading.Barrier(50)

    def wait_for_all(handler: Handler, body: bytes) -> None:
        together.wait(10)
        answer(handler, body)

    service.answer = wait_for_all
    for _ in range(2):
        assert many(functions, 50) == [LogResultsReport(3)] * 50
    assert service.connections == 50
    service.answer = answer
    assert many(functions, 100) == [LogResultsReport(3)] * 100
    assert service.connections <= 100


def test_connections_are_opened_a_few_at_a_time(service: Service, silent: int) -> None:
    with connections(silent) as functions:
        driver = log_results(functions)
        started: list[drivers.Call] = []
        while driver.has_room():
            started.append(drivers.Call(len(started), 1, 0.0, 0.0))
            driver.start(started[-1], REQUEST)
        assert len(started) == OPENED_AT_ONCE
        for call in started:
            driver.abandon(call)
        driver.close()
        assert driver.has_room()


def test_a_connection_that_does_not_open_holds_up_no_others(
    service: Service, silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_module, "SLOW_S", 0.0)
    with connections(silent) as functions:
        driver = log_results(functions)
        started = [drivers.Call(number, 1, 0.0, 0.0) for number in range(2 * OPENED_AT_ONCE)]
        for call in started:
            while not driver.has_room():
                assert driver.wait(1.0) == []
            driver.start(call, REQUEST)
        for call in started:
            driver.abandon(call)
        driver.close()


def test_as_many_connections_as_there_may_be_files_are_opened(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (OTHER_FILES + 3, 1024))
    service.answer = report
    with connections(service.server_port) as functions:
        assert many(functions, 30) == [LogResultsReport(3)] * 30
    assert service.connections <= 3


@pytest.mark.parametrize("fault", [cut, hang_up])
def test_a_call_with_half_an_answer_may_pass_and_its_connection_goes(
    service: Service, functions: Connections, fault: Callable[[Handler, bytes], None]
) -> None:
    service.answer = fault
    with pytest.raises(Transient, match=r"The connection to Lambda failed for function: .*closed"):
        ask(functions)
    assert len(service.requests) == 1
    service.answer = report
    assert ask(functions) == LogResultsReport(3)
    assert service.connections == 2


def test_a_call_that_takes_longer_than_its_function_may_has_failed(
    service: Service, functions: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(functions_module, "MARGIN_S", 0.0)
    ended = answered_late(service)
    with pytest.raises(Transient, match="TimeoutError: timed out"):
        once(log_results(functions, timeout_s=0.05), REQUEST)
    ended.set()
    service.answer = report
    assert ask(functions) == LogResultsReport(3)  # and not the late answer
    assert service.connections == 2


def test_a_connection_that_was_closed_or_has_said_more_is_not_used_again(
    service: Service, functions: Connections
) -> None:
    """While nobody waits for it, and its loop stands still."""
    said = threading.Event()

    def say_more(handler: Handler, body: bytes) -> None:
        report(handler, body)
        handler.wfile.flush()
        if len(service.requests) == 1:
            handler.wfile.write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
            handler.wfile.flush()
        else:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
        said.set()

    service.answer = say_more
    for number in range(1, 4):
        assert ask(functions) == LogResultsReport(3)
        assert said.wait(10)
        said.clear()
        assert service.connections == number


def test_idle_connections_are_not_used_after_a_while(
    service: Service, functions: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answer = report
    ask(functions)
    monkeypatch.setattr(connections_module, "IDLE_S", -1.0)
    ask(functions)
    assert service.connections == 2


@pytest.mark.usefixtures("service")
def test_no_function_is_there() -> None:
    with connections(9) as functions, pytest.raises(Transient, match="ConnectionRefusedError"):
        ask(functions)


def test_a_lost_copy_is_given_up_at_the_end_and_its_connection_is_not_used_again(
    service: Service, functions: Connections
) -> None:
    ended = answered_late(service)
    driver = log_results(functions)
    call = drivers.Call(0, 1, 0.0, 0.0)
    driver.start(call, REQUEST)
    while not service.requests:
        assert driver.wait(0.001) == []
    driver.abandon(call)
    driver.close()
    ended.set()
    assert driver.wait(0.0) == []
    service.answer = lambda handler, _: handler.say(200, b'{"outcome": "done", "parts": 3}')
    assert ask(functions) == LogResultsReport(3)
    assert service.connections == 2


def test_what_warms_up_is_given_up_with_its_run(service: Service, functions: Connections) -> None:
    ended = answered_late(service)
    warming = Warming(
        Invocations(functions, lambda name: Invocation(name, WarmRequest("top_words"), 60), Warmed),
        ["log_results", "get_occurrences"],
    )
    warming.begin_once(spare_concurrency=2)
    while len(service.requests) < 2:
        functions.run(0.001)
    ended.set()
    calls = warming.end()
    assert [call.outcome for call in calls] == ["given_up", "given_up"]
    assert [call.function for call in calls] == ["log_results", "get_occurrences"]
    assert warming.end() == []


def test_a_connection_that_is_gone_is_noticed_within_minutes(service: Service, endpoint: Endpoint) -> None:
    endpoint.post("/", {}, b"x", timeout_s=5)
    ((_, connection),) = endpoint._kept
    tcp = {
        name: connection.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT", "TCP_NODELAY")
    }
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert tcp == {
        "TCP_KEEPIDLE": 60,
        "TCP_KEEPINTVL": 10,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": 90_000,
        "TCP_NODELAY": 1,
    }


REQUEST = LogResultsRequest(RunRecord(run_id="run", started_at=0.0))


def log_results(functions: Connections, timeout_s: float = 5) -> Invocations[LogResultsRequest]:
    return Invocations(
        functions, lambda request: Invocation("function", request, timeout_s), LogResultsReport
    )


def ask(functions: Connections) -> Any:
    return once(log_results(functions), REQUEST)


def test_a_function_is_invoked(service: Service, functions: Connections) -> None:
    service.answer = lambda handler, _: handler.say(200, b'{"outcome": "done", "parts": 3}')
    assert ask(functions).parts == 3
    service.answer = lambda handler, _: handler.say(202, b"")
    assert once(Invocations(functions, lambda task: Invocation("function", task, 5), None), REQUEST) is None
    kinds = [request["x-amz-invocation-type"] for request in service.requests]
    assert kinds == ["RequestResponse", "Event"]
    assert service.connections == 1


@pytest.mark.parametrize(
    ("refusal", "becomes", "text"),
    [
        ((429, {"Retry_After": "7"}), Throttled, "Lambda throttled function: why"),
        ((503, {}), Throttled, "Lambda throttled function: why"),
        ((500, {}), Transient, "Lambda answered 500 for function: why"),
        (
            (403, {"x_amzn_ErrorType": "AccessDeniedException:http://x"}),
            AccessDenied,
            "^AccessDeniedException by",
        ),
        (
            (404, {"x_amzn_ErrorType": "ResourceNotFoundException"}),
            FunctionFailed,
            "ResourceNotFoundException: why",
        ),
        ((200, {"X_Amz_Function_Error": "Unhandled"}), Transient, "function crashed: Unknown"),
    ],
)
def test_what_lambda_refuses_is_reported(
    service: Service, functions: Connections, refusal: tuple[int, dict[str, str]], becomes: type, text: str
) -> None:
    status, headers = refusal
    service.answer = lambda handler, _: handler.say(status, b'{"Message": "why"}', **headers)
    with pytest.raises(becomes, match=text) as caught:
        ask(functions)
    assert type(caught.value) is becomes
    if status == 429:
        assert getattr(caught.value, "retry_after_s", None) == 7.0
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("crash", "becomes", "text"),
    [
        ("Runtime.OutOfMemory", MemoryExceeded, r"more memory than it has \(Runtime.OutOfMemory\).*: docs/"),
        ("Runtime.ExitError", MemoryExceeded, r"more memory than it has \(Runtime.ExitError\).*: docs/"),
        (
            "ValueError",
            Transient,
            "function crashed: ValueError: RequestId: 1 Error: Runtime exited with error: s",
        ),
        ("JobCrashed", Transient, "function crashed: RequestId: 1 Error: Runtime exited with error: s"),
    ],
)
def test_a_function_that_lambda_killed_needed_more_memory(
    service: Service, functions: Connections, crash: str, becomes: type, text: str
) -> None:
    message = "RequestId: 1 Error: Runtime exited with error: signal: killed"
    body = msgspec.json.encode({"errorType": crash, "errorMessage": message})
    service.answer = lambda handler, _: handler.say(200, body, X_Amz_Function_Error="Unhandled")
    with pytest.raises(becomes, match=text) as caught:
        ask(functions)
    assert type(caught.value) is becomes


@pytest.mark.parametrize(
    ("status", "headers", "body", "becomes"),
    [
        (200, {"X_Amz_Function_Error": "Unhandled"}, b"{}", Transient),
        (500, {}, b'{"Message": "why"}', Transient),
        (429, {}, b'{"Message": "why"}', Throttled),
        (404, {"x_amzn_ErrorType": "ResourceNotFoundException"}, b'{"Message": "why"}', FunctionFailed),
        (200, {}, b"<html>", FunctionFailed),
        (200, {}, b'{"outcome": "\xff"}', FunctionFailed),
        (200, {}, b'{"parts": ' + b"[" * 5000 + b"]" * 5000 + b"}", FunctionFailed),
        (200, {"X_Amz_Function_Error": "Unhandled"}, b'{"errorMessage": "\xff"}', Transient),
        (500, {}, b'{"Message": "\xff"}', Transient),
    ],
)
def test_a_call_that_failed_is_named_as_its_logs_name_it(  # noqa: PLR0917 - one row
    service: Service,
    functions: Connections,
    status: int,
    headers: dict[str, str],
    body: bytes,
    becomes: type[FanfoldError],
) -> None:
    named = {**headers, "X_Amzn_RequestId": "5f3a-9c1e"}
    service.answer = lambda handler, _: handler.say(status, body, **named)
    with pytest.raises(becomes, match=r"\(request 5f3a-9c1e\)") as caught:
        ask(functions)
    assert caught.value.request_id == "5f3a-9c1e"


@pytest.mark.parametrize("fails", [False, True])
def test_the_request_id_of_each_call_is_in_the_trace(
    service: Service, functions: Connections, fails: bool
) -> None:
    usage = Usage(1024, 0.0, 10.0, 0.0, 0.0, {}, "its own")
    report = Failure("SourceNotFound", "It is gone.", usage=usage) if fails else LogResultsReport(3, usage)
    body = msgspec.json.encode(report)
    service.answer = lambda handler, _: handler.say(200, body, X_Amzn_RequestId="5f3a-9c1e")
    calls: list[Call] = []
    with contextlib.suppress(SourceNotFound):
        map_reduce.call_once(
            log_results(functions), REQUEST, observer=Watch("log_results", lambda _: "", calls.append)
        )
    assert [(call.request_id, call.error != "") for call in calls] == [("5f3a-9c1e", fails)]
    assert calls[0].usage == Usage(1024, 0.0, 10.0, 0.0, 0.0, {})
    if fails:
        assert calls[0].error == "SourceNotFound: It is gone."  # an answer, and none about the call


REFUSALS = {
    "CodeArtifactUserDeletedException": Throttled,
    "CodeArtifactUserFailedException": FunctionFailed,
    "CodeArtifactUserPendingException": Throttled,
    "DurableExecutionAlreadyStartedException": FunctionFailed,
    "EC2AccessDeniedException": AccessDenied,
    "EC2ThrottledException": Throttled,
    "EC2UnexpectedException": Transient,
    "EFSIOException": Transient,
    "EFSMountConnectivityException": Transient,
    "EFSMountFailureException": FunctionFailed,
    "EFSMountTimeoutException": Transient,
    "ENILimitReachedException": Throttled,
    "ENINotReadyException": Throttled,
    "InvalidParameterValueException": FunctionFailed,
    "InvalidRequestContentException": FunctionFailed,
    "InvalidRuntimeException": FunctionFailed,
    "InvalidSecurityGroupIDException": FunctionFailed,
    "InvalidSubnetIDException": FunctionFailed,
    "InvalidZipFileException": FunctionFailed,
    "KMSAccessDeniedException": AccessDenied,
    "KMSDisabledException": FunctionFailed,
    "KMSInvalidStateException": FunctionFailed,
    "KMSNotFoundException": FunctionFailed,
    "ModeNotSupportedException": FunctionFailed,
    "NoPublishedVersionException": FunctionFailed,
    "RecursiveInvocationException": FunctionFailed,
    "RequestTooLargeException": FunctionFailed,
    "ResourceConflictException": Throttled,
    "ResourceNotFoundException": FunctionFailed,
    "ResourceNotReadyException": Throttled,
    "S3FilesMountConnectivityException": Transient,
    "S3FilesMountFailureException": FunctionFailed,
    "S3FilesMountTimeoutException": Transient,
    "SerializedRequestEntityTooLargeException": FunctionFailed,
    "ServiceException": Transient,
    "ServiceQuotaExceededException": FunctionFailed,
    "SnapStartException": FunctionFailed,
    "SnapStartNotReadyException": Throttled,
    "SnapStartRegenerationFailureException": FunctionFailed,
    "SnapStartTimeoutException": Transient,
    "SubnetIPAddressLimitReachedException": Throttled,
    "TooManyRequestsException": Throttled,
    "UnsupportedMediaTypeException": FunctionFailed,
}
"""Every error that the API reference names for Invoke."""

DOCUMENTED = {
    error.name: error.metadata["error"]["httpStatusCode"]
    for error in botocore.session.get_session()
    .get_service_model("lambda")
    .operation_model("Invoke")
    .error_shapes
}


@pytest.mark.parametrize("code", sorted(DOCUMENTED))
def test_what_passes_is_tried_again_and_what_lasts_is_not(
    service: Service, functions: Connections, code: str
) -> None:
    refusal = {"x_amzn_ErrorType": code}
    service.answer = lambda handler, _: handler.say(DOCUMENTED[code], b'{"Message": "why"}', **refusal)
    with pytest.raises(FanfoldError, match=r"function.*: why") as caught:
        ask(functions)
    assert type(caught.value) is REFUSALS[code]


@pytest.mark.parametrize("status", [408, 410, 500, 502, 504])
def test_a_gateway_in_between_fails_for_a_moment(
    service: Service, functions: Connections, status: int
) -> None:
    service.answer = lambda handler, _: handler.say(status, b"<html>")
    with pytest.raises(Transient, match=f"Lambda answered {status} for function"):
        ask(functions)


def test_what_is_no_report_is_reported(service: Service, functions: Connections) -> None:
    service.answer = lambda handler, _: handler.say(200, b"<html>")
    with pytest.raises(FunctionFailed, match="function answered something other than its report"):
        ask(functions)


@pytest.fixture
def table(
    service: Service, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> tuple[Service, EndpointTable]:
    monkeypatch.setattr(dynamodb, "BACKOFF_S", 0.0)
    return service, EndpointTable(endpoint, "results")


BUSY = b'{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"}'
WRONG = b'{"__type": "com.amazonaws.dynamodb.v20120810#ValidationException", "message": "no"}'


@pytest.mark.parametrize(
    ("answer", "error", "attempts"),
    [
        ((400, BUSY), DynamoDbError, dynamodb.MAX_ATTEMPTS),
        ((500, b"{}"), DynamoDbError, dynamodb.MAX_ATTEMPTS),
        ((200, b"<html>"), Unreachable, dynamodb.MAX_ATTEMPTS),
        ((400, WRONG), DynamoDbError, 1),
    ],
)
def test_a_table_is_asked_again_for_what_passes(
    table: tuple[Service, EndpointTable], answer: tuple[int, bytes], error: type[Exception], attempts: int
) -> None:
    service, results = table
    service.answer = lambda handler, _: handler.say(*answer)
    with pytest.raises(error):
        results.call("GetItem", {})
    assert len(service.requests) == attempts
    assert service.requests[0]["x-amz-target"] == "DynamoDB_20120810.GetItem"
