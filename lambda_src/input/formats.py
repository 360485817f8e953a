"""The format of an object, detected by its first bytes and not by its name."""

import builtins
import codecs
import importlib
import math
import platform
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

from lambda_src.errors import SourceNotText

Compression = Literal["gzip", "bzip2", "xz", "zstd"]
Format = Literal["plain"] | Compression

ENDINGS: Mapping[str, Compression] = {"gz": "gzip", "bz2": "bzip2", "xz": "xz", "zst": "zstd"}

CANNOT_BE_SPLIT = ("gzip", "xz", "zstd")
"""Compressions whose objects one Lambda must unpack completely."""

Read = Callable[[int, int], Iterable[bytes]]
"""``read(start, end)``: bytes ``[start, end)`` of one object, in chunks, as they arrive."""


def no_end() -> float:
    """A ``remaining_s`` without a time limit."""
    return math.inf


class Readable(NamedTuple):
    """One object: its name for people, its size, how to read it, and how much time is left to unpack it."""

    name: str
    bytes: int
    chunks: Read
    remaining_s: Callable[[], float] = no_end

    def read(self, start: int, end: int) -> "builtins.bytes":
        """Bytes ``[start, end)``."""
        return b"".join(self.chunks(start, end))


LOOK_BYTES = 1 << 10
"""Number of first bytes that tell whether an object is text."""

_COMPRESSED: dict[Compression, re.Pattern[bytes]] = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    # A block's magic number is all ASCII: only after its checksum, in the high bits of a number of at most
    # 900,000, there is a byte that no text has; or, from bzip2 0.9, one that hardly any text has there. An
    # empty stream ends at once.
    "bzip2": re.compile(rb"BZh[1-9](1AY&SY.{4}[\x00-\x06\x80-\x86]|\x17rE8P\x90)", re.DOTALL),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    # A frame, or one to be skipped, of less than 16 MiB: its size has a zero byte, unlike text.
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18.{3}\x00", re.DOTALL),
}
_ARCHIVE = "unpack it into a folder, then upload that."
_ENCODING = "convert it to UTF-8, then upload that."
_PACKED = "repack it with gzip, bzip2 or xz, then upload that."
_TABLE = "export it as text in UTF-8, such as CSV, then upload that."
_BINARY = "only text can be read, so leave it out, or convert it to text in UTF-8."

