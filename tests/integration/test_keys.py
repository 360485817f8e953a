"""The key that is named is the key that is read and written."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from obstore.store import S3Store

from lambda_src.aws import source
from lambda_src.aws.s3 import open_bucket
from lambda_src.errors import InvalidRequest, SourceChanged, SourceNotFound, Transient
from lambda_src.handlers import parse_file
from lambda_src.job import Span
from lambda_src.settings import ParseFileSettings
from lambda_src.store.blobs import BlobStore
from tests.integration.conftest import BUCKET
from tests.integration.stub_s3 import Answer, StubS3, serving

_PARTS = ["/", ".", "..", "%2F", "%2e", "%", "\\", "~", "+", " ", "?", "#", "&", "\x00", "\n", "\x7f", "\x85"]
KEYS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.lists(st.sampled_from([*_PARTS, "input/", "a", "é", "e\u0301", "本"]), min_size=1).map("".join),
).filter(lambda key: len(key.encode()) <= 1024)
"""Keys as S3 allows them: any text of up to 1,024 bytes."""


@pytest.fixture(scope="module")
def stub() -> Iterator[StubS3]:
    with serving() as stub, pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": stub.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "AKIATEST",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        yield stub


@pytest.fixture(scope="module")
def stored(stub: StubS3) -> S3Store:
    """obstore's client of a bucket that holds what a test says."""
    return open_bucket(BUCKET, "amazonaws.com")


@given(KEYS)
@example("input/report/")
@example("/lead.txt")
@example("/")
@example("input//x")
@example("input/../blobs/x")
@example("input/%2e%2e/x")
@example("tab\t")
@example(".")
@example("..")
@example("a/")
@example("a//")
@example("a" * 1024)
@example("é" * 512)
@settings(max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_object_that_is_read_is_the_one_that_was_named(stub: StubS3, stored: S3Store, key: str) -> None:
    """Every other key holds a decoy."""
    stub.reset()
    stub.objects[key] = Answer(body=b"what was asked for")
    stub.other = Answer(body=b"another object, of another size")
    pinned, listing = source.pin(stored, BUCKET, key)
    (one,) = listing.addresses.objects(Span(0, pinned.bytes))
    assert b"".join(source.read(stored, BUCKET, one, 3, 9)) == b"t was "
    assert source.input_of(stored, pinned, listing.addresses).whole(100) == b"what was asked for"
    assert pinned.key == key
    assert {asked for _, asked in stub.asked} == {key}


def test_a_key_that_obstore_cannot_send_is_checked_like_any_other(stub: StubS3, stored: S3Store) -> None:
    """What was replaced, or is not there, is not read."""
    stub.reset()
    stub.objects["a//b"] = Answer(headers={"ETag": '"1"'}, body=b"one")
    pinned, listing = source.pin(stored, BUCKET, "a//b")
    stub.objects["a//b"] = Answer(headers={"ETag": '"2"'}, body=b"two")
    with pytest.raises(SourceChanged, match="s3://bucket/a//b was replaced while the run read it"):
        source.input_of(stored, pinned, listing.addresses).whole(100)
    with pytest.raises(SourceNotFound, match="s3://bucket/a/ does not exist"):
        source.pin(stored, BUCKET, "a/")


def test_a_lost_connection_is_worth_another_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(Transient, match="The connection to S3 failed for s3://bucket/a//b: "):
        source.pin(open_bucket(BUCKET, "amazonaws.com"), BUCKET, "a//b")


@given(
    st.from_regex(re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII), fullmatch=True),
    st.integers(0, 10**6),
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_object_that_is_written_is_the_one_that_was_named(
    stub: StubS3, stored: S3Store, run_id: str, block: int
) -> None:
    stub.reset()
    stub.other = Answer()
    blobs = BlobStore(stored, BUCKET, run_id)
    blobs.put(block, b"{}", 1024, [])
    blobs.put_manifest(b"{}")
    assert stub.asked == [("PUT", blobs.key(block)), ("PUT", f"runs/{run_id}/manifest.json")]


@pytest.mark.parametrize(
    ("key", "reason"),
    [("", "key: it is empty"), ("input/" + "é" * 510, "key: it has 1026 bytes in UTF-8, S3 allows 1024")],
)
def test_a_key_that_no_object_can_have_is_refused_with_the_true_reason(
    stub: StubS3, stored: S3Store, key: str, reason: str
) -> None:
    stub.reset()
    with pytest.raises(InvalidRequest, match=re.escape(reason)):
        source.pin(stored, BUCKET, key)
    assert stub.asked == []


def test_such_a_key_is_no_request() -> None:
    """Not even a run that an earlier version finished is answered for it."""
    settings = ParseFileSettings(
        ("top_words",), "Fanfold", "amazonaws.com", "own", "inputs", "table", "f1", "f2", "f3", "f4", "off"
    )
    with pytest.raises(InvalidRequest, match=r"^key: it has 1026 bytes"):
        parse_file._decoded({"key": "é" * 513}, settings)
