"""The suite itself: what one test leaves behind, or another suite beside it does, reaches no other test."""

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fanfold.local_aws.certificates import Certificates
from tests.faults.faulty import process_of_connection, workers_of_group
from tests.faults.proxy import Call, Proxy, Reset, proxy


@pytest.fixture
def between(tmp_path: Path) -> Iterator[Proxy]:
    """A proxy to an AWS that takes connections and never answers."""
    certificates = Certificates(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent, proxy(tmp_path / "proxy") as running:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(certificates.certificate, certificates.key)
        taken: list[ssl.SSLSocket] = []

        def take() -> None:
            while True:
                try:
                    taken.append(trust.wrap_socket(silent.accept()[0], server_side=True))
                except OSError:  # closed: the test is over
                    return

        threading.Thread(target=take, daemon=True).start()
        running.forward_to(f"https://127.0.0.1:{silent.getsockname()[1]}", str(certificates.authority))
        yield running
        silent.shutdown(socket.SHUT_RDWR)


def invoke(between: Proxy, body: bytes, length: int) -> ssl.SSLSocket:
    """Begin to invoke a function with a body that is said to have ``length`` bytes."""
    host, port = between.endpoint.removeprefix("https://").split(":")
    trust = ssl.create_default_context(cafile=str(between.authority))
    connection = trust.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)
    request = "POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: x\r\n"
    connection.sendall(f"{request}Content-Length: {length}\r\n\r\n".encode() + body)
    return connection


def test_an_invocation_whose_caller_died_while_sending_it_is_none(between: Proxy) -> None:
    """AWS would wait for the rest of it, and the suite for the answer."""
    connection = invoke(between, b"{", 100)
    connection.settimeout(10)
    socket.socket.shutdown(connection, socket.SHUT_WR)  # as the system does for a process that was killed
    while socket.socket.recv(connection, 4096):  # past TLS: until the proxy closes
        pass
    assert between.calls == []


def test_an_old_invocation_does_not_hold_up_the_next_test(between: Proxy) -> None:
    old = invoke(between, b"{}", 2)
    between.wait_for(lambda: between.invocations == 1)
    between.reset()
    assert between.invocations == 0
    assert old.recv(100) == b""  # its caller is told
    new = invoke(between, b"{}", 2)
    between.wait_for(lambda: between.invocations == 1)
    new.close()


def test_a_fault_is_told_who_made_the_call(between: Proxy) -> None:
    made_by: list[int | None] = []

    def decide(call: Call) -> Reset:
        made_by.append(process_of_connection(call.port, [os.getpid()]))
        return Reset()

    between.decide = decide
    with suppress(ConnectionResetError):  # As an end without an answer it is told by some versions of Python.
        assert invoke(between, b"{}", 2).recv(100) == b""
    assert made_by == [os.getpid()]


def test_only_workers_of_the_own_server_are_found(tmp_path: Path) -> None:
    """Two suites side by side: the names of the functions may even be the same."""
    servers = []
    for number in range(2):
        folder = tmp_path / str(number) / "ministack-lambda-parse-x" / "code"
        folder.mkdir(parents=True)
        servers.append(
            subprocess.Popen(
                [sys.executable, "-c", "print(flush=True); input()"],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        )
    try:
        for server in servers:
            assert server.stdout
            server.stdout.readline()
        for server in servers:
            assert workers_of_group(server.pid, "parse") == [server.pid]
            assert workers_of_group(server.pid, "other") == []
    finally:
        for server in servers:
            server.communicate(b"\n")
