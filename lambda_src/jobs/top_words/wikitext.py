"""The text of articles in a dump of MediaWiki, without its markup: docs/words.md has the rules.

This is the reference for markup.c, and is used where that is not built. One pass with a stack: what is opened
notes where its output begins, and what closes it drops or keeps that. So time is linear in the text, however
deep it nests.
"""

import re
from html.entities import name2codepoint
from itertools import pairwise

NAMED = {**name2codepoint, "apos": 0x27}
"""The entities of HTML 4, and one of XML."""

MOST_OPEN = 10_000
MOST_OPEN_LINKS = 16
"""Deeper openings are text."""

LONGEST_TARGET = 300
"""Bytes of a link's target that tell what it is."""

BLOCK_TAGS = frozenset(
    (
        b"blockquote br caption center dd div dl dt h1 h2 h3 h4 h5 h6 hr li ol p poem table tbody td tfoot "
        b"th thead tr ul"
    ).split()
)
"""They separate words; other tags do not."""

DROPPED_TAGS = frozenset(
    (
        b"categorytree ce chem gallery graph hiero imagemap indicator inputbox mapframe maplink math ref "
        b"references score section source syntaxhighlight templatedata timeline"
    ).split()
)
"""With all they hold."""

LITERAL_TAGS = frozenset((b"nowiki", b"pre"))

FILE_NAMES = frozenset(
    (
        "file image media файл изображение зображення картинка слика датотека fichier bild datei archivo "
        "imagen ficheiro imagem immagine bestand afbeelding plik grafika soubor súbor kép fil fișier "
        "dosya tập_tin tiedosto slika datoteka fitxer αρχείο ファイル 画像 文件 檔案 파일 "
        "그림 ملف صورة پرونده תמונה "
        "קובץ चित्र ไฟล์ Файл Изображение Картинка Зображення Слика Датотека Αρχείο"
    )
    .encode()
    .split()
)
CATEGORY_NAMES = frozenset(
    (
        "category kategorie catégorie categoría categoria categorie kategoria luokka kategori kategorija "
        "kategória kategorio категория категорія категорија катэгорыя κατηγορία "
        "分类 分類 カテゴリ 분류 تصنيف رده "
        "קטגוריה श्रेणी หมวดหมู่ "
        "thể_loại flokkur "
        "kategooria kateqoriya turkum kategoriya kategorya categori catagóir jamii rummad "
        "կատեգորիա Կատեգորիա კატეგორია санат Санат төркем Төркем ангилал Ангилал "
        "বিষয়শ্রেণী பகுப்பு వర్గం വർഗ്ഗം वर्ग ವರ್ಗ શ્રેણી ਸ਼੍ਰੇਣੀ زمرہ ကဏ္ဍ "
        "Категория Категорія Категорија Катэгорыя Κατηγορία"
    )
    .encode()
    .split()
)
FILE_ENDS = (
    *(b".jpg", b".jpeg", b".png", b".svg", b".gif", b".webp", b".tif", b".tiff", b".ogg", b".ogv", b".oga"),
    *(b".webm", b".pdf", b".djvu", b".mp3", b".wav", b".xcf", b".mid", b".flac", b".stl"),
)
FILE_OPTIONS = frozenset(
    (
        "thumb thumbnail frame framed frameless border left right center centre none baseline middle sub "
        "super top text-top text-bottom bottom upright mini miniatur miniatura vignette links rechts "
        "zentriert gauche droite izquierda derecha sinistra destra esquerda direita lewo prawo мини "
        "миниатюра ляво дясно слева справа"
    )
    .encode()
    .split()
)
_NAMED_OPTION = re.compile(rb"(?:alt|link|lang|page|class|upright|thumb|start|end|thumbtime) *=")
_SIZE = re.compile(rb"[0-9]*x?[0-9]+ *px")
_BLANKS = b" _\t\n"
_LANGUAGE = re.compile(rb"(?:[a-z]{2,3}(?:-[a-z]+)*|simple):[^ ]")

TEMPLATE, TABLE, LINK = range(3)

