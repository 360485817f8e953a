"""Uploads a file under a key derived from its content, or a folder under such a prefix. Existing objects are
not sent again, and never overwritten."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from fanfold.account.connection import Aws, explain
from fanfold.errors import UploadError
from fanfold.runs.source import Local
from lambda_src.fields import MAX_KEY_BYTES
from lambda_src.store.keys import input_key

READ_BYTES = 1 << 20
PART_BYTES = 8 << 20
MAX_PARTS = 10_000
FOLDER_AT_ONCE = 8
"""Number of files of a folder sent at once: enough to hide S3's latency."""


class Input(NamedTuple):
    """An object in one version. ``sent``: whether it was uploaded just now."""

    key: str
    etag: str
    sent: bool


class Folder(NamedTuple):
    """The objects under a prefix, each with a file's content, and no others. ``sent``: the number of files
    uploaded just now."""

    prefix: str
    sent: int


def upload(
    aws: Aws,
    bucket: str,
    path: Path,
    read: Callable[[int], None] = lambda _: None,
    sent: Callable[[int], None] = lambda _: None,
) -> Input:
    """Upload ``path`` to ``bucket``, unless it is there already. ``read`` and ``sent`` get the bytes since
    the last call: the file is read twice, to name it and to send it.

    Raises UploadError, also if the file changes during the upload: the object always has the content that its
    key says.
    """
    with _translated(path, bucket), path.open("rb") as file:
        sha256, size = _digest(file, read)
        file.seek(0)
        key = input_key(sha256.hex(), path.name)
        clients, content = _clients(aws), _SameAgain(path, file, size, sha256)
        if found := _etag(clients.shared, bucket, key, size):
            return Input(key, found, sent=False)
        return _send(clients, bucket, key, content, sent)


def upload_folder(
    aws: Aws,
    bucket: str,
    folder: Local,
    read: Callable[[int], None] = lambda _: None,
    sent: Callable[[int], None] = lambda _: None,
) -> Folder:
    """Upload the files of ``folder`` to ``bucket``, under a prefix derived from their names and contents.
    Otherwise as ``upload``."""
    with _translated(folder.path, bucket):
        digests: dict[str, bytes] = {}
        for name in folder.files:
            with (folder.path / name).open("rb") as file:
                digests[name] = _digest(file, read)[0]
        together = hashlib.sha256(repr(sorted(digests.items())).encode())
        prefix = input_key(together.hexdigest(), folder.path.resolve().name) + "/"
        for name in folder.files:
            if len(f"{prefix}{name}".encode()) > MAX_KEY_BYTES:
                raise UploadError(f"The name of {folder.path / name} is too long for a key: shorten it.")
        clients = _clients(aws)
        there = {
            found["Key"].removeprefix(prefix)
            for page in clients.shared.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            for found in page.get("Contents", [])
        }
        if strangers := there - digests.keys():
            raise UploadError(
                f"s3://{bucket}/{prefix} also holds {min(strangers)}, which {folder.path} does not: remove "
                "it, then try again."
            )

        def send(name: str) -> None:
            path = folder.path / name
            with path.open("rb") as file:
                content = _SameAgain(path, file, path.stat().st_size, digests[name])
                _send(clients, bucket, prefix + name, content, sent)

        missing = sorted(digests.keys() - there)
        threads = ThreadPoolExecutor(FOLDER_AT_ONCE)
        try:
            for done in [threads.submit(send, name) for name in missing]:
                done.result()
        finally:
            threads.shutdown(cancel_futures=True)
        return Folder(prefix, len(missing))


def _digest(file: BinaryIO, read: Callable[[int], None]) -> tuple[bytes, int]:
    """The SHA-256 digest of a file, and its size."""
    digest, size = hashlib.sha256(), 0
    while data := file.read(READ_BYTES):
        digest.update(data)
        size += len(data)
        read(len(data))
    return digest.digest(), size


@contextmanager
def _translated(path: Path, bucket: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UploadError(f"{error.filename or path} cannot be read: {error.strerror or error}.") from error
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise UploadError(f"{path} could not be uploaded to the bucket {bucket}: {explain(error)}") from error


class _SameAgain:
    """Reads a file a second time. It gives the last bytes only if the content is the same as at first.

    It cannot seek, so it is read once, from front to back.
    """

    def __init__(self, path: Path, file: BinaryIO, size: int, sha256: bytes) -> None:
        self.bytes = size
        self._path, self._file, self._left = path, file, size
        self._sha256, self._digest = sha256, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._digest.update(data)
        self._left -= len(data)
        if (size and not data and self._left) or (not self._left and self._digest.digest() != self._sha256):
            raise UploadError(f"{self._path} changed while it was being uploaded: try again.")
        return data


class _Clients(NamedTuple):
    """One client for all threads, and a function that makes one for a large file: that takes 16 ms, five
    times as long as sending a small file."""

    shared: Any
    fresh: Callable[[], Any]


def _clients(aws: Aws) -> _Clients:
    return _Clients(aws.client("s3"), lambda: aws.client("s3"))


def _send(
    clients: _Clients, bucket: str, key: str, content: _SameAgain, sent: Callable[[int], None]
) -> Input:
    """Send the content unless it exists by now."""
    try:
        if content.bytes > PART_BYTES:
            etag = _send_parts(clients.fresh(), bucket, key, content, sent)
        else:
            body = b"".join(iter(content.read, b""))
            put = clients.shared.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
            etag = put["ETag"]
            sent(content.bytes)
    except (Boto3Error, ClientError):
        # Someone else has just sent the same content, or it was sent and the answer was lost.
        found = _etag(clients.shared, bucket, key, content.bytes)
        if found is None:
            raise
        return Input(key, found, sent=False)
    return Input(key, etag, sent=True)


def _send_parts(client: Any, bucket: str, key: str, content: _SameAgain, sent: Callable[[int], None]) -> str:
    """Send a large file and return its ETag. ``client`` is modified, so it can be used for one file only."""
    etags: list[str] = []

    def if_absent(params: dict[str, Any], **_: object) -> None:
        params["IfNoneMatch"] = "*"

    def keep_etag(parsed: dict[str, Any], **_: object) -> None:
        etags.append(parsed.get("ETag", ""))

    # boto3's own transfer supports neither the condition nor the ETag.
    for operation in ("PutObject", "CompleteMultipartUpload"):
        client.meta.events.register(f"provide-client-params.s3.{operation}", if_absent)
        client.meta.events.register(f"after-call.s3.{operation}", keep_etag)
    parts = TransferConfig(
        multipart_threshold=PART_BYTES, multipart_chunksize=max(PART_BYTES, -(-content.bytes // MAX_PARTS))
    )
    client.upload_fileobj(content, bucket, key, Callback=sent, Config=parts)
    return etags[-1]


def _etag(client: Any, bucket: str, key: str, size: int) -> str | None:
    """The ETag of the object that has the content, or None if there is none, or none that can be seen:
    without permission to list the bucket, S3 answers 403 for a missing object."""
    try:
        found = client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return None
        raise
    if found["ContentLength"] != size:
        raise UploadError(
            f"s3://{bucket}/{key} holds other content, of {found['ContentLength']:,} bytes: remove it, then "
            "try again."
        )
    etag: str = found["ETag"]
    return etag
