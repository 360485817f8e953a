"""Names under a prefix or in a folder that are not input: markers and leftovers of other programs."""

MAX_OBJECTS = 100_000
"""Most objects of one run. With keys of 1,024 bytes, the listing has 110 MB."""

NAMES_SHOWN = 3
"""Number of names in a warning."""


def is_stray(name: str, prefix: str, size: int) -> bool:
    """Whether a run skips the object ``name`` of ``size`` bytes, which is found under ``prefix``: a part of
    its name below the prefix begins with ``.`` or ``_``, as Hadoop, Spark and Athena have it; or it is an
    editor's swap or backup file, or the empty ``Icon\\r`` of macOS. A name that the prefix itself contains is
    not stray.

    >>> [is_stray(name, "logs/", 1) for name in ("logs/_SUCCESS", "logs/.tmp/a", "logs/a~", "logs/a_b.c")]
    [True, True, True, False]
    >>> is_stray("logs/_old/a", "logs/_old/", 1), is_stray("logs/_old/a", "logs/_o", 1)
    (False, False)
    """
    below = name[len(prefix) :]
    parts = below.split("/")
    whole = parts if prefix.endswith("/") or not prefix else parts[1:]
    if any(part.startswith((".", "_")) and part not in (".", "..") for part in whole):
        return True
    last = name.rpartition("/")[2]
    swap = last.endswith((".swp", ".swo", "~")) or (len(last) > 1 and last[0] == last[-1] == "#")
    return bool(below) and (swap or (last == "Icon\r" and not size))


def named(names: list[str], count: int) -> str:
    """The first of ``count`` names, for a sentence.

    >>> named(["a", "b"], 2), named(["a", "b", "c"], 5)
    ('a, b', 'a, b, c and 2 more')
    """
    shown = ", ".join(names[:NAMES_SHOWN])
    return f"{shown} and {count - NAMES_SHOWN} more" if count > NAMES_SHOWN else shown
