"""Which lines of a text match a pattern.

A pattern is a regular expression in the syntax of RE2, whose time grows with the text and never explodes. It
matches within one line; ``^`` and ``$`` are the borders of a line.

- A pattern of ASCII works on bytes, whatever they are: a dot is any byte but a newline, ``\\xff`` is that
  byte, and upper and lower case differ only for A to Z.
- A pattern with other characters, or with ``\\p`` or ``\\x{...}``, works on characters in UTF-8. Bytes that
  are no UTF-8 match nothing then.

What must match is any part of the line, a whole word, or the whole line, as with ``-w`` and ``-x`` of grep. A
whole word has no letter, digit or ``_`` in front or behind: of ASCII where the pattern works on bytes.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

MOST_INSTRUCTIONS = 5_000
"""Of a compiled pattern. RE2 may need as many steps for each byte: measured, 0.2 MB/s at worst."""

ENGINE_BYTES = 64 << 20
"""What RE2 may use, most of it for what it has learned about the text."""

Runs = Iterator[tuple[int, int, int]]
"""Where runs of whole lines begin and end, and how many lines they are."""

Matching = Callable[[bytes], Runs]
"""Finds the runs of matching lines in a text of whole lines. Only the last line may lack its newline."""

Parts = Callable[[bytes], Iterator[tuple[int, int]]]
"""Finds where the parts that match begin and end in such a text, if they are not empty."""

Whole = Literal["none", "word", "line"]

_SPECIAL = frozenset(r"\.^$*+?{}[]|()")

_TOKEN = re.compile(
    r"\\Q.*?(?P<quoted>\\E|\Z)"
    r"|(?P<class>\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\])"
    r"|(?P<escape>\\.)"
    r"|(?P<named>\(\?P?<\w+>)"
    r"|(?P<most>\{,[0-9]+\})"
    r"|\(\?[a-zA-Z]*-[a-zA-Z]*(?P<single>m)[a-zA-Z]*[:)]"
    r"|(?P<newline>\n)",
    re.DOTALL,
)
_OF_GREP = {
    r"\<": r"write \b for the border of a word, or [<]",
    r"\>": r"write \b for the border of a word, or [>]",
    r"\`": "write ^ for the beginning of a line, or [`]",
    r"\'": "write $ for the end of a line, or [']",
}
"""What grep and RE2 both read, but not as the same."""

_CLASS_OF_GREP = re.compile(r"\[([.=])[^\]]+\1\]\Z")

_OTHER = {False: rb"[^0-9A-Za-z_]", True: rb"[^\pL\pM\pN_]"}
"""What is no part of a word, for patterns that work on bytes, and on characters."""

_OF_UNICODE = re.compile(r"\\[pP]|\\x\{")


class BadPattern(ValueError):
    """The pattern is not valid; the text says why."""


def matching(
    pattern: str, *, fixed: bool = False, ignore_case: bool = False, whole: Whole = "none"
) -> Matching:
    """What finds the lines that match. Raises BadPattern, ImportError.

    >>> list(matching("o$")(b"one\\ntwo\\ntwo"))
    [(4, 8, 1), (8, 11, 1)]
    >>> list(matching("o", whole="word")(b"to\\no!\\n"))
    [(3, 6, 1)]
    """
    text = _encoded(pattern)
    if fixed and b"\n" in text:
        raise BadPattern("it has a line break, which no line has")
    if not text and whole == "none":
        return _every
    if _is_literal(pattern, fixed=fixed, ignore_case=ignore_case, whole=whole):
        return _of_literal(text)
    return _of_regexp(regexp(pattern, fixed=fixed, ignore_case=ignore_case, whole=whole))


def parts_of(pattern: str, *, fixed: bool = False, ignore_case: bool = False, whole: Whole = "none") -> Parts:
    """What finds the parts that match. Raises BadPattern, ImportError.

    >>> list(parts_of("o.?", whole="word")(b"o on of\\ntoo"))
    [(0, 1), (2, 4), (5, 7)]
    """
    if whole != "word":
        return _parts_of_regexp(regexp(pattern, fixed=fixed, ignore_case=ignore_case, whole=whole))
    text, in_unicode = _spelled(pattern, fixed=fixed)
    other = _OTHER[in_unicode]
    first, further = (
        _compiled(
            b"%b(%b)(?:%b|$)" % (front, text, other),
            in_unicode=in_unicode,
            ignore_case=ignore_case,
            captures=True,
        )
        for front in (b"(?:^|%b)" % other, other)
    )
    return _words_of_regexps(first, further, in_unicode=in_unicode)


def regexp(pattern: str, *, fixed: bool = False, ignore_case: bool = False, whole: Whole = "none") -> Any:
    """What finds the lines that match, compiled. Raises BadPattern, ImportError."""
    text, in_unicode = _spelled(pattern, fixed=fixed)
    compiled = _compiled(text, in_unicode=in_unicode, ignore_case=ignore_case)
    if whole == "none":
        return compiled
    other = _OTHER[in_unicode]
    text = b"^(?:%b)$" % text if whole == "line" else b"(?:^|%b)(?:%b)(?:%b|$)" % (other, text, other)
    return _compiled(text, in_unicode=in_unicode, ignore_case=ignore_case)


def _compiled(text: bytes, *, in_unicode: bool, ignore_case: bool, captures: bool = False) -> Any:
    import re2  # noqa: PLC0415 - only parse_file and parse_block have it

    options = re2.Options()
    options.encoding = options.Encoding.UTF8 if in_unicode else options.Encoding.LATIN1
    options.never_nl, options.never_capture = True, not captures
    options.log_errors, options.max_mem = False, ENGINE_BYTES
    flags = b"(?im)" if ignore_case else b"(?m)"
    try:
        compiled = re2.compile(flags + text, options)
    except re2.error as error:
        (reason,) = error.args  # which ends with the part of the pattern
        raise BadPattern(reason.replace(flags, b"", 1).decode(errors="replace")) from None
    if compiled.programsize > MOST_INSTRUCTIONS:
        raise BadPattern(f"it is too large: it compiles to more than {MOST_INSTRUCTIONS:,} instructions")
    return compiled


def _spelled(pattern: str, *, fixed: bool) -> tuple[bytes, bool]:
    """The pattern as a part of another one, without names of groups, which would make them slow; and whether
    it works on characters. Raises BadPattern, ImportError."""
    if fixed:
        import re2  # noqa: PLC0415 - as above

        text: bytes = re2.escape(_encoded(pattern))
        return text, not pattern.isascii()
    in_unicode = _check(pattern)
    regular = _TOKEN.sub(lambda token: "(?:" if token["named"] else token[0], pattern)
    *_, last = [None, *_TOKEN.finditer(pattern)]
    return _encoded(regular + (r"\E" if last and last["quoted"] == "" else "")), in_unicode


def steps_per_byte(
    pattern: str, *, fixed: bool = False, ignore_case: bool = False, whole: Whole = "none"
) -> int:
    """Most instructions that RE2 looks at for each byte of a text. Raises BadPattern."""
    if _is_literal(pattern, fixed=fixed, ignore_case=ignore_case, whole=whole):
        return 1
    try:
        size: int = regexp(pattern, fixed=fixed, ignore_case=ignore_case, whole=whole).programsize
    except ImportError:
        return MOST_INSTRUCTIONS
    return size


def is_of_unicode(pattern: str, *, fixed: bool = False, whole: Whole = "none") -> bool:
    """Whether the answer depends on characters in UTF-8, rather than on bytes."""
    if fixed:
        return whole == "word" and not pattern.isascii()
    return _check(pattern)


def _is_literal(pattern: str, *, fixed: bool, ignore_case: bool, whole: Whole) -> bool:
    is_plain = fixed or not _SPECIAL & set(pattern)
    return is_plain and not ignore_case and whole == "none" and "\n" not in pattern


def _encoded(pattern: str) -> bytes:
    try:
        return pattern.encode()
    except UnicodeEncodeError:
        raise BadPattern(r"it is not UTF-8: write other bytes as \xff") from None


def _check(pattern: str) -> bool:
    """Whether the pattern names characters of Unicode. Raises BadPattern if it depends on more than the line:
    then the answer would depend on how the text is cut."""
    in_unicode = not pattern.isascii()
    for token in _TOKEN.finditer(pattern):
        escape = token["escape"]
        if escape in _OF_GREP:
            raise BadPattern(f"{escape} is not supported: {_OF_GREP[escape]}")
        if most := token["most"]:
            raise BadPattern(
                f"{most} is not supported: write {{0{most[1:]}, or \\{most} for these characters"
            )
        if token["class"] and _CLASS_OF_GREP.search(token["class"]):
            raise BadPattern(f"{token['class']}] is not supported: write the characters themselves")
        if escape in (r"\A", r"\z"):
            raise BadPattern(rf"{escape} is not supported: ^ and $ are the borders of a line")
        if escape == r"\C":
            raise BadPattern(r"\C is not supported: in a pattern of ASCII, a dot is any byte")
        if escape == r"\n" or token["newline"]:
            raise BadPattern("it has a line break, which no line has")
        if token["single"]:
            raise BadPattern("the flag m cannot be turned off: ^ and $ are the borders of a line")
        in_unicode = in_unicode or bool(_OF_UNICODE.match(pattern, token.start()))
        in_unicode = in_unicode or bool(token["class"] and _OF_UNICODE.search(token["class"]))
    return in_unicode


def _every(text: bytes) -> Runs:
    yield 0, len(text), lines_in(text, 0, len(text))


def _of_literal(needle: bytes) -> Matching:
    def found(text: bytes) -> Runs:
        find, before = text.find, text.rfind
        end = 0
        while (at := find(needle, end)) >= 0:
            start = before(b"\n", end, at) + 1 or end
            end = find(b"\n", at) + 1 or len(text)
            yield start, end, 1

    return found


def _of_regexp(compiled: Any) -> Matching:
    import re2  # noqa: PLC0415 - as above

    # The binding itself: its Python wrapper takes several times as long for each match.
    match, anywhere = compiled._regexp.Match, re2._Anchor.UNANCHORED

    def found(text: bytes) -> Runs:
        find, before, size = text.find, text.rfind, len(text)
        # Behind the last newline there is no line, but an empty place that may match.
        last = size - 1 if text.endswith(b"\n") else size
        end = 0
        while end < size:
            ((at, to),) = match(anywhere, text, end, size)
            if not 0 <= at <= last:
                return
            start = before(b"\n", end, at) + 1 or end
            end = find(b"\n", to) + 1 or size
            yield start, end, 1

    return found


def _parts_of_regexp(compiled: Any) -> Parts:
    import re2  # noqa: PLC0415 - as above

    match, anywhere = compiled._regexp.Match, re2._Anchor.UNANCHORED

    def found(text: bytes) -> Iterator[tuple[int, int]]:
        end, size = 0, len(text)
        while end < size:
            ((at, to),) = match(anywhere, text, end, size)
            if at < 0:
                return
            if at < to:
                yield at, to
            end = to + (at == to)

    return found


def _words_of_regexps(first: Any, further: Any, *, in_unicode: bool) -> Parts:
    """``first`` finds the first word of a line, and ``further`` those behind another character."""
    import re2  # noqa: PLC0415 - as above

    anywhere = re2._Anchor.UNANCHORED

    def found(text: bytes) -> Iterator[tuple[int, int]]:
        begin = 0
        for line in text.split(b"\n"):
            spans = first._regexp.Match(anywhere, line, 0, len(line))
            while spans[0][0] >= 0:
                at, to = spans[1]
                if at < to:
                    yield begin + at, begin + to
                    to -= 1  # the last character may be in front of the next word
                    while in_unicode and line[to] & 0xC0 == 0x80:
                        to -= 1
                spans = further._regexp.Match(anywhere, line, to, len(line))
            begin += len(line) + 1

    return found


def merged(runs: Runs) -> Runs:
    """``runs``, without borders between those that follow each other.

    >>> list(merged(iter([(0, 4, 1), (4, 8, 1), (9, 10, 1)])))
    [(0, 8, 2), (9, 10, 1)]
    """
    first, last, count = 0, 0, 0
    for start, end, lines in runs:
        if start == last:
            last, count = end, count + lines
            continue
        if count:
            yield first, last, count
        first, last, count = start, end, lines
    if count:
        yield first, last, count


def inverted(found: Matching) -> Matching:
    """What finds all other lines.

    >>> list(inverted(matching("t"))(b"one\\ntwo\\nfour\\nfive"))
    [(0, 4, 1), (8, 17, 2)]
    """

    def others(text: bytes) -> Runs:
        begin = 0
        for start, end, _ in found(text):
            if begin < start:
                yield begin, start, lines_in(text, begin, start)
            begin = end
        if begin < len(text):
            yield begin, len(text), lines_in(text, begin, len(text))

    return others


def lines_in(text: bytes, start: int, end: int) -> int:
    """How many lines ``text[start:end]`` has, which are whole."""
    return text.count(b"\n", start, end) + (text[end - 1 : end] != b"\n")
