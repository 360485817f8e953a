"""What the product must arrive at: one pass over the whole text, the word definition taken literally."""

import heapq
import unicodedata
from collections import Counter

import regex

WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*")


def count_words(data: bytes) -> Counter[str]:
    """Every word of ``data``; an invalid UTF-8 byte is a separator."""
    text = data.decode("utf-8", errors="replace")
    return Counter(unicodedata.normalize("NFC", word.lower()) for word in WORD.findall(text))


def ranked(counts: Counter[str]) -> Counter[str]:
    """The words of 1 to 20 code points."""
    return Counter({word: count for word, count in counts.items() if len(word) <= 20})


def longer_words(counts: Counter[str]) -> int:
    """How many words have more than 20 code points."""
    return sum(count for word, count in counts.items() if len(word) > 20)


def top_words(counts: Counter[str]) -> dict[str, list[dict[str, object]]]:
    """The ten most frequent words of each length, as the result JSON has them."""
    tops: dict[str, list[dict[str, object]]] = {}
    for length in range(1, 21):
        of_length = [(word, count) for word, count in counts.items() if len(word) == length]
        best = heapq.nsmallest(10, of_length, key=lambda entry: (-entry[1], entry[0]))
        tops[str(length)] = [{"word": word, "count": count} for word, count in best]
    return tops
