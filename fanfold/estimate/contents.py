"""Examines an input before a run: how its objects are compressed, and what one Lambda must unpack alone. At
most a few megabytes of an object are read."""

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fanfold.errors import NotModelled, SourceError
from fanfold.estimate.workload import Options, Stored, Workload, byte_by_byte, bytes_of
from fanfold.job_code import known_jobs, load
from fanfold.jobs import client_job
from fanfold.runs.source import S3, Local, Object, Objects, check_in_s3
from lambda_src.errors import FanfoldError
from lambda_src.figures import Figure
from lambda_src.input.addresses import Addresses, Placed
from lambda_src.input.bzip2 import beginnings
from lambda_src.input.formats import LOOK_BYTES, Compression, Format, Readable, check_unpacked, detect_format
from lambda_src.input.names import is_stray
from lambda_src.input.objects import ObjectsInput
from lambda_src.input.ownership import open_archive
from lambda_src.job import BYTES

BLOCKS_BYTES = 8 << 20
"""Bytes of a bzip2 object in which to look for its blocks, of up to 900 kB of text each."""

SAMPLE_BYTES, SAMPLE_TEXT_BYTES = 1 << 20, 32 << 20
"""Bytes of an archive, and of its text, to unpack in order to find the compression ratio."""

LOOKS, LOOKS_AT_ONCE = 32, 8
"""Number of objects in S3 to look at, and at once: the largest of each ending. Each takes several
requests."""

BUCKET_KEY_SHARE = 0.01
"""Share of the requests to KMS that remain with a bucket key: AWS says that it saves up to 99 %."""


class Contents(NamedTuple):
    """The objects of an input, end to end. ``looked_at`` of them were examined; every other one is assumed to
    be like the largest one with the same ending. A GET of one of them takes ``kms_requests``."""

    objects: tuple[Stored, ...]
    looked_at: int
    kms_requests: float = 0.0

    @property
    def bytes(self) -> int:
        """Their size as stored."""
        return sum(one.bytes for one in self.objects)


def modelled(job: str) -> Callable[[Local | int, Options], Workload]:
    """``ClientJob.workload`` of ``job``. Raises NotModelled for a job that has none."""
    workload = client_job(job).workload
    if not workload:
        raise NotModelled(
            f"There are no measurements for {job}, so it cannot be estimated: run it on a part of the input, "
            f"then see its seconds and dollars with `fanfold runs --job {job}`."
        )
    return workload


def assumed(job: str) -> Callable[[Local | int, Options], Workload]:
    """``modelled``; for a job without measurements, by what its runs assume of it. That is enough to see that
    blocks are far too small. Raises NotModelled if its code is not here, or its units are not bytes."""
    try:
        return modelled(job)
    except NotModelled:
        if job not in known_jobs() or (code := load(job)).unit != BYTES:
            raise
    return lambda source, options: byte_by_byte(job, code, bytes_of(source), options)


def local_workload(job: str, source: Local, options: Options = None) -> Workload:
    """The work that an input on this machine is for ``job``. Raises NotModelled, SourceError."""
    workload = modelled(job)(source, options)
    return made_of(workload, contents_of(source)) if workload.unit == BYTES else workload


def workload_of(job: str, contents: Contents, options: Options = None) -> Workload:
    """The work that an input in S3 is for ``job``. Raises NotModelled."""
    return made_of(modelled(job)(contents.bytes, options), contents)


def made_of(workload: Workload, contents: Contents) -> Workload:
    """``workload`` with the objects of its input."""
    kms = Figure(contents.kms_requests, "", "assumed", "requests to KMS for each GET of the input")
    return workload._replace(
        objects=contents.objects,
        looked_at=contents.looked_at,
        figures={**workload.figures, "kms_input": kms},
    )


def contents_of(source: Local) -> Contents:
    """The contents of a file or a folder. Raises SourceError for what a run would refuse."""
    files = [_readable(path) for path in _files(source)]
    with _translated():
        formats = {file.name: _format(file) for file in files}
        return Contents(_alike(files, lambda file: formats[file.name]), len(files))


def contents_in_s3(client: Any, source: Object | Objects) -> Contents:
    """The contents of ``source``, read by ``client``, a boto3 client of S3. Raises SourceError also if it
    does not exist or could mean two things; ClientError, BotoCoreError."""
    check_in_s3(client, source)
    kms_requests = {0.0}

    def readable(key: str, size: int) -> Readable:
        def read(start: int, end: int) -> list[bytes]:
            answer = client.get_object(Bucket=source.bucket, Key=key, Range=f"bytes={start}-{end - 1}")
            kms_requests.add(
                _kms_requests(answer.get("ServerSideEncryption"), answer.get("BucketKeyEnabled"))
            )
            return [answer["Body"].read()]

        return Readable(f"{S3}{source.bucket}/{key}", size, read)

    if isinstance(source, Object):
        size = int(client.head_object(Bucket=source.bucket, Key=source.key)["ContentLength"])
        found = [readable(source.key, size)]
    else:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=source.bucket, Prefix=source.prefix)
        entries = [entry for page in pages for entry in page.get("Contents", [])]
        found = [
            readable(entry["Key"], int(entry["Size"]))
            for entry in entries
            if not is_stray(entry["Key"], source.prefix, entry["Size"])
        ]
    endings = {_ending(one.name) for one in found if one.bytes}
    with _translated():
        objects = _alike(found, lambda one: _ending(one.name))
    return Contents(objects, min(len(endings), LOOKS), max(kms_requests))