_NO_TEXT: dict[str, tuple[bytes, str]] = {
    "zip": (rb"PK(\x03\x04|\x05\x06|\x07\x08)", _ARCHIVE),
    "a 7z archive": (rb"7z\xbc\xaf\x27\x1c", _ARCHIVE),
    "a RAR archive": (rb"Rar!\x1a\x07", _ARCHIVE),
    "an ar archive": (rb"!<arch>\n", _ARCHIVE),
    "a cpio archive": (
        rb"07070[12][0-9A-Fa-f]{104}[^\x00]+\x00|070707[0-7]{70}[^\x00]+\x00|(\xc7\x71|\x71\xc7)(?=.{0,24}\x00)",
        _ARCHIVE,
    ),
    "a Cabinet archive": (rb"MSCF\x00{4}", _ARCHIVE),
    "an RPM package": (rb"\xed\xab\xee\xdb", _ARCHIVE),
    "UTF-32": (rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff", _ENCODING),
    "UTF-16": (rb"\xff\xfe|\xfe\xff", _ENCODING),
    "lz4": (rb"\x04\x22\x4d\x18|\x02\x21\x4c\x18", _PACKED),
    "bzip3": (rb"BZ3v1[^ -~]", _PACKED),
    "lrzip": (rb"LRZI\x00|RZIP\x02", _PACKED),
    "LHA": (rb"..-lh[0-7d]-(?=.{0,12}[^ -~\r\n\t])", _ARCHIVE),
    "xar": (rb"xar!\x00", _ARCHIVE),
    "lzip": (rb"LZIP[\x00\x01]", _PACKED),
    # Properties; a dictionary of 2**n or 3 * 2**n bytes, as everyone has it; a size, unknown or of less than
    # 2**40; the range coder's first byte.
    "lzma": (
        rb"[\x00-\xe0]\x00([\x10\x20\x30\x40\x60\x80\xc0]\x00\x00|\x00[\x01-\x04\x06\x08\x0c\x10\x18\x20\x30\x40\x60\x80\xc0]\x00"
        rb"|\x00\x00[\x01-\x04\x06\x08\x0c\x10\x18\x20\x40])(\xff{8}|.{5}\x00{3})\x00",
        _PACKED,
    ),
    "lzop": (rb"\x89LZO\x00\r\n\x1a\n", _PACKED),
    "Snappy": (rb"\xff\x06\x00\x00sNaPpY|\x82SNAPPY\x00", _PACKED),
    "compress (.Z)": (rb"\x1f[\x9d\xa0\x9e\x1e]", _PACKED),
    "zlib": (rb"[\x08\x18\x28\x38\x48\x58\x68\x78]", _PACKED),
    "a SQLite database": (rb"SQLite format 3\x00", _TABLE),
    "Avro": (rb"Obj\x01", _TABLE),
    "Parquet": (rb"PAR1\x15[\x00\x02\x04\x06\x08]|PARE\x15", _TABLE),
    "ORC": (rb"ORC(?=.{0,61}?[\x00-\x08\x0e-\x1f])", _TABLE),
    "Arrow": (rb"ARROW1\x00\x00|FEA1\x00|\xff{4}.{2}\x00\x00", _TABLE),
    "HDF5": (rb"\x89HDF\r\n\x1a\n", _TABLE),
    "NumPy": (rb"\x93NUMPY|\x80[\x02-\x05].{0,40}?numpy", _TABLE),
    "a pickle of Python": (rb"\x80[\x02-\x05]", _TABLE),
    "R data": (rb"RDX[23]\n|X\n\x00\x00\x00[\x02\x03]", _TABLE),
    "MATLAB data": (rb"MATLAB 5\.0 MAT-file.{105}(\x00\x01IM|\x01\x00MI)", _TABLE),
    "Stata data": (rb"<stata_dta><header>", _TABLE),
    "SPSS data": (rb"\$FL[23]@\(#\)", _TABLE),
    "SAS data": (rb"\x00{12}\xc2\xea\x81\x60", _TABLE),
    "NetCDF": (rb"CDF[\x01\x02\x05]", _TABLE),
    "GRIB": (rb"GRIB.{3}[\x01\x02]", _TABLE),
    "FITS": (rb"SIMPLE  = {20}[TF] ", _TABLE),
    "a dump of PostgreSQL": (rb"PGDMP\x01", _TABLE),
    "a database": (rb"\x00\x01\x00\x00Standard (Jet|ACE) DB|\x37\x7f\x06[\x82\x83]", _TABLE),
    "a journal of systemd": (rb"LPKSHHRH[\x00-\x1f]", _TABLE),
    "an event log of Windows": (rb"ElfFile\x00", _TABLE),
    "a binary log of MySQL": (rb"\xfebin", _TABLE),
    "a property list": (rb"bplist0[0-9][^ -~]", _TABLE),
    "a Hadoop SequenceFile": (rb"SEQ[\x04-\x06]|RCF\x01", _TABLE),
    "a Microsoft Office file": (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _TABLE),
    "PDF": (
        rb"(\xef\xbb\xbf)?[ \r\n]*%PDF-[12]\.[0-9][ \t]*[\r\n]+(%?[^ -~\r\n\t]|[0-9]+ [0-9]+ obj|\Z)",
        _BINARY,
    ),
    "a PNG picture": (rb"\x89PNG\r\n\x1a\n", _BINARY),
    "a JPEG picture": (rb"\xff\xd8\xff", _BINARY),
    "a GIF picture": (rb"GIF8[79]a(?=.{0,6}\x00)", _BINARY),
    "a TIFF picture": (rb"II\x2a\x00|MM\x00\x2a", _BINARY),
    "a BMP picture": (rb"BM.{4}\x00{4}", _BINARY),
    "a Windows icon": (
        rb"\x00\x00\x01\x00[\x01-\x20]\x00..[\x00-\x10]\x00[\x00\x01]\x00[\x01\x04\x08\x10\x18\x20]\x00",
        _BINARY,
    ),
    "a JPEG 2000 picture": (rb"\x00\x00\x00\x0cjP  ", _BINARY),
    "a Photoshop picture": (rb"8BPS\x00", _BINARY),
    "a font": (rb"\x00\x01\x00\x00\x00[^\x00]|OTTO\x00|wOF[F2](\x00|OTTO)", _BINARY),
    "a RIFF file": (rb"RIFF.{4}(WAVE|AVI |WEBP)", _BINARY),
    "a video": (rb"\x00\x00\x00.ftyp|\x1a\x45\xdf\xa3", _BINARY),
    "audio": (rb"ID3[\x02-\x04]\x00|OggS\x00|fLaC\x00|MThd\x00", _BINARY),
    "an ELF program": (rb"\x7fELF", _BINARY),
    "a Windows program": (rb"MZ(?=.{0,62}?\x00{3})", _BINARY),
    "a Mach-O program": (rb"[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe", _BINARY),
    "WebAssembly": (rb"\x00asm", _BINARY),
    "Python bytecode": (rb"..\r\n[\x00-\x03]\x00{3}.{8}\xe3", _BINARY),
    "an Android program": (rb"dex\n[0-9]{3}\x00", _BINARY),
    "a pack of Git": (rb"PACK\x00{3}", _BINARY),
    "a folder's settings of macOS": (rb"\x00\x00\x00\x01Bud1|\x00\x05\x16[\x00\x07]\x00", _BINARY),
    "Java objects": (rb"\xac\xed\x00\x05", _BINARY),
    "captured packets": (
        rb"\xd4\xc3\xb2\xa1|\xa1\xb2\xc3\xd4|\x0a\x0d\x0d\x0a.{4}(\x1a\x2b\x3c\x4d|\x4d\x3c\x2b\x1a)",
        _BINARY,
    ),
    "encrypted by OpenSSL": (rb"Salted__(?=[ -~]{0,7}[^ -~\t\r\n])", _BINARY),
}
"""The beginnings of formats that are not text, and advice. No text begins like this."""

_TAR, _PARQUET_TABLE = "a tar archive", "Parquet"

_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
"""Bytes of ASCII that text hardly ever has."""
_ALPHABETS = bytes(range(1, 0x20))
"""The high bytes of the alphabets from Latin with all its accents to Mongolian and Greek with its own."""
_NO_TEXT_CHARS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffe\uffff]")
_INVISIBLE = (
    "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u2060\u2066\u2067\u2068\u2069\ufeff"
)
"""Characters of text that are not printed: hyphens, joiners, directions."""
_USUAL = re.compile("[\t\n\r -~\u3000-\u3002\uff01\uff0c\uff1a]")

