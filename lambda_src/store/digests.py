"""Digests of lines, by which a reducer verifies that a line is the one that the block wrote."""

import hashlib

DIGEST_BYTES = 16
"""Enough that no two lines share a digest, by chance or by design."""


def digest_of(line: bytes | memoryview) -> bytes:
    """The digest of ``line``: a truncated SHA-256, which is fast in hardware."""
    return hashlib.sha256(line).digest()[:DIGEST_BYTES]


def digest_at(number: int, digests: bytes) -> bytes:
    """The digest of line ``number`` in ``digests``, which are end to end; empty if there is none."""
    return digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]
