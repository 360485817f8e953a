"""Keys and texts that mislead: the answer is about exactly that object and all of it, or refuses by name."""

import os.path
import re
import unicodedata
from urllib.parse import quote, unquote, unquote_plus

import pytest

from tests import oracle
from tests.faults.cases import right_words
from tests.faults.faulty import ROWS, Faulty, Row

MIB = 1 << 20

KEYS = {
    "a leading slash": "/input/report",
    "a trailing slash": "input/report/",
    "slashes at the end": "input/report//",
    "a double slash": "input//report",
    "nothing but the prefix": "input/",
    "a segment '.'": "input/./report",
    "a segment '..'": "input/../input/report",
    "'..' that leaves the prefix": "input/../blobs/report",
    "a last segment '..'": "input/report/..",
    "spaces": "input/ report ",
    "a line break": "input/re\nport",
    "an escape sequence": "input/\x1b]0;report\x07",
    "a NUL": "input/report\x00.txt",
    "a DEL": "input/report\x7f",
    "a right-to-left override": "input/\u202etroper",
    "a zero-width space": "input/re\u200bport",
    "a letter and its mark apart": "input/re\u0301port",
    "a slash percent-encoded": "input/re%2Fport",
    "dots percent-encoded": "input/%2e%2e/report",
    "a percent sign percent-encoded": "input/%2572eport",
    "a plus": "input/re+port",
    "a question mark": "input/report?versionId=1",
    "a number sign": "input/report#1",
    "a backslash": "input\\report",
    "a backslash below the prefix": "input/re\\port",
    "quotes": 'input/it\'s "a" report',
    "a command": "input/$(touch report)`id`;report|&",
    "an asterisk": "input/*",
    "1,024 bytes": "input/" + "\U00020000" * 254 + "ab",
}
SHORT_KEYS = {"a trailing slash", "a double slash", "a slash percent-encoded", "1,024 bytes"}


OUTSIDE_LOCALLY = {"nothing but the prefix", "a line break"}
"""To the IAM of the local AWS these do not match input/*; to the real one they do."""


def neighbours(key: str) -> set[str]:
    """The keys that somebody could take ``key`` for."""
    return {
        key.strip("/"),
        f"{key.rstrip('/')}/",
        f"/{key}",
        re.sub("/+", "/", key),
        re.sub("/+", "/", key).strip("/"),
        os.path.normpath(key),
        os.path.normpath(key).lstrip("/"),
        unquote(key),
        unquote_plus(key),
        quote(key),
        key.strip(),
        re.sub(r"[\x00-\x1f\x7f\u200b\u202e]", "", key),
        unicodedata.normalize("NFC", key),
        unicodedata.normalize("NFD", key),
        re.split(r"[?#\x00]", key)[0],
        key.replace("\\", "/"),
        key.replace("*", "report"),
    } - {key, "", "/", "."}


@pytest.mark.parametrize(
    "name", [name if name in SHORT_KEYS else pytest.param(name, marks=pytest.mark.long) for name in KEYS]
)
def test_what_is_named_is_what_is_read(faulty: Faulty, name: str) -> None:
    key = KEYS[name]
    for decoy in neighbours(key):
        faulty.stack.put(decoy, b"decoy")
    text = b"the words that were asked for"
    faulty.stack.put(key, text)
    stored = faulty.stack.aws.client("s3").get_object(Bucket=faulty.stack.deployment.bucket, Key=key)
    assert stored["Body"].read() == text, "the local AWS itself takes the key for another"

    answer, failed = faulty.stack.invoke(faulty.event(key=key))
    if failed:
        ROWS.append(Row(faulty.stack.job, f"Key: {name}", 0, "REFUSED", "no answer", "no answer"))
        refused = "AccessDenied by S3" if name in OUTSIDE_LOCALLY else "key: "
        assert re.match(rf"{refused}.*\(run [^ ]+\)$", answer["errorMessage"])
    else:
        faulty.check_exact(f"Key: {name}", answer, failed, right_words(oracle.count_words(text)))


WORDS = "so many words, größer und größer; слово за словом. "
TEXTS = {
    "begins as bzip2 does": f"BZh is how {WORDS}".encode(),
    "begins as bzip2 does, with its level": f"BZh9 is how {WORDS}".encode(),
    "begins as Parquet does": f"PAR1 is how {WORDS}".encode(),
    "begins as zip does": f"PK is how {WORDS}".encode(),
    "begins and ends as Parquet does": f"PAR1 {WORDS} PAR1".encode(),
    "1.2 MB of Chinese": ("天地玄黃，宇宙洪荒。日月盈昃，辰宿列張。" * 21_000).encode(),
    "NULs": b"\x00one\x00two\x00\x00\x00three\x00",
    "surrogates one by one": "one\ud83d\ude00two\ud83d three".encode("utf-8", "surrogatepass"),
    "overlong letters": b"one \xc1\xa1two \xe0\x81\xa1three\xf0\x80\x81\xa1 four",
    "beyond Unicode": b"one\xf4\x90\x80\x80two\xf8\x88\x80\x80\x80three\xff\xfe",
    "byte order marks": "\ufeffone \ufefftwo\ufeffthree".encode(),
    "marks without letters": ("\u0301" * 50 + " \u0301a\u0301 " + "\u093f" * 50).encode(),
    "a letter with a thousand marks": ("one a" + "\u0301" * 1_000 + " two").encode(),
    "right to left": "אחת \u202eשתיים\u202c ثلاثة\u200f أربعة \u2067five\u2069".encode(),
    "zero-width joiners": "क्\u200dष न\u200cम \U0001f468\u200d\U0001f469\u200d\U0001f467 a\u200bb".encode(),
    "case that changes the length": "İstanbul İ ẞ STRAẞE ﬁn ǅ ŉ ΐ".encode(),
    "a sigma at the end": "ΑΣ ΑΣ. ΑΣΑ Σ ΣΣ ΑΣ\u0301 ΑΣ-Α ὈΔΥΣΣΕΎΣ".encode(),
    "spaces of all kinds": "one\u00a0two\u2003three\u3000four\u2028five\u0085six".encode(),
    "a word of 1 MiB": b"a " + b"w" * MIB + b" b",
    "nothing": b"",
    "nothing but separators": b" .,;\n" * 40,
    "one byte": b"a",
    "half a character": "ö".encode()[:1],
}
SHORT_TEXTS = {"begins as bzip2 does", "1.2 MB of Chinese", "overlong letters", "a sigma at the end"}


@pytest.mark.parametrize(
    "name", [name if name in SHORT_TEXTS else pytest.param(name, marks=pytest.mark.long) for name in TEXTS]
)
def test_every_text_is_counted_at_every_block_size(faulty: Faulty, name: str) -> None:
    text = TEXTS[name]
    key = faulty.stack.put("input/hostile", text)
    for block_bytes in (max(7, len(text) // 20), len(text) + 1):
        event = faulty.event(key=key, block_bytes=block_bytes)
        right = right_words(oracle.count_words(text))
        faulty.must_be_exact(f"Text: {name}, in blocks of {block_bytes}", event, right)


@pytest.mark.long
def test_a_word_that_is_too_long_is_refused_by_its_place(faulty: Faulty) -> None:
    key = faulty.stack.put("input/hostile", b"words " + b"w" * (MIB + 1))
    faulty.must_fail("Text: a word of 1 MiB and a byte", faulty.event(key=key), "byte 6")
