"""The most frequent words of a dump, by mwparserfromhell: python -m benchmarks.peer_markup FILE"""

import json
import re
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import mwparserfromhell

from tests.oracle import count_words, top_words
from tests.unit.test_word_markup import shown


def words(dump: bytes) -> Counter[str]:
    """How often each word is in the articles."""
    found = Counter[str]()
    for page in re.findall(b"<page>.*?</page>", dump, re.DOTALL):
        element = ET.fromstring(page)  # noqa: S314 - our own file
        if element.findtext("ns") == "0" and element.find("redirect") is None:
            found += count_words(shown(mwparserfromhell.parse(element.findtext("revision/text"))).encode())
    return found


if __name__ == "__main__":
    print(json.dumps(top_words(words(Path(sys.argv[1]).read_bytes()))))
