"""A corpus that looks like a Wikipedia dump, written together with its exact word counts.

The generator counts each word as it emits it and never reads its own text, so the counts are independent of
the code that they check. Two rules make that exact: a template, in ``corpus.toml``, names the words of its
own markup by hand, and no slot for a word touches a letter or another slot.

Vocabularies grow as a Simon process: each word is mostly a copy of one drawn from all words so far, which
gives Zipf's skew, and sometimes a new one, which gives Heaps' growth.

The bytes depend on seed and size alone. It only uses ``random.random()``, whose sequence Python promises to
keep, and ``math.sqrt``, which IEEE 754 rounds the same everywhere.
"""

import math
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Struct

LONGEST = 20
"""Words of 1 to ``LONGEST`` code points are ranked; longer ones are only counted."""

TOP = 10
"""Number of words of each length that are ranked."""

PROGRESS_BYTES = 1 << 20
"""Number of bytes between two reports of progress."""

_T = TypeVar("_T")


class ExpectedCounts(NamedTuple):
    """The correct counts of the corpus, each word in lower case and NFC.

    ``words`` is the number of words with 1 to ``LONGEST`` code points, ``longer_words`` that of longer ones.
    ``top_words`` has the keys "1" to "20", by count descending, then by code point. ``counts`` holds every
    word of 1 to ``LONGEST`` code points.
    """

    bytes: int
    words: int
    longer_words: int
    top_words: dict[str, list[tuple[str, int]]]
    counts: dict[str, int]


def _ignore_progress(_written_bytes: int) -> None:
    pass


def write_corpus(
    path: Path, corpus_bytes: int, seed: int, progress: Callable[[int], None] = _ignore_progress
) -> ExpectedCounts:
    """Write a corpus of at least ``corpus_bytes`` bytes, and less than one page more, to ``path``.

    Most pages have a few kB; the frame around them is written even for 0 bytes. ``progress`` is called with
    the bytes written so far. The file appears under its name only when it is complete. Raises OSError, and
    whatever ``progress`` raises.
    """
    tally = _Tally()
    pages = _Pages(Random(seed), tally)  # noqa: S311 -- a corpus that can be made again keeps no secret
    head, foot = _HEAD.text.encode(), _FOOT.text.encode()
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb", buffering=PROGRESS_BYTES) as file:
            tally.add(_HEAD.words)
            written_bytes = file.write(head)
            told_bytes = 0
            while written_bytes + len(foot) < corpus_bytes:
                written_bytes += file.write(pages.next_page().encode())
                if written_bytes - told_bytes >= PROGRESS_BYTES:
                    progress(written_bytes)
                    told_bytes = written_bytes
            tally.add(_FOOT.words)
            written_bytes += file.write(foot)
        progress(written_bytes)
        expected = tally.expected(written_bytes)
        partial.replace(path)
        return expected
    finally:
        partial.unlink(missing_ok=True)


class _Tally:
    """Counts the emitted words by spelling: case and normal form are determined once for each spelling."""

    def __init__(self) -> None:
        self._spellings: Counter[str] = Counter()
        self._longer_words = 0

    def __contains__(self, spelling: str) -> bool:
        return spelling in self._spellings

    def add(self, spellings: Iterable[str]) -> None:
        self._spellings.update(spellings)

    def add_longer(self, words: int) -> None:
        """Count words known to be longer than ``LONGEST`` without keeping them."""
        self._longer_words += words

    def expected(self, corpus_bytes: int) -> ExpectedCounts:
        """The counts by word. This empties the tally, because the spellings of a big corpus would not fit
        into memory twice."""
        counts: dict[str, int] = {}
        longer_words = self._longer_words
        while self._spellings:
            spelling, count = self._spellings.popitem()
            word = unicodedata.normalize("NFC", spelling.lower())
            if len(word) > LONGEST:
                longer_words += count
            else:
                counts[word] = counts.get(word, 0) + count

        by_length: list[list[tuple[str, int]]] = [[] for _ in range(LONGEST)]
        for word, count in counts.items():
            by_length[len(word) - 1].append((word, count))
        for ranked in by_length:
            ranked.sort(key=lambda entry: (-entry[1], entry[0]))
            del ranked[TOP:]
        top_words = {str(length): ranked for length, ranked in enumerate(by_length, start=1)}
        return ExpectedCounts(corpus_bytes, sum(counts.values()), longer_words, top_words, counts)


class _Spelling(Struct, frozen=True, forbid_unknown_fields=True):
    """The look of a language. Words are made of ``onsets``, ``nuclei`` and ``codas``, each a list of parts in
    one string, in which "-" means no part; ``syllables`` is their number. ``common`` are its most frequent
    words, in order. ``share`` is the percentage of pages."""

    code: str
    share: int
    common: str
    onsets: str
    nuclei: str
    codas: str
    syllables: tuple[int, ...] = (1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6, 7, 8)
    ending: str = ""
    """A part that may appear only at the end of a word."""
    joiner: str = " "
    stop: str = ". "
    is_spaced: bool = True
    has_dotted_capital_i: bool = False


