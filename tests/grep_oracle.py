"""What grep prints, worked out line by line, with Python's ``re``. It shares no code with the job."""

import re
from collections.abc import Sequence


def grep(
    objects: Sequence[tuple[str, bytes]],
    pattern: bytes,
    *,
    fixed: bool = False,
    ignore_case: bool = False,
    invert: bool = False,
    count: bool = False,
    only: bool = False,
    whole: str = "none",
    most: int | None = None,
    before: int = 0,
    after: int = 0,
) -> bytes:
    """The output of ``grep -a -b -H`` in the locale C."""
    around = {"none": b"%b", "word": rb"(?<!\w)(?:%b)(?!\w)", "line": rb"\A(?:%b)\Z"}[whole]
    found = re.compile(
        around % (re.escape(pattern) if fixed else pattern), re.IGNORECASE if ignore_case else 0
    )
    written: list[bytes] = []
    for name, text in objects:
        lines = text.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        offsets = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]
        selected = [bool(found.search(line)) != invert for line in lines]
        chosen = [number for number, is_selected in enumerate(selected) if is_selected][:most]
        if count:
            written.append(b"%b:%d\n" % (name.encode(), len(chosen)))
            continue
        shown: dict[int, bytes] = {}
        for number in chosen:
            for near in range(max(number - before, 0), number):
                shown.setdefault(near, b"-")
            shown[number] = b":"
            for near in range(number + 1, min(number + after + 1, len(lines))):
                shown.setdefault(near, b"-")
        last = -2
        for number in sorted(shown):
            if (before or after) and written and number != last + 1:
                written.append(b"--\n")
            last = number
            for start, part in _parts(found, lines[number]) if only else [(0, lines[number])]:
                mark = shown[number]
                written.append(b"%b%b%d%b%b\n" % (name.encode(), mark, offsets[number] + start, mark, part))
    return b"".join(written)


def _parts(found: re.Pattern[bytes], line: bytes) -> list[tuple[int, bytes]]:
    return [(match.start(), match[0]) for match in found.finditer(line) if match[0]]