_PARQUET = b"PAR1"
"""The beginning and the end of a Parquet file. The size of the footer, four bytes, is before the end."""


def detect_format(source: Readable, first_bytes: bytes) -> Format:
    """The format of ``source``, which begins with ``first_bytes``: at least ``LOOK_BYTES``, or all of it. A
    text that only begins like a format is plain.

    Raises SourceNotText for what is not UTF-8 text, and for zstd that this Python cannot unpack.
    """
    if _is_parquet(source, first_bytes):
        raise SourceNotText(f"{source.name} is {_PARQUET_TABLE}, not UTF-8 text: {_TABLE}")
    compression = _compression(first_bytes)
    if compression == "zstd":
        load_zstd(source.name)
    if compression is None and (found := _no_text(first_bytes)):
        raise SourceNotText(f"{source.name} is {found[0]}, not UTF-8 text: {found[1]}")
    return compression or "plain"


def check_unpacked(name: str, compression: Compression, beginning: bytes) -> None:
    """Raise SourceNotText unless the object ``name``, compressed with ``compression``, unpacks to text.
    ``beginning`` is the first ``LOOK_BYTES`` of that text, or all of it."""
    if inner := _compression(beginning):
        raise SourceNotText(f"{name} is {inner} inside {compression}: unpack it once, then upload that.")
    if found := _no_text(beginning):
        raise SourceNotText(f"{name} is {compression} of what is {found[0]}, not UTF-8 text: {found[1]}")


def _compression(beginning: bytes) -> Compression | None:
    return next((name for name, pattern in _COMPRESSED.items() if pattern.match(beginning)), None)


@cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    """Of ``_NO_TEXT``. Most functions look at no object, and need none of them."""
    return re.compile(pattern, re.DOTALL)