class _Text(Struct, frozen=True, forbid_unknown_fields=True):
    """A template as it is written: ``words`` in one string, and how often it is repeated in its list."""

    text: str
    words: str = ""
    times: int = 1


class _Tables(Struct, frozen=True, forbid_unknown_fields=True):
    """The content of ``corpus.toml``."""

    head: _Text
    foot: _Text
    page_head: _Text
    page_foot: _Text
    categories: _Text
    blocks: list[_Text]
    phrases: list[_Text]
    languages: list[_Spelling]


class _Template(NamedTuple):
    """Text with a ``%s`` for each of ``slots`` words. ``words`` are those of the text itself, and
    ``sentence_starts`` the slots that are written with a capital."""

    text: str
    words: tuple[str, ...]
    slots: int
    sentence_starts: tuple[int, ...]


def _template(of: _Text) -> _Template:
    return _Template(of.text, tuple(of.words.split()), of.text.count("%s"), (0,) if "%s" in of.text else ())


_TABLES = msgspec.toml.decode(Path(__file__).with_suffix(".toml").read_bytes(), type=_Tables)
_HEAD = _template(_TABLES.head)
_FOOT = _template(_TABLES.foot)
_PAGE_HEAD = _template(_TABLES.page_head)
_PAGE_FOOT = _template(_TABLES.page_foot)
_CATEGORIES = _template(_TABLES.categories)
_BLOCKS = [_template(block) for block in _TABLES.blocks]
_PHRASES = [_template(phrase) for phrase in _TABLES.phrases for _ in range(phrase.times)]

_PARAGRAPHS_PER_LANGUAGE = 48
_WORDS_AT_START = 400
_PAST_WORDS_MAX = 1 << 17  # Small enough for a processor's cache, where half of the time goes.
_NEW_WORD_RATE = 0.4  # Some 250,000 different words in 100 MB.
_UNITS_PER_RUN = (1, 1, 1, 2, 2, 3, 4, 9, 12, 15, 18, 24, 36)


