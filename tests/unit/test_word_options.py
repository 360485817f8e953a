"""The options of top_words, against simple programs for the same answers."""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fanfold.testing import Objects, check_job, run_job
from lambda_src.errors import InvalidRequest
from lambda_src.job import Shards
from lambda_src.jobs.top_words import JOB, c_kernel, python_kernel
from lambda_src.jobs.top_words.kernel import LONGEST, Kernel, Spelling
from lambda_src.jobs.top_words.options import MOST_LONGEST
from lambda_src.jobs.top_words.words import unicode_words

UNICODE_TEST = Path(__file__).parents[1] / "unicode" / "WordBreakTest.txt"
E_ACUTE = "e\u0301"

SPELLINGS = [
    Spelling(keeps_case, is_unicode, longest)
    for keeps_case in (False, True)
    for is_unicode in (False, True)
    for longest in (1, LONGEST, MOST_LONGEST)
]


def lines_of_unicodes_test() -> list[list[str]]:
    """The segments of each line of the file that Unicode publishes."""
    found = []
    for line in UNICODE_TEST.read_text("utf-8").splitlines():
        if shown := line.partition("#")[0].strip(" \t÷"):
            segments = [re.findall("[0-9A-F]{4,}", segment) for segment in shown.split("÷")]
            found.append(["".join(chr(int(point, 16)) for point in segment) for segment in segments])
    return found


def visible(segment: str) -> str:
    """A word as it is counted: docs/words.md."""
    return str(regex.sub(r"\p{Cf}+$", "", segment.replace("\u00ad", "")))


def test_words_of_unicode_are_those_of_its_test() -> None:
    lines = lines_of_unicodes_test()
    assert len(lines) > 1800
    for segments in lines:
        if "\u2701" in "".join(segments):  # no Extended_Pictographic any more in the Unicode of ``regex``
            continue
        expected = [visible(segment) for segment in segments if regex.search(r"\p{L}", segment)]
        assert unicode_words("".join(segments)) == expected, segments


PIECES = (
    *(
        "don't",
        "STOP",
        "a.b",
        "3.14",
        "x2",
        "_",
        "'",
        '"',
        " ",
        "\n",
        "é",
        "\u0301",
        "צה",
        "\u200c",
        "\u00ad",
    ),
    *("İ", "ΣΑΣ", "\ufb00", "ア", "日本", "می", "\u2139", "\u200d", ",", ":", ";", "0", "\ufffd", "\u2060"),
    *("the ", "\x00", "\t"),
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


def counted(kernel: Kernel, text: bytes, spelling: Spelling, shards: Shards) -> Any:
    counting = kernel.counting(shards, spelling)
    counting.add(text)
    counted = counting.lines()
    pieces = [line.data.replace(b"\n", b"\t").split(b"\t") for line in counted.lines]
    words = [[msgspec.json.decode(piece) for piece in of_line if piece] for of_line in pieces]
    return words, [line.observed for line in counted.lines], counted.longer_words


@given(
    TEXTS,
    st.sampled_from(SPELLINGS),
    st.booleans(),
)
@example("צה\"ל צה' ", Spelling(is_unicode=True), True)
@example(f"{'é' * 21} {'ab' * 50} {'a' * 101} {E_ACUTE * 100}", Spelling(longest=MOST_LONGEST), True)
def test_both_kernels_find_the_same_words(text: str, spelling: Spelling, by_part: bool) -> None:
    shards = Shards("part", spelling.longest, "run") if by_part else Shards("key", 3, "run")
    one, other = (
        counted(kernel, text.encode(), spelling, shards) for kernel in (c_kernel.KERNEL, python_kernel.KERNEL)
    )
    assert one == other


def plain_words(text: str, options: Mapping[str, Any]) -> list[str]:
    """The words of ``text``, one by one."""
    if options.get("words") == "unicode":
        words = unicode_words(text)  # which Unicode's own test checks
    else:
        words = regex.findall(r"\p{L}[\p{L}\p{M}]*", text)
    if options.get("case") != "keep":
        words = [word.lower() for word in words]
    return [unicodedata.normalize("NFC", word) for word in words]


def plain_answer(text: str, options: Mapping[str, Any]) -> dict[str, Any]:
    words = plain_words(text, options)
    top, longest = options.get("top", 10), options.get("longest", LONGEST)
    stop = {word for listed in options.get("stop_words", []) for word in plain_words(listed, options)}
    short = Counter(word for word in words if len(word) <= longest)
    ranked = sorted(short.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "words": short.total(),
        "longer_words": len(words) - short.total(),
        "top_words": {
            str(length): [
                {"word": word, "count": count}
                for word, count in ranked
                if len(word) == length and word not in stop
            ][:top]
            for length in range(1, longest + 1)
        },
    }


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "top": st.sampled_from([1, 2, 1000]),
        "longest": st.integers(1, MOST_LONGEST),
        "words": st.sampled_from(["letters", "unicode"]),
        "case": st.sampled_from(["fold", "keep"]),
        "stop_words": st.lists(
            st.sampled_from(["The", "stop,", " e\u0301", "don't", "ΣΑΣ", "absent", '["x2"', "#", "日本"]),
            max_size=4,
        ),
    },
)


