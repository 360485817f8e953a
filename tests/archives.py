"""What objects are besides plain text, each with its name: compressed text, and no text at all."""

import bz2
import gzip
import lzma
import pickle
import tarfile
import zipfile
import zlib
from io import BytesIO


def zipped() -> bytes:
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


def _tarred(form: int) -> bytes:
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        member = tarfile.TarInfo("logs/größte.log")
        member.size = 9
        archive.addfile(member, BytesIO(b"some text"))
    return file.getvalue()


def _without_magic(tar: bytes) -> bytes:
    """As the first tar wrote it: without what is behind the name of a link."""
    header = bytearray(tar[:257] + bytes(255))
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + tar[512:]


LATIN, CYRILLIC = "Señor, où?\n" * 20, "Съешь же ещё этих мягких французских булок.\n" * 20

NO_TEXT = [
    ("zip", zipped()),
    ("Parquet", PARQUET),
    ("UTF-16", "words".encode("utf-16")),
    ("UTF-16", b"\xfe\xff" + "words".encode("utf-16-be")),
    ("UTF-32", "words".encode("utf-32")),
    ("UTF-32", b"\x00\x00\xfe\xff" + "words".encode("utf-32-be")),
    *(
        (f"{name} without a byte order mark", text.encode(name))
        for name in ("UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE")
        for text in ("abc", LATIN, CYRILLIC)
    ),
    *(("a tar archive", _tarred(form)) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT)),
    ("a tar archive", _tarred(tarfile.PAX_FORMAT)),
    ("a tar archive", _without_magic(_tarred(tarfile.USTAR_FORMAT))),
    ("a 7z archive", b"7z\xbc\xaf\x27\x1c\x00\x04"),
    ("a RAR archive", b"Rar!\x1a\x07\x01\x00"),
    ("a RAR archive", b"Rar!\x1a\x07\x00"),
    ("lz4", b"\x04\x22\x4d\x18\x64\x40\xa7"),
    ("lzip", b"LZIP\x01\x0c"),
    ("lzma", lzma.compress(b"words", lzma.FORMAT_ALONE)),
    ("lzop", b"\x89LZO\x00\r\n\x1a\n\x10\x40"),
    ("Snappy", b"\xff\x06\x00\x00sNaPpY\x00"),
    ("compress (.Z)", b"\x1f\x9d\x90words"),
    ("zlib", zlib.compress(b"words")),
    ("a SQLite database", b"SQLite format 3\x00\x10\x00"),
    ("Avro", b"Obj\x01\x04\x16avro.schema"),
    ("ORC", b"ORC\x11\x00\x00\x0a\x06"),
    ("Arrow", b"ARROW1\x00\x00"),
    ("HDF5", b"\x89HDF\r\n\x1a\n\x00"),
    ("NumPy", b"\x93NUMPY\x01\x00"),
    ("a pickle of Python", pickle.dumps({"words": 1})),
    ("R data", b"X\n\x00\x00\x00\x03\x00\x04"),
    ("PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
    ("a PNG picture", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"),
    ("a JPEG picture", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"),
    ("a GIF picture", b"GIF89a\x01\x00\x01\x00\x80\x00\x00"),
    ("an ELF program", b"\x7fELF\x02\x01\x01" + bytes(9)),
]
"""Each with its name."""
