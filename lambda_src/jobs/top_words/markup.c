/* The text of articles in a dump of MediaWiki, without its markup.

   wikitext.py says the same in Python; this is held equal to it, byte for byte. Input is hostile: nothing is read past
   its end, every size is checked, every failure has a status, and time is linear in the text. */

#include "../../counts/counts.h"

#define MOST_OPEN 10000 /* these as in wikitext.py */
#define MOST_OPEN_LINKS 16
#define LONGEST_TARGET 300

/* ------------------------------------------------------------------------------ names, sorted by their bytes */

static const char *const BLOCK[] = {
    "blockquote", "br", "caption", "center", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
    "li", "ol", "p", "poem", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
};
static const char *const DROPPED[] = {
    "categorytree", "ce", "chem", "gallery", "graph", "hiero", "imagemap", "indicator", "inputbox", "mapframe",
    "maplink", "math", "ref", "references", "score", "section", "source", "syntaxhighlight", "templatedata",
    "timeline",
};
static const char *const FILES[] = {
    "afbeelding", "archivo", "bestand", "bild", "datei", "datoteka", "dosya", "ficheiro", "fichier", "fil", "file",
    "fitxer", "fișier", "grafika", "image", "imagem", "imagen", "immagine", "kép", "media", "plik", "slika",
    "soubor", "súbor", "tiedosto", "tập_tin", "Αρχείο", "αρχείο", "Датотека", "Зображення", "Изображение",
    "Картинка", "Слика", "Файл", "датотека", "зображення", "изображение", "картинка", "слика", "файл", "קובץ",
    "תמונה", "صورة", "ملف", "پرونده", "चित्र", "ไฟล์", "ファイル", "文件", "檔案", "画像", "그림", "파일",
};
static const char *const CATEGORIES[] = {
    "catagóir", "categori", "categoria", "categorie", "category", "categoría", "catégorie", "flokkur", "jamii",
    "kategooria", "kategori", "kategoria", "kategorie", "kategorija", "kategorio", "kategoriya", "kategorya",
    "kategória", "kateqoriya", "luokka", "rummad", "thể_loại", "turkum", "Κατηγορία", "κατηγορία", "Ангилал",
    "Категория", "Категорија", "Категорія", "Катэгорыя", "Санат", "Төркем", "ангилал", "категория", "категорија",
    "категорія", "катэгорыя", "санат", "төркем", "Կատեգորիա", "կատեգորիա", "קטגוריה", "تصنيف", "رده", "زمرہ",
    "वर्ग", "श्रेणी", "বিষয়শ্রেণী", "ਸ਼੍ਰੇਣੀ", "શ્રેણી", "பகுப்பு", "వర్గం", "ವರ್ಗ", "വർഗ്ഗം", "หมวดหมู่", "ကဏ္ဍ",
    "კატეგორია", "カテゴリ", "分类", "分類", "분류",
};
static const char *const OPTIONS[] = {
    "baseline", "border", "bottom", "center", "centre", "derecha", "destra", "direita", "droite", "esquerda",
    "frame", "framed", "frameless", "gauche", "izquierda", "left", "lewo", "links", "middle", "mini", "miniatur",
    "miniatura", "none", "prawo", "rechts", "right", "sinistra", "sub", "super", "text-bottom", "text-top", "thumb",
    "thumbnail", "top", "upright", "vignette", "zentriert", "дясно", "ляво", "мини", "миниатюра", "слева", "справа",
};
static const char *const ENDS[] = {".jpg", ".jpeg", ".png", ".svg", ".gif", ".webp", ".tif", ".tiff", ".ogg", ".ogv", ".oga", ".webm", ".pdf", ".djvu", ".mp3", ".wav", ".xcf", ".mid", ".flac", ".stl"};
static const char *const NAMED[] = {"alt", "link", "lang", "page", "class", "upright", "thumb", "start", "end", "thumbtime"};

typedef struct {
    const char *name;
    uint32_t point;
} Entity;

