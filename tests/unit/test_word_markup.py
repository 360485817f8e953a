"""Words of articles in a dump: C against Python, real pages against mwparserfromhell, and hostile ones."""

import bz2
import html
import re
from collections import Counter
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
from lambda_src.jobs.top_words import JOB
from lambda_src.jobs.top_words.markup import LIBRARY, PAGES, cleaner
from lambda_src.jobs.top_words.wikitext import cleaned
from stacks.native_library import sources_of_jobs
from tests.oracle import count_words

ARTICLES = (Path(__file__).parents[1] / "wikipedia" / "articles.xml").read_bytes()
MEDIAWIKI = {"markup": "mediawiki"}


def page(wikitext: str, ns: int = 0, more: str = "") -> bytes:
    text = html.escape(wikitext)
    return f"<page><title>T</title><ns>{ns}</ns>{more}<text x='1'>{text}</text></page>".encode()


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
        ("[[Category:x| ]] [[Категория:y]] [[fr:Paris]] [[Star Wars: New]]", "Star Wars New"),
        ("see http://a.b/c?d=e f [https://x.y/ label] [//z w] xhttp://q", "see f label w xhttp q"),
        ("caf&eacute; a&nbsp;b &#x41;&#66; &amp;lt; &bogus; &#xD800;", "café a b AB lt bogus"),
        ("a<!-- b -->c <br/>d<br>e x<sub>2</sub>y <math>\\frac</math> a < b", "ac d e x y a b"),
        ("<nowiki>[[a|b]] {{c}} &eacute;</nowiki> __NOTOC__ __x__", "a b c é x"),
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
    caption: list[nodes.Node] = []
    for node in link.text.nodes if link.text is not None else ():
        *earlier, last = str(node.value).split("|") if isinstance(node, nodes.Text) else [None]
        if earlier:
            caption.clear()
        caption.append(node if last is None else nodes.Text(last))
    text = Wikicode(caption)
    return " " if OPTION.fullmatch(str(text).strip()) else f" {shown(text)} "


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
        + b"<page><ns>0</ns><text>old</text><text>new</text></page>"
        + b"<page><ns>0</ns><text /></page></mediawiki>"
    )
    answer = run_job(JOB, Objects([dump], "plain"), options=MEDIAWIKI)
    assert (answer["articles"], answer["words"]) == (2, 2)
    assert answer["top_words"]["3"] == [{"word": "new", "count": 1}, {"word": "one", "count": 1}]


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
