"""The SOURCE of ``fanfold run``: a file, a folder, an object, or all objects under a prefix.

Nothing is guessed: a source that could mean two things is an error that says how to write each.
"""

import os
import stat
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from fanfold.errors import SourceError
from lambda_src.input.names import MAX_OBJECTS, is_stray, named
from lambda_src.wire.record import RunWarning

S3 = "s3://"
NEIGHBOURS = 1000
"""Number of keys that are compared to suggest the intended one: one request."""


class Local(NamedTuple):
    """A file or a folder on this machine, with ``bytes`` in all. For a folder, ``files`` has the files to
    read, and ``skipped`` those that are not, by their paths in it; links are followed."""

    path: Path
    bytes: int
    files: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    def warnings(self) -> list[RunWarning]:
        """Warnings about files that are not read."""
        if not self.skipped:
            return []
        count = len(self.skipped)
        return [
            RunWarning(
                "skipped_names",
                f"{self.path}: skipped {named(list(self.skipped), count)}, for names that begin with '.' or "
                "'_', and leftovers of editors, are not input. To read them: --include-hidden",
                key=self.skipped[0],
                count=count,
            )
        ]


class Object(NamedTuple):
    """One object in S3."""

    bucket: str
    key: str


class Objects(NamedTuple):
    """All objects whose keys begin with ``prefix``."""

    bucket: str
    prefix: str


Source = Local | Object | Objects


def parse(text: str, *, include_hidden: bool = False) -> Source:
    """The source that ``text`` names. A slash or an asterisk at the end stands for all objects under a
    prefix; elsewhere both are ordinary characters. ``include_hidden`` is for a folder. Raises SourceError.

    >>> parse("s3://b/input/enwiki.xml")
    Object(bucket='b', key='input/enwiki.xml')
    >>> parse("s3://b/input/logs/"), parse("s3://b/input/2026-*")
    (Objects(bucket='b', prefix='input/logs/'), Objects(bucket='b', prefix='input/2026-'))
    """
    if not text.startswith(S3):
        return _local(text, include_hidden=include_hidden)
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


def _local(text: str, *, include_hidden: bool) -> Local:
    scheme, found, _ = text.partition("://")
    path = Path(text)
    if path.is_symlink() and not path.exists():
        _status(path)  # its error says so
    if found and not path.exists():
        raise SourceError(f"{text}: {scheme} is not supported; name a file, a folder, or s3://bucket/key.")
    if text.startswith("s3:") and not path.exists():
        raise SourceError(f"{text} lacks a slash: write s3://bucket/key.")
    if not text or not path.exists():
        raise SourceError(f"There is no file or folder {text or '(nothing)'}: check the spelling.")
    if text.endswith("/") and not path.is_dir():
        raise SourceError(f"{text} is a file, not a folder: leave out the slash.")
    return local(path, include_hidden=include_hidden)


def local(path: Path, *, include_hidden: bool = False) -> Local:
    """The file or folder at ``path``. Links are followed. Raises SourceError if any file cannot be read, or
    if there is none."""
    status = _status(path)
    if not stat.S_ISDIR(status.st_mode):
        return Local(path, _file_bytes(path, status))
    files, size, skipped, entered = [], 0, [], 0
    folders = [(path, status, frozenset[tuple[int, int]]())]
    while folders:
        folder, status, around = folders.pop()
        entered += 1
        identity = (status.st_dev, status.st_ino)
        if identity in around:
            raise SourceError(f"{folder} is a link to a folder that it lies in: remove the link.")
        for inner in _entries(folder):
            name = inner.relative_to(path).as_posix()
            if not include_hidden and _is_stray(name, inner):
                skipped.append(name)
                continue
            status = _status(inner)
            if stat.S_ISDIR(status.st_mode):
                folders.append((inner, status, around | {identity}))
            else:
                size += _file_bytes(inner, status)
                _check_name(inner, name)
                files.append(name)
        if max(len(files), entered) > MAX_OBJECTS:
            raise SourceError(
                f"{path} holds more than {MAX_OBJECTS:,} files or folders: no run reads more; name a folder "
                "in it."
            )
    if not files:
        hidden = f" but what is skipped: {named(skipped, len(skipped))}. To read that: --include-hidden"
        raise SourceError(f"{path} contains no files{hidden if skipped else '.'}")
    return Local(path, size, tuple(sorted(files)), tuple(sorted(skipped)))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise SourceError(
            f"The folder {folder} cannot be read: {error.strerror}. Make it readable, or move it away."
        ) from error


def _is_stray(name: str, path: Path) -> bool:
    return is_stray(name, "", 1) or (is_stray(name, "", 0) and not _status(path).st_size)


def _status(path: Path) -> os.stat_result:
    """The status of what ``path`` leads to. Raises SourceError."""
    try:
        return path.stat()
    except OSError as error:
        if os.path.islink(path):  # noqa: PTH114 - which raises nothing
            raise SourceError(
                f"{path} is a broken link, to {path.readlink()}: remove it, or restore what it leads to."
            ) from error
        if isinstance(error, FileNotFoundError):
            raise SourceError(f"There is no file or folder {path}: check the spelling.") from error
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error


def _check_name(file: Path, name: str) -> None:
    """Raise SourceError unless ``name`` can be the end of a key."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise SourceError(f"The name of {os.fsencode(file)!r} is not UTF-8: rename the file.") from error


def _file_bytes(file: Path, status: os.stat_result) -> int:
    """The size of a file that can be read. Raises SourceError."""
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{file} is neither a file nor a folder: remove it, or name the files to read.")
    if not os.access(file, os.R_OK):
        raise SourceError(f"Permission denied: {file}. Make it readable, or move it away.")
    return status.st_size


def check_in_s3(client: Any, source: Object | Objects) -> None:
    """Raise SourceError if ``source`` does not exist, or could mean two things. Raises ClientError,
    BotoCoreError. It sends at most two requests."""
    if isinstance(source, Objects):
        _check_objects(client, source)
        return
    name, folder = f"{S3}{source.bucket}/{source.key}", source.key.rpartition("/")[0]
    found = _listed(client, source.bucket, source.key, 1)
    if found and found[0]["Key"] == source.key:  # the first of all keys that begin with it
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
