"""What ``fanfold run SOURCE`` is asked to read: a file, a folder, an object, or all objects under a prefix.

What is named is what is read: nothing is guessed, and what could mean two things is refused with how to write
either.
"""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

S3 = "s3://"
NEIGHBOURS = 1000
"""So many keys are looked at to find the one that was meant: one request."""


class SourceError(Exception):
    """It cannot be read as it is written; the text is one sentence for the person."""


class Local(NamedTuple):
    """A file or a folder of this machine, of ``bytes`` in all."""

    path: Path
    bytes: int


class Object(NamedTuple):
    """One object in S3."""

    bucket: str
    key: str


class Objects(NamedTuple):
    """All objects whose keys begin with ``prefix``."""

    bucket: str
    prefix: str


Source = Local | Object | Objects


def parse(text: str) -> Source:
    """``text`` as a person writes it. A slash at the end, or an asterisk, names all objects under a prefix;
    anywhere else either is a character like any other. Raises SourceError.

    >>> parse("s3://b/input/enwiki.xml")
    Object(bucket='b', key='input/enwiki.xml')
    >>> parse("s3://b/input/logs/"), parse("s3://b/input/2026-*")
    (Objects(bucket='b', prefix='input/logs/'), Objects(bucket='b', prefix='input/2026-'))
    """
    if not text.startswith(S3):
        return _local(text)
    bucket, slash, name = text.removeprefix(S3).partition("/")
    if not bucket:
        raise SourceError(
            f"{text} names no bucket: write s3://bucket/key for an object, or s3://bucket/prefix/ for all "
            "under a prefix."
        )
    if not slash:
        raise SourceError(
            f"{text} is a bucket: write {text}/key for an object, or {text}/prefix/ for all under a prefix."
        )
    if name.endswith("*"):
        return Objects(bucket, name[:-1])
    return Object(bucket, name) if name and not name.endswith("/") else Objects(bucket, name)


def _local(text: str) -> Local:
    scheme, found, _ = text.partition("://")
    path = Path(text)
    if found and not path.exists():
        raise SourceError(f"{text}: {scheme} is not supported; name a file, a folder, or s3://bucket/key.")
    if text.startswith("s3:") and not path.exists():
        raise SourceError(f"{text} lacks a slash: write s3://bucket/key.")
    if not text or not path.exists():
        raise SourceError(f"There is no file or folder {text or '(nothing)'}: check the spelling.")
    if text.endswith("/") and not path.is_dir():
        raise SourceError(f"{text} is a file, not a folder: leave out the slash.")
    return local(path)


def local(path: Path) -> Local:
    """What is at ``path``. Raises SourceError if it cannot be read, or if nothing is in it."""
    files = files_of(path) if path.is_dir() else [path]
    if not files:
        raise SourceError(f"{path} contains no files.")
    for file in files:
        if not file.exists():
            raise SourceError(f"There is no file or folder {file}: check the spelling.")
        if not file.is_file():
            raise SourceError(f"{file} is neither a file nor a folder.")
        if not os.access(file, os.R_OK):
            raise SourceError(f"You may not read {file}.")
    size = sum(file.stat().st_size for file in files)
    if not size:
        raise SourceError(f"{path} is empty: there is nothing to count.")
    return Local(path, size)


def files_of(folder: Path) -> list[Path]:
    """The files in ``folder`` and in the folders in it."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def check_in_s3(client: Any, source: Object | Objects) -> None:
    """Raise SourceError if ``source`` is not there, is empty, or could be two things; ClientError,
    BotoCoreError. It takes two requests at most."""
    if isinstance(source, Objects):
        _check_objects(client, source)
        return
    name, folder = f"{S3}{source.bucket}/{source.key}", source.key.rpartition("/")[0]
    found = _listed(client, source.bucket, source.key, 1)
    if found and found[0]["Key"] == source.key:  # of all keys that begin with it, it is the first
        if not found[0]["Size"]:
            raise SourceError(f"{name} is empty: there is nothing to count.")
        return
    if _listed(client, source.bucket, f"{source.key}/", 1):
        raise SourceError(
            f"There is no object {name}, but there are some under {name}/: add the slash to read them all."
        )
    near = [entry["Key"] for entry in _listed(client, source.bucket, folder and f"{folder}/", NEIGHBOURS)]
    meant = get_close_matches(source.key, near, 1)
    advice = f"did you mean {S3}{source.bucket}/{meant[0]}?" if meant else "check the spelling."
    raise SourceError(f"There is no object {name}: {advice}")


def _check_objects(client: Any, source: Objects) -> None:
    name = f"{S3}{source.bucket}/{source.prefix}*"
    if not _listed(client, source.bucket, source.prefix, 1):
        raise SourceError(f"There is no object {name}: check the spelling of the prefix.")
    starred = _listed(client, source.bucket, f"{source.prefix}*", 1)
    if starred and starred[0]["Key"] == f"{source.prefix}*":
        raise SourceError(
            f"There is an object whose key ends in an asterisk, {name}: to read that one, write {name}*; to "
            f"read all that begin with {source.prefix or 'anything'}, rename it."
        )


def _listed(client: Any, bucket: str, prefix: str, most: int) -> list[Any]:
    """The first ``most`` objects under ``prefix``, in the order of their keys."""
    found: list[Any] = client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=most).get("Contents", [])
    return found
