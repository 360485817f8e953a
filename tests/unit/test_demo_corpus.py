"""The generated corpus: its stated counts are those of its text, and it looks like a Wikipedia dump."""

import hashlib
import unicodedata
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
import regex

from fanfold.demo.corpus import PROGRESS_BYTES, ExpectedCounts, write_corpus
from tests import oracle

MEGABYTE = 1_000_000

PINNED_BYTES = 200_000
PINNED_SHA256 = "c5b000602dff96f9309b1fca2b2afc060e85232250cfac5cf87c84af43cdfb12"
"""Of the corpus of ``PINNED_BYTES`` and seed 1: whoever changes the generator's bytes does it knowingly."""


class Corpus(NamedTuple):
    data: bytes
    text: str
    expected: ExpectedCounts


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    path = tmp_path_factory.mktemp("corpus") / "corpus.xml"
    expected = write_corpus(path, 2 * MEGABYTE, seed=1)
    data = path.read_bytes()
    return Corpus(data, data.decode("utf-8"), expected)


@pytest.mark.parametrize(
    ("corpus_bytes", "seed"),
    [(0, 0), (1, 1), *((200_000, seed) for seed in range(8)), (MEGABYTE, 8), (2 * MEGABYTE, 9)],
)
def test_the_counts_are_those_of_the_text(tmp_path: Path, corpus_bytes: int, seed: int) -> None:
    path = tmp_path / "corpus.xml"
    expected = write_corpus(path, corpus_bytes, seed)
    data = path.read_bytes()
    data.decode("utf-8")

    counts = oracle.count_words(data)
    ranked = oracle.ranked(counts)
    assert expected.bytes == len(data)
    assert expected.counts == dict(ranked)
    assert expected.words == sum(ranked.values())
    assert expected.longer_words == oracle.longer_words(counts)
    assert {
        length: [{"word": word, "count": count} for word, count in top]
        for length, top in expected.top_words.items()
    } == oracle.top_words(counts)


@pytest.mark.parametrize("corpus_bytes", [10_000, 200_000, MEGABYTE])
def test_the_size_is_met_and_passed_by_less_than_a_page(tmp_path: Path, corpus_bytes: int) -> None:
    path = tmp_path / "corpus.xml"
    write_corpus(path, corpus_bytes, seed=3)
    data = path.read_bytes()
    last_page = data[data.rindex(b"  <page>") : data.rindex(b"</mediawiki>")]
    assert corpus_bytes <= len(data) < corpus_bytes + len(last_page)


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    first_counts = write_corpus(first, PINNED_BYTES, seed=1)
    assert write_corpus(again, PINNED_BYTES, seed=1) == first_counts
    assert write_corpus(other, PINNED_BYTES, seed=2) != first_counts
    assert again.read_bytes() == first.read_bytes()
    assert other.read_bytes() != first.read_bytes()
    assert hashlib.sha256(first.read_bytes()).hexdigest() == PINNED_SHA256


def test_few_words_are_frequent_and_most_are_rare(corpus: Corpus) -> None:
    frequencies = sorted(corpus.expected.counts.values(), reverse=True)
    assert 0.01 < frequencies[0] / corpus.expected.words < 0.1
    assert sum(frequencies[:100]) > 0.3 * corpus.expected.words
    once = sum(1 for frequency in frequencies if frequency == 1)
    assert once > 0.3 * len(frequencies)


