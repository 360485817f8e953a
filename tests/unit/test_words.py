"""The kernels against the oracle: same words, same counts, wherever the blocks are cut."""

import unicodedata
from collections import Counter
from types import SimpleNamespace
from typing import Literal

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambda_src import ownership
from lambda_src.blocks import split
from lambda_src.errors import SourceNotText
from lambda_src.inputs import input_of_bytes
from lambda_src.job import Span
from lambda_src.jobs.top_words import top as top_words
from lambda_src.jobs.top_words import words as top_words_words
from lambda_src.jobs.top_words.tokens import TOKENS
from lambda_src.jobs.top_words.words import WordCounts, count_stretches, count_words, words_of
from lambda_src.records import Rule
from tests import oracle
from tests.texts import ANY_BYTES, WITHOUT_ASCII


def counted(
    data: bytes, block_bytes: int, window_bytes: int = 1 << 23, rule: Rule = TOKENS
) -> tuple[Counter[str], int]:
    """``data`` counted block by block, and merged."""
    merged: Counter[str] = Counter()
    longer = 0
    source = input_of_bytes([data], "plain")
    for block in split(len(data), block_bytes):
        stretches: Counter[bytes] = Counter()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ownership, "WINDOW_BYTES", window_bytes)
            source.feed(
                Span(block.start, block.end),
                rule,
                lambda chunk, stretches=stretches: count_stretches(chunk, stretches),  # type: ignore[misc]
            )
        counts = count_words(stretches)
        for of_length in counts.by_length:
            top_words.add(merged, of_length)
        longer += counts.longer_words
    return merged, longer


@given(ANY_BYTES, st.integers(1, 400), st.integers(5, 64))
@example("straße".encode(), 5, 5)
@example(b"no trailing newline", 4, 6)
@example("日本語のテキスト".encode(), 1, 5)
@example("हिन्दी में".encode(), 2, 5)
@example(b"\xff\xfe\x00a\xc3", 1, 5)
@settings(max_examples=10_000)
def test_blocks_together_count_what_one_pass_counts(data: bytes, block_bytes: int, window_bytes: int) -> None:
    expected = oracle.count_words(data)
    assert counted(data, block_bytes, window_bytes) == (
        oracle.ranked(expected),
        oracle.longer_words(expected),
    )


@given(WITHOUT_ASCII, st.integers(1, 400), st.integers(5, 64))
@settings(max_examples=2000)
def test_a_text_without_an_ascii_byte_is_counted_too(
    data: bytes, block_bytes: int, window_bytes: int
) -> None:
    """Longer than a token may be, so that what is read has to be cut between characters."""
    expected = oracle.count_words(data)
    try:
        found = counted(data, block_bytes, window_bytes, TOKENS._replace(longest_bytes=24))
    except SourceNotText:
        tokens = regex.findall(r"[\p{L}\p{M}]+", data.decode(errors="replace"))
        assert any(len(token.encode()) > 24 for token in tokens)
    else:
        assert found == (oracle.ranked(expected), oracle.longer_words(expected))


@given(ANY_BYTES)
def test_words_stand_under_their_length(data: bytes) -> None:
    stretches: Counter[bytes] = Counter()
    count_stretches(data, stretches)
    counts: WordCounts = count_words(stretches)
    assert len(counts.by_length) == 20
    for length, of_length in enumerate(counts.by_length, start=1):
        assert all(len(word) == length for word in of_length)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("it's", ["it", "s"]),
        ("na\u0308ive", ["n\xe4ive"]),  # NFC fuses letter and mark
        ("\u0301abc", ["abc"]),  # a word does not begin with a mark
        ("a1b2", ["a", "b"]),  # a digit separates
        ("snake_case", ["snake", "case"]),
        ("ΟΔΟΣ", ["οδος"]),  # the final sigma is another letter
        ("İ", ["i\u0307"]),  # one letter that becomes two code points
        ("日本。語", ["日本", "語"]),
        ("हिन्दी", ["हिन्दी"]),
        ("ﬁ", ["ﬁ"]),  # NFC leaves ligatures alone
    ],
)
def test_the_definition_by_example(text: str, words: list[str]) -> None:
    stretches: Counter[bytes] = Counter()
    count_stretches(text.encode(), stretches)
    found = [word for stretch in stretches for word in words_of(stretch)]
    assert sorted(found) == sorted(words)


def test_length_twenty_is_ranked_and_twenty_one_is_not() -> None:
    merged, longer = counted(b"a" * 20 + b" " + b"b" * 21, 10)
    assert merged == {"a" * 20: 1}
    assert longer == 1


def test_marks_without_end_are_never_normalized(monkeypatch: pytest.MonkeyPatch) -> None:
    """NFC sorts marks in quadratic time: these would take it minutes."""
    normalized: list[int] = []

    def normalize(form: Literal["NFC"], text: str) -> str:
        normalized.append(len(text))
        return unicodedata.normalize(form, text) if len(text) < 1000 else text

    monkeypatch.setattr(top_words_words, "unicodedata", SimpleNamespace(normalize=normalize))
    merged, longer = counted(("a" + "\u0315\u0300" * 120_000).encode() + "é".encode(), 1 << 20)
    assert (merged, longer) == ({}, 1)
    merged, longer = counted(("a" + "\u0315\u0300" * 120_000 + "—é").encode(), 1 << 20)
    assert (merged, longer) == ({"é": 1}, 1)
    assert normalized == [1]


@given(st.integers(17, 90), st.sampled_from(["\u1fa2", "\u1fa2b", "é"]))
def test_words_that_nfc_shortens_are_ranked(letters: int, pattern: str) -> None:
    """Each of 20 code points can have been four."""
    word = unicodedata.normalize("NFD", (pattern * letters)[:letters])
    assert counted(word.encode(), 1 << 20) == (
        oracle.ranked(oracle.count_words(word.encode())),
        int(letters > 20),
    )


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 5), max_size=40))
def test_top_is_the_head_of_the_sorted_counts(counts: dict[str, int]) -> None:
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    assert top_words.top(counts) == ordered[:10]