class _Language:
    """One language's words, its vocabulary growing as they are emitted."""

    def __init__(self, spelling: _Spelling, random: Random, tally: _Tally) -> None:
        self.spelling = spelling
        self._random = random
        self._tally = tally
        self._onsets, self._nuclei, self._codas = (
            tuple("" if part == "-" else part for part in parts.split())
            for parts in (spelling.onsets, spelling.nuclei, spelling.codas)
        )
        common = spelling.common.split()
        # The frequent words are the short ones.
        common += sorted((self._new_word() for _ in range(_WORDS_AT_START - len(common))), key=len)
        # By Zipf and Mandelbrot's law, which a Simon process would take long to reach from an empty past.
        self._past = [word for rank, word in enumerate(common) for _ in range(1000 // (rank + 3))]
        self._past_stride = 1
        self._emitted_words = len(self._past)
        self.paragraphs = [_paragraph(spelling, random) for _ in range(_PARAGRAPHS_PER_LANGUAGE)]

    def fill(self, template: _Template) -> str:
        """The template's text with the next words, all counted."""
        words = self._next_words(template.slots)
        for slot in template.sentence_starts:
            words[slot] = self._capital(words[slot])
        self._count(words)
        self._tally.add(template.words)
        return template.text % tuple(words)

    def name(self, words: int, times: int = 1, is_upper: bool = False) -> str:
        """The next words, the first with a capital or all in upper case, each counted ``times`` times."""
        following = self._next_words(words)
        if is_upper:
            following = [self._upper(word) for word in following]
        else:
            following[0] = self._capital(following[0])
        self._count(following * times)
        return " ".join(following)

    def _count(self, words: list[str]) -> None:
        self._tally.add(words)

    def _next_words(self, words: int) -> list[str]:
        random, past = self._random.random, self._past
        past_words = len(past)
        following = [past[int(random() * past_words)] for _ in range(words)]
        # A rate that falls with the fourth root makes the vocabulary grow with the number of words ** 0.75.
        new_words = words * _NEW_WORD_RATE / math.sqrt(math.sqrt(self._emitted_words))
        for _ in range(int(new_words + random())):
            following[int(random() * words)] = self._new_word()
        # Every stride-th word of the past represents all of them, so that memory is bounded.
        past.extend(following[-self._emitted_words % self._past_stride :: self._past_stride])
        self._emitted_words += words
        if len(past) > _PAST_WORDS_MAX:
            self._past = past[::2]
            self._past_stride *= 2
        return following

    def _new_word(self) -> str:
        word = "".join(self._syllable() for _ in range(_pick(self._random, self.spelling.syllables)))
        if self._random.random() < 0.2:
            word += self.spelling.ending
        while word in self._tally:
            word = self._syllable() + word
        chance = self._random.random()
        return self._upper(word) if chance < 0.02 else self._capital(word) if chance < 0.15 else word

    def _syllable(self) -> str:
        return "".join(_pick(self._random, parts) for parts in (self._onsets, self._nuclei, self._codas))

    def _capital(self, word: str) -> str:
        return self._upper(word[:1]) + word[1:]

    def _upper(self, text: str) -> str:
        return (text.replace("i", "İ") if self.spelling.has_dotted_capital_i else text).upper()


class _UnspacedLanguage(_Language):
    """A language without spaces between words: by definition, a run of them is one word."""

    def _next_words(self, words: int) -> list[str]:
        runs = [_pick(self._random, _UNITS_PER_RUN) for _ in range(words)]
        units = iter(super()._next_words(sum(runs)))
        return ["".join(next(units) for _ in range(run)) for run in runs]

    def _count(self, words: list[str]) -> None:
        # Nearly all long runs differ. They have no case, and no other normal form that would change their
        # length.
        ranked = [word for word in words if len(word) <= LONGEST]
        self._tally.add(ranked)
        self._tally.add_longer(len(words) - len(ranked))


class _Pages:
    """The pages of one corpus, in order."""

    def __init__(self, random: Random, tally: _Tally) -> None:
        self._random = random
        self._tally = tally
        self._languages = [
            (_Language if spelling.is_spaced else _UnspacedLanguage)(spelling, random, tally)
            for spelling in _TABLES.languages
        ]
        self._by_share = [language for language in self._languages for _ in range(language.spelling.share)]
        self._pages = 0

    def next_page(self) -> str:
        self._pages += 1
        language = _pick(self._random, self._by_share)
        title = language.name(1 + self._below(3), times=2)
        parts = [self._page_head(title), f"'''{title}'''"]
        parts += self._names(" ({{lang|%s|%s}})", ("lang",), self._below(3))
        parts.append(" ")
        # Many short pages, some long ones.
        for paragraph in range(int(1 + 2 / (self._random.random() + 0.05))):
            if paragraph and self._below(3) == 0:
                parts.append(f"== {language.name(1 + self._below(4), is_upper=self._below(8) == 0)} ==\n")
            parts.append(self._paragraph(language))
            if self._below(6) == 0:
                parts.append(language.fill(_pick(self._random, _BLOCKS)))
        parts.append(language.fill(_CATEGORIES))
        parts += self._names("[[%s:%s]]\n", (), self._below(6))
        parts.append(_PAGE_FOOT.text)
        self._tally.add(_PAGE_FOOT.words)
        return "".join(parts)

    def _page_head(self, title: str) -> str:
        self._tally.add(_PAGE_HEAD.words)
        date = f"{2001 + self._below(24)}-{1 + self._below(12):02}-{1 + self._below(28):02}"
        time = f"{self._below(24):02}:{self._below(60):02}:{self._below(60):02}"
        return _PAGE_HEAD.text % (title, self._pages, 10**6 + self._below(10**8), date, time)

    def _paragraph(self, language: _Language) -> str:
        text = language.fill(_pick(self._random, language.paragraphs))
        # Decomposed text is canonically the same, so its words after NFC are those already counted.
        return unicodedata.normalize("NFD", text) if self._below(12) == 0 else text

    def _names(self, form: str, words: tuple[str, ...], names: int) -> list[str]:
        """``names`` times ``form`` with a language's code and some of its words."""
        filled = []
        for _ in range(names):
            language = _pick(self._random, self._languages)
            self._tally.add((*words, language.spelling.code))
            filled.append(form % (language.spelling.code, language.name(1 + self._below(2))))
        return filled

    def _below(self, end: int) -> int:
        return int(self._random.random() * end)


def _pick(random: Random, options: Sequence[_T]) -> _T:
    return options[int(random.random() * len(options))]


def _paragraph(spelling: _Spelling, random: Random) -> _Template:
    """A paragraph of some sentences: the order of its phrases, and the digits for each "#" in them."""
    text: list[str] = []
    words: list[str] = []
    starts: list[int] = []
    slots = 0
    for _ in range(2 + int(random.random() * 6)):
        starts.append(slots)
        # The first phrase is a plain word, for its capital.
        phrases = [_PHRASES[0], *(_pick(random, _PHRASES) for _ in range(3 + int(random.random() * 20)))]
        slots += sum(phrase.slots for phrase in phrases)
        words += [word for phrase in phrases for word in phrase.words]
        text += [spelling.joiner.join(phrase.text for phrase in phrases), spelling.stop]
    digits = [
        str(int(random.random() * 10)) if character == "#" else character for character in "".join(text)
    ]
    return _Template("".join(digits) + "\n\n", tuple(words), slots, tuple(starts))
