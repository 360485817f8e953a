"""Signatures are those of botocore."""

import datetime as dt
import string
from unittest.mock import patch
from urllib.parse import quote

from botocore import auth, credentials
from botocore.awsrequest import AWSRequest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.aws.sigv4 import Credentials, Scope, signed

PRINTABLE = st.text(string.ascii_letters + string.digits + string.punctuation + " ", min_size=1, max_size=20)
PATHS = st.lists(
    st.text(string.ascii_letters + "-_.~%:$", min_size=1).filter(lambda part: part not in (".", "..")),
    max_size=4,
).map("/".join)


@given(
    secret=PRINTABLE,
    token=st.none() | PRINTABLE.filter(str.strip),
    scope=st.builds(Scope, st.just("eu-west-1"), st.sampled_from(["dynamodb", "lambda"])),
    now=st.integers(0, 2**32),
    sent=st.tuples(PATHS, PRINTABLE, st.binary(max_size=100)),
)
def test_it_signs_as_botocore_does(
    secret: str, token: str | None, scope: Scope, now: int, sent: tuple[str, str, bytes]
) -> None:
    path, value, body = sent
    host, at = "aws.example:4566", dt.datetime.fromtimestamp(now, dt.UTC)
    request = AWSRequest("POST", f"https://{host}/{path}", {"X-Amz-Target": value}, body)
    with patch.object(auth, "get_current_datetime", lambda: at):
        keys = credentials.Credentials("AKIA", secret, token)
        auth.SigV4Auth(keys, scope.service, scope.region).add_auth(request)
    found = signed(
        Credentials("AKIA", secret, token or ""),
        scope,
        "POST",
        f"/{path}",
        headers={"host": host, "X-Amz-Target": value},
        body=body,
        now=now,
    )
    assert found["authorization"] == request.headers["Authorization"]
    assert found["x-amz-date"] == request.headers["X-Amz-Date"]
    assert found.get("x-amz-security-token") == (token and " ".join(token.split()))


@given(
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
    | st.lists(st.sampled_from(["/", "//", ".", "..", "a", "%2F", "+", " ", "é", "\x01"]), min_size=1).map(
        "".join
    ),
    version=st.none() | PRINTABLE,
    payer=st.booleans(),
    now=st.integers(0, 2**32),
)
def test_it_signs_a_read_of_any_key_as_botocore_does(
    key: str, version: str | None, payer: bool, now: int
) -> None:
    """S3 signs the path as it is sent: encoded once, and nothing in it is taken for a folder."""
    host, at, path = (
        "s3.aws.example",
        dt.datetime.fromtimestamp(now, dt.UTC),
        f"/bucket/{quote(key, safe='/~')}",
    )
    query = [("versionId", version)] if version else []
    headers = {
        "range": "bytes=0-9",
        "if-match": '"etag"',
        **({"x-amz-request-payer": "requester"} if payer else {}),
    }
    request = AWSRequest(
        "GET", f"https://{host}{path}", {**headers, "x-amz-content-sha256": ""}, b"", dict(query)
    )
    request.context["payload_signing_enabled"] = True
    with patch.object(auth, "get_current_datetime", lambda: at):
        auth.S3SigV4Auth(credentials.Credentials("AKIA", "secret", "t"), "s3", "eu-west-1").add_auth(request)
    found = signed(
        Credentials("AKIA", "secret", "t"),
        Scope("eu-west-1", "s3"),
        "GET",
        path,
        query=query,
        headers={"host": host, **headers},
        body=b"",
        now=now,
    )
    assert found["authorization"] == request.headers["Authorization"]
    assert found["x-amz-content-sha256"] == request.headers["X-Amz-Content-SHA256"]