_TOKEN = re.compile(
    rb"<!--|</?[A-Za-z]|\{\{|\}\}|\{\||\|\}|\[\[|\]\]|\||\n|''+|&|__[A-Z]+(?:_[A-Z]+)*__|(?:https?|ftp)://|\[//"
)
_TAG_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9]*")
_TAG_END = re.compile(rb"[<>]")
_URL = re.compile(rb"(?:(?!'')[^\x00- \[\]<>\"|{}])*")
_ENTITY = re.compile(rb"&(?:#([0-9]{1,7})|#[xX]([0-9A-Fa-f]{1,6})|([A-Za-z][A-Za-z0-9]{1,9}));")
_XML_ENTITY = re.compile(rb"&(lt|gt|amp|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});|\x00")
_XML = {b"lt": b"<", b"gt": b">", b"amp": b"&", b"quot": b'"', b"apos": b"'"}
_TEXT = re.compile(rb"<text[ >/]")
_HAS_SIZE = re.compile(rb'bytes="[1-9]')


def cleaned(pages: bytes) -> tuple[bytes, int, int, int, int, int, int, int]:
    """As ``markup.Cleaned``."""
    text = bytearray()
    articles = 0
    cut: list[int] = []
    missing: list[int] = []
    unplaced: list[int] = []
    strange: list[int] = []
    begins = [found.start() for found in re.finditer(b"<page>", pages)]
    for begin, end in pairwise([*begins, len(pages)]):
        page = pages[begin + len(b"<page>") : end]
        is_whole = b"</page>" in page
        if not is_whole:
            cut.append(begin)
        if b"<ns>0</ns>" not in page:
            if is_whole and b"<ns>" not in page:
                unplaced.append(begin)
        elif b"<redirect" not in page and (tag := _text_in(page)):
            tag_end = page.find(b">", tag.start())
            if page[tag_end - 1 : tag_end] == b"/":
                named = page[tag.start() : tag_end]
                if _HAS_SIZE.search(named) and b"deleted=" not in named:
                    missing.append(begin)
            elif tag_end >= 0:
                text_end = page.find(b"<", tag_end)
                if is_whole and not page.startswith(b"</text>", text_end):
                    strange.append(begin)
                text += text_of(
                    _XML_ENTITY.sub(_xml, page[tag_end + 1 : text_end if text_end >= 0 else None])
                )
                text += b"\n"
                articles += 1
    firsts = ((found[0] if found else 0) for found in (cut, missing))
    placed = ((found[0] + 1 if found else 0) for found in (unplaced, strange))
    return (
        bytes(text),
        articles,
        len(cut),
        next(firsts),
        len(missing),
        next(firsts),
        next(placed),
        next(placed),
    )


def _text_in(page: bytes) -> re.Match[bytes] | None:
    """The beginning of the text of a page's last revision, if that is wikitext: of its main slot."""
    revision = max(page.rfind(b"<revision>"), 0)
    model = page.find(b"<model>", revision)
    if model >= 0 and not page.startswith(b"<model>wikitext<", model):
        return None
    return _TEXT.search(page, revision)


def _xml(found: re.Match[bytes]) -> bytes:
    name = found[1]
    if name is None:
        return b" "
    return _XML.get(name) or _point(int(b"0" + name[1:], 16) if name[1:2] == b"x" else int(name[1:]))


def _point(point: int) -> bytes:
    return b" " if not 0 < point < 0x110000 or 0xD800 <= point < 0xE000 else chr(point).encode()


class _Open:
    """What was opened: where its output begins; where the last part of a link does; and, of a file, where the
    last part begins and ends that is no option."""

    def __init__(self, kind: int, begin: int) -> None:
        self.kind, self.begin, self.part = kind, begin, -1
        self.caption, self.caption_end = -1, -1
        self.is_file = self.is_category = False


def text_of(wikitext: bytes) -> bytes:
    """The text that a reader of the page sees, less what is left out."""
    return _Cleaning(wikitext).text()


