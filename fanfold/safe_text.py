"""Text from requests, objects, files and services, made safe to show to a person."""

import shlex


def visible(text: str) -> str:
    """``text`` for a terminal: control characters, line breaks, invisible characters and those that reorder a
    line are escaped.

    >>> visible("größte")
    'größte'
    >>> print(visible("a\\x1b]0;title\\x07 b\\u202ec"))
    a\\x1b]0;title\\x07 b\\u202ec
    """
    if text.isprintable():  # most is
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def shell_word(text: str) -> str:
    """``text`` as one word of a shell command that is safe to print.

    >>> print(shell_word("it's here"))
    'it'"'"'s here'
    >>> print(shell_word("a\\nb"))  # as bash, ksh and zsh read it
    $'a\\x0ab'
    """
    if text.isprintable():
        return shlex.quote(text)
    octets = text.encode(errors="surrogatepass")
    return "$'" + "".join(_in_ansi_quotes(octet) for octet in octets) + "'"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _in_ansi_quotes(octet: int) -> str:
    char = chr(octet)
    return char if char.isascii() and char.isprintable() and char not in "'\\" else f"\\x{octet:02x}"