static const Entity ENTITIES[] = {
    {"AElig", 198}, {"Aacute", 193}, {"Acirc", 194}, {"Agrave", 192}, {"Alpha", 913}, {"Aring", 197},
    {"Atilde", 195}, {"Auml", 196}, {"Beta", 914}, {"Ccedil", 199}, {"Chi", 935}, {"Dagger", 8225},
    {"Delta", 916}, {"ETH", 208}, {"Eacute", 201}, {"Ecirc", 202}, {"Egrave", 200}, {"Epsilon", 917},
    {"Eta", 919}, {"Euml", 203}, {"Gamma", 915}, {"Iacute", 205}, {"Icirc", 206}, {"Igrave", 204},
    {"Iota", 921}, {"Iuml", 207}, {"Kappa", 922}, {"Lambda", 923}, {"Mu", 924}, {"Ntilde", 209},
    {"Nu", 925}, {"OElig", 338}, {"Oacute", 211}, {"Ocirc", 212}, {"Ograve", 210}, {"Omega", 937},
    {"Omicron", 927}, {"Oslash", 216}, {"Otilde", 213}, {"Ouml", 214}, {"Phi", 934}, {"Pi", 928},
    {"Prime", 8243}, {"Psi", 936}, {"Rho", 929}, {"Scaron", 352}, {"Sigma", 931}, {"THORN", 222},
    {"Tau", 932}, {"Theta", 920}, {"Uacute", 218}, {"Ucirc", 219}, {"Ugrave", 217}, {"Upsilon", 933},
    {"Uuml", 220}, {"Xi", 926}, {"Yacute", 221}, {"Yuml", 376}, {"Zeta", 918}, {"aacute", 225},
    {"acirc", 226}, {"acute", 180}, {"aelig", 230}, {"agrave", 224}, {"alefsym", 8501}, {"alpha", 945},
    {"amp", 38}, {"and", 8743}, {"ang", 8736}, {"apos", 39}, {"aring", 229}, {"asymp", 8776}, {"atilde", 227},
    {"auml", 228}, {"bdquo", 8222}, {"beta", 946}, {"brvbar", 166}, {"bull", 8226}, {"cap", 8745},
    {"ccedil", 231}, {"cedil", 184}, {"cent", 162}, {"chi", 967}, {"circ", 710}, {"clubs", 9827},
    {"cong", 8773}, {"copy", 169}, {"crarr", 8629}, {"cup", 8746}, {"curren", 164}, {"dArr", 8659},
    {"dagger", 8224}, {"darr", 8595}, {"deg", 176}, {"delta", 948}, {"diams", 9830}, {"divide", 247},
    {"eacute", 233}, {"ecirc", 234}, {"egrave", 232}, {"empty", 8709}, {"emsp", 8195}, {"ensp", 8194},
    {"epsilon", 949}, {"equiv", 8801}, {"eta", 951}, {"eth", 240}, {"euml", 235}, {"euro", 8364},
    {"exist", 8707}, {"fnof", 402}, {"forall", 8704}, {"frac12", 189}, {"frac14", 188}, {"frac34", 190},
    {"frasl", 8260}, {"gamma", 947}, {"ge", 8805}, {"gt", 62}, {"hArr", 8660}, {"harr", 8596},
    {"hearts", 9829}, {"hellip", 8230}, {"iacute", 237}, {"icirc", 238}, {"iexcl", 161}, {"igrave", 236},
    {"image", 8465}, {"infin", 8734}, {"int", 8747}, {"iota", 953}, {"iquest", 191}, {"isin", 8712},
    {"iuml", 239}, {"kappa", 954}, {"lArr", 8656}, {"lambda", 955}, {"lang", 9001}, {"laquo", 171},
    {"larr", 8592}, {"lceil", 8968}, {"ldquo", 8220}, {"le", 8804}, {"lfloor", 8970}, {"lowast", 8727},
    {"loz", 9674}, {"lrm", 8206}, {"lsaquo", 8249}, {"lsquo", 8216}, {"lt", 60}, {"macr", 175},
    {"mdash", 8212}, {"micro", 181}, {"middot", 183}, {"minus", 8722}, {"mu", 956}, {"nabla", 8711},
    {"nbsp", 160}, {"ndash", 8211}, {"ne", 8800}, {"ni", 8715}, {"not", 172}, {"notin", 8713},
    {"nsub", 8836}, {"ntilde", 241}, {"nu", 957}, {"oacute", 243}, {"ocirc", 244}, {"oelig", 339},
    {"ograve", 242}, {"oline", 8254}, {"omega", 969}, {"omicron", 959}, {"oplus", 8853}, {"or", 8744},
    {"ordf", 170}, {"ordm", 186}, {"oslash", 248}, {"otilde", 245}, {"otimes", 8855}, {"ouml", 246},
    {"para", 182}, {"part", 8706}, {"permil", 8240}, {"perp", 8869}, {"phi", 966}, {"pi", 960},
    {"piv", 982}, {"plusmn", 177}, {"pound", 163}, {"prime", 8242}, {"prod", 8719}, {"prop", 8733},
    {"psi", 968}, {"quot", 34}, {"rArr", 8658}, {"radic", 8730}, {"rang", 9002}, {"raquo", 187},
    {"rarr", 8594}, {"rceil", 8969}, {"rdquo", 8221}, {"real", 8476}, {"reg", 174}, {"rfloor", 8971},
    {"rho", 961}, {"rlm", 8207}, {"rsaquo", 8250}, {"rsquo", 8217}, {"sbquo", 8218}, {"scaron", 353},
    {"sdot", 8901}, {"sect", 167}, {"shy", 173}, {"sigma", 963}, {"sigmaf", 962}, {"sim", 8764},
    {"spades", 9824}, {"sub", 8834}, {"sube", 8838}, {"sum", 8721}, {"sup", 8835}, {"sup1", 185},
    {"sup2", 178}, {"sup3", 179}, {"supe", 8839}, {"szlig", 223}, {"tau", 964}, {"there4", 8756},
    {"theta", 952}, {"thetasym", 977}, {"thinsp", 8201}, {"thorn", 254}, {"tilde", 732}, {"times", 215},
    {"trade", 8482}, {"uArr", 8657}, {"uacute", 250}, {"uarr", 8593}, {"ucirc", 251}, {"ugrave", 249},
    {"uml", 168}, {"upsih", 978}, {"upsilon", 965}, {"uuml", 252}, {"weierp", 8472}, {"xi", 958},
    {"yacute", 253}, {"yen", 165}, {"yuml", 255}, {"zeta", 950}, {"zwj", 8205}, {"zwnj", 8204}
};