class _Cleaning:
    """Each method takes the token at ``start``, and returns where to go on."""

    def __init__(self, wikitext: bytes) -> None:
        self._text, self._out = wikitext, bytearray()
        self._stack: list[_Open] = []
        self._count = [0, 0, 0]  # of those that are open, by kind
        self._unclosed: set[bytes] = set()

    def text(self) -> bytes:
        at = 0
        while token := _TOKEN.search(self._text, at):
            self._out += self._text[at : token.start()]
            at = _TAKES[token[0][:1]](self, token.start(), token[0])
        self._out += self._text[at:]
        return bytes(self._out.replace(b"\0", b""))

    def newline(self, start: int, _: bytes) -> int:
        if (link := self._link()) and link.part < 0:
            self._pop()
        self._out += b"\n"
        return start + 1

    def tag(self, start: int, found: bytes) -> int:
        if found == b"<!--":
            end = self._text.find(b"-->", start + 4)
            return end + 3 if end >= 0 else len(self._text)
        closes = found[1:2] == b"/"
        named = _TAG_NAME.match(self._text, start + 1 + closes)
        end_of_tag = _TAG_END.search(self._text, start + 1)
        if not named or not end_of_tag or end_of_tag[0] == b"<":
            self._out += b"<"
            return start + 1
        name, at = named[0].lower(), end_of_tag.end()
        holds = name in DROPPED_TAGS | LITERAL_TAGS and name not in self._unclosed
        if closes or self._text[at - 2] == ord("/") or not holds:
            self._out += b" " if name in BLOCK_TAGS | DROPPED_TAGS else b""
            return at
        return self._what_it_holds(name, at)

    def _what_it_holds(self, name: bytes, at: int) -> int:
        closing = re.compile(rb"</" + name + rb"(?![A-Za-z0-9])[^<>]*>", re.IGNORECASE).search(self._text, at)
        self._out += b" " if name in DROPPED_TAGS else b""
        if not closing:
            self._unclosed.add(name)
            return at
        while name in LITERAL_TAGS and at < closing.start():
            ampersand = self._text.find(b"&", at, closing.start())
            self._out += self._text[at : ampersand if ampersand >= 0 else closing.start()]
            at = self.entity(ampersand) if ampersand >= 0 else closing.start()
        return closing.end()

    def opening_brace(self, start: int, found: bytes) -> int:
        if found == b"{{":
            self._push(TEMPLATE)
        elif self._begins_line(start):
            self._push(TABLE)
        else:
            self._out += b" "
            return start + 1
        return start + 2

    def closing_brace(self, start: int, _: bytes) -> int:
        if self._count[TEMPLATE]:
            self._drop(TEMPLATE)
        else:
            self._out += b" "
        return start + 2

    def pipe(self, start: int, found: bytes) -> int:
        if found == b"|}" and self._begins_line(start) and self._table_is_open():
            self._drop(TABLE)
            return start + 2
        link = self._link()
        if link and link.part < 0:
            _classify(link, self._out)
        elif link and link.is_file:
            _end_part(link, self._out)
        self._out += b" "
        if link and (link.part < 0 or link.is_file):
            link.part = len(self._out)
        return start + 1

    def opening_bracket(self, start: int, found: bytes) -> int:
        if found != b"[[":
            return self.address(start, found)
        if (link := self._link()) and not link.is_file:
            self._pop()
        self._push(LINK)
        return start + 2

    def closing_bracket(self, start: int, _: bytes) -> int:
        if self._link():
            _close_link(self._pop(), self._out)
        else:
            self._out += b" "
        return start + 2

    def quotes(self, start: int, found: bytes) -> int:
        self._out += b"'" * (1 if len(found) == 4 else max(len(found) - 5, 0))
        return start + len(found)

    def switch(self, start: int, found: bytes) -> int:
        self._out += b" "
        return start + len(found)

    def address(self, start: int, found: bytes) -> int:
        before = self._text[start - 1 : start] if start else b""
        at = start + len(found)
        if found[:1] != b"[" and (before.isalnum() or before >= b"\x80"):
            self._out += found
            return at
        self._out += b" "
        end = _URL.match(self._text, at)
        return end.end() if end else at

    def entity(self, start: int, _: bytes = b"") -> int:
        entity = _ENTITY.match(self._text, start)
        decimal, hexadecimal, name = entity.groups() if entity else (None, None, b"")
        point = int(decimal or b"0") if not hexadecimal else int(hexadecimal, 16)
        if name is not None:
            point = NAMED.get(name.decode(), 0)
        if entity and (name is None or point):
            self._out += _point(point)
            return entity.end()
        self._out += b"&"
        return start + 1

    def _link(self) -> _Open | None:
        """The link that is open, if nothing is in it."""
        return self._stack[-1] if self._stack and self._stack[-1].kind == LINK else None

    def _push(self, kind: int) -> None:
        if len(self._stack) < MOST_OPEN and (kind != LINK or self._count[LINK] < MOST_OPEN_LINKS):
            self._stack.append(_Open(kind, len(self._out)))
            self._count[kind] += 1
        else:
            self._out += b" "

    def _pop(self) -> _Open:
        self._count[self._stack[-1].kind] -= 1
        return self._stack.pop()

    def _drop(self, kind: int) -> None:
        """Close the innermost that is open of a kind, with what is open in it, and drop what they hold."""
        while (last := self._pop()).kind != kind:
            pass
        del self._out[last.begin :]
        self._out += b" "

    def _begins_line(self, at: int) -> bool:
        while at and self._text[at - 1] in b" :\t":
            at -= 1
        return not at or self._text[at - 1] == ord("\n")

    def _table_is_open(self) -> bool:
        """Whether a table is open, and no template in it. Links above it are few."""
        if not self._count[TABLE]:
            return False
        return next(one.kind for one in reversed(self._stack) if one.kind != LINK) == TABLE


