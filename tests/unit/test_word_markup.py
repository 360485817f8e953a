"""Words of articles in a dump: C against Python, real pages against mwparserfromhell, and hostile ones."""

import bz2
import html
import re
import tracemalloc
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import mwparserfromhell
import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mwparserfromhell import nodes
from mwparserfromhell.wikicode import Wikicode

from fanfold.testing import Objects, check_job, run_job
from lambda_src.counts.compiled import library_name
from lambda_src.counts.library import find_library
from lambda_src.errors import SourceNotText
from lambda_src.input.objects import input_of_bytes
from lambda_src.job import Context, Finding, Place, Span
from lambda_src.jobs.top_words import JOB
from lambda_src.jobs.top_words.markup import LIBRARY, PAGES, begins_dump, cleaner
from lambda_src.jobs.top_words.wikitext import CATEGORY_NAMES, FILE_NAMES, cleaned
from lambda_src.run.map_block import map_watched
from stacks.native_library import sources_of_jobs
from tests.oracle import count_words

ARTICLES = (Path(__file__).parents[1] / "wikipedia" / "articles.xml").read_bytes()
MEDIAWIKI = {"markup": "mediawiki"}


def page(wikitext: str, ns: int = 0, more: str = "") -> bytes:
    text = html.escape(wikitext)
    return f"<page><title>T</title><ns>{ns}</ns>{more}<text x='1'>{text}</text></page>".encode()


def revisions(*each: str) -> bytes:
    """An article with these revisions."""
    inside = "".join(f"<revision>{one}</revision>" for one in each)
    return f"<page><ns>0</ns>{inside}</page>".encode()


def text_of(wikitext: str) -> str:
    """In C, which is held equal to Python below."""
    return cleaner()(page(wikitext)).text.decode()


def test_the_library_is_of_the_source_that_is_here() -> None:
    """After a change of markup.c, its new name goes into markup.py."""
    assert LIBRARY in map(library_name, sources_of_jobs(["top_words"]))
    assert find_library(LIBRARY)


@pytest.mark.parametrize(
    ("wikitext", "words"),
    [
        ("'''Lime''' is ''a'' L''''homme''''", "Lime is a L'homme'"),
        ("a {{t|x=[[b]]|{{u}}}} c {{{p|d}}} e", "a c e"),
        ("a {{t|x c", "a t x c"),
        ("a }} b ]] c |} d", "a b c d"),
        ("a\n{| class=x\n| cell {{t}}\n|}\nb {| c", "a b c"),
        ("{{t|\n{|\n|}}} a", "a"),
        ("a<ref name=x>y</ref> b<ref name=x /> <REF>q</Ref >c", "a b c"),
        ("a <ref>b", "a b"),
        ("[[Target|dog]]s [[cat]]s [[:Category:x]] [[a\nb]] [[x [[y|z]]", "dogs cats Category x a b x z"),
        (
            "[[File:a.jpg|thumb|200px|alt=q|A [[b|c]] {{t}} d]] [[Image:b.png|right]] [[Файл:x.jpg|мини]]",
            "A c d",
        ),
        (
            "[[File:a.jpg|A [[b|c]]|thumb|alt=x]] [[File:a.jpg|d|\nthumb\n]] [[File:a.jpg|e|f|left|]] "
            "[[File:a.jpg|g {{t|u}}|200px|link=x]] [[File:a.jpg|h [[File:i.jpg|j|thumb]]|right]] k",
            "A c d g h j k",
        ),
        ("[[Category:x| ]] [[Категория:y]] [[fr:Paris]] [[Star Wars: New]]", "Star Wars New"),
        ("see http://a.b/c?d=e f [https://x.y/ label] [//z w] xhttp://q", "see f label w xhttp q"),
        ("caf&eacute; a&nbsp;b &#x41;&#66; &amp;lt; &bogus; &#xD800; d&apos;e", "café a b AB lt bogus d'e"),
        ("a<!-- b -->c <br/>d<br>e x<sub>2</sub>y <math>\\frac</math> a < b", "ac d e x y a b"),
        ("<nowiki>[[a|b]] {{c}} &eacute;</nowiki> __NOTOC__ __x__ __KEIN_A__d __A___B__", "a b c é x d B"),
        ("== Head ==\n* item\n----\n", "Head item"),
    ],
)
def test_what_is_text(wikitext: str, words: str) -> None:
    found = regex.findall(r"[\p{L}']+", text_of(wikitext))
    assert [word for word in found if word != "'"] == regex.findall(r"[\p{L}']+", words)