#define COUNT(names) (sizeof(names) / sizeof *(names))

static int compare(const char *name, const uint8_t *text, size_t bytes) {
    size_t own = strlen(name);
    int order = memcmp(name, text, own < bytes ? own : bytes);
    return order ? order : (own > bytes) - (own < bytes);
}

static int is_among(const char *const *names, size_t count, const uint8_t *text, size_t bytes) {
    for (size_t low = 0, high = count; low < high;) {
        size_t middle = (low + high) / 2;
        int order = compare(names[middle], text, bytes);
        if (!order)
            return 1;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}
#define AMONG(names, text, bytes) is_among(names, COUNT(names), text, bytes)

static uint32_t point_of(const uint8_t *text, size_t bytes) {
    for (size_t low = 0, high = COUNT(ENTITIES); low < high;) {
        size_t middle = (low + high) / 2;
        int order = compare(ENTITIES[middle].name, text, bytes);
        if (!order)
            return ENTITIES[middle].point;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

/* ------------------------------------------------------------------------------ bytes */

static int is_alpha(uint8_t byte) { return (uint8_t)((byte | 0x20) - 'a') < 26; }
static int is_digit(uint8_t byte) { return (uint8_t)(byte - '0') < 10; }
static int is_alnum(uint8_t byte) { return is_alpha(byte) || is_digit(byte); }
static int is_hexadecimal(uint8_t byte) { return is_digit(byte) || (uint8_t)((byte | 0x20) - 'a') < 6; }
static uint8_t lower(uint8_t byte) { return (uint8_t)(byte - 'A') < 26 ? byte | 0x20 : byte; }

static const uint8_t *search(const uint8_t *at, const uint8_t *end, const char *what) {
    size_t bytes = strlen(what);
    while ((size_t)(end - at) >= bytes && (at = memchr(at, what[0], (size_t)(end - at) - bytes + 1))) {
        if (!memcmp(at, what, bytes))
            return at;
        at++;
    }
    return NULL;
}

/* Every piece of output is at most as long as its input, so that there is room for it. */
static uint8_t *put_point(uint8_t *to, uint32_t point) {
    if (!point || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        *to++ = ' ';
    else if (point < 0x80)
        *to++ = (uint8_t)point;
    else if (point < 0x800)
        *to++ = (uint8_t)(0xc0 | point >> 6), *to++ = (uint8_t)(0x80 | (point & 63));
    else if (point < 0x10000)
        *to++ = (uint8_t)(0xe0 | point >> 12), *to++ = (uint8_t)(0x80 | (point >> 6 & 63)),
        *to++ = (uint8_t)(0x80 | (point & 63));
    else
        *to++ = (uint8_t)(0xf0 | point >> 18), *to++ = (uint8_t)(0x80 | (point >> 12 & 63)),
        *to++ = (uint8_t)(0x80 | (point >> 6 & 63)), *to++ = (uint8_t)(0x80 | (point & 63));
    return to;
}

/* The number of a reference such as #38; or #x26; behind the ampersand; *end is set behind it, or to NULL. */
static uint32_t number_at(const uint8_t *at, const uint8_t *stop, int any_case, const uint8_t **end) {
    uint32_t point = 0;
    size_t digits = 0;
    *end = NULL;
    if (at == stop || *at++ != '#')
        return 0;
    if (at < stop && (*at == 'x' || (any_case && *at == 'X'))) {
        for (at++; at < stop && is_hexadecimal(*at) && digits < 7; at++, digits++)
            point = point << 4 | (uint32_t)(is_digit(*at) ? *at - '0' : (*at | 0x20) - 'a' + 10);
        if (!digits || digits > 6)
            return 0;
    } else {
        for (; at < stop && is_digit(*at) && digits < 8; at++, digits++)
            point = point * 10 + (uint32_t)(*at - '0');
        if (!digits || digits > 7)
            return 0;
    }
    if (at < stop && *at == ';')
        *end = at + 1;
    return point;
}

/* ------------------------------------------------------------------------------ XML */

/* Decode the text of an element into `to`. */
static uint8_t *decode_xml(const uint8_t *at, const uint8_t *end, uint8_t *to) {
    static const struct {
        const char *name;
        uint8_t byte;
    } NAMED_IN_XML[] = {{"lt;", '<'}, {"gt;", '>'}, {"amp;", '&'}, {"quot;", '"'}, {"apos;", '\''}};
    while (at < end) {
        const uint8_t *next = memchr(at, '&', (size_t)(end - at));
        size_t plain = (size_t)((next ? next : end) - at);
        memcpy(to, at, plain);
        for (uint8_t *nul = to; (nul = memchr(nul, 0, (size_t)(to + plain - nul)));)
            *nul = ' ';
        to += plain, at += plain;
        if (!next)
            break;
        const uint8_t *behind = NULL;
        at++;
        for (size_t i = 0; i < COUNT(NAMED_IN_XML) && !behind; i++) {
            size_t bytes = strlen(NAMED_IN_XML[i].name);
            if ((size_t)(end - at) >= bytes && !memcmp(at, NAMED_IN_XML[i].name, bytes))
                *to++ = NAMED_IN_XML[i].byte, behind = at + bytes;
        }
        if (!behind) {
            uint32_t point = number_at(at, end, 0, &behind);
            if (behind)
                to = put_point(to, point);
            else
                *to++ = '&', behind = at;
        }
        at = behind;
    }
    return to;
}

/* ------------------------------------------------------------------------------ wikitext */

enum { TEMPLATE, TABLE, LINK };

#define NO_PART UINT32_MAX

typedef struct {
    uint32_t begin, part; /* where in the output it begins, and where the last part of a link does */
    uint32_t caption, caption_end; /* the last part of a file that is no option */
    uint8_t kind, is_file, is_category;
} Open;

typedef struct {
    const uint8_t *text, *end;
    uint8_t *out, *to;
    Open stack[MOST_OPEN];
    size_t open, count[3];
    uint32_t unclosed; /* a bit for each dropped or literal tag */
} Cleaning;

static void pop(Cleaning *c) { c->count[c->stack[--c->open].kind]--; }
static void push(Cleaning *c, uint8_t kind) {
    if (c->open < MOST_OPEN && (kind != LINK || c->count[LINK] < MOST_OPEN_LINKS)) {
        c->stack[c->open++] = (Open){.begin = (uint32_t)(c->to - c->out), .part = NO_PART, .caption = NO_PART, .kind = kind};
        c->count[kind]++;
    } else {
        *c->to++ = ' ';
    }
}
static int top_is(const Cleaning *c, uint8_t kind) { return c->open && c->stack[c->open - 1].kind == kind; }

/* Pop the innermost of a kind that is open, and what is above it; drop their output. */
static void drop(Cleaning *c, uint8_t kind) {
    while (c->stack[c->open - 1].kind != kind)
        pop(c);
    c->to = c->out + c->stack[c->open - 1].begin;
    pop(c);
    *c->to++ = ' ';
}

static int table_is_open(const Cleaning *c) {
    size_t i = c->open;
    if (!c->count[TABLE])
        return 0;
    while (c->stack[i - 1].kind == LINK)
        i--;
    return c->stack[i - 1].kind == TABLE;
}

static int begins_line(const Cleaning *c, const uint8_t *at) {
    while (at > c->text && (at[-1] == ' ' || at[-1] == ':' || at[-1] == '\t'))
        at--;
    return at == c->text || at[-1] == '\n';
}

static int is_blank(uint8_t byte) { return byte == ' ' || byte == '_' || byte == '\t' || byte == '\n'; }

/* Copy a text in lower case without blanks around it; how many bytes these are. */
static size_t trimmed(uint8_t *to, const uint8_t *text, size_t bytes) {
    while (bytes && is_blank(*text))
        text++, bytes--;
    while (bytes && is_blank(text[bytes - 1]))
        bytes--;
    for (size_t i = 0; i < bytes; i++)
        to[i] = lower(text[i]);
    return bytes;
}

static void classify(Cleaning *c, Open *link) {
    const uint8_t *target = c->out + link->begin;
    size_t bytes = (size_t)(c->to - target), near = bytes < LONGEST_TARGET ? bytes : LONGEST_TARGET;
    const uint8_t *colon = memchr(target, ':', near);
    uint8_t prefix[LONGEST_TARGET], ending[8];
    size_t size = trimmed(prefix, target, colon ? (size_t)(colon - target) : 0);
    for (size_t i = 0; i < size; i++)
        prefix[i] = prefix[i] == ' ' ? '_' : prefix[i];
    link->is_category = size && AMONG(CATEGORIES, prefix, size);
    link->is_file = size && AMONG(FILES, prefix, size);
    size_t last = bytes < 8 ? bytes : 8, end_size = trimmed(ending, c->to - last, last);
    for (size_t i = 0; size && i < COUNT(ENDS) && !link->is_file; i++) {
        size_t own = strlen(ENDS[i]);
        link->is_file = own <= end_size && !memcmp(ending + end_size - own, ENDS[i], own);
    }
}

/* Whether a target is that of the same page in another language: two or three letters, or several such with hyphens. */
static int is_language(const uint8_t *at, const uint8_t *end) {
    const uint8_t *begin = at;
    while (at < end && *at >= 'a' && *at <= 'z')
        at++;
    size_t letters = (size_t)(at - begin);
    if (letters == 6 && !memcmp(begin, "simple", 6))
        return end - at >= 2 && at[0] == ':' && at[1] != ' ';
    if (letters < 2 || letters > 3)
        return 0;
    while (end - at >= 2 && *at == '-' && at[1] >= 'a' && at[1] <= 'z')
        for (at++; at < end && *at >= 'a' && *at <= 'z';)
            at++;
    return end - at >= 2 && at[0] == ':' && at[1] != ' ';
}

static int is_option(const uint8_t *part, size_t bytes) {
    if (AMONG(OPTIONS, part, bytes))
        return 1;
    for (size_t i = 0; i < COUNT(NAMED); i++) {
        size_t own = strlen(NAMED[i]), at = own;
        if (bytes < own || memcmp(part, NAMED[i], own))
            continue;
        while (at < bytes && part[at] == ' ')
            at++;
        if (at < bytes && part[at] == '=')
            return 1;
    }
    size_t at = 0, digits = 0;
    while (at < bytes && is_digit(part[at]))
        at++, digits++;
    if (at < bytes && part[at] == 'x')
        for (at++, digits = 0; at < bytes && is_digit(part[at]); at++)
            digits++;
    while (at < bytes && part[at] == ' ')
        at++;
    return digits && bytes - at == 2 && part[at] == 'p' && part[at + 1] == 'x';
}

/* A part of a file ends: it is the caption so far unless it is an option. */
static void end_part(Cleaning *c, Open *link) {
    uint8_t part[LONGEST_TARGET];
    const uint8_t *begin = c->out + link->part;
    size_t bytes = (size_t)(c->to - begin);
    if (!is_option(part, trimmed(part, begin, bytes < LONGEST_TARGET ? bytes : LONGEST_TARGET)))
        link->caption = link->part, link->caption_end = (uint32_t)(c->to - c->out);
}

static void close_link(Cleaning *c) {
    Open *link = &c->stack[c->open - 1];
    pop(c);
    uint8_t *begin = c->out + link->begin;
    if (link->part == NO_PART) {
        classify(c, link);
        if (link->is_file || link->is_category || is_language(begin, c->to))
            c->to = begin, *c->to++ = ' ';
        return;
    }
    if (link->is_file)
        end_part(c, link);
    else
        link->caption = link->part, link->caption_end = (uint32_t)(c->to - c->out);
    if (link->is_category || link->caption == NO_PART) {
        c->to = begin;
    } else {
        c->to = c->out + link->caption_end;
        memset(begin, 0, link->caption - link->begin);
    }
    if (link->is_file)
        *c->to++ = ' ';
}

static const uint8_t *entity_at(Cleaning *c, const uint8_t *at) {
    const uint8_t *behind = NULL, *next = ++at;
    uint32_t point = number_at(at, c->end, 1, &behind);
    if (!behind && next < c->end && is_alpha(*next)) {
        while (next < c->end && is_alnum(*next) && next - at < 11)
            next++;
        if (next < c->end && *next == ';' && next - at <= 10 && next - at > 1 && (point = point_of(at, (size_t)(next - at))))
            behind = next + 1;
    }
    if (behind)
        c->to = put_point(c->to, point);
    else
        *c->to++ = '&', behind = at;
    return behind;
}

static const uint8_t *tag_at(Cleaning *c, const uint8_t *start) {
    int closes = start[1] == '/';
    const uint8_t *name = start + 1 + closes, *end = name;
    uint8_t lowered[16] = {0};
    size_t bytes = 0;
    for (; end < c->end && is_alnum(*end); end++)
        if (bytes < sizeof lowered)
            lowered[bytes++] = lower(*end);
    while (end < c->end && *end != '<' && *end != '>')
        end++;
    if (end == c->end || *end == '<') {
        *c->to++ = '<';
        return start + 1;
    }
    const uint8_t *at = end + 1;
    size_t number = 0;
    while (number < COUNT(DROPPED) && compare(DROPPED[number], lowered, bytes))
        number++;
    int is_dropped = number < COUNT(DROPPED);
    int is_nowiki = !compare("nowiki", lowered, bytes), is_pre = !compare("pre", lowered, bytes);
    number += is_pre;
    int separates = is_dropped || AMONG(BLOCK, lowered, bytes);
    if (closes || at[-2] == '/' || !(is_dropped || is_nowiki || is_pre) || c->unclosed >> number & 1) {
        if (separates)
            *c->to++ = ' ';
        return at;
    }
    const uint8_t *closing = at, *behind = NULL;
    while ((closing = search(closing, c->end, "</"))) {
        const uint8_t *next = closing + 2;
        size_t same = 0;
        while (same < bytes && next < c->end && lower(*next) == lowered[same])
            next++, same++;
        if (same == bytes && !(next < c->end && is_alnum(*next))) {
            while (next < c->end && *next != '<' && *next != '>')
                next++;
            if (next < c->end && *next == '>') {
                behind = next + 1;
                break;
            }
        }
        closing += 2;
    }
    if (!behind) {
        c->unclosed |= 1u << number;
        if (is_dropped)
            *c->to++ = ' ';
        return at;
    }
    if (is_dropped) {
        *c->to++ = ' ';
        return behind;
    }
    const uint8_t *end_of_all = c->end;
    for (c->end = closing; at < closing;)
        if (*at == '&')
            at = entity_at(c, at);
        else
            *c->to++ = *at++;
    c->end = end_of_all;
    return behind;
}

static int is_in_url(const Cleaning *c, const uint8_t *at) {
    return *at > ' ' && !strchr("[]<>\"|{}", *at) && !(*at == '\'' && at + 1 < c->end && at[1] == '\'');
}

static const uint8_t *url_at(Cleaning *c, const uint8_t *at) {
    while (at < c->end && is_in_url(c, at))
        at++;
    *c->to++ = ' ';
    return at;
}

static int starts(const Cleaning *c, const uint8_t *at, const char *what) {
    size_t bytes = strlen(what);
    return (size_t)(c->end - at) >= bytes && !memcmp(at, what, bytes);
}

/* Take what begins at a byte that may be special. */
static const uint8_t *step(Cleaning *c, const uint8_t *at) {
    uint8_t byte = *at, next = at + 1 < c->end ? at[1] : 0;
    switch (byte) {
    case '\n':
        if (top_is(c, LINK) && c->stack[c->open - 1].part == NO_PART)
            pop(c);
        break;
    case '<':
        if (starts(c, at, "<!--")) {
            const uint8_t *end = search(at + 4, c->end, "-->");
            return end ? end + 3 : c->end;
        }
        if (is_alpha(next) || (next == '/' && at + 2 < c->end && is_alpha(at[2])))
            return tag_at(c, at);
        break;
    case '{':
        if (next == '{') {
            push(c, TEMPLATE);
            return at + 2;
        }
        if (next == '|') {
            if (begins_line(c, at)) {
                push(c, TABLE);
                return at + 2;
            }
            *c->to++ = ' ';
            return at + 1;
        }
        break;
    case '}':
        if (next == '}') {
            if (c->count[TEMPLATE])
                drop(c, TEMPLATE);
            else
                *c->to++ = ' ';
            return at + 2;
        }
        break;
    case '|':
        if (next == '}' && begins_line(c, at) && table_is_open(c)) {
            drop(c, TABLE);
            return at + 2;
        }
        if (top_is(c, LINK)) {
            Open *link = &c->stack[c->open - 1];
            if (link->part == NO_PART || link->is_file) {
                if (link->part == NO_PART)
                    classify(c, link);
                else
                    end_part(c, link);
                *c->to++ = ' ';
                link->part = (uint32_t)(c->to - c->out);
                return at + 1;
            }
        }
        *c->to++ = ' ';
        return at + 1;
    case '[':
        if (next == '[') {
            if (top_is(c, LINK) && !c->stack[c->open - 1].is_file)
                pop(c);
            push(c, LINK);
            return at + 2;
        }
        if (starts(c, at, "[//"))
            return url_at(c, at + 3);
        break;
    case ']':
        if (next == ']') {
            if (top_is(c, LINK))
                close_link(c);
            else
                *c->to++ = ' ';
            return at + 2;
        }
        break;
    case '\'':
        if (next == '\'') {
            const uint8_t *end = at;
            while (end < c->end && *end == '\'')
                end++;
            size_t quotes = (size_t)(end - at), kept = quotes == 4 ? 1 : quotes > 5 ? quotes - 5 : 0;
            memset(c->to, '\'', kept), c->to += kept;
            return end;
        }
        break;
    case '&':
        return entity_at(c, at);
    case '_':
        if (next == '_') {
            const uint8_t *end = at + 2;
            while (end < c->end && ((*end >= 'A' && *end <= 'Z') || (*end == '_' && end > at + 2 && end + 1 < c->end &&
                                                                      end[1] >= 'A' && end[1] <= 'Z')))
                end++;
            if (end > at + 2 && starts(c, end, "__")) {
                *c->to++ = ' ';
                return end + 2;
            }
        }
        break;
    case 'h':
    case 'f': {
        size_t scheme = starts(c, at, "http://") ? 7 : starts(c, at, "https://") ? 8 : starts(c, at, "ftp://") ? 6 : 0;
        if (!scheme)
            break;
        if (at > c->text && (is_alnum(at[-1]) || at[-1] >= 0x80)) {
            memcpy(c->to, at, scheme), c->to += scheme;
            return at + scheme;
        }
        return url_at(c, at + scheme);
    }
    }
    *c->to++ = byte;
    return at + 1;
}

static const uint8_t SPECIAL[256] = {['\n'] = 1, ['<'] = 1, ['{'] = 1, ['}'] = 1, ['|'] = 1, ['['] = 1, [']'] = 1,
                                     ['\''] = 1, ['&'] = 1, ['_'] = 1, ['h'] = 2, ['f'] = 2};

/* Clean a wikitext into c->out; where that ends. */
static uint8_t *clean(Cleaning *c) {
    const uint8_t *at = c->text;
    while (at < c->end) {
        uint8_t special = SPECIAL[*at];
        if (!special || (special == 2 && (at + 1 == c->end || at[1] != 't')))
            *c->to++ = *at++;
        else
            at = step(c, at);
    }
    uint8_t *kept = c->out;
    for (const uint8_t *each = c->out; each < c->to; each++) {
        *kept = *each;
        kept += !!*each;
    }
    return kept;
}

/* ------------------------------------------------------------------------------ pages */

typedef struct {
    size_t articles, cut, first_cut, missing, first_missing, unplaced, strange; /* as in markup.py */
} Found;

static const uint8_t *search_last(const uint8_t *at, const uint8_t *end, const char *what) {
    const uint8_t *last = NULL;
    while ((at = search(at, end, what)))
        last = at++;
    return last;
}

static int ends_with_page(const uint8_t *page, const uint8_t *end) {
    static const char CLOSING[] = "</page>";
    size_t bytes = sizeof CLOSING - 1;
    for (const uint8_t *at = end; (size_t)(at - page) >= bytes; at--) /* it is near the end */
        if (at[-1] == '>' && !memcmp(at - bytes, CLOSING, bytes))
            return 1;
    return 0;
}

/* The text of a page's last revision, if that is wikitext, of its main slot: its element. */
static const uint8_t *text_in(const uint8_t *page, const uint8_t *end) {
    static const char WIKITEXT[] = "<model>wikitext<";
    const uint8_t *revision = search_last(page, end, "<revision>"), *at = revision ? revision : page;
    const uint8_t *model = search(at, end, "<model>");
    if (model && ((size_t)(end - model) < sizeof WIKITEXT - 1 || memcmp(model, WIKITEXT, sizeof WIKITEXT - 1)))
        return NULL;
    for (; (at = search(at, end, "<text")); at++)
        if (at + 5 < end && (at[5] == ' ' || at[5] == '>' || at[5] == '/'))
            return at;
    return NULL;
}

static int has_size(const uint8_t *at, const uint8_t *end) {
    if (search(at, end, "deleted="))
        return 0;
    for (; (at = search(at, end, "bytes=\"")); at++)
        if (at + 7 < end && at[7] >= '1' && at[7] <= '9')
            return 1;
    return 0;
}

/* The wikitext of a page that is an article, and how many bytes it has; NULL for another page. The page begins `at`. */
static const uint8_t *article_in(const uint8_t *page, const uint8_t *end, size_t at, size_t *bytes, Found *found) {
    int is_whole = ends_with_page(page, end);
    if (!is_whole && !found->cut++)
        found->first_cut = at;
    if (!search(page, end, "<ns>0</ns>")) {
        if (is_whole && !found->unplaced && !search(page, end, "<ns>"))
            found->unplaced = at + 1;
        return NULL;
    }
    if (search(page, end, "<redirect"))
        return NULL;
    const uint8_t *element = text_in(page, end), *begin, *close;
    if (!element || !(begin = memchr(element, '>', (size_t)(end - element))))
        return NULL;
    if (begin[-1] == '/') {
        if (has_size(element, begin) && !found->missing++)
            found->first_missing = at;
        return NULL;
    }
    close = memchr(begin, '<', (size_t)(end - begin));
    if (is_whole && !found->strange && (!close || end - close < 7 || memcmp(close, "</text>", 7)))
        found->strange = at + 1;
    *bytes = (size_t)((close ? close : end) - ++begin);
    return begin;
}

/* The text of the articles in `pages`, into `out`, which has room for as many bytes and one more for each article; each
   ends with a newline. How many bytes these are goes to *made, and what else is known of the pages to *found. */
EXPORTED int markup_clean(const uint8_t *pages, size_t bytes, uint8_t *out, size_t *made, Found *found) {
    const uint8_t *end = pages + bytes, *page = search(pages, end, "<page>");
    uint8_t *to = out, *decoded = malloc(bytes + 1);
    Cleaning *c = malloc(sizeof *c);
    *made = 0, *found = (Found){0};
    if (!decoded || !c || bytes >= UINT32_MAX) {
        free(decoded), free(c);
        return NO_MEMORY;
    }
    for (const uint8_t *next; page; page = next) {
        next = search(page + 6, end, "<page>");
        size_t size;
        const uint8_t *article = article_in(page + 6, next ? next : end, (size_t)(page - pages), &size, found);
        if (!article)
            continue;
        c->text = decoded, c->end = decode_xml(article, article + size, decoded);
        c->out = c->to = to, c->open = 0, c->unclosed = 0;
        memset(c->count, 0, sizeof c->count);
        to = clean(c);
        *to++ = '\n', ++found->articles;
    }
    *made = (size_t)(to - out);
    free(decoded), free(c);
    return DONE;
}
