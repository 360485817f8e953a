"""Another user of the machine who wants into the local AWS: a program for a process of its own.

Reads what it knows as JSON from standard input, tries every way in, and prints what each was answered. Root
becomes another user first, but only here: the interpreter may lie where no other user can start it.
"""

import encodings.idna  # noqa: F401 - used later, when it could perhaps not be read any more
import hashlib
import json
import os
import ssl
import sys
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import HmacV1Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOBODY = 65534
GUESSED = {
    "test": Credentials("test", "test"),
    "AWS's example key": Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    "the account's number": Credentials("000000000000", "test"),
    "no key": Credentials("", "test"),
}


def ask(request: AWSRequest) -> int:
    """The status of the answer."""
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    url = urlsplit(request.url)
    connection = HTTPSConnection(url.netloc, timeout=60, context=trust)
    target = f"{url.path}?{url.query}" if url.query else url.path
    connection.request(request.method, target, request.data, dict(request.headers.items()))
    return connection.getresponse().status


def ways_in(known: dict[str, Any]) -> dict[str, AWSRequest]:
    """What is asked for, by what it is called in the test."""
    endpoint, function, bucket = known["endpoint"], known["function"], known["bucket"]
    lambdas, invoke = "/2015-03-31/functions", f"/2015-03-31/functions/{function}/invocations"
    create = {
        "FunctionName": "theirs",
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": known["role"],
        "Code": {"ZipFile": ""},
    }

    def request(method: str, path: str, body: object = None, **headers: str) -> AWSRequest:
        data = b"" if body is None else json.dumps(body).encode()
        return AWSRequest(method, endpoint + path, headers, data)

    def signed(key: Credentials, service: str, asked: AWSRequest) -> AWSRequest:
        SigV4Auth(key, service, "us-east-1").add_auth(asked)
        return asked

    ways = {
        "anonymous: list the functions": request("GET", lambdas + "/"),
        "anonymous: invoke": request("POST", invoke, {}),
        "anonymous: read an object": request("GET", f"/{bucket}/{known['key']}"),
        "anonymous: write an object": request("PUT", f"/{bucket}/{known['key']}", "theirs"),
        "anonymous: preflight": request("OPTIONS", f"/{bucket}/{known['key']}", Origin="https://theirs"),
        "anonymous: a form with an object": request(
            "POST", f"/{bucket}", "theirs", **{"Content-Type": "multipart/form-data; boundary=x"}
        ),
        "anonymous: assume a role": request(
            "POST", f"/?Action=AssumeRole&RoleSessionName=x&RoleArn={known['role']}&Version=2011-06-15"
        ),
        "anonymous: metadata of an instance": request("GET", "/latest/meta-data/iam/security-credentials/"),
        "anonymous: WebSocket": request(
            "GET",
            "/mqtt",
            **{
                "Host": "iot.us-east-1.localhost",
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Protocol": "mqtt",
            },
        ),
    }
    for path in ("health", "ready", "config", "reset", "rds/iam-auth", "cfn-response/x"):
        ways[f"anonymous: /_ministack/{path}"] = request("POST", f"/_ministack/{path}", {})
    ways["anonymous: /_localstack/health"] = request("GET", "/_localstack/health")
    ways["anonymous: /health"] = request("GET", "/health")

    # Whoever knows a function's ARN and its role's can compute what MiniStack would give it.
    digest = hashlib.sha256(f"{known['function_arn']}:{known['role']}".encode()).hexdigest()
    derived = Credentials(
        f"ASIA{digest[:16].upper()}",
        hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    )
    keys = {
        **GUESSED,
        "this run's own key and another secret": Credentials(known["access_key_id"], "guessed"),
        "a function's derived key": derived,
    }
    for name, key in keys.items():
        ways[f"{name}: create a function"] = signed(key, "lambda", request("POST", lambdas, create))
        ways[f"{name}: invoke"] = signed(key, "lambda", request("POST", invoke, {}))
        ways[f"{name}: read an object"] = signed(key, "s3", request("GET", f"/{bucket}/{known['key']}"))
        ways[f"{name}: reset"] = signed(key, "s3", request("POST", "/_ministack/reset", {}))
        if not key.access_key:
            continue
        presigned = request("GET", f"/{bucket}/{known['key']}")
        S3SigV4QueryAuth(key, "s3", "us-east-1").add_auth(presigned)
        ways[f"{name}: presigned URL"] = presigned
        old = request("GET", f"/{bucket}/{known['key']}")
        HmacV1Auth(key).add_auth(old)
        ways[f"{name}: signature version 2"] = old
    return ways


def main() -> None:
    """Try everything."""
    known = json.load(sys.stdin)
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    answers = {name: ask(request) for name, request in ways_in(known).items()}
    readable = [str(path) for path in map(Path, known["private"]) if os.access(path, os.R_OK)]
    print(json.dumps({"uid": os.getuid(), "answers": answers, "readable": readable}))


if __name__ == "__main__":
    main()
