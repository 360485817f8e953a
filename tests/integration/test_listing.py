"""All objects under a prefix, by the real client."""

import datetime as dt
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lambda_src.aws.listing import list_prefix, open_client, pin_prefix
from lambda_src.aws.source import input_of
from lambda_src.errors import (
    AccessDenied,
    FanfoldError,
    InvalidRequest,
    SourceNotFound,
    SourceUnreadable,
    Throttled,
    Transient,
)
from lambda_src.input.addresses import Addresses, Placed
from lambda_src.job import Owned, Span, load
from lambda_src.records import delimited
from lambda_src.wire.source import Source
from tests.contexts import context_for, observed_by_part
from tests.integration.conftest import BUCKET

ODD_KEYS = [
    "a//b",
    "a/./b",
    "ends/",
    "a\x7fb",
    "a b+c%41&=?#.txt",
    "日本語 ü.txt",
    "{x}~'\".txt",
    "U\u0308 decomposed",
    "emoji 😀",
    "<&>",
    "%2F",
]


def put(s3: Any, key: str, data: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=data)


def test_every_page_is_read_in_the_order_of_keys(s3: Any) -> None:
    for number in reversed(range(1100)):
        put(s3, f"pages/{number}", b"x" * (number % 3))
    placed = list_prefix(open_client(), BUCKET, "pages/")
    assert [one.key for one in placed] == sorted(f"pages/{number}" for number in range(1100))
    assert [one.bytes for one in placed] == [int(one.key[6:]) % 3 for one in placed]
    assert Addresses(placed).end == sum(one.bytes for one in placed)


def test_a_prefix_is_where_keys_begin_and_nothing_else(s3: Any) -> None:
    for key in ("logs/1", "logs/2/3", "logs", "logs2", "other/logs/"):
        put(s3, key, b"x")
    for prefix, keys in (
        ("logs/", ["logs/1", "logs/2/3"]),
        ("logs", ["logs", "logs/1", "logs/2/3", "logs2"]),
    ):
        assert [one.key for one in list_prefix(open_client(), BUCKET, prefix)] == keys


def test_odd_keys_are_pinned_and_read_as_they_are(s3: Any, objects: Any) -> None:
    for key in ODD_KEYS:
        put(s3, f"odd/{key}", f"{key}\n".encode())
    placed = list_prefix(open_client(), BUCKET, "odd/")
    assert [one.key for one in placed] == sorted(f"odd/{key}" for key in ODD_KEYS)
    known = Addresses(placed)
    chunks: list[bytes] = []
    source = input_of(objects, Source(BUCKET, None, "-", known.end, "odd/", len(placed)), known)
    owned = source.feed(
        Span(0, known.end), delimited("line", b"\n", 1000), lambda chunk, _: chunks.append(chunk)
    )
    assert owned == Owned(0, known.end)
    assert b"".join(chunks).decode().splitlines() == sorted(ODD_KEYS)


