"""Compressed objects, unpacked forwards in bounded memory.

An archive is one *stream* after another: members of gzip, frames of zstd, streams of bzip2 and xz. Their
texts, put end to end, are the object's text, as ``gzip -d`` and the others write it. Nothing else may follow
except padding that the format allows. Every checksum is checked. For bzip2, see ``bzip2.py``.
"""

import lzma
import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from lambda_src.errors import ArchiveDamaged, ArchiveTooLarge
from lambda_src.input.formats import Compression, Readable, load_zstd
from lambda_src.job import Crcs

MAGIC_BYTES = 6
"""Number of bytes that show whether a stream begins."""

_BEGINNINGS: dict[Compression, re.Pattern[bytes]] = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),  # a frame, or one to be skipped
}
_PADDING_BYTES: dict[Compression, int] = {"gzip": 1, "bzip2": 1, "xz": 4}
"""Zeros may follow a stream, in multiples of this number."""

WINDOW_BYTES = 8 << 20
"""Most bytes that are read at once."""

STEP_BYTES = 256 << 10
"""Bytes of the first read; the next ones double up to the window, because the end is unknown."""

CHUNK_BYTES = 1 << 20
"""Most bytes of text that are unpacked at once."""

SLICE_BYTES = 64 << 10
"""Bytes given to a decompressor at once: it copies what it does not use."""

MAX_RATIO = 1000
FLOOR_BYTES = 64 << 20
"""An archive that unpacks to more than this plus ``MAX_RATIO`` times the bytes read so far is not text."""

RESERVE_S = 10.0
"""Seconds before the function's time-out at which an object must be read, or it is refused: a retry would end
the same way."""

MAX_MEMORY_BYTES = 128 << 20
"""Memory limit of one decompressor: xz -9 needs 65 MiB."""


