"""What is uploaded is what the key says, and nobody's upload takes the place of another's."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import S3Store

from fanfold.account.connection import Aws
from fanfold.errors import UploadError
from fanfold.runs import upload as module
from fanfold.runs.source import Local, local
from fanfold.runs.upload import PART_BYTES, upload, upload_folder
from lambda_src.aws import source
from lambda_src.store.keys import input_key
from tests.integration.conftest import BUCKET

BIG = b"twenty bytes of text" * (PART_BYTES // 20 + 1000)
"""More than one part, and not a whole number of them."""


@pytest.fixture
def aws(endpoint: str, s3: Any) -> Aws:
    """With nothing in the bucket: all tests share it."""
    for key in keys(s3):
        s3.delete_object(Bucket=BUCKET, Key=key)
    return Aws(boto3.Session(), endpoint)


def file(folder: Path, content: bytes, name: str = "text.txt") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def keys(s3: Any) -> list[str]:
    return [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.mark.parametrize("content", [b"", b"words", BIG], ids=["empty", "small", "big"])
def test_the_version_that_was_uploaded_is_named(aws: Aws, s3: Any, tmp_path: Path, content: bytes) -> None:
    read: list[int] = []
    sent: list[int] = []
    uploaded = upload(aws, BUCKET, file(tmp_path, content), read.append, sent.append)
    stored = s3.get_object(Bucket=BUCKET, Key=uploaded.key)
    assert (stored["Body"].read(), stored["ETag"]) == (content, uploaded.etag)
    assert uploaded.sent
    assert sum(read) == sum(sent) == len(content)


def test_two_of_the_same_name_do_not_meet(aws: Aws, s3: Any, tmp_path: Path) -> None:
    contents = [b"mine", b"ours"]
    uploads = [upload(aws, BUCKET, file(tmp_path / text.decode(), text)) for text in contents]
    bodies = [s3.get_object(Bucket=BUCKET, Key=key, IfMatch=etag)["Body"].read() for key, etag, _ in uploads]
    assert bodies == contents


@pytest.mark.parametrize("content", [b"words", BIG], ids=["small", "big"])
def test_what_is_there_is_not_sent_again(aws: Aws, tmp_path: Path, content: bytes) -> None:
    first = upload(aws, BUCKET, file(tmp_path, content))
    sent: list[int] = []
    assert upload(aws, BUCKET, file(tmp_path, content), sent=sent.append) == first._replace(sent=False)
    assert sent == []


@pytest.mark.parametrize("content", [b"words", BIG], ids=["small", "big"])
def test_what_another_has_just_sent_is_taken_and_not_overwritten(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """The other one's comes between the look and the upload. With a key of one's own, S3 would give the same
    content another ETag, and the other one's run would fail."""
    other = upload(aws, BUCKET, file(tmp_path, content))
    looks = iter([None, other.etag])
    monkeypatch.setattr(module, "_etag", lambda *_: next(looks))
    assert upload(aws, BUCKET, file(tmp_path, content)) == other._replace(sent=False)


def test_something_else_under_the_key_is_reported(aws: Aws, s3: Any, tmp_path: Path) -> None:
    key = upload(aws, BUCKET, file(tmp_path, b"words")).key
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"a forgery")
    with pytest.raises(UploadError, match="holds other content, of 9 bytes: remove it"):
        upload(aws, BUCKET, file(tmp_path, b"words"))


def rewritten(path: Path) -> None:
    path.write_bytes(path.read_bytes().upper())


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize("content", [b"words", BIG], ids=["small", "big"])
@pytest.mark.parametrize("change", [rewritten, truncated, emptied])
def test_a_file_that_changes_meanwhile_is_reported_and_not_stored(
    aws: Aws, s3: Any, tmp_path: Path, content: bytes, change: Callable[[Path], None]
) -> None:
    path = file(tmp_path, content)
    read = 0

    def change_when_read(done: int) -> None:
        nonlocal read
        read += done
        if read == len(content):
            change(path)

    with pytest.raises(UploadError, match=r"text\.txt changed while it was being uploaded: try again"):
        upload(aws, BUCKET, path, change_when_read)
    assert keys(s3) == []
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)


@pytest.mark.parametrize("content", [b"words", BIG], ids=["small", "big"])
def test_of_a_file_that_grows_meanwhile_one_state_is_stored(
    aws: Aws, s3: Any, tmp_path: Path, content: bytes
) -> None:
    path = file(tmp_path, content)
    pieces: list[int] = []

    def grow(piece: int) -> None:
        pieces.append(piece)
        if sum(pieces) == len(content):
            path.write_bytes(content + b" more")

    uploaded = upload(aws, BUCKET, path, grow)
    stored = s3.get_object(Bucket=BUCKET, Key=uploaded.key)["Body"].read()
    assert stored in (content, content + b" more")
    assert uploaded.key == input_key(hashlib.sha256(stored).hexdigest(), path.name)


def test_a_file_that_is_gone_is_reported(aws: Aws, tmp_path: Path) -> None:
    with pytest.raises(UploadError, match=r"gone\.txt cannot be read: No such file or directory\."):
        upload(aws, BUCKET, tmp_path / "gone.txt")


def test_no_bucket_is_reported(aws: Aws, tmp_path: Path) -> None:
    with pytest.raises(UploadError, match=r"could not be uploaded to the bucket nowhere: .*NoSuchBucket"):
        upload(aws, "nowhere", file(tmp_path, b"words"))


