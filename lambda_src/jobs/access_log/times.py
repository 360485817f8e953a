"""Times in UTC, as minutes since the first day of the first year."""

import re
from datetime import date

DAY = 24 * 60
_LAST_DAY = date.max.toordinal()
_TEXT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})Z?)?")


def minute_of(text: str) -> int | None:
    """The minute that a person means, if there is one.

    >>> minute_of("0001-01-01T01:02"), minute_of("2026-02-30")
    (62, None)
    """
    found = _TEXT.fullmatch(text)
    try:
        first = (date.fromisoformat(found[1]).toordinal() - 1) * DAY if found else 0
    except ValueError:
        return None
    hour, minute = int((found and found[2]) or 0), int((found and found[3]) or 0)
    return first + 60 * hour + minute if found and hour < 24 and minute < 60 else None


def day_of(minute: int) -> date:
    """The day of a minute; a zone can lead out of the years that there are.

    >>> day_of(0), day_of(-1)
    (datetime.date(1, 1, 1), datetime.date(1, 1, 1))
    """
    return date.fromordinal(min(max(minute // DAY + 1, 1), _LAST_DAY))