PIECES = (
    *(
        "{{",
        "}}",
        "{|",
        "|}",
        "\n",
        "\n|}",
        "\n{|",
        "[[",
        "]]",
        "|",
        "[",
        "]",
        "'",
        "''",
        "'''",
        "a",
        "word ",
        ":",
        " ",
    ),
    *(
        "File:x.jpg",
        "Category:",
        "fr:b",
        "thumb",
        "12px",
        "alt=",
        "<ref>",
        "</ref>",
        "<ref/>",
        "<nowiki>",
        "</nowiki>",
    ),
    *(
        "<!--",
        "-->",
        "<br>",
        "<b",
        ">",
        "http://",
        "[//",
        "&amp;",
        "&eacute;",
        "&#x41;",
        "&#0;",
        "__TOC__",
        "__A_",
        "B__",
        "é",
        "\0",
        "=",
    ),
    *(
        "<text>",
        "<page>",
        "<pre>&lt;",
        "</pre>",
        "simple:x",
        "Файл:",
        "_",
        "</ref",
        "5x5 px",
        "&",
        ";",
        "#",
        "ftp://",
    ),
)
WIKITEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@settings(max_examples=300)
@given(WIKITEXTS | st.text(max_size=50), st.booleans())
@example("[[File:a|b" + "[[File:a|" * 40 + "]]" * 40, True)
def test_c_and_python_give_the_same_bytes(wikitext: str, escaped: bool) -> None:
    one = page(wikitext) if escaped else b"<page><ns>0</ns><text>" + wikitext.encode("utf-8", "replace")
    assert cleaner()(one) == cleaned(one)


PARTS_OF_PAGES = (
    *("<page>", "</page>", "<ns>0</ns>", "<ns>1</ns>", "<redirect />", "<revision>", "</revision>", "<text>"),
    *(
        "<text x='1'>",
        "<text",
        " />",
        "</text>",
        "<texts>",
        "a ",
        "<model>",
        "wikitext</model>",
        "é",
        "</",
        ">",
    ),
    *(' bytes="', "7", "deleted="),
)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PARTS_OF_PAGES), max_size=40).map("".join))
def test_c_and_python_find_the_same_pages(pages: str) -> None:
    assert cleaner()(pages.encode()) == cleaned(pages.encode())


@pytest.mark.parametrize("names", [CATEGORY_NAMES, FILE_NAMES])
def test_c_and_python_know_the_same_names(names: frozenset[bytes]) -> None:
    wikitext = "".join(f"[[{name.decode()}:x|y]]" for name in names)
    assert cleaner()(page(wikitext)) == cleaned(page(wikitext))
    assert text_of(wikitext).split() == ([] if names is CATEGORY_NAMES else ["y"] * len(names))


def test_c_and_python_give_the_same_bytes_of_real_pages_and_of_noise() -> None:
    assert cleaner()(ARTICLES) == cleaned(ARTICLES)
    noise = bytes(byte ^ 255 * (at % 97 == 0) for at, byte in enumerate(ARTICLES))
    assert cleaner()(noise) == cleaned(noise)


@pytest.mark.parametrize(
    "opening",
    [
        "{{",
        "[[",
        "[[File:a|",
        "\n{|",
        "<ref>",
        "<nowiki>",
        "<!--",
        "<a ",
        "''",
        "&",
        "[[a|",
        "|}",
        "}}",
        "]]",
        "{",
        "__A",
    ],
)
def test_a_million_openings_take_linear_time(opening: str) -> None:
    """Quadratic time would take hours."""
    wikitext = opening * 1_000_000
    one = b"<page><ns>0</ns><text>" + html.escape(wikitext, quote=False).encode() + b"</text></page>"
    assert cleaner()(one).articles == 1


@pytest.mark.parametrize("opening", ["{{", "[[File:a|", "\n{|", "<ref>", "[[a|"])
def test_in_python_too(opening: str) -> None:
    one = page(opening * 20_000)
    assert cleaned(one) == cleaner()(one)


# ------------------------------------------------------------------------------ mwparserfromhell

SEPARATING = {
    "blockquote",
    "br",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "hr",
    "li",
    "ol",
    "p",
    "td",
    "th",
    "tr",
    "ul",
}
GONE = {"ref", "references", "math", "gallery", "timeline", "source", "syntaxhighlight", "table", "score"}
OPTION = re.compile(
    r"thumb|thumbnail|frame|frameless|border|left|right|center|none|upright|\d*x?\d+ ?px|(alt|link)=.*"
)


def shown(code: Wikicode) -> str:
    """The text that docs/words.md wants of a parsed page."""
    return "".join(map(shown_node, code.nodes))