def test_new_words_keep_appearing(corpus: Corpus) -> None:
    half = corpus.data.rindex(b"<page>", 0, len(corpus.data) // 2)
    first, second = (set(oracle.count_words(part)) for part in (corpus.data[:half], corpus.data[half:]))
    assert len(second - first) > 0.2 * len(first)


@pytest.mark.parametrize(
    ("script", "share"),
    [
        ("Latin", 0.3),
        ("Cyrillic", 0.02),
        ("Greek", 0.01),
        ("Arabic", 0.01),
        ("Devanagari", 0.01),
        ("Han", 0.01),
        ("Hiragana", 0.005),
        ("Katakana", 0.001),
        ("Hangul", 0.002),
    ],
)
def test_script_is_present(corpus: Corpus, script: str, share: float) -> None:
    letters = "".join(regex.findall(rf"\p{{Script={script}}}+", corpus.text))
    assert len(letters.encode()) > share * len(corpus.data)


def test_every_length_is_present_and_longer_words_too(corpus: Corpus) -> None:
    words_of_length = Counter(len(word) for word in corpus.expected.counts)
    assert all(words_of_length[length] >= 10 for length in range(1, 21))
    assert [len(top) for top in corpus.expected.top_words.values()] == [10] * 20
    assert corpus.expected.longer_words > 0.01 * corpus.expected.words


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("decomposed Latin", r"e\u0301\p{L}"),
        ("two marks on a letter", r"e\p{M}\p{M}"),
        ("decomposed Hangul", r"[\u1100-\u1112][\u1161-\u1175]"),
        ("decomposed kana", r"\p{Hiragana}\u3099"),
        ("letter that NFC takes apart", r"\u0958"),
        ("marks that NFC reorders", r"\u0651[\u064e-\u0650]"),
        ("final sigma", r"\p{Greek}ς\P{L}"),
        ("capital sigma at the end", r"\p{Lu}Σ\P{L}"),
        ("dotted capital I", r"İ\p{L}"),
        ("dotless i", r"ı"),
        ("sharp s", r"\p{L}ß"),
        ("upper case", r"\b\p{Lu}{6,}\b"),
        ("letter of four bytes", r"[\U00020000-\U0002ffff]"),
        ("separator of four bytes", r"\p{L}\U0001f30d\p{L}"),
        ("zero-width non-joiner", r"\p{L}\u200c\p{L}"),
        ("mark without a letter", r"[^\p{L}\p{M}]\u0301"),
        ("run of a hundred bytes and more", r"[\p{Han}\p{Hiragana}\p{Katakana}]{40,}"),
        ("page", r"<page>\n    <title>[^<]+</title>"),
        ("timestamp", r"<timestamp>20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ</timestamp>"),
        ("link", r"\[\[[^\[\]|]+\|[^\[\]|]+\]\]"),
        ("bold", r"'''[^']+'''"),
        ("reference", r"&lt;ref&gt;\{\{cite web\|url=http://[^}]+\}\}&lt;/ref&gt;"),
        ("entity", r"&quot;\p{L}[^&]*&quot;"),
        ("escaped entity", r"&amp;nbsp;"),
        ("section heading", r"\n== [^=]+ ==\n"),
        ("table", r"\n\{\| class=&quot;wikitable&quot;"),
        ("interlanguage line", r"\n\[\[de:[^\]]+\]\]\n"),
        ("number", r"\d,\d{3}"),
    ],
)
def test_text_has(corpus: Corpus, what: str, pattern: str) -> None:
    assert regex.search(pattern, corpus.text), what


def test_normal_form_matters(corpus: Corpus) -> None:
    lower = Counter(oracle.WORD.findall(corpus.text.lower()))
    changed = sum(count for word, count in lower.items() if not unicodedata.is_normalized("NFC", word))
    assert changed > 0.005 * sum(lower.values())


def test_progress_rises_to_the_size(tmp_path: Path) -> None:
    told: list[int] = []
    expected = write_corpus(tmp_path / "corpus.xml", 3 * MEGABYTE, seed=1, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == expected.bytes
    assert len(told) == 1 + 3 * MEGABYTE // PROGRESS_BYTES


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, interruption: type[BaseException]) -> None:
    def interrupt(_written_bytes: int) -> None:
        assert list(tmp_path.iterdir()) != [tmp_path / "corpus.xml"]
        raise interruption

    with pytest.raises(interruption):
        write_corpus(tmp_path / "corpus.xml", 2 * MEGABYTE, seed=1, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_leaves_the_older_corpus(tmp_path: Path) -> None:
    def interrupt(_written_bytes: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "corpus.xml"
    path.write_bytes(b"older")
    with pytest.raises(KeyboardInterrupt):
        write_corpus(path, 2 * MEGABYTE, seed=1, progress=interrupt)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"corpus.xml": b"older"}
