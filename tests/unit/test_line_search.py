"""Lines that match, found in whole texts, are those that match one by one."""

import re

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from lambda_src import line_search
from lambda_src.errors import InvalidRequest
from lambda_src.line_search import IN_LINES, starts

_ATOMS = st.sampled_from(
    [
        *(
            "a",
            "b",
            "é",
            " ",
            "-",
            ".",
            "^",
            "$",
            "1",
            "]",
            "[ab]",
            "[^a]",
            r"[^\w]",
            "[ -z]",
            r"[\]^]",
            r"\.",
        ),
        *(r"\s", r"\S", r"\w", r"\W", r"\d", r"\D", r"\b", r"\B"),
    ]
)
_QUANTIFIERS = st.sampled_from(["", "", "", "*", "+", "?", "{1,2}", "*?", "++"])
_GROUPS = st.sampled_from(["(", "(?:", "(?=", "(?!", "(?<=", "(?<!"])
_SEVERAL = st.lists(st.tuples(_ATOMS, _QUANTIFIERS).map("".join), min_size=1, max_size=3).map("".join)
_NESTED = st.builds(
    "{}{}{}){}{}".format, _SEVERAL | st.just(""), _GROUPS, _SEVERAL, _QUANTIFIERS, _SEVERAL | st.just("")
)
_PATTERNS = st.builds(
    lambda flag, one, other: flag + one + other,
    st.sampled_from(["", "(?i)"]),
    _SEVERAL | _NESTED,
    st.just("") | _SEVERAL.map("|{}".format),
)
_TEXTS = st.lists(st.sampled_from("abé 1.-AK\n\n\r\u2028\x85"), max_size=14).map("".join)


def one_by_one(pattern: str, text: str) -> list[int]:
    """Where those lines begin that match by themselves."""
    found, at = [], 0
    for line in text.removesuffix("\n").split("\n"):
        if regex.search(pattern, line):
            found.append(at)
        at += len(line) + 1
    return found


@given(_PATTERNS, _TEXTS)
@example("a(?!\\s)", "a\nb")
@example("", "\n\n")
@example("(?<!b)a", "b\na")
@example("^\\s*$", "a\n \n\nb")
@example("a[^b]+c", "a\nc\naxc")
def test_a_text_has_the_lines_that_match_one_by_one(pattern: str, text: str) -> None:
    try:
        regex.compile(pattern)
    except regex.error:
        return
    assert IN_LINES.fullmatch(pattern)
    assert list(starts(pattern, text)) == one_by_one(pattern, text)


@pytest.mark.parametrize(
    "pattern",
    [r"[\s-]b", "(?s)a.b", r"\012", "a\nb", r"\x0a", r"(?P<one>a)", "(?x) a b", r"\Aa", r"a\Z", r"[a\n]"],
)
def test_a_pattern_that_could_see_line_breaks_searches_line_by_line(pattern: str) -> None:
    assert not IN_LINES.fullmatch(pattern)
    text = "a\nb\nab\n b\n\n-b"
    assert list(starts(pattern, text)) == one_by_one(pattern, text)


@pytest.mark.parametrize("pattern", ["(a|aa)+$", r"(?s)(a|aa)+$"], ids=["texts", "lines"])
def test_a_pattern_that_takes_too_long_ends_the_run(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_search, "MOST_S", 0.01)
    with pytest.raises(InvalidRequest, match=re.escape(f"pattern: to search for {pattern!r} takes")):
        list(starts(pattern, "a" * 60 + "b"))


def test_a_pattern_is_recognized_in_no_time() -> None:
    assert not IN_LINES.fullmatch("[^a]" * 200 + "\n")


@pytest.mark.parametrize("pattern", ["(", "a**", "[", "(?P<a>b)(?P=c)"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a regular expression: "):
        line_search.check(pattern)
