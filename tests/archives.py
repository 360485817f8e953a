"""What objects are besides plain text, each with its name: compressed text, and no text at all."""

import bz2
import gzip
import lzma
import zipfile
from io import BytesIO


def _zipped() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("text", "words")
    return file.getvalue()


PARQUET = b"PAR1" + b"columns" * 9 + (16).to_bytes(4, "little") + b"PAR1"
"""With a footer of 16 bytes."""

COMPRESSED = [
    ("gzip", gzip.compress(b"words")),
    ("bzip2", bz2.compress(b"words")),
    ("bzip2", bz2.compress(b"words", 1)),
    ("bzip2", bz2.compress(bytes(range(256)) * 4000)),
    ("bzip2", bz2.compress(b"")),
    ("xz", lzma.compress(b"words")),
]

ZSTD = b"\x28\xb5\x2f\xfd\x04\x00words"

NO_TEXT = [
    ("zip", _zipped()),
    ("Parquet", PARQUET),
    ("UTF-16", "words".encode("utf-16")),
    ("UTF-16", b"\xfe\xff" + "words".encode("utf-16-be")),
    ("UTF-32", "words".encode("utf-32")),
    ("UTF-32", b"\x00\x00\xfe\xff" + "words".encode("utf-32-be")),
]
