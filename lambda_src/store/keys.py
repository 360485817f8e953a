"""The keys of everything a deployment stores: objects in its bucket, items in its results table.

``input/``  inputs, by their content
``blobs/``  one blob per block: ``blobs/<spread>/<run id>/<block>.jsonl``
``pieces/``  what blocks found and is too large for the answer: ``pieces/<run id>/<block>/<piece>``
``runs/``   the manifest, the listing and the trace of each run: ``runs/<run id>/<name>``
``reused/``  blobs that later runs may use: ``reused/<days>/<what they were made from>.jsonl``
``families/``  lists of those blobs, each for runs that can share them: ``families/<days>/<family>.json``
``results/``  all sums of runs that keep them: ``results/<run id>/<name>``
"""

import hashlib
from collections.abc import Iterable, Sequence

from lambda_src.fields import MAX_KEY_BYTES

INPUT_PREFIX = "input/"
"""The functions may read no other part of the bucket as input."""

BLOBS_PREFIX = "blobs/"
PIECES_PREFIX = "pieces/"
RUNS_PREFIX = "runs/"
REUSED_PREFIX = "reused/"
FAMILIES_PREFIX = "families/"

REUSED_DAYS = (7, 35, 100, 400)
"""S3 deletes by prefix: blobs that may be reused are in the folder of the next number of days."""

REUSED_MARGIN_DAYS = 1
"""How much longer they are stored: a run that begins to rely on a blob in time also ends in time."""

RESULTS_PREFIX = "results/"
"""These objects never expire, like inputs."""

RUN_ITEM = "run"
"""The sort key of a run's record. The partition key is the run id."""

RUNS_INDEX = "runs"
"""The index of the table that has the records of all runs by their start."""


def input_key(sha256: str, name: str) -> str:
    """The key of an uploaded content. It ends with the file's name, for people who list the bucket, in a form
    that is always a valid key.

    >>> input_key("0123456789abcdef0123456789abcdef" * 2, "my text\\n.txt")
    'input/0123456789abcdef0123456789abcdef/my text_.txt'
    """
    folder = f"{INPUT_PREFIX}{sha256[:32]}/"
    shown = "".join(char if char.isprintable() and char != "/" else "_" for char in name)
    if shown in ("", ".", ".."):
        shown = "_"
    return folder + shown.encode()[: MAX_KEY_BYTES - len(folder)].decode(errors="ignore")


def blob_key(run_id: str, block: int, variant: str = "") -> str:
    """The key of a block's blob. It begins with a hash, so that the blobs of a run spread over S3's
    partitions. A ``variant`` that is the key of a reusable blob stands for that.

    >>> blob_key("run", 7), blob_key("run", 7, "reused/7/0a1b.jsonl")
    ('blobs/6e0431c4/run/000007.jsonl', 'reused/7/0a1b.jsonl')
    """
    if variant.startswith(REUSED_PREFIX):
        return variant
    spread = hashlib.sha256(f"{run_id}/{block}".encode()).hexdigest()[:8]
    return f"{BLOBS_PREFIX}{spread}/{run_id}/{block:06d}{variant}.jsonl"


def piece_key(run_id: str, block: int, piece: int, variant: str = "") -> str:
    """The key of a piece that a block stores beside its lines.

    >>> piece_key("run", 7, 0)
    'pieces/run/000007/00000'
    """
    return f"{PIECES_PREFIX}{run_id}/{block:06d}{variant}/{piece:05d}"


def variant(left_out: Iterable[Sequence[int]]) -> str:
    """Names the blob of a block that leaves out the objects in these spans. It has its own key: a late copy
    of a call must not overwrite the blob that leaves out more objects.

    >>> variant([]), variant([(0, 9)])
    ('', '-fb7da451')
    """
    spans = [tuple(span) for span in left_out]
    return f"-{hashlib.sha256(repr(spans).encode()).hexdigest()[:8]}" if spans else ""


def folder_of(days: int) -> int:
    """The folder of blobs that may be reused for ``days``.

    >>> [folder_of(days) for days in (1, 7, 8, 400)]
    [7, 7, 35, 400]
    """
    return next(most for most in REUSED_DAYS if days <= most)


def reused_key(days: int, identity: str, left_out: Iterable[Sequence[int]]) -> str:
    """The key of a blob that may be reused for ``days``. ``identity`` says what it was made from, except for
    the objects ``left_out``.

    >>> reused_key(30, "0a1b", [])
    'reused/35/0a1b.jsonl'
    """
    return f"{REUSED_PREFIX}{folder_of(days)}/{identity}{variant(left_out)}.jsonl"


def family_key(days: int, family: str) -> str:
    """The key of what a family of runs knows.

    >>> family_key(7, "0a1b")
    'families/7/0a1b.json'
    """
    return f"{FAMILIES_PREFIX}{folder_of(days)}/{family}.json"


def manifest_key(run_id: str) -> str:
    """The key of a run's manifest.

    >>> manifest_key("run"), listing_key("run"), trace_key("run")
    ('runs/run/manifest.json', 'runs/run/objects.jsonl', 'runs/run/trace.json')
    """
    return f"{RUNS_PREFIX}{run_id}/manifest.json"


def listing_key(run_id: str) -> str:
    """The key of the listing of a run's objects."""
    return f"{RUNS_PREFIX}{run_id}/objects.jsonl"


def trace_key(run_id: str) -> str:
    """The key of a run's trace."""
    return f"{RUNS_PREFIX}{run_id}/trace.json"


def results_of(run_id: str) -> str:
    """What the keys of a run's complete sums begin with.

    >>> results_of("run"), complete_key("run", "0003-6e0431c4-0000")
    ('results/run/', 'results/run/0003-6e0431c4-0000')
    """
    return f"{RESULTS_PREFIX}{run_id}/"


def complete_key(run_id: str, name: str) -> str:
    """The key of an object that has complete sums of a run."""
    return results_of(run_id) + name


def run_of(key: str) -> str | None:
    """The id of the run that stored an object, or None for any other object.

    >>> run_of(blob_key("a", 7)), run_of(trace_key("b")), run_of("input/c/d"), run_of("runs/e")
    ('a', 'b', None, None)
    >>> run_of(complete_key("a", "0003-6e0431c4-0000"))
    'a'
    """
    prefix, *rest = key.split("/")
    place = {BLOBS_PREFIX: 1, PIECES_PREFIX: 0, RUNS_PREFIX: 0, RESULTS_PREFIX: 0}.get(f"{prefix}/")
    return rest[place] if place is not None and len(rest) > place + 1 else None


def part_items(kind: str) -> str:
    """What the sort keys of all parts begin with: ``length#``, if the job calls its parts lengths."""
    return f"{kind}#"


def part_item(kind: str, part: str, parts: Iterable[str]) -> str:
    """The sort key of a part's result, padded so that numbered parts sort by number.

    >>> part_item("length", "7", ["7", "20"])
    'length#07'
    """
    return f"{part_items(kind)}{part.rjust(max(map(len, parts)), '0')}"