def shown_node(node: nodes.Node) -> str:  # noqa: PLR0911 - one for each kind
    match node:
        case nodes.Text():
            return str(node.value)
        case nodes.HTMLEntity():
            return str(node.normalize())
        case nodes.Heading():
            return shown(node.title)
        case nodes.ExternalLink():
            return f" {shown(node.title) if node.title is not None else ''} "
        case nodes.Wikilink():
            return shown_link(node)
        case nodes.Tag():
            name, inside = (
                str(node.tag).strip().lower(),
                "" if node.contents is None else shown(node.contents),
            )
            return " " if name in GONE else f" {inside}" if name in SEPARATING else inside
        case nodes.Comment():
            return ""
    return " "


def shown_link(link: nodes.Wikilink) -> str:
    target = str(link.title).strip()
    prefix = target.partition(":")[0].lower() if ":" in target else ""
    if prefix == "category" or (link.text is None and re.match("[a-z]{2,3}(-[a-z]+)*:", target)):
        return " "
    if prefix not in ("file", "image"):
        return shown(link.title if link.text is None else link.text)
    parts: list[list[nodes.Node]] = [[]]
    for node in link.text.nodes if link.text is not None else ():
        if not isinstance(node, nodes.Text):
            parts[-1].append(node)
            continue
        first, *further = str(node.value).split("|")
        parts[-1].append(nodes.Text(first))
        parts += [[nodes.Text(part)] for part in further]
    captions = [Wikicode(part) for part in parts if not OPTION.fullmatch(str(Wikicode(part)).strip())]
    return f" {shown(captions[-1]) if captions else ''} "


def test_real_pages_have_the_words_that_mwparserfromhell_finds() -> None:
    expected, articles = Counter[str](), 0
    for found in re.findall(b"<page>.*?</page>", ARTICLES, re.DOTALL):
        element = ET.fromstring(found)  # noqa: S314 - our own file
        if element.findtext("ns") == "0" and element.find("redirect") is None:
            expected += count_words(shown(mwparserfromhell.parse(element.findtext("revision/text"))).encode())
            articles += 1
    found = cleaner()(ARTICLES)
    assert count_words(found.text) == expected
    assert found.articles == articles >= 8
    assert expected.total() > 2000


# ------------------------------------------------------------------------------ the job


def test_only_articles_count() -> None:
    dump = (
        b"<mediawiki><siteinfo>site</siteinfo>"
        + page("one {{t}}")
        + page("talk", ns=1)
        + page("moved", more="<redirect title='x' />")
        + revisions("<text>old</text>", "<text>new</text>")
        + revisions("<text /><content><text>slot</text></content>")
        + revisions("<text>old</text>", '<text bytes="9" deleted="deleted" />')
        + revisions("<model>json</model><text>{json}</text>")
        + revisions("<text>{item}</text><sha1 /><model>wikibase-item</model>")
        + b"</mediawiki>"
    )
    answer = run_job(JOB, Objects([dump], "plain"), options=MEDIAWIKI)
    assert (answer["articles"], answer["words"]) == (2, 2)
    assert answer["top_words"]["3"] == [{"word": "new", "count": 1}, {"word": "one", "count": 1}]


def test_the_text_of_an_article_is_that_of_its_main_slot() -> None:
    """As in version 0.11 of the dumps: other slots follow, in elements of their own."""
    slots = (
        "<comment>x</comment><origin>1</origin><model>wikitext</model><format>text/x-wiki</format>"
        '<text bytes="4" sha1="x" xml:space="preserve">main</text><sha1>x</sha1><content><role>data</role>'
        "<model>json</model><text>other</text></content>"
    )
    assert cleaner()(revisions("<text>old</text>", slots)).text == b"main\n"


CUT_AT = [len(page("one two")) - 3, len(page("one two")) - len("two</text></page>"), len(page("")) - 40, 7]


@pytest.mark.parametrize("behind", [b"", b"\n" + page("four")])
@pytest.mark.parametrize(("size", "words"), [*zip(CUT_AT, ["one two", "one", "", ""], strict=True)])
def test_a_page_that_is_cut_is_read_as_far_as_it_goes_and_told(size: int, words: str, behind: bytes) -> None:
    """As the first lines of a dump are, and what a full disk has left of one."""
    dump = b"<mediawiki>" + page("zero") + page("one two")[:size] + behind
    answer = run_job(JOB, Objects([dump], "plain"), options={**MEDIAWIKI, "top": 5})
    found = [one["word"] for ranked in answer["top_words"].values() for one in ranked]
    assert sorted(found) == sorted(["zero", *words.split(), *(["four"] if behind else [])])
    at = len(b"<mediawiki>" + page("zero"))
    finding = findings(dump)["cut_pages"]
    assert (finding.found, finding.first) == (1, Place("0", at))