def with_key_of(workload: Workload, client: Any, bucket: str) -> Workload:
    """``workload`` with the requests to KMS that the intermediates take, which a deployment stores in
    ``bucket``. Raises ClientError, BotoCoreError."""
    answer = client.get_bucket_encryption(Bucket=bucket)
    (rule,) = answer["ServerSideEncryptionConfiguration"]["Rules"]
    algorithm = rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
    requests = _kms_requests(algorithm, rule.get("BucketKeyEnabled"))
    kms = Figure(requests, "", "assumed", "requests to KMS for each PUT and GET of intermediates")
    return workload._replace(figures={**workload.figures, "kms_blobs": kms})


def _kms_requests(algorithm: str | None, has_bucket_key: bool | None) -> float:
    """Number of requests to KMS for each request to S3."""
    if not (algorithm or "").startswith("aws:kms"):
        return 0.0
    return BUCKET_KEY_SHARE if has_bucket_key else 1.0


def input_of(source: Local) -> ObjectsInput:
    """A file, or a folder with a single file, as the input of a job: as in a run, but read locally."""
    files = {file.name: file for file in map(_readable, _files(source)) if file.bytes}
    placed, address = [], 0
    for file in files.values():
        placed.append(Placed(address, file.name, file.bytes, ""))
        address += file.bytes
    return ObjectsInput(
        Addresses(placed),
        lambda one, start, end: files[one.key].chunks(start, end),
        size_bytes=address,
        objects=len(placed),
    )


def look(source: Readable) -> Stored:
    """How ``source`` is stored. Raises SourceNotText, ArchiveDamaged, ArchiveTooLarge."""
    compression = _format(source)
    if compression == "plain":
        return Stored(source.name, source.bytes)
    unit_bytes = source.bytes
    if compression == "bzip2":
        data = source.read(0, min(BLOCKS_BYTES, source.bytes))
        found = [bit // 8 for bit in beginnings(data, 0, len(data))]
        if len(found) > 1:
            unit_bytes = (found[-1] - found[0]) // (len(found) - 1)
    return Stored(source.name, source.bytes, compression, _ratio(source, compression), unit_bytes)


def _files(source: Local) -> Sequence[Path]:
    return [source.path / name for name in source.files] or [source.path]


def _readable(path: Path) -> Readable:
    def read(start: int, end: int) -> list[bytes]:
        with path.open("rb") as file:
            file.seek(start)
            return [file.read(end - start)]

    return Readable(str(path), path.stat().st_size, read)


def _format(source: Readable) -> Format:
    return detect_format(source, source.read(0, min(LOOK_BYTES, source.bytes))) if source.bytes else "plain"


def _ratio(source: Readable, compression: Compression) -> float:
    """Bytes of text for each byte of the archive's beginning, which must be text."""
    archive, taken, text_bytes, beginning = open_archive(source, compression), 0, 0, b""
    for text in archive.rest():
        beginning += text[: LOOK_BYTES - len(beginning)]
        if archive.position > taken:  # what was read before is unpacked by now
            if compression == "bzip2":  # and nothing of what follows
                taken = archive.position
            if taken >= SAMPLE_BYTES or (taken and text_bytes >= SAMPLE_TEXT_BYTES):
                break
            taken = archive.position
        text_bytes += len(text)
    else:
        taken = archive.position
    check_unpacked(source.name, compression, beginning)
    return text_bytes / taken


def _alike(found: Sequence[Readable], kind: Callable[[Readable], Hashable]) -> tuple[Stored, ...]:
    """How each object is stored. Only the largest of each ``kind`` is read; the others are assumed to be like
    it."""
    largest: dict[Hashable, Readable] = {}
    for one in found:
        before = largest.get(kind(one))
        if before is None or one.bytes > before.bytes:
            largest[kind(one)] = one
    chosen = sorted(largest, key=lambda which: -largest[which].bytes)[:LOOKS]
    with ThreadPoolExecutor(LOOKS_AT_ONCE) as threads:
        looked_at = dict(zip(chosen, threads.map(look, (largest[which] for which in chosen)), strict=True))
    return tuple(_like(looked_at.get(kind(one)), one) for one in found)


def _like(known: Stored | None, one: Readable) -> Stored:
    if known is None:
        return Stored(one.name, one.bytes)
    splits = known.unit_bytes < known.bytes
    return known._replace(
        name=one.name, bytes=one.bytes, unit_bytes=known.unit_bytes if splits else one.bytes
    )


def _ending(name: str) -> str:
    """The ending that objects of one kind share: the last suffix that is not a number.

    >>> _ending("s3://b/logs/access.log.17.GZ"), _ending("s3://b/logs/access.log.17"), _ending("s3://b/a.b/c")
    ('.gz', '.log', '')
    """
    found = re.findall(r"\.[^./]*[^./0-9][^./]*", name.rpartition("/")[2].lower())
    return found[-1] if found else ""


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FanfoldError as error:
        raise SourceError(str(error)) from error
