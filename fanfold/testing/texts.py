"""Hypothesis strategies for texts, and bytes that are none."""

from hypothesis import strategies as st

# Letters of one to four bytes, marks, case that changes the length, letters that NFC fuses, separators.
_CHARACTERS = st.sampled_from(
    "aBzéÉßİıΣσςИяक\u093f\u094d本語ア\U00020000\U0001d49cé\u0301\u0308 \n\t.-_'1९²—😀\ufeff"
)
_TEXTS = st.text(_CHARACTERS, max_size=200) | st.text(max_size=100)
_LONG_RUNS = st.builds(
    lambda run, count, tail: (run * count) + tail,
    st.sampled_from(["a", "é", "本", "क\u093f", "ab ", "x" * 19 + " "]),
    st.integers(1, 300),
    st.text(_CHARACTERS, max_size=20),
)

# Letters of two to four bytes, marks, what separates, what is no UTF-8 or is cut.
_PIECES = [
    *(character.encode() for character in "é本語\U00020000क\u093f\u0301，。—😀×\ufffd"),
    *(b"\xff", b"\x80", b"\xe6\x9c", b"\xf0\xa0\x80", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"),
]


def _of_pieces(pieces: list[bytes]) -> st.SearchStrategy[bytes]:
    # One draw for all: a draw for each would take most of the tests' time.
    return st.binary(max_size=100).map(
        lambda choices: b"".join(pieces[choice % len(pieces)] for choice in choices)
    )


WITHOUT_ASCII = _of_pieces(_PIECES)

ANY_BYTES = st.one_of(
    WITHOUT_ASCII,
    _of_pieces([*_PIECES, b"a "]),
    st.binary(max_size=300),
    _TEXTS.map(str.encode),
    _LONG_RUNS.map(str.encode),
    # Cut anywhere, also inside of a character.
    st.builds(lambda text, cut: text.encode()[cut:], _TEXTS, st.integers(0, 5)),
    st.builds(
        lambda text, noise, more: text.encode() + noise + more.encode(), _TEXTS, st.binary(max_size=9), _TEXTS
    ),
)

# JSON can write half of a surrogate pair, which is no text.
_ANY_STRING = st.text(max_size=12) | st.text(st.characters(categories=["Cs", "L"]), max_size=3)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _ANY_STRING,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_ANY_STRING, inner, max_size=4),
    max_leaves=10,
)
