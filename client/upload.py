"""Uploading an input under a key of its content: what is there is not sent again, and never overwritten."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from client.aws import Aws
from lambda_src.settings import INPUT_PREFIX

READ_BYTES = 1 << 20
PART_BYTES = 8 << 20
MAX_PARTS = 10_000
KEY_BYTES = 1024
"""The last two are S3's own bounds, of the parts of an upload and of a key."""


class UploadError(Exception):
    """The file could not be read or uploaded; the text is one sentence for the person."""


class Input(NamedTuple):
    """An object in the one version that is meant. ``sent``: it was not there before."""

    key: str
    etag: str
    sent: bool


def upload(
    aws: Aws,
    bucket: str,
    path: Path,
    read: Callable[[int], None] = lambda _: None,
    sent: Callable[[int], None] = lambda _: None,
) -> Input:
    """Have the content of ``path`` in ``bucket``. ``read`` and ``sent`` are told the bytes since last time,
    for the file is read twice: to name it, and to send it if it is not there.

    Raises UploadError, also if the file changes meanwhile: what is stored is what the key says.
    """
    try:
        with path.open("rb") as file:
            digest, size = hashlib.sha256(), 0
            while data := file.read(READ_BYTES):
                digest.update(data)
                size += len(data)
                read(len(data))
            file.seek(0)
            key = input_key(digest.hexdigest(), path.name)
            return _stored(aws.client("s3"), bucket, key, _SameAgain(path, file, size, digest.digest()), sent)
    except OSError as error:
        raise UploadError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise UploadError(f"{path} could not be uploaded to the bucket {bucket}: {error}") from error


def input_key(sha256: str, name: str) -> str:
    """The key of a content, with the file's name for the person who lists the bucket. Whatever the name, it
    is a key that can be read again.

    >>> input_key("0123456789abcdef0123456789abcdef" * 2, "my text\\n.txt")
    'input/0123456789abcdef0123456789abcdef/my text_.txt'
    """
    folder = f"{INPUT_PREFIX}{sha256[:32]}/"
    shown = "".join(char if char.isprintable() and char != "/" else "_" for char in name)
    if shown in ("", ".", ".."):
        shown = "_"
    return folder + shown.encode()[: KEY_BYTES - len(folder)].decode(errors="ignore")


class _SameAgain:
    """The file a second time, as long as it holds what it held: the last of it is given only then.

    It cannot seek, so that it is read from front to back, once.
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
            raise UploadError(f"{self._path} was changed while it was uploaded: try again.")
        return data


def _stored(client: Any, bucket: str, key: str, content: _SameAgain, sent: Callable[[int], None]) -> Input:
    found = _etag(client, bucket, key, content.bytes)
    if found:
        return Input(key, found, sent=False)
    etags: list[str] = []

    def if_absent(params: dict[str, Any], **_: object) -> None:
        params["IfNoneMatch"] = "*"

    def keep_etag(parsed: dict[str, Any], **_: object) -> None:
        etags.append(parsed.get("ETag", ""))

    # boto3's own transfer knows neither the condition nor the ETag.
    for operation in ("PutObject", "CompleteMultipartUpload"):
        client.meta.events.register(f"provide-client-params.s3.{operation}", if_absent)
        client.meta.events.register(f"after-call.s3.{operation}", keep_etag)
    parts = TransferConfig(multipart_chunksize=max(PART_BYTES, -(-content.bytes // MAX_PARTS)))
    try:
        client.upload_fileobj(content, bucket, key, Callback=sent, Config=parts)
    except (Boto3Error, ClientError):
        # Someone else has just sent the same, or this was sent and the answer got lost.
        found = _etag(client, bucket, key, content.bytes)
        if found is None:
            raise
        return Input(key, found, sent=False)
    return Input(key, etags[-1], sent=True)


def _etag(client: Any, bucket: str, key: str, size: int) -> str | None:
    """The ETag of the object that holds the content, if there is one that can be seen: to whoever may not
    list the bucket, S3 answers 403 for what is not there."""
    try:
        found = client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return None
        raise
    if found["ContentLength"] != size:
        raise UploadError(
            f"s3://{bucket}/{key} holds something else, {found['ContentLength']} bytes: remove it, then try "
            "again."
        )
    etag: str = found["ETag"]
    return etag
