"""What the product is measured beside gives the oracle's answer: a peer that counts less would be faster."""

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks import peer_pool
from benchmarks.ascii_text import to_ascii
from benchmarks.peers import PEERS, Peer, TopWords
from tests import oracle

LINES = st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("\naAbB"), max_size=300)
FEW_WORDS = st.lists(
    st.sampled_from(
        ["a", "A", "Ab", "aB", "ab", "ba", "x" * 20, "X" * 21, "NULL", "0", '"', "'s", "\n", "\n\n"]
    )
).map(" ".join)
MANY_OF_A_LENGTH = st.integers(9, 30).map(
    lambda words: " ".join(chr(ord("a") + number % 26) * (1 + number // 26) for number in range(words))
)
TEXTS = LINES | FEW_WORDS | MANY_OF_A_LENGTH


def expected(text: str) -> TopWords:
    """By the oracle: of a text in ASCII, it knows the letters of ASCII only."""
    tops = oracle.top_words(oracle.count_words(text.encode()))
    return {
        length: [(str(entry["word"]), int(str(entry["count"]))) for entry in top]
        for length, top in tops.items()
    }


@pytest.fixture(scope="module", params=PEERS, ids=[peer.name for peer in PEERS])
def peer(request: pytest.FixtureRequest) -> Peer:
    """Skipped here: within the test, hypothesis would call its example a failing one."""
    found: Peer = request.param
    if reason := found.lacks():
        pytest.skip(reason)
    return found


@example(texts=["", "\n", "NULL", "\n\nNULL\nnull", '"a b', 'a,b;cd\'e"f\n"g" \\h', "x" * 21, "A a\n" * 9])
@given(texts=st.lists(TEXTS, min_size=1, max_size=40))
@settings(max_examples=3, deadline=None)
def test_a_peer_gives_the_oracles_answer(peer: Peer, texts: list[str]) -> None:
    """A process starts slowly, so each has many texts."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, str(number)) for number in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text, newline="")
        counted = peer.answers(*files)
    assert [one.top_words for one in counted] == [expected(text) for text in texts]


@given(text=LINES | FEW_WORDS, block_bytes=st.integers(1, 40))
def test_the_pools_blocks_cut_no_word(text: str, block_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "text")
        file.write_text(text, newline="")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(peer_pool, "BLOCK_BYTES", block_bytes)
            blocks = list(peer_pool._blocks(str(file)))
        words = sum((peer_pool._count(block) for block in blocks), start=Counter[bytes]())
    assert {word.decode(): count for word, count in words.items()} == oracle.count_words(text.encode())


@example(data=bytes(range(256)))
@given(data=st.binary() | LINES.map(str.encode))
def test_a_text_made_ascii_is_lines_of_printable_characters(data: bytes) -> None:
    text = to_ascii(data).decode("ascii")
    assert all(char == "\n" or char.isprintable() for char in text)
    assert to_ascii(text.encode()) == text.encode()