@pytest.mark.parametrize("storage", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archived_object_is_named_unless_it_is_restored(storage: str) -> None:
    def listed(restored: dict[str, Any]) -> Any:
        entry = {"Key": "logs/1", "Size": 1, "ETag": "e", "StorageClass": storage, **restored}

        class Client:
            def get_paginator(self, _: str) -> Any:
                return self

            def paginate(self, **asked: Any) -> Any:
                assert asked["OptionalObjectAttributes"] == ["RestoreStatus"]
                assert asked["RequestPayer"] == "requester"
                return [{"Contents": [entry]}]

        return list_prefix(Client(), BUCKET, "logs/", requester_pays=True)

    restoring: dict[str, Any] = {"RestoreStatus": {"IsRestoreInProgress": True}}
    for status in ({}, restoring):
        with pytest.raises(SourceUnreadable, match=rf"s3://bucket/logs/1 \({storage}\): .* restore it"):
            listed(status)
    until = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    restored = {"RestoreStatus": {"IsRestoreInProgress": False, "RestoreExpiryDate": until}}
    assert [one.key for one in listed(restored)] == ["logs/1"]


def test_folder_markers_alone_are_an_empty_input(s3: Any) -> None:
    put(s3, "folder/", b"")
    placed = list_prefix(open_client(), BUCKET, "folder/")
    assert [(one.key, one.bytes) for one in placed] == [("folder/", 0)]
    assert Addresses(placed).end == 0


def test_what_is_listed_is_pinned(s3: Any) -> None:
    put(s3, "pinned/a", b"x")
    etag = s3.head_object(Bucket=BUCKET, Key="pinned/a")["ETag"]
    assert list_prefix(open_client(), BUCKET, "pinned/") == [Placed(0, "pinned/a", 1, etag)]


def test_no_object_and_no_bucket_are_named(s3: Any) -> None:
    with pytest.raises(SourceNotFound, match="No object begins with s3://bucket/none/: check bucket and"):
        list_prefix(open_client(), BUCKET, "none/")
    with pytest.raises(SourceNotFound, match="s3://nowhere does not exist: check the bucket"):
        list_prefix(open_client(), "nowhere", "none/")


def test_too_many_objects_are_refused_before_all_are_listed(s3: Any) -> None:
    pages = 0

    class Client:
        def get_paginator(self, _: str) -> Any:
            return self

        def paginate(self, **_: str) -> Any:
            nonlocal pages
            for page in range(1000):
                pages += 1
                yield {
                    "Contents": [
                        {"Key": f"{page}/{number}", "Size": 1, "ETag": "e"} for number in range(1000)
                    ]
                }

    with pytest.raises(InvalidRequest, match="prefix: more than 100,000 objects begin with it"):
        list_prefix(Client(), BUCKET, "many/")
    assert pages == 101


@pytest.mark.parametrize(
    ("status", "code", "wanted"),
    [
        (403, "AccessDenied", AccessDenied),
        (403, "RequestTimeTooSkewed", AccessDenied),
        (400, "ExpiredToken", AccessDenied),
        (503, "SlowDown", Throttled),
        (500, "InternalError", Transient),
        (301, "PermanentRedirect", InvalidRequest),
    ],
)
def test_errors_of_s3_are_ours(status: int, code: str, wanted: type[FanfoldError]) -> None:
    class Client:
        def get_paginator(self, _: str) -> Any:
            response: Any = {
                "Error": {"Code": code, "Message": "S3's words"},
                "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
            }
            raise ClientError(response, "ListObjectsV2")

    with pytest.raises(wanted, match=r"bucket.*S3's words" if status != 301 else "region"):
        list_prefix(Client(), BUCKET, "logs/")


def test_a_lost_connection_is_worth_another_attempt(endpoint: str) -> None:
    once = Config(retries={"total_max_attempts": 1})
    client = boto3.client("s3", endpoint_url="http://127.0.0.1:9", config=once)
    with pytest.raises(Transient, match="The connection to S3 failed when s3://bucket/logs/ was listed"):
        list_prefix(client, BUCKET, "logs/")


def test_stray_names_are_skipped_and_told_unless_they_are_asked_for(s3: Any) -> None:
    for key in ("_SUCCESS", "a.log", ".a.log.swp", "_tmp/b.log", "2026_11/c.log", "2026_11/.crc"):
        put(s3, f"strays/{key}", b"x")
    source, listing, [warning], _ = pin_prefix(open_client(), BUCKET, "strays/")
    assert [one.key for one in listing.addresses.objects(Span(0, 9))] == [
        "strays/2026_11/c.log",
        "strays/a.log",
    ]
    assert (source.bytes, source.objects) == (2, 2)
    assert (warning.code, warning.count, warning.key) == ("skipped_names", 4, "strays/.a.log.swp")
    assert "4 objects under strays/" in warning.message
    assert ".a.log.swp, 2026_11/.crc, _SUCCESS and 1 more. " in warning.message
    everything = pin_prefix(open_client(), BUCKET, "strays/", include_hidden=True)
    assert (everything.source.objects, everything.warnings) == (6, [])
    assert everything.source.etag != source.etag
    s3.delete_object(Bucket=BUCKET, Key="strays/_SUCCESS")
    assert pin_prefix(open_client(), BUCKET, "strays/").source == source, "what is skipped may change"


def test_a_prefix_of_stray_names_alone_is_refused_unless_all_are_empty(s3: Any) -> None:
    """A marker alone is a quiet day; content that is skipped is not."""
    put(s3, "marked/_SUCCESS", b"")
    pinned = pin_prefix(open_client(), BUCKET, "marked/")
    assert (pinned.source.bytes, pinned.source.objects, len(pinned.warnings)) == (0, 0, 1)
    put(s3, "marked/_part", b"x")
    with pytest.raises(SourceNotFound, match="are skipped, such as _SUCCESS, _part: to read them"):
        pin_prefix(open_client(), BUCKET, "marked/")


def test_what_lies_beside_logs_is_not_counted_as_lines(s3: Any, objects: Any) -> None:
    """As Finder, vim, Spark and a load balancer leave it; only the last has the name of a log."""
    line = '192.0.2.7 - - [26/Nov/2026:00:30:00 +0000] "GET /p HTTP/1.1" 200 10 "-" "ua/1"\n'
    for key, text in {
        "a.log": 24 * line,
        "ELBAccessLogTestFile": "Enable AccessLog for ELB: example-lb at 2026-11-20T10:00:00.000Z",
        "_SUCCESS": "",
        ".DS_Store": "\0\0\0\1Bud1",
        "._a.log": "\0\5\x16\7",
        ".a.log.swp": "b0VIM 9.0",
    }.items():
        put(s3, f"beside/{key}", text.encode())
    source, listing, *_ = pin_prefix(open_client(), BUCKET, "beside/")
    job = load("access_log")
    mapped = job.map(Span(0, source.bytes), input_of(objects, source, listing.addresses), context_for(job))
    observed = observed_by_part(mapped.lines)
    assert (observed[0], sum(observed)) == (24, 25)


def test_archived_objects_are_left_out_where_bad_ones_are_skipped(s3: Any) -> None:
    put(s3, "partly/a", b"1234")
    put(s3, "partly/c", b"123")
    s3.put_object(Bucket=BUCKET, Key="partly/b", Body=b"12", StorageClass="DEEP_ARCHIVE")
    with pytest.raises(SourceUnreadable, match="partly/b"):
        pin_prefix(open_client(), BUCKET, "partly/")
    pinned = pin_prefix(open_client(), BUCKET, "partly/", skip_bad=True)
    assert pinned.source.bytes == 9
    [(address, reason)] = pinned.left_out.items()
    assert address == 4
    assert "DEEP_ARCHIVE" in reason
