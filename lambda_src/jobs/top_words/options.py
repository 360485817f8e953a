"""The options of ``top_words``, and what they make of a run."""

import unicodedata
from typing import Annotated, Literal

from msgspec import Meta, Struct

from lambda_src.job import FROM_FILE
from lambda_src.jobs.top_words.kernel import LONGEST, Spelling
from lambda_src.jobs.top_words.letters import is_letter
from lambda_src.jobs.top_words.markup import PAGES
from lambda_src.jobs.top_words.tokens import TOKENS
from lambda_src.jobs.top_words.words import STRETCHES, words_of
from lambda_src.records import Rule

MOST_TOP = 1000
MOST_LONGEST = 100
MOST_STOP_WORDS = 5000
MOST_STOP_BYTES = 60_000
"""Every request of a run has its options."""


class Options(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Raises ValueError if there are too many stop words, or one that is none."""

    top: Annotated[
        int, Meta(ge=1, le=MOST_TOP, description="This many of the most frequent words of each length.")
    ] = 10
    longest: Annotated[
        int,
        Meta(ge=1, le=MOST_LONGEST, description="Longer words are only counted, as `longer_words`."),
    ] = LONGEST
    words: Annotated[
        Literal["letters", "unicode"],
        Meta(
            description="A word is letters and the marks on them; or what Unicode calls a word, with "
            "apostrophes, digits and invisible joiners inside, if it has a letter."
        ),
    ] = "letters"
    case: Annotated[
        Literal["fold", "keep"], Meta(description="Count words in lower case, or as they are written.")
    ] = "fold"
    markup: Annotated[
        Literal["none", "mediawiki"],
        Meta(
            description="With mediawiki, the input is a dump of MediaWiki, and only the text of its articles "
            "counts: no templates, tables, references or addresses."
        ),
    ] = "none"
    stop_words: Annotated[
        list[str],
        Meta(
            description="Words that are counted, but not among the most frequent ones; @FILE has a list.",
            examples=["the,of,and"],
            extra=FROM_FILE,
        ),
    ] = []

    def __post_init__(self) -> None:
        if in_file := next((word for word in self.stop_words if word.startswith("@")), None):
            raise ValueError(
                f"stop_words: {in_file[:60]!r} is not a word; only --set of the command line reads a file"
            )
        if len(self.stop_words) > MOST_STOP_WORDS:
            raise ValueError(f"stop_words: there are more than {MOST_STOP_WORDS:,}")
        if len("".join(self.stop_words).encode(errors="replace")) > MOST_STOP_BYTES:
            raise ValueError(f"stop_words: they have more than {MOST_STOP_BYTES:,} bytes together")

    def spelling(self) -> Spelling:
        """What a word is."""
        return Spelling(self.case == "keep", self.words == "unicode", self.longest)

    def records(self) -> Rule:
        """Where the input may be cut."""
        if self.markup == "mediawiki":
            return PAGES
        return STRETCHES if self.words == "unicode" else TOKENS

    def unranked(self) -> frozenset[str]:
        """The words of the stop words, as they are counted."""
        return frozenset(word for listed in self.stop_words for word in self._words_of(listed))

    def _words_of(self, listed: str) -> list[str]:
        spelling = self.spelling()
        is_word = all(map(is_letter, listed)) and (listed.isascii() or not spelling.is_unicode)
        if not is_word:  # which takes a cold start longer
            return words_of(listed.encode(errors="replace"), spelling)
        return [unicodedata.normalize("NFC", listed if spelling.keeps_case else listed.lower())]
