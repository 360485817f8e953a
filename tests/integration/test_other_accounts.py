"""S3 as it answers for keys of KMS, other regions and other partitions."""

import pytest
from obstore.store import S3Store

from lambda_src import source
from lambda_src.addresses import Placed
from lambda_src.errors import AccessDenied, InvalidRequest
from lambda_src.s3 import open_bucket
from tests.integration.conftest import BUCKET
from tests.integration.stub_s3 import Answer, serving


def refused(monkeypatch: pytest.MonkeyPatch, answer: Answer, *, pinning: bool = False) -> None:
    """Read an object of a bucket that gives ``answer``."""
    with serving() as stub:
        for name, value in {
            "AWS_ENDPOINT_URL": stub.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "AKIATEST",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }.items():
            monkeypatch.setenv(name, value)
        stub.other = answer
        bucket = open_bucket(BUCKET, "amazonaws.com")
        if pinning:
            source.pin(bucket, BUCKET, "k")
        source.read(bucket, BUCKET, Placed(0, "k", 5, '"e"'), 0, 5)


def error(code: str, message: str = "") -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


def test_a_key_that_may_not_be_used_is_named_with_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    body = error(
        "AccessDenied",
        "User: arn:aws:sts::111122223333:assumed-role/r is not authorized to perform: kms:Decrypt on the "
        "resource associated with this ciphertext",
    )
    with pytest.raises(AccessDenied, match=r"AccessDenied by KMS .* -c source_bucket_key=ARN"):
        refused(monkeypatch, Answer(403, body=body))


@pytest.mark.parametrize("pinning", [True, False])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(301, {"x-amz-bucket-region": "eu-west-1"}, error("PermanentRedirect")),
        Answer(301, {"x-amz-bucket-region": "eu-west-1"}),
        Answer(400, {}, error("AuthorizationHeaderMalformed", "expecting 'eu-west-1'")),
    ],
)
def test_a_bucket_of_another_region_is_told(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, pinning: bool
) -> None:
    with pytest.raises(InvalidRequest, match=r"^bucket: bucket is in another region than this deployment"):
        refused(monkeypatch, answer, pinning=pinning)


@pytest.mark.parametrize(
    ("region", "suffix", "endpoint"),
    [
        ("us-east-1", "amazonaws.com", "https://s3.us-east-1.amazonaws.com"),
        ("us-gov-west-1", "amazonaws.com", "https://s3.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "amazonaws.com.cn", "https://s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_each_partition_has_its_endpoint(
    monkeypatch: pytest.MonkeyPatch, region: str, suffix: str, endpoint: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_REGION", region)
    bucket: S3Store = open_bucket(BUCKET, suffix)
    assert bucket.config["endpoint"] == endpoint
