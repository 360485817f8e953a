"""The key that is named is the key that is read and written, or none is."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from obstore.store import S3Store

from lambda_src import source
from lambda_src.blob_store import BlobStore
from lambda_src.errors import InvalidRequest
from lambda_src.handlers import parse_file
from lambda_src.job import Span
from lambda_src.s3 import open_bucket, translated
from lambda_src.settings import ParseFileSettings
from tests.integration.conftest import BUCKET
from tests.integration.stub_s3 import Answer, StubS3, serving

_PARTS = ["/", ".", "..", "%2F", "%2e", "%", "\\", "~", "+", " ", "?", "#", "&", "\x00", "\n", "\x7f", "\x85"]
KEYS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.lists(st.sampled_from([*_PARTS, "input/", "a", "é", "e\u0301", "本"]), min_size=1).map("".join),
).filter(lambda key: len(key.encode()) <= 1024)
"""Keys as S3 allows them: any text of up to 1,024 bytes."""

CONTROL_CHARACTERS = {*map(chr, range(0x20)), "\x7f"}


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
@example("a" * 1024)
@example("é" * 512)
@settings(max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_object_that_is_read_is_the_one_that_was_named(stub: StubS3, stored: S3Store, key: str) -> None:
    """Every other key holds a decoy."""
    stub.reset()
    stub.objects[key] = Answer(body=b"what was asked for")
    stub.other = Answer(body=b"another object, of another size")
    try:
        pinned, listing = source.pin(stored, BUCKET, key)
        (one,) = listing.addresses.objects(Span(0, pinned.bytes))
        data = source.read(stored, BUCKET, one, 0, pinned.bytes)
    except InvalidRequest:
        assert stub.asked == []
        assert _cannot_be_addressed(key)
    else:
        assert (pinned.key, data) == (key, b"what was asked for")
        assert {asked for _, asked in stub.asked} == {key}
        assert not _cannot_be_addressed(key)


def _cannot_be_addressed(key: str) -> bool:
    return bool({"", ".", ".."} & set(key.split("/")) or CONTROL_CHARACTERS & set(key))


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
    [
        ("input/report/", "'input/report/' begins or ends with a slash"),
        ("/lead.txt", "'/lead.txt' begins or ends with a slash"),
        ("input//x", "'input//x' has an empty, '.' or '..' segment"),
        ("input/../x", "'input/../x' has an empty, '.' or '..' segment"),
        ("", "'' has an empty, '.' or '..' segment"),
        ("input/a\x07b", r"'input/a\x07b' holds the control character U+0007"),
        ("input/a\n", r"'input/a\n' holds the control character U+000A"),
        ("input/" + "é" * 510, "1026 bytes in UTF-8, S3 allows 1024"),
    ],
)
def test_a_key_that_cannot_be_addressed_is_refused_with_the_true_reason(
    stub: StubS3, stored: S3Store, key: str, reason: str
) -> None:
    stub.reset()
    with pytest.raises(InvalidRequest, match=re.escape(reason)) as refused:
        source.pin(stored, BUCKET, key)
    assert str(refused.value).startswith("key: ")
    with pytest.raises(InvalidRequest), translated(BUCKET, key):
        pytest.fail("It would have been written.")
    assert stub.asked == []


def test_such_a_key_is_no_request() -> None:
    """Not even a run that an earlier version finished is answered for it."""
    settings = ParseFileSettings(
        "top_words", "amazonaws.com", "own", "inputs", "table", "f1", "f2", "f3", "f4", "off"
    )
    with pytest.raises(InvalidRequest, match=r"^key: 'report/' begins or ends with a slash"):
        parse_file._decoded({"key": "report/"}, settings)
