"""Signatures are those of botocore."""

import datetime as dt
import string
from unittest.mock import patch

from botocore import auth, credentials
from botocore.awsrequest import AWSRequest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.sigv4 import Credentials, Scope, signed

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