@settings(max_examples=60)
@given(TEXTS, OPTIONS)
def test_answers_are_those_of_a_simple_program(text: str, options: dict[str, Any]) -> None:
    answer = run_job(JOB, Objects([text.encode()], "plain"), options=options)
    assert {name: answer[name] for name in ("words", "longer_words", "top_words")} == plain_answer(
        text, options
    )


@pytest.mark.parametrize(
    "options",
    [
        {"top": 2, "longest": 4, "stop_words": ["word", "it"]},
        {"words": "unicode", "case": "keep", "top": 1000},
        {"words": "unicode", "stop_words": ["it's"], "longest": 3},
        {"longest": 100, "words": "unicode"},
        {"case": "keep"},
    ],
)
def test_options_keep_the_laws(options: dict[str, Any]) -> None:
    joined = f"na\u00adïve می\u200cخواهم a\u200d\U0001f469\u2060 {'long' * 25} {E_ACUTE * 100}"
    texts = {"a": f"naïve Œuvre—it's a\nWord a 3.14 word {joined}".encode() * 9, "b": b"", "c": b"word"}
    assert check_job(JOB, texts, options=options)


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"stop_words": ["the", " of", "and,", '"no"', "#"]}, ["don", "t", "été"]),
        ({"stop_words": ["don't", "ÉTÉ", "the of\tand\u00a0no"]}, []),
        ({"stop_words": ["don't", "été", "The"], "words": "unicode"}, ["and", "no", "of"]),
        (
            {"stop_words": ["The", "E\u0301te\u0301"], "case": "keep"},
            ["and", "don", "no", "of", "t", "the", "été"],
        ),
    ],
)
def test_stop_words_are_divided_into_words_as_the_text_is(options: dict[str, Any], left: list[str]) -> None:
    """Lists of stop words have commas, quotes and apostrophes."""
    answer = run_job(JOB, Objects(["the of and no don't été".encode()], "plain"), options=options)
    assert sorted(one["word"] for best in answer["top_words"].values() for one in best) == left


def test_parts_are_the_lengths_that_are_asked_for() -> None:
    text = " ".join("x" * length for length in range(1, 103)).encode()
    for longest in (1, 20, 21, 100):
        answer = run_job(JOB, Objects([text], "plain"), options={"longest": longest})
        assert list(answer["top_words"]) == [str(length) for length in range(1, longest + 1)]
        assert answer["top_words"][str(longest)] == [{"word": "x" * longest, "count": 1}]
        assert (answer["words"], answer["longer_words"]) == (longest, 102 - longest)
    assert JOB.with_options({}).parts == JOB.parts


def test_without_options_the_answer_says_nothing_of_them() -> None:
    assert JOB.plain_options({}) == {}
    assert JOB.plain_options({"top": 10, "case": "keep"}) == {"case": "keep"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": 0}, "top takes a whole number from 1 to 1,000, not 0"),
        ({"top": 1001}, "top takes"),
        ({"longest": 101}, "longest takes a whole number from 1 to 100, not 101"),
        ({"words": "unicod"}, "Did you mean unicode?"),
        ({"stop_words": ["w"] * 5001}, "stop_words: there are more than 5,000"),
        ({"stop_words": ["w" * 60_001]}, "stop_words: they have more than 60,000 bytes together"),
    ],
)
def test_options_that_are_wrong_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(message)):
        JOB.read_options(options)
