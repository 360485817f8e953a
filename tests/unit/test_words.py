"""The kernels against the oracle: same words, same counts, wherever the blocks are cut."""

import unicodedata
from collections import Counter
from types import SimpleNamespace
from typing import Literal

import msgspec
import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fanfold.testing.texts import ANY_BYTES, WITHOUT_ASCII
from lambda_src.errors import SourceNotText
from lambda_src.input import ownership
from lambda_src.input.blocks import split
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Shards, Span
from lambda_src.jobs.top_words import c_kernel, python_kernel, words
from lambda_src.jobs.top_words.kernel import LONGEST, Kernel
from lambda_src.jobs.top_words.tokens import TOKENS
from lambda_src.records import Rule
from tests import oracle

each_kernel = pytest.mark.parametrize(
    "kernel", [c_kernel.KERNEL, python_kernel.KERNEL], ids=["native", "python"]
)


def counted(
    kernel: Kernel, data: bytes, block_bytes: int, window_bytes: int = 1 << 23, rule: Rule = TOKENS
) -> tuple[Counter[str], int]:
    """``data`` counted block by block, and merged."""
    merged: Counter[str] = Counter()
    longer = 0
    source = input_of_bytes([data], "plain")
    for block in split(len(data), block_bytes):
        counting = kernel.counting(Shards("part", LONGEST, "run"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ownership, "WINDOW_BYTES", window_bytes)
            source.feed(Span(block.start, block.end), rule, lambda chunk, _, add=counting.add: add(chunk))  # type: ignore[misc]
        lines = counting.lines()
        for length, line in enumerate(lines.lines, start=1):
            of_length = msgspec.json.decode(line.data or b"{}", type=dict[str, int])
            assert all(len(word) == length for word in of_length)
            assert sum(of_length.values()) == line.observed[length - 1] == sum(line.observed)
            merged.update(of_length)
        assert len(lines.lines) == LONGEST
        longer += lines.longer_words
    return merged, longer


CUTS = {"data": ANY_BYTES, "block_bytes": st.integers(1, 400), "window_bytes": st.integers(5, 64)}


def check_blocks(kernel: Kernel, data: bytes, block_bytes: int, window_bytes: int) -> None:
    expected = oracle.count_words(data)
    assert counted(kernel, data, block_bytes, window_bytes) == (
        oracle.ranked(expected),
        oracle.longer_words(expected),
    )


@each_kernel
@given(**CUTS)
@example(data="straße".encode(), block_bytes=5, window_bytes=5)
@example(data=b"no trailing newline", block_bytes=4, window_bytes=6)
@example(data="日本語のテキスト".encode(), block_bytes=1, window_bytes=5)
@example(data="हिन्दी में".encode(), block_bytes=2, window_bytes=5)
@example(data=b"\xff\xfe\x00a\xc3", block_bytes=1, window_bytes=5)
@settings(max_examples=1_000)
def test_blocks_together_count_what_one_pass_counts(
    kernel: Kernel, data: bytes, block_bytes: int, window_bytes: int
) -> None:
    check_blocks(kernel, data, block_bytes, window_bytes)


@pytest.mark.slow
@each_kernel
@given(**CUTS)
@settings(max_examples=10_000)
def test_blocks_together_count_what_one_pass_counts_in_many_texts(
    kernel: Kernel, data: bytes, block_bytes: int, window_bytes: int
) -> None:
    check_blocks(kernel, data, block_bytes, window_bytes)


@each_kernel
@given(data=WITHOUT_ASCII, block_bytes=st.integers(1, 400), window_bytes=st.integers(5, 64))
@settings(max_examples=2000)
def test_a_text_without_an_ascii_byte_is_counted_too(
    kernel: Kernel, data: bytes, block_bytes: int, window_bytes: int
) -> None:
    """Longer than a token may be, so that what is read has to be cut between characters."""
    expected = oracle.count_words(data)
    try:
        found = counted(kernel, data, block_bytes, window_bytes, TOKENS._replace(longest_bytes=24))
    except SourceNotText:
        tokens = regex.findall(r"[\p{L}\p{M}]+", data.decode(errors="replace"))
        assert any(len(token.encode()) > 24 for token in tokens)
    else:
        assert found == (oracle.ranked(expected), oracle.longer_words(expected))


@each_kernel
@pytest.mark.parametrize(
    ("text", "found"),
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
def test_the_definition_by_example(kernel: Kernel, text: str, found: list[str]) -> None:
    assert counted(kernel, text.encode(), 1 << 20) == (Counter(found), 0)


@each_kernel
def test_length_twenty_is_ranked_and_twenty_one_is_not(kernel: Kernel) -> None:
    merged, longer = counted(kernel, b"a" * 20 + b" " + b"b" * 21, 10)
    assert merged == {"a" * 20: 1}
    assert longer == 1


@each_kernel
def test_marks_without_end_are_never_normalized(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFC sorts marks in quadratic time: these would take it minutes."""
    normalized: list[str] = []

    def normalize(form: Literal["NFC"], text: str) -> str:
        normalized.append(text)
        return unicodedata.normalize(form, text) if len(text) < 1000 else text

    for module in (c_kernel, words):
        monkeypatch.setattr(module, "unicodedata", SimpleNamespace(normalize=normalize))
    merged, longer = counted(kernel, ("a" + "\u0315\u0300" * 120_000).encode() + "é".encode(), 1 << 20)
    assert (merged, longer) == ({}, 1)
    merged, longer = counted(kernel, ("a" + "\u0315\u0300" * 120_000 + "—é").encode(), 1 << 20)
    assert (merged, longer) == ({"é": 1}, 1)
    assert "é" in "".join(normalized)
    assert max(map(len, normalized)) < 100


@each_kernel
@given(letters=st.integers(17, 90), pattern=st.sampled_from(["\u1fa2", "\u1fa2b", "é"]))
def test_words_that_nfc_shortens_are_ranked(kernel: Kernel, letters: int, pattern: str) -> None:
    """Each of 20 code points can have been four."""
    word = unicodedata.normalize("NFD", (pattern * letters)[:letters])
    assert counted(kernel, word.encode(), 1 << 20) == (
        oracle.ranked(oracle.count_words(word.encode())),
        int(letters > 20),
    )