def _no_text(beginning: bytes) -> tuple[str, str] | None:
    """The name of the format that begins like this, if it is not text, and advice on it."""
    for name, (pattern, advice) in _NO_TEXT.items():
        if _compiled(pattern).match(beginning) and (name != "zlib" or _is_zlib(beginning)):
            return name, advice
    if _is_tar(beginning[:512]):
        return _TAR, _ARCHIVE
    if wide := _wide_encoding(beginning[:LOOK_BYTES]):
        return f"{wide} without a byte order mark", _ENCODING
    return None


def _is_parquet(source: Readable, first_bytes: bytes) -> bool:
    if not first_bytes.startswith(_PARQUET) or source.bytes < 12:
        return False
    last_bytes = source.read(source.bytes - 8, source.bytes)
    footer_bytes = int.from_bytes(last_bytes[:4], "little")
    return last_bytes.endswith(_PARQUET) and footer_bytes <= source.bytes - 12


def _is_zlib(beginning: bytes) -> bool:
    if int.from_bytes(beginning[:2], "big") % 31 or (beginning.isascii() and not _CONTROLS.search(beginning)):
        return False
    import zlib  # noqa: PLC0415 - hardly ever needed

    try:
        return bool(zlib.decompressobj().decompress(beginning, 1 << 20))
    except zlib.error:
        return False


def _is_tar(header: bytes) -> bool:
    """Whether it is a member's header: it has a magic or, in the oldest archives, only a valid checksum."""
    if re.match(rb"ustar(?:  )?\x00", header[257:]):
        return True
    written = header[148:156].strip(b" \x00")
    if len(header) < 512 or not re.fullmatch(rb"[0-7]{1,7}", written):
        return False
    return int(written, 8) == sum(header[:148]) + 8 * ord(" ") + sum(header[156:])


def _wide_encoding(beginning: bytes) -> str | None:
    """UTF-32 or UTF-16, recognized by decoding: each character must be one of text, and the bytes must be
    some that UTF-8 text does not have. So NULs in a text, and numbers of a fixed size, are not taken for
    it."""
    if not _CONTROLS.search(beginning) and beginning.isascii():
        return None
    for name, unit_bytes in (("UTF-32LE", 4), ("UTF-32BE", 4), ("UTF-16LE", 2), ("UTF-16BE", 2)):
        decoder = codecs.getincrementaldecoder(name)()
        try:
            text = decoder.decode(beginning)  # the last character may be cut
        except UnicodeDecodeError:
            continue
        strange = sum(not (char.isprintable() or char.isspace() or char in _INVISIBLE) for char in text)
        if len(text) < 3 or _NO_TEXT_CHARS.search(text) or strange > len(text) / 50:
            continue
        if unit_bytes == 4 or _is_utf16(beginning, text, 1 if name.endswith("LE") else 0):
            return name
    return None


def _is_utf16(beginning: bytes, text: str, high_at: int) -> bool:
    """Whether bytes that can be read as the UTF-16 ``text`` are UTF-16; the high bytes of its units begin at
    ``high_at``."""
    high = beginning[high_at::2]
    zeros = high.count(0)
    if zeros >= max(3, 0.9 * len(high)):
        return beginning[1 - high_at :: 2].count(0) <= len(high) / 100
    # In alphabets other than Latin, the high bytes are one control character, and NUL.
    frequent = max(_ALPHABETS, key=high.count)
    alphabet = high.count(frequent)
    if alphabet >= 3 and zeros + alphabet >= 0.8 * len(high) and (zeros or frequent not in b"\t\n\v\f\r"):
        return True
    # In other scripts, blanks, line ends and punctuation have bytes that text in another encoding does not
    # have.
    wrong = len(beginning) - len(_CONTROLS.sub(b"", beginning).decode(errors="ignore").encode())
    return len(text) >= 8 and bool(_USUAL.search(text)) and wrong - beginning.count(0) >= len(beginning) / 25


def load_zstd(name: str) -> Any:
    """The module that unpacks zstd. Raises SourceNotText, for the object ``name``, before Python 3.14."""
    try:
        return importlib.import_module("compression.zstd")
    except ImportError:
        raise SourceNotText(
            f"{name} is zstd, which Python {platform.python_version()} cannot unpack: "
            "repack it with gzip, bzip2 or xz, then upload that."
        ) from None
