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

ENOUGH_BYTES = 16
"""Tell how an object is compressed."""

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


def _lzma(preset: int, **filters: int) -> bytes:
    chain = [{"id": lzma.FILTER_LZMA1, "preset": preset, **filters}]
    return lzma.compress(b"words" * 9, lzma.FORMAT_ALONE, filters=chain)


def _zlib(level: int, window_bits: int) -> bytes:
    compressor = zlib.compressobj(level, wbits=window_bits)
    return compressor.compress(b"words, and more words") + compressor.flush()


SCRIPTS = {
    "Cyrillic": "всесловавместе",
    "Chinese": "他们说,今天的天气很好。\n",
    "Japanese": "吾輩は猫である。名前はまだ無い。",
    "Korean": "모든 인간은 태어날 때부터 자유로우며\n",
    "Arabic": "يولد جميع الناس أحراراً",
    "Thai": "มนุษย์ทั้งหลายเกิดมามีอิสระ",
    "Hindi": "सभी मनुष्यों को गौरव",
    "Greek": "Όλοι οι άνθρωποι γεννιούνται",
    "emoji": "😀😃 hello 👍🏽 world 🌍",
    "mixed": "Zürich — “naïve” 東京、모든 всё 😀\r\n",
}
"""Some text in each."""

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
        for text in ("abc", LATIN, CYRILLIC, *SCRIPTS.values(), SCRIPTS["emoji"] * 99, SCRIPTS["mixed"] * 99)
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
    *(("lzma", _lzma(preset)) for preset in range(10)),
    ("lzma", _lzma(6, lc=0, lp=0, pb=0)),
    *(("zlib", _zlib(level, bits)) for level in (0, 1, 6, 9) for bits in (9, 12, 15)),
    ("bzip3", b"BZ3v1\x00\x00\x00\x01"),
    ("lrzip", b"LRZI\x00\x06"),
    ("LHA", b"\x20\x21-lh5-\x99\x00\x00\x00"),
    ("xar", b"xar!\x00\x1c\x00\x01"),
    ("a cpio archive", b"070701" + b"0000000A" * 13 + b"a.log\0\0\0"),
    ("a cpio archive", b"070707" + b"01234567" * 8 + b"000012a.log\0"),
    ("a cpio archive", b"\xc7\x71\x01\x08\x10\x00\xa4\x81\x00\x00\x00\x00"),
    ("Parquet", b"PAR1\x15\x04\x15\x80 and whose end was lost"),
    ("Arrow", b"\xff\xff\xff\xff\x78\x00\x00\x00\x10\x00"),
    ("MATLAB data", b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x01IM"),
    ("Stata data", b"<stata_dta><header><release>118</release>"),
    ("SPSS data", b"$FL2@(#) SPSS DATA FILE"),
    ("SAS data", bytes(12) + b"\xc2\xea\x81\x60\xb3\x14"),
    ("NetCDF", b"CDF\x01\x00\x00\x00\x00"),
    ("GRIB", b"GRIB\x00\x00\x00\x02"),
    ("FITS", b"SIMPLE  =                    T / conforms"),
    ("a dump of PostgreSQL", b"PGDMP\x01\x0e\x00"),
    ("a database", b"\x00\x01\x00\x00Standard ACE DB\x00"),
    ("a database", b"\x37\x7f\x06\x82\x00\x2d"),
    ("a journal of systemd", b"LPKSHHRH\x00\x00"),
    ("an event log of Windows", b"ElfFile\x00\x00"),
    ("a binary log of MySQL", b"\xfebin\x00"),
    ("a property list", b"bplist00\xd2\x01"),
    ("a BMP picture", b"BM\xf6\x12\x00\x00\x00\x00\x00\x00\x36"),
    ("a Windows icon", b"\x00\x00\x01\x00\x01\x00\x10\x10\x00\x00\x01\x00\x20\x00"),
    ("a JPEG 2000 picture", b"\x00\x00\x00\x0cjP  \r\n"),
    ("a Photoshop picture", b"8BPS\x00\x01"),
    ("a font", b"\x00\x01\x00\x00\x00\x0c\x00\x80"),
    ("a font", b"wOF2\x00\x01\x00\x00"),
    ("Python bytecode", b"\xa7\x0d\r\n\x00\x00\x00\x00" + b"12345678\xe3"),
    ("an Android program", b"dex\n035\x00"),
    ("a pack of Git", b"PACK\x00\x00\x00\x02"),
    ("a folder's settings of macOS", b"\x00\x00\x00\x01Bud1\x00"),
    ("PDF", b"\xef\xbb\xbf%PDF-1.4 \r\n%\xe2\xe3\xcf\xd3\r\n"),
    ("PDF", b"\n%PDF-1.4\n1 0 obj\n"),
    ("encrypted by OpenSSL", b"Salted__abcdefg\x80"),
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