class Archive:
    """A compressed object, unpacked stream by stream from ``position``, where a stream must begin, in chunks
    of at most ``CHUNK_BYTES``.

    ``ahead`` are bytes from there on that were read already. ``crcs`` tell what the CRCs are of streams that
    are read in part, which only those of bzip2 can be.
    """

    def __init__(
        self, source: Readable, compression: Compression, position: int = 0, ahead: bytes = b""
    ) -> None:
        self.position = position
        self.name = source.name
        self.compression = compression
        self.crcs: Crcs | None = None
        self._source = source
        self._ahead = ahead  # begins at `position - _used`
        self._used = 0
        self._arriving: Iterator[bytes] = iter(())  # what follows those that are ahead
        self._step_bytes = STEP_BYTES
        self._first = position
        self._unpacked_bytes = 0

    def rest(self) -> Iterator[bytes]:
        """The text of all streams from here to the object's end."""
        while not self.at_end():
            yield from self.unit()

    def at_end(self) -> bool:
        """Whether no stream follows."""
        return self.position == self._source.bytes

    def unit(self) -> Iterator[bytes]:
        """The text of the stream that begins here; then ``position`` is behind it and its padding.

        Raises ArchiveDamaged if none begins here, ArchiveTooLarge.
        """
        begin = self.position
        if not _BEGINNINGS[self.compression].match(self._peek(MAGIC_BYTES)):
            raise self._no_stream()
        decoder, errors = _open_decoder(self.compression, self._source.name)
        while not decoder.eof:
            data = self._take() if decoder.needs_input else b""
            if decoder.needs_input and not data:
                raise ArchiveDamaged(
                    f"{self._source.name} is cut: its {self.compression} stream from byte {begin} has not "
                    f"ended at byte {self.position}, where the object ends. Upload it again."
                )
            try:
                text = decoder.decompress(data, CHUNK_BYTES)
            except errors as error:
                raise self._unpack_error(error, begin) from error
            self._check_bounds(len(text))
            if text:
                yield text
        self._give_back(len(decoder.unused_data))
        self._skip_padding()

    def _no_stream(self) -> ArchiveDamaged:
        return ArchiveDamaged(
            f"{self._source.name} is {self.compression}, but no stream of it begins at byte {self.position}: "
            "upload it again, without what follows its end."
        )

    def _unpack_error(self, error: Exception, begin: int) -> ArchiveDamaged | ArchiveTooLarge:
        stream = f"the {self.compression} stream of {self._source.name} from byte {begin}"
        if "emory usage limit" in str(error):  # lzma has one class for everything
            return ArchiveTooLarge(
                f"To unpack {stream} takes more than {MAX_MEMORY_BYTES:,} bytes of memory: "
                "recompress it with a smaller dictionary."
            )
        return ArchiveDamaged(
            f"Damaged: {stream} does not unpack, before byte {self.position} ({error}). Upload it again."
        )

    def _check_bounds(self, text_bytes: int, ahead_bytes: int = 0) -> None:
        """Raise ArchiveTooLarge if time is up, or if ``text_bytes`` more are too many for the bytes read:
        those before ``position``, and ``ahead_bytes`` from there on."""
        if self._source.remaining_s() < RESERVE_S:
            raise ArchiveTooLarge(
                f"{self._source.name} takes longer to unpack and read than a function may run: its time "
                f"was up at byte {self.position} of {self._source.bytes}. Upload it unpacked, in smaller "
                "objects, or as bzip2 with a smaller block_bytes."
            )
        self._unpacked_bytes += text_bytes
        read_bytes = self.position + ahead_bytes - self._first
        if self._unpacked_bytes > MAX_RATIO * read_bytes + FLOOR_BYTES:
            raise ArchiveTooLarge(
                f"{read_bytes:,} bytes of {self._source.name}, up to byte {self._first + read_bytes}, unpack "
                f"to {self._unpacked_bytes:,} bytes or more: this is not text. If it is, upload it unpacked."
            )

    def _skip_padding(self) -> None:
        unit_bytes = _PADDING_BYTES.get(self.compression)
        if unit_bytes is None:
            return
        begin = self.position
        more = b""
        while not more and (data := self._take()):
            more = data.lstrip(b"\0")
            self._give_back(len(more))
        if (self.position - begin) % unit_bytes:
            raise ArchiveDamaged(
                f"The padding of {self._source.name} at byte {begin} is not a multiple of {unit_bytes} "
                "bytes: upload it again."
            )

    def _take(self) -> bytes:
        """The next bytes, at most ``SLICE_BYTES``; none at the object's end."""
        self._fill(1)
        data = self._ahead[self._used : self._used + SLICE_BYTES]
        self._skip(len(data))
        return data

    def _peek(self, size: int) -> bytes:
        """The next ``size`` bytes, or fewer at the object's end."""
        self._fill(size)
        return self._ahead[self._used : self._used + size]

    def _skip(self, size: int) -> None:
        """Go on by ``size`` bytes that are ahead."""
        self._used += size
        self.position += size

    def _give_back(self, size: int) -> None:
        """Give back the last ``size`` bytes that were taken."""
        self._skip(-size)

    def _fill(self, size: int) -> None:
        """Read until ``size`` bytes are ahead, if the object has them."""
        while (missing := size - (len(self._ahead) - self._used)) > 0:
            chunk = next(self._arriving, b"")
            read_to = self.position + size - missing
            if chunk:
                self._ahead = self._ahead[self._used :] + chunk
                self._used = 0
            elif read_to == self._source.bytes:
                return
            else:
                end = min(read_to + max(self._step_bytes, missing), self._source.bytes)
                self._arriving = filter(None, self._source.chunks(read_to, end))
                self._step_bytes = min(2 * self._step_bytes, WINDOW_BYTES)


class _Decoder(Protocol):
    """The common interface of the decompressors of ``lzma`` and ``compression.zstd``."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _GzipMember:
    """A member of gzip with the same interface. isal, which unpacks 2.7 times as fast as zlib, checks CRC and
    length."""

    def __init__(self) -> None:
        from isal import isal_zlib  # noqa: PLC0415 - only an input in gzip needs it

        self._inflate = isal_zlib.decompressobj(wbits=16 + isal_zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)


class _Opened(NamedTuple):
    decoder: _Decoder
    errors: tuple[type[Exception], ...]


def _open_decoder(compression: Compression, name: str) -> _Opened:
    """A decompressor of one stream, and the errors that it raises."""
    match compression:
        case "gzip":
            from isal.igzip_lib import IsalError  # noqa: PLC0415 - as in _GzipMember

            return _Opened(_GzipMember(), (IsalError,))  # type: ignore[arg-type]  # its stub says it is an object
        case "xz":
            decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_MEMORY_BYTES)
            return _Opened(decoder, (lzma.LZMAError,))
        case _:  # bzip2 has its own
            zstd = load_zstd(name)
            # A window of at most 128 MiB is libzstd's own default.
            return _Opened(zstd.ZstdDecompressor(), (zstd.ZstdError,))