def findings(dump: bytes) -> Mapping[str, Finding]:
    context = Context(JOB.shards("run"), JOB.read_options(MEDIAWIKI), {})
    return map_watched(JOB, Span(0, len(dump)), input_of_bytes([dump]), context).findings


def test_a_whole_dump_has_no_page_that_is_cut() -> None:
    assert "cut_pages" not in findings(ARTICLES)


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ("<revision><text>x</text></revision>", "The page at byte 11 of 0 has no <ns>, so nobody knows"),
        (
            "<ns>0</ns><revision><text><![CDATA[x]]></text></revision>",
            "The page at byte 11 of 0 has more than text in its <text>",
        ),
        ("<ns>0</ns><revision><text>x<b>y</b></text></revision>", "has more than text in its <text>"),
    ],
)
def test_a_dump_whose_texts_cannot_be_read_is_refused(inside: str, told: str) -> None:
    for more in (b"", page("x")):
        with pytest.raises(SourceNotText, match=told):
            findings(f"<mediawiki><page>{inside}</page>".encode() + more)


def test_articles_without_their_texts_are_reported() -> None:
    """As in stubs, which have sizes only."""
    stub = '<text bytes="{}" id="9" />'
    pages = [revisions(stub.format(size)) for size in (7, 0, 10)]
    deleted = revisions('<text bytes="9" deleted="deleted" />')
    assert "missing_texts" not in findings(b"<mediawiki>" + pages[1] + page("x") + deleted)
    finding = findings(b"<mediawiki>" + b"".join(pages) + page("x"))["missing_texts"]
    assert (finding.found, finding.total, finding.first) == (2, 3, Place("0", 11))


def test_a_dump_of_log_entries_is_refused() -> None:
    with pytest.raises(SourceNotText, match="0 has log entries, no pages"):
        findings(b"<mediawiki><siteinfo></siteinfo>\n  <logitem><id>1</id></logitem></mediawiki>")


@pytest.mark.parametrize(
    "before", ["<!-- made by x -->\n", "<?xml version='1.0'?>\n<!DOCTYPE mediawiki>\n<!-- a -->"]
)
def test_a_dump_may_begin_with_comments(before: str) -> None:
    dump = before.encode() + b"<mediawiki>" + page("one") + b"</mediawiki>"
    assert run_job(JOB, Objects([dump], "plain"), options=MEDIAWIKI)["articles"] == 1


def test_a_long_comment_before_a_dump_takes_no_memory() -> None:
    pages = b"<!--" + b"-" * 100_000 + b"-->\n<mediawiki>"
    tracemalloc.start()
    try:
        assert begins_dump(pages, Place("dump.xml", 0))
        assert tracemalloc.get_traced_memory()[1] < len(pages)
    finally:
        tracemalloc.stop()


def test_a_multistream_dump_gives_the_answer_of_a_plain_one() -> None:
    begins = [0, *(found.start() for found in re.finditer(b"  <page>", ARTICLES)), len(ARTICLES)]
    streams = [bz2.compress(ARTICLES[begin:end]) for begin, end in pairwise(begins)]
    plain = run_job(JOB, Objects([ARTICLES], "plain"), options=MEDIAWIKI)
    packed = b"".join(streams)
    cuts = range(1000, len(packed), 5000)
    found = run_job(JOB, Objects([packed], "bzip2"), cuts, options=MEDIAWIKI)
    assert {**found, "bytes": 0} == {**plain, "bytes": 0}
    words = {one["word"] for ranked in plain["top_words"].values() for one in ranked}
    assert not words & {"lt", "gt", "quot", "ref", "nbsp", "thumb", "http", "jpg"}


@pytest.mark.parametrize(
    "options", [MEDIAWIKI, {**MEDIAWIKI, "words": "unicode", "case": "keep", "longest": 9}]
)
def test_markup_keeps_the_laws(options: dict[str, object]) -> None:
    dump = (
        b"<mediawiki>"
        + page("a [[b|c d's]] {{t|")
        + page("x", ns=1)
        + page("Été {{u}} d's")
        + b"</mediawiki>"
    )
    assert check_job(JOB, {"a": dump, "b": dump}, 20, options)


def test_what_is_no_dump_is_refused() -> None:
    with pytest.raises(
        SourceNotText, match="is not a dump of MediaWiki: with markup=mediawiki, it must begin"
    ):
        run_job(JOB, Objects([b"plain text"], "plain"), options=MEDIAWIKI)


def test_a_page_that_is_too_long_is_refused() -> None:
    assert PAGES.longest_bytes == 16 << 20
    assert PAGES.first_cut(b"x<page>", 1, False) == 1
    assert PAGES.last_cut(b"<page>x<page>y") == 7
