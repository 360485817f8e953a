"""Lists in files: ``--set stop_words=@FILE``, for options that say so. A run gets the words themselves, so it
has the same ones when it is resumed, and no function reads the file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanfold.errors import OptionError
from fanfold.runs.source import S3

if TYPE_CHECKING:
    from fanfold.account.connection import Aws

MOST_BYTES = 1 << 20

Connect = Callable[[], "Aws"]
"""Gives the account that reads objects of S3."""


def words_in(name: str, where: str, connect: Connect | None) -> list[str]:
    """What is between white space in the file or object ``where``, for the option ``name``; each once. Raises
    OptionError."""
    said = f"--set {name}=@{where}"
    if where.startswith(S3):
        if connect is None:
            raise OptionError(f"{said}: this command reads files of this machine only.")
        data = _object(said, where, connect())
    else:
        data = _file(said, Path(where))
    if len(data) > MOST_BYTES:
        raise OptionError(f"{said}: it has more than {MOST_BYTES:,} bytes, so it is not a list of words.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OptionError(f"{said}: its byte {error.start} is not UTF-8: convert it to UTF-8.") from None
    if not (words := list(dict.fromkeys(text.split()))):
        raise OptionError(f"{said}: there is no word in it.")
    return words


def _file(said: str, path: Path) -> bytes:
    try:
        with path.expanduser().open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise OptionError(f"{said}: it cannot be read: {error.strerror}.") from None


def _object(said: str, where: str, aws: "Aws") -> bytes:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - only for objects

    from fanfold.account.connection import explain  # noqa: PLC0415 - as above

    bucket, _, key = where.removeprefix(S3).partition("/")
    if not bucket or not key:
        raise OptionError(f"{said}: write {S3}bucket/key.")
    try:
        stored: Any = aws.client("s3").get_object(Bucket=bucket, Key=key)
        data: bytes = stored["Body"].read(MOST_BYTES + 1)
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in (
            "NoSuchKey",
            "NoSuchBucket",
        ):
            raise OptionError(f"{said}: there is no such object.") from None
        raise OptionError(f"{said}: it cannot be read: {explain(error)}") from None
    return data
