"""A local AWS: MiniStack on loopback with TLS and enforced IAM, behind a gate that accepts only its own
credentials."""

import os
import resource
import secrets
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from fanfold.checkout import ROOT, with_node
from fanfold.errors import LocalAwsError
from fanfold.local_aws.certificates import AUTHORITY, Certificates
from fanfold.local_aws.processes import Group, started, temporary_folder

REGION = "us-east-1"
ACCOUNT = "000000000000"
START_TIMEOUT_S = 60.0


class LocalAws(NamedTuple):
    """A running local AWS. ``environment`` makes every AWS client, the CDK CLI's included, talk to it."""

    environment: Mapping[str, str]
    process_id: int
    log: Path


class Access(NamedTuple):
    """The endpoint and the credentials of a local AWS."""

    endpoint: str
    access_key_id: str
    secret_access_key: str


@contextmanager
def local_aws(folder: Path, **server_variables: str) -> Iterator[LocalAws]:
    """Start a local AWS on a free loopback port. When the block ends, so does everything that it started.

    Its log stays in ``folder``. ``server_variables`` are set in its environment, for example
    ``LAMBDA_ACCOUNT_CONCURRENCY``. Raises LocalAwsError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (
        temporary_folder() as private,
        serving(private, private, folder / "local-aws.log", server_variables) as server,
    ):
        yield server.aws


class Server(NamedTuple):
    """A local AWS that was just started, with its credentials and processes."""

    aws: LocalAws
    access: Access
    group: Group


@contextmanager
def serving(
    private: Path, data: Path, log: Path, server_variables: Mapping[str, str], pass_fds: Sequence[int] = ()
) -> Iterator[Server]:
    """Start a local AWS with certificates and temporary files in ``private``, and persistent data in
    ``data``. Both folders must be private to this user. Raises LocalAwsError."""
    log.unlink(missing_ok=True)
    with ExitStack() as running:
        # Opened for appending: the server truncates its log when it grows long.
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener, log.open("ab") as log_file:
            port = listener.getsockname()[1]
            access = Access(
                endpoint=f"https://127.0.0.1:{port}",
                access_key_id=f"AKIA{secrets.token_hex(8).upper()}",
                secret_access_key=secrets.token_urlsafe(30),
            )
            certificates = Certificates(private)
            environment = client_environment(access, private)
            _raise_open_files_limit()
            server = started(
                [
                    *(sys.executable, "-m", "hypercorn", "fanfold.local_aws.app:app", "--workers", "0"),
                    *("--bind", f"fd://{listener.fileno()}", "--keep-alive", "75", "--log-level", "WARNING"),
                    *("--certfile", str(certificates.certificate), "--keyfile", str(certificates.key)),
                ],
                {
                    **environment,
                    "AUTH": "true",
                    "USE_SSL": "1",
                    "MINISTACK_SSL_CERT": str(certificates.certificate),
                    "MINISTACK_SSL_KEY": str(certificates.key),
                    "BIND_HOST": "127.0.0.1",
                    "GATEWAY_PORT": str(port),
                    "IOT_MTLS_ENABLED": "0",
                    "SFTP_ENABLED": "0",
                    "LOG_LEVEL": "WARNING",
                    # Otherwise bodies of some MB are mapped and unmapped for each request, in the server
                    # and in the Lambdas, and page faults take most of a GET.
                    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
                    "MALLOC_TRIM_THRESHOLD_": str(4 << 30),
                    "TMPDIR": str(private),
                    "STATE_DIR": str(data / "state"),
                    "S3_DATA_DIR": str(data / "s3"),
                    **server_variables,
                },
                log_file,
                folder=ROOT,  # the package can be imported there
                pass_fds=[listener.fileno(), *pass_fds],
            )
            group = running.enter_context(server)
        _wait_until_ready(group.leader, environment, log)
        yield Server(LocalAws(environment, group.leader.pid, log), access, group)


def client_environment(access: Access, private: Path) -> dict[str, str]:
    """This process's environment for a client of the local AWS that has its certificates in ``private``:
    without any other AWS account's settings and without proxies."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "CDK_")) and not name.lower().endswith("_proxy")
    }
    authority = str(private / AUTHORITY)
    return {
        **with_node(inherited),
        "AWS_ENDPOINT_URL": access.endpoint,
        "AWS_ACCESS_KEY_ID": access.access_key_id,
        "AWS_SECRET_ACCESS_KEY": access.secret_access_key,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CA_BUNDLE": authority,
        "SSL_CERT_FILE": authority,
        "NODE_EXTRA_CA_CERTS": authority,
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
    }


def _raise_open_files_limit() -> None:
    """Raise the limit of open files: hundreds of Lambdas at once need more connections than the usual
    soft limit of 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _wait_until_ready(process: subprocess.Popen[bytes], environment: Mapping[str, str], log: Path) -> None:
    trusted = ssl.create_default_context(cafile=environment["AWS_CA_BUNDLE"])
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted)
    )
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            opener.open(environment["AWS_ENDPOINT_URL"], timeout=5).close()
        except urllib.error.HTTPError as answer:
            if answer.code == 403:  # the gate is up: it rejects unsigned requests
                return
        except OSError:  # not yet
            pass
        time.sleep(0.1)
    raise LocalAwsError(f"The local AWS did not start. Its log: {log}")
