"""S3 as it answers for keys of KMS, other regions and other partitions."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from obstore.store import S3Store

from lambda_src.aws import source
from lambda_src.aws.s3 import open_bucket
from lambda_src.errors import (
    AccessDenied,
    CredentialsRefused,
    FanfoldError,
    InvalidRequest,
    SourceChanged,
    SourceNotFound,
    SourceUnreadable,
    Throttled,
    Transient,
)
from lambda_src.input.addresses import Placed
from tests.integration.conftest import BUCKET
from tests.integration.stub_s3 import Answer, StubS3, serving


@contextmanager
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubS3]:
    """An S3 that the environment names."""
    with serving() as stub:
        for name, value in {
            "AWS_ENDPOINT_URL": stub.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "AKIATEST",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }.items():
            monkeypatch.setenv(name, value)
        yield stub


def refused(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, *, pinning: bool = False, key: str = "k"
) -> None:
    """Read an object of a bucket that gives ``answer``; HEAD gives no more than its status."""
    with served(monkeypatch) as stub:
        stub.other = answer
        bucket = open_bucket(BUCKET, "amazonaws.com")
        if pinning:
            source.pin(bucket, BUCKET, key)
        b"".join(source.read(bucket, BUCKET, Placed(0, key, 5, '"e"'), 0, 5))


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


NO_REASON = (
    r"it does not exist, or .* lacks the permission, or the bucket is requester-pays .*requester_pays=true.*"
    ", or another account's .*source_bucket_account=ID"
)


@pytest.mark.parametrize("key", ["k", "a//k"])  # by obstore, and by our own requests
@pytest.mark.parametrize("pinning", [True, False])
@pytest.mark.parametrize(
    ("status", "code", "message", "becomes", "text"),
    [
        (
            403,
            "InvalidObjectState",
            "The object&apos;s cold",
            SourceUnreadable,
            "The object's cold.*restore it",
        ),
        (
            403,
            "AccessDenied",
            "Access Denied",
            AccessDenied,
            rf"^AccessDenied by S3 .*Access Denied.*{NO_REASON}",
        ),
        (403, "", "", AccessDenied, rf"^AccessDenied by S3 for s3://bucket/.*: {NO_REASON}"),
        (
            403,
            "AccessDenied",
            "User: x is not authorized to perform: y with an explicit deny in a resource-based policy",
            AccessDenied,
            "explicit deny in a resource-based policy.*no permission overrides that: change the policy",
        ),
        (403, "AccessDenied", "Requester Pays bucket", AccessDenied, "deploy with -c requester_pays=true"),
        (
            403,
            "RequestTimeTooSkewed",
            "The difference is",
            CredentialsRefused,
            "^RequestTimeTooSkewed .*clock.*wrong",
        ),
        (
            403,
            "AllAccessDisabled",
            "All access is off",
            AccessDenied,
            r"^AllAccessDisabled .*All access is off",
        ),
        (403, "InvalidAccessKeyId", "It does not exist", CredentialsRefused, "credentials of this function"),
        (
            400,
            "ExpiredToken",
            "The token has expired",
            CredentialsRefused,
            "^ExpiredToken by S3.*credentials of",
        ),
        (
            400,
            "KMS.DisabledException",
            "arn is disabled",
            AccessDenied,
            "^KMS.DisabledException by KMS .*fix",
        ),
        (400, "KMS.NotFoundException", "no such key", AccessDenied, "^KMS.NotFoundException by KMS"),
        (
            400,
            "KMS.ThrottlingException",
            "slow",
            Throttled,
            "S3 throttled s3://bucket/.*KMS.ThrottlingException",
        ),
        (
            400,
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption.",
            SourceUnreadable,
            "InvalidRequest: The object was stored using a form of Server Side Encryption",
        ),
        (400, "InvalidURI", "Couldn't parse", SourceUnreadable, "InvalidURI: Couldn't parse"),
        (405, "MethodNotAllowed", "a delete marker", SourceUnreadable, "MethodNotAllowed: a delete marker"),
        (400, "RequestTimeout", "Your socket was idle", Transient, "did not serve .*RequestTimeout"),
        (404, "NoSuchKey", "The key does not exist", SourceNotFound, "does not exist: check bucket and key"),
        (404, "NoSuchBucket", "no such bucket", SourceNotFound, "does not exist: check bucket and key"),
        (412, "PreconditionFailed", "no", SourceChanged, "was replaced while the run read it"),
    ],
)
def test_a_refusal_is_reported_in_the_words_of_s3_with_what_to_do(  # noqa: PLR0917 - one row
    monkeypatch: pytest.MonkeyPatch,
    pinning: bool,
    key: str,
    status: int,
    code: str,
    message: str,
    becomes: type[FanfoldError],
    text: str,
) -> None:
    body = error(code, message) if code else b""
    with pytest.raises(becomes, match=text) as caught:
        refused(monkeypatch, Answer(status, body=body), pinning=pinning, key=key)
    assert type(caught.value) is becomes
    assert f"s3://bucket/{key}" in str(caught.value)


@pytest.mark.parametrize("pinning", [True, False])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(301, {"x-amz-bucket-region": "eu-west-1"}, error("PermanentRedirect")),
        Answer(301, {"x-amz-bucket-region": "eu-west-1"}),
        Answer(400, {}, error("AuthorizationHeaderMalformed", "expecting 'eu-west-1'")),
    ],
)
def test_a_bucket_of_another_region_is_reported(
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


@pytest.mark.parametrize(("key", "shown"), [("a\n\x1b[1m", r"a\n\x1b[1m"), ("a\u202eb", r"a\u202eb")])
def test_a_key_in_a_sentence_ends_no_line_and_steers_no_terminal(
    monkeypatch: pytest.MonkeyPatch, key: str, shown: str
) -> None:
    """By our own requests, and by obstore."""
    with pytest.raises(SourceNotFound) as caught:
        refused(monkeypatch, Answer(404), pinning=True, key=key)
    assert str(caught.value).startswith(f"s3://bucket/{shown} does not exist")


OLD = Answer(200, {"ETag": '"old"', "x-amz-version-id": "V1"}, b"0123456789")
NEW = Answer(200, {"ETag": '"new"', "x-amz-version-id": "V2"}, b"replaced it")


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubS3]:
    with served(monkeypatch) as stub:
        yield stub


each_way = pytest.mark.parametrize("key", ["k", "a//k"])


@each_way
def test_an_object_that_was_replaced_is_read_as_it_was_where_its_version_is_kept(
    stub: StubS3, key: str
) -> None:
    bucket = open_bucket(BUCKET, "amazonaws.com")
    stub.objects[key], stub.versions["V1"] = OLD, OLD
    pinned, listing = source.pin(bucket, BUCKET, key)
    assert (pinned.etag, pinned.version_id) == ('"old"', "V1")
    stub.objects[key], stub.versions["V2"] = NEW, NEW
    assert source.input_of(bucket, pinned, listing.addresses).whole(100) == b"0123456789"
    assert source.pin(bucket, BUCKET, key)[0].version_id == "V2"
    assert source.pin(bucket, BUCKET, key, "V1")[0] == pinned  # a run that is resumed
    del stub.versions["V1"]
    gone = "the version that the run reads was deleted: start a new run"
    with pytest.raises(SourceChanged, match=gone):
        source.input_of(bucket, pinned, listing.addresses).whole(100)
    with pytest.raises(SourceChanged, match=gone):
        source.pin(bucket, BUCKET, key, "V1")


@each_way
def test_who_may_not_read_versions_reads_the_object_as_long_as_it_is_the_same(stub: StubS3, key: str) -> None:
    """A bucket of another account may grant s3:GetObject and no more."""
    bucket = open_bucket(BUCKET, "amazonaws.com")
    stub.objects[key] = OLD
    stub.versions["V1"] = Answer(403, body=error("AccessDenied", "no s3:GetObjectVersion"))
    pinned, listing = source.pin(bucket, BUCKET, key)
    assert (pinned.etag, pinned.version_id) == ('"old"', None)
    assert source.input_of(bucket, pinned, listing.addresses).whole(100) == b"0123456789"
    stub.objects[key] = NEW
    with pytest.raises(SourceChanged, match="was replaced while the run read it"):
        source.input_of(bucket, pinned, listing.addresses).whole(100)
    with pytest.raises(AccessDenied, match="no s3:GetObjectVersion"):
        source.pin(bucket, BUCKET, key, "V1")


@each_way
@pytest.mark.parametrize("requester_pays", [True, False])
def test_a_requester_says_with_each_request_that_it_pays(
    stub: StubS3, key: str, requester_pays: bool
) -> None:
    bucket = open_bucket(BUCKET, "amazonaws.com", requester_pays=requester_pays)
    stub.objects[key] = OLD
    stub.versions["V1"] = OLD
    pinned, listing = source.pin(bucket, BUCKET, key)
    source.input_of(bucket, pinned, listing.addresses).whole(100)
    assert len(stub.headers) == 3
    payers = {headers.get("x-amz-request-payer") for headers in stub.headers}
    assert payers == ({"requester"} if requester_pays else {None})
