"""Whose certificates are believed, over real TLS."""

import datetime as dt
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import botocore
import pytest

from fanfold.local_aws.certificates import Certificates
from lambda_src.aws import endpoint as module
from lambda_src.aws.connections import TLS_BUFFER_BYTES, Connections
from lambda_src.aws.endpoint import Endpoint, Unreachable
from lambda_src.aws.trust import AMAZON_ROOTS, Trust
from tests.integration.test_endpoint import Service

PEM = re.compile(
    r"# ([^\n]*), until (\S*)\n(-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----\n)", re.DOTALL
)
SHIPPED = PEM.findall(Path(AMAZON_ROOTS).read_text())


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@pytest.fixture
def service(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service whose certificate nobody but the test's own authority has signed."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setattr(module, "TRUST", Trust())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with Service() as running:
        running.socket = context.wrap_socket(running.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


Ask = Callable[..., list[int]]


@pytest.fixture(params=["threads", "one thread"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Asks a service some times at once, and returns the statuses."""
    return ask_in_threads if request.param == "threads" else ask_in_one_thread


def ask_in_one_thread(service: Service, times: int = 1) -> list[int]:
    connections = Connections("lambda", "us-east-1", f"https://localhost:{service.server_port}")
    statuses: list[int] = []
    errors: list[Exception] = []

    async def post() -> None:
        try:
            statuses.append((await connections.post("/", {}, b"x", timeout_s=5)).status)
        except Unreachable as error:
            errors.append(error)

    requests = [connections.begin(post()) for _ in range(times)]
    while not all(request.done() for request in requests):
        connections.run(1.0)
    connections.close()
    for error in errors:
        raise error
    return statuses


def ask_in_threads(service: Service, times: int = 1) -> list[int]:
    endpoint = Endpoint("lambda", "us-east-1", f"https://localhost:{service.server_port}")
    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(lambda _: endpoint.post("/", {}, b"x", timeout_s=5).status, range(times)))


def test_who_is_certified_by_none_of_amazon_s_is_looked_up_in_the_system_s_once(
    service: Service,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    ask: Ask,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))  # the system's, to OpenSSL
    assert ask(service, times=4) == [200] * 4
    assert ask(service) == [200]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith('{"event":"system_authorities","host":"localhost","message":"')


def test_who_is_certified_by_nobody_is_not_asked(service: Service, ask: Ask) -> None:
    for _ in range(2):
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            ask(service)
    assert service.requests == []


@pytest.mark.parametrize("right", [True, False])
def test_what_the_environment_names_is_final(  # noqa: PLR0917 - fixtures
    service: Service,
    certificates: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    right: bool,
    ask: Ask,
) -> None:
    other = Certificates(tmp_path_factory.mktemp("other"))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    monkeypatch.setenv("AWS_CA_BUNDLE", str((certificates if right else other).authority))
    if right:
        assert ask(service) == [200]
    else:
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            ask(service)


def test_no_other_authority_is_loaded_before_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    context = Trust().context()
    assert len(context.get_ca_certs()) == len(SHIPPED) == 7
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(("name", "until", "pem"), SHIPPED, ids=[name for name, _, _ in SHIPPED])
def test_each_authority_is_the_one_that_botocore_has(name: str, until: str, pem: str) -> None:
    bundle = (Path(botocore.__file__).parent / "cacert.pem").read_text()
    assert pem in bundle
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem)
    certificate: Any = context.get_ca_certs()[0]
    subject = {key: value for part in certificate["subject"] for key, value in part}
    assert name in (subject.get("commonName"), subject.get("organizationalUnitName"))
    assert subject["organizationName"] in ("Amazon", "Starfield Technologies, Inc.")
    expires = dt.datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), dt.UTC)
    assert f"{expires:%Y-%m-%d}" == until
    assert expires > dt.datetime.now(dt.UTC) + dt.timedelta(days=365), "replace it"


def test_a_connection_has_the_small_buffer_that_asyncio_is_told(
    service: Service, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a class attribute that Python does not document."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificates.authority))
    connections = Connections("lambda", "us-east-1", f"https://localhost:{service.server_port}")

    async def post() -> None:
        await connections.post("/", {}, b"x", timeout_s=5)

    connections.begin(post())
    while not connections._kept:
        connections.run(1.0)
    ((_, connection),) = connections._kept
    assert len(connection._transport._ssl_protocol._ssl_buffer) == TLS_BUFFER_BYTES  # type: ignore[attr-defined]
    connections.close()
