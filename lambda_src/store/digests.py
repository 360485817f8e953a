"""Digests of lines: by them a reducer sees that a line is the one that its block wrote."""

import hashlib

DIGEST_BYTES = 16
"""Enough that no two lines share a digest, by chance or by design."""


def digest_of(line: bytes | memoryview) -> bytes:
    """The digest of ``line``: SHA-256, for which processors have instructions, cut short."""
    return hashlib.sha256(line).digest()[:DIGEST_BYTES]


def digest_at(number: int, digests: bytes) -> bytes:
    """That of line ``number`` among ``digests``, which stand end to end; empty if there is none."""
    return digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]
