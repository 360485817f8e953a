"""The input of a run, in messages."""

from msgspec import Struct

from lambda_src.errors import one_line
from lambda_src.fields import Count, Prefix, Text

HERE = "this machine"
"""In place of a bucket, for files of the machine that carries out the run. No bucket can have that name."""


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """A pinned input: the object ``key``, or all objects under ``prefix``. ``etag`` identifies this version
    of it: the object's ETag, or a digest of the listing. ``version_id`` is for the record."""

    bucket: Text
    key: Text | None
    etag: Text
    bytes: Count
    prefix: Prefix | None = None
    objects: Count = 1
    version_id: str | None = None

    def name(self) -> str:
        """The input as text for people."""
        return name_of(self.bucket, self.key, self.prefix)


def name_of(bucket: str, key: str | None, prefix: str | None) -> str:
    """An input as text for people.

    >>> name_of("b", "k", None), name_of("b", None, "logs/")
    ('s3://b/k', 's3://b/logs/*')
    >>> name_of(HERE, "logs/a.txt", None)
    'logs/a.txt'
    """
    if bucket == HERE:
        return one_line(str(prefix if key is None else key))
    return one_line(f"s3://{bucket}/{prefix}*" if key is None else f"s3://{bucket}/{key}")