def test_whoever_may_not_list_the_bucket_can_upload(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To them S3 answers 403 for what is not there."""
    client = aws.client("s3")

    def denied(**_: object) -> None:
        raise ClientError(
            {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}},
            "HeadObject",
        )

    monkeypatch.setattr(client, "head_object", denied)
    monkeypatch.setattr(Aws, "client", lambda *_: client)
    assert upload(aws, BUCKET, file(tmp_path, b"words")).sent


@pytest.mark.parametrize(
    "name", ["a b", " a ", "a\nb\x7f", "..a", "größte 語.xml", "a\udcff", "%2F+&?#", "~'\"$"]
)
def test_whatever_the_name_the_key_is_read(aws: Aws, objects: S3Store, tmp_path: Path, name: str) -> None:
    uploaded = upload(aws, BUCKET, file(tmp_path, b"words", name))
    assert source.pin(objects, BUCKET, uploaded.key)[0].etag == uploaded.etag


@given(name=st.text(st.characters()))
def test_a_key_is_safe_and_short_enough(name: str) -> None:
    prefix, digest, last = input_key("0123456789abcdef" * 4, name).split("/")
    assert (prefix, digest) == ("input", "0123456789abcdef" * 2)
    assert last.isprintable()
    assert last not in ("", ".", "..")
    assert len(f"{prefix}/{digest}/{last}".encode()) <= 1024


def folder_of(path: Path, contents: dict[str, bytes]) -> Local:
    for name, content in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return local(path)


def test_a_folder_is_the_objects_under_a_prefix(aws: Aws, s3: Any, tmp_path: Path) -> None:
    contents = {"b.log": b"two", "a/1 größe.log": b"one", "a/empty": b"", "c.log": BIG}
    folder = folder_of(tmp_path / "logs", contents)
    read: list[int] = []
    sent: list[int] = []
    uploaded = upload_folder(aws, BUCKET, folder, read.append, sent.append)
    assert uploaded.prefix.startswith("input/")
    assert uploaded.prefix.endswith("/logs/")
    stored = {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys(s3)}
    assert stored == {uploaded.prefix + name: content for name, content in contents.items()}
    assert uploaded.sent == 4
    assert sum(read) == sum(sent) == sum(map(len, contents.values()))

    assert upload_folder(aws, BUCKET, folder) == (uploaded.prefix, 0)
    s3.delete_object(Bucket=BUCKET, Key=uploaded.prefix + "b.log")
    assert upload_folder(aws, BUCKET, folder) == (uploaded.prefix, 1)


def test_folders_of_other_names_or_contents_do_not_meet(aws: Aws, tmp_path: Path) -> None:
    """Not even where the same bytes are cut into files elsewhere."""
    folders = [{"a": b"x", "b": b"y"}, {"a": b"xy"}, {"a": b"", "b": b"xy"}, {"a": b"y", "b": b"x"}]
    prefixes = {
        upload_folder(aws, BUCKET, folder_of(tmp_path / str(number) / "logs", contents)).prefix
        for number, contents in enumerate(folders)
    }
    assert len(prefixes) == len(folders)


def test_a_stranger_s_object_under_the_prefix_is_reported(aws: Aws, s3: Any, tmp_path: Path) -> None:
    """It would be counted."""
    folder = folder_of(tmp_path / "logs", {"a": b"x"})
    prefix = upload_folder(aws, BUCKET, folder).prefix
    s3.put_object(Bucket=BUCKET, Key=prefix + "b", Body=b"")
    with pytest.raises(UploadError, match="also holds b, which"):
        upload_folder(aws, BUCKET, folder)


def test_a_file_of_a_folder_that_changes_meanwhile_is_reported(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path / "logs", {"a": b"x", "b": b"y"})
    digest = module._digest

    def then_changed(*arguments: Any) -> Any:
        found = digest(*arguments)
        b = folder.path / "b"
        b.write_bytes(b.read_bytes() + b"z")
        return found

    monkeypatch.setattr(module, "_digest", then_changed)
    with pytest.raises(UploadError, match="b changed while it was being uploaded"):
        upload_folder(aws, BUCKET, folder)


def test_any_other_name_is_a_key_that_is_read_again(
    aws: Aws, s3: Any, objects: S3Store, tmp_path: Path
) -> None:
    files = {"b\t": b"x", "c\x7f": b"y", "d e+%41?": b"z"}
    prefix = upload_folder(aws, BUCKET, folder_of(tmp_path / "logs", files)).prefix
    for name, content in files.items():
        pinned, listing = source.pin(objects, BUCKET, prefix + name)
        assert source.input_of(objects, pinned, listing.addresses).whole(9) == content


def test_a_name_too_long_for_a_key_is_reported_before_anything_is_sent(
    aws: Aws, s3: Any, tmp_path: Path
) -> None:
    deep = "/".join(["x" * 200] * 5)
    with pytest.raises(UploadError, match="is too long for a key: shorten it"):
        upload_folder(aws, BUCKET, folder_of(tmp_path / "logs", {"a": b"x", deep: b"y"}))
    assert keys(s3) == []


def test_small_files_of_a_folder_share_one_client(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To make one takes five times as long as to send a small file."""
    made: list[str] = []
    client = Aws.client
    monkeypatch.setattr(Aws, "client", lambda self, name: made.append(name) or client(self, name))  # type: ignore[func-returns-value]
    folder = folder_of(tmp_path / "logs", {str(number): b"x" * number for number in range(20)} | {"big": BIG})
    assert upload_folder(aws, BUCKET, folder).sent == 21
    assert made == ["s3", "s3"], "one for all small files, and one for the big one"


def test_an_empty_folder_entry_is_sent_too(aws: Aws, s3: Any, tmp_path: Path) -> None:
    prefix = upload_folder(aws, BUCKET, folder_of(tmp_path / "logs", {"quiet": b""})).prefix
    assert keys(s3) == [f"{prefix}quiet"]