_TAKES = {
    b"\n": _Cleaning.newline,
    b"<": _Cleaning.tag,
    b"{": _Cleaning.opening_brace,
    b"}": _Cleaning.closing_brace,
    b"|": _Cleaning.pipe,
    b"[": _Cleaning.opening_bracket,
    b"]": _Cleaning.closing_bracket,
    b"'": _Cleaning.quotes,
    b"&": _Cleaning.entity,
    b"_": _Cleaning.switch,
    b"h": _Cleaning.address,
    b"f": _Cleaning.address,
}


def _classify(link: _Open, out: bytearray) -> None:
    """What a link is, from its target, with which ``out`` ends."""
    target = bytes(out[link.begin : link.begin + LONGEST_TARGET])
    prefix = target[: max(target.find(b":"), 0)].strip(_BLANKS).replace(b" ", b"_").lower()
    end = bytes(out[max(link.begin, len(out) - 8) :]).strip(_BLANKS).lower()
    link.is_file = prefix in FILE_NAMES or (prefix != b"" and end.endswith(FILE_ENDS))
    link.is_category = prefix in CATEGORY_NAMES


def _close_link(link: _Open, out: bytearray) -> None:
    if link.part < 0:
        _classify(link, out)
        if link.is_file or link.is_category or _LANGUAGE.match(out, link.begin):
            del out[link.begin :]
            out += b" "
        return
    if link.is_file:
        _end_part(link, out)
    else:
        link.caption, link.caption_end = link.part, len(out)
    if link.is_category or link.caption < 0:
        del out[link.begin :]
    else:
        del out[link.caption_end :]
        out[link.begin : link.caption] = bytes(link.caption - link.begin)
    if link.is_file:
        out += b" "


def _end_part(link: _Open, out: bytearray) -> None:
    """A part of a file ends: it is the caption so far unless it is an option."""
    if not _is_option(bytes(out[link.part : link.part + LONGEST_TARGET]).strip(_BLANKS).lower()):
        link.caption, link.caption_end = link.part, len(out)


def _is_option(part: bytes) -> bool:
    return part in FILE_OPTIONS or bool(_SIZE.fullmatch(part) or _NAMED_OPTION.match(part))
