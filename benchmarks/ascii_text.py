"""Text in ASCII: what every peer counts by the same rule, for none of them knows another letter alike."""

import bz2
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from fanfold.demo.corpus import write_corpus
from fanfold.safe_text import visible

PIECE_BYTES = 50_000_000
NOT_ASCII = bytes(range(128, 256))
PLAIN = bytes(code if 32 <= code < 127 or code == ord("\n") else ord(" ") for code in range(256))
"""Control characters become spaces: peers that read lines take some of them for the end of one."""


def to_ascii(data: bytes) -> bytes:
    """``data`` without what is not ASCII.

    >>> to_ascii("Straße, naïve\\r\\n".encode())
    b'Strae, nave \\n'
    """
    return data.translate(PLAIN, NOT_ASCII)


def write_text(path: Path, size: int, source: Path | None) -> None:
    """Write exactly ``size`` bytes to ``path``: ``source``, text or text in bzip2, again and again; else as
    many generated corpora as it takes, each of its own seed: one repeated would have few distinct words."""
    with path.open("wb") as file:
        for piece in _pieces_of(source) if source else _generated(path.parent):
            file.write(piece[: size - file.tell()])
            if file.tell() == size:
                return


def _pieces_of(source: Path) -> Iterator[bytes]:
    with source.open("rb") as file:
        opened = bz2.open if file.read(3) == b"BZh" else open
    any_text = True
    while any_text:
        any_text = False
        with opened(source, "rb") as file:
            while data := file.read(PIECE_BYTES):
                text = to_ascii(data)
                any_text |= bool(text)
                yield text
    raise SystemExit(f"{visible(str(source))} holds no ASCII: give another FILE.")


def _generated(folder: Path) -> Iterator[bytes]:
    processors = os.cpu_count() or 1
    with ProcessPoolExecutor(processors) as pool:
        seed = 1
        while True:
            yield from pool.map(_generate, [folder] * processors, range(seed, seed + processors))
            seed += processors


def _generate(folder: Path, seed: int) -> bytes:
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        write_corpus(Path(file.name), PIECE_BYTES, seed)
        return to_ascii(Path(file.name).read_bytes())
