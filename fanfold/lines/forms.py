"""How lines are written: as grep does, or as JSON."""

import base64
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, chain, islice, repeat
from operator import add
from typing import Any, Protocol

import msgspec

from fanfold.lines.stitch import Found, Total
from fanfold.safe_text import visible
from lambda_src.jobs.grep.frames import runs_of
from lambda_src.jobs.grep.pattern import Parts

PARTS_AT_ONCE = 10_000
"""A line may have millions of parts that match."""

Name = Callable[[str], str]
"""The name of an object for people, by its key."""


class Form(Protocol):
    """``found`` writes lines, ``total`` the end of an object."""

    def found(self, found: Found) -> Iterable[bytes]:
        """What is written of these lines, in portions."""

    def total(self, total: Total) -> bytes:
        """What is written at the end of an object."""


class AsText:
    """``object:offset:line``, and with ``-`` for context, as grep does. Bytes stay as they are, unless they
    are for a terminal, which might obey them. With ``parts``, only the parts that match."""

    def __init__(self, name: Name, *, terminal: bool, context: bool, parts: Parts | None = None) -> None:
        self._name, self._terminal, self._context, self._parts = name, terminal, context, parts
        self._key: str | None = None
        self._named = b""

    def found(self, found: Found) -> Iterable[bytes]:
        """As ``Form.found``."""
        is_first = self._key is None
        if found.key != self._key:
            self._key, self._named = found.key, self._shown(self._name(found.key).encode())
        mark = b":" if found.selected else b"-"
        head = self._named.replace(b"%", b"%%") + mark + b"%d" + mark
        if self._context and not is_first and not found.follows:
            yield b"--\n"
        for offsets, texts in _portions(found, self._parts):
            shown = map(for_terminal, texts) if self._terminal else texts
            # Without a loop in Python: there may be millions of lines.
            yield b"".join(
                chain.from_iterable(zip(map(head.__mod__, offsets), shown, repeat(b"\n"), strict=False))
            )

    def total(self, _: Total) -> bytes:
        """As ``Form.total``."""
        return b""

    def _shown(self, text: bytes) -> bytes:
        return for_terminal(text) if self._terminal else text


class AsCounts:
    """``object:lines``, as ``grep -c`` does."""

    def __init__(self, name: Name, *, terminal: bool, most: int | None) -> None:
        self._name, self._terminal, self._most = name, terminal, most

    def found(self, _: Found) -> Iterable[bytes]:
        """As ``Form.found``."""
        return ()

    def total(self, total: Total) -> bytes:
        """As ``Form.total``."""
        name = self._name(total.key).encode()
        return b"%b:%d\n" % (for_terminal(name) if self._terminal else name, counted(total, self._most))


class AsNames:
    """The name of each object that has a line, as ``grep -l`` does, or of each that has none, as ``-L``; or a
    JSON object for each."""

    def __init__(self, name: Name, *, terminal: bool, json: bool, has_lines: bool) -> None:
        self._name, self._terminal, self._json, self._has_lines = name, terminal, json, has_lines

    def found(self, _: Found) -> Iterable[bytes]:
        """As ``Form.found``."""
        return ()

    def total(self, total: Total) -> bytes:
        """As ``Form.total``."""
        if bool(total.lines) != self._has_lines:
            return b""
        name = self._name(total.key)
        if self._json:
            return _json({"object": name}, self._terminal)
        return (for_terminal(name.encode()) if self._terminal else name.encode()) + b"\n"


class AsJson:
    """A JSON object on a line, for each line or each part that matches. Text that is not UTF-8 is in
    base64."""

    def __init__(self, name: Name, *, terminal: bool, parts: Parts | None = None) -> None:
        self._name, self._terminal, self._parts = name, terminal, parts

    def found(self, found: Found) -> Iterable[bytes]:
        """As ``Form.found``."""
        name = self._name(found.key)
        field = "match" if self._parts else "line"
        context = {} if found.selected else {"context": True}
        for offsets, texts in _portions(found, self._parts):
            yield b"".join(
                _json({"object": name, "offset": offset, **_text(field, text), **context}, self._terminal)
                for offset, text in zip(offsets, texts, strict=False)
            )

    def total(self, _: Total) -> bytes:
        """As ``Form.total``."""
        return b""


class JsonCounts:
    """A JSON object on a line, for each object."""

    def __init__(self, name: Name, *, terminal: bool, most: int | None) -> None:
        self._name, self._terminal, self._most = name, terminal, most

    def found(self, _: Found) -> Iterable[bytes]:
        """As ``Form.found``."""
        return ()

    def total(self, total: Total) -> bytes:
        """As ``Form.total``."""
        lines = counted(total, self._most)
        return _json({"object": self._name(total.key), "lines": lines}, self._terminal)


def counted(total: Total, most: int | None) -> int:
    """The lines of an object that count."""
    return total.lines if most is None else min(total.lines, most)


def for_terminal(text: bytes) -> bytes:
    """``text`` without what a terminal might obey; tabs stay.

    >>> for_terminal("größe\\t".encode() + b"\\x1b[2J\\xff")
    b'gr\\xc3\\xb6\\xc3\\x9fe\\t\\\\x1b[2J\\\\xff'
    """
    return "\t".join(map(visible, text.decode(errors="backslashreplace").split("\t"))).encode()


def _portions(found: Found, parts: Parts | None) -> Iterator[tuple[Iterable[int], Iterable[bytes]]]:
    """The offsets of the lines, or of what matches in them, and their texts."""
    if parts:
        every = (
            (offset + start, text[start:end])
            for offset, text in (runs_of(found.offset, found.text, found.gaps) if found.selected else ())
            for start, end in parts(text)
        )
        while some := list(islice(every, PARTS_AT_ONCE)):
            yield [offset for offset, _ in some], [text for _, text in some]
        return
    lines = found.text.removesuffix(b"\n").split(b"\n")
    gaps = found.gaps or repeat(0, found.lines)
    steps = map(add, map(len, lines), repeat(1))
    yield map(add, accumulate(steps, initial=found.offset), accumulate(gaps)), lines


def _json(value: dict[str, Any], terminal: bool) -> bytes:
    text = msgspec.json.encode(value)
    return (for_terminal(text) if terminal else text) + b"\n"


def _text(field: str, text: bytes) -> dict[str, str]:
    try:
        return {field: text.decode()}
    except UnicodeDecodeError:
        return {f"{field}_base64": base64.b64encode(text).decode()}
