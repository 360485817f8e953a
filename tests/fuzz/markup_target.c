/* What is fuzzed: the removal of MediaWiki's markup. Text, output and what is decoded in between have exactly the room
   that they are promised. An input's first byte says whether it is a dump, or the wikitext of one article. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lambda_src/jobs/top_words/markup.c"

#define PAGE "<page><ns>0</ns><text x>"
#define END "</text></page>"

const char *const FUZZ_SEEDS[] = {
    "w'''Bold''' [[a|b]]s {{t|x={{u}}}} &lt;ref name=a&gt;r&lt;/ref&gt; &amp;nbsp; http://x.org/a?b c",
    "w{|\n|-\n! a\n| b || c\n|}\n* [[File:a.jpg|thumb|left|a [[b]] c]] [http://a b] [[Category:x]]",
    "w== h ==\n#REDIRECT [[a]]\n&lt;!-- c --&gt;&lt;math&gt;x&lt;/math&gt;&lt;nowiki&gt;[[a]]&lt;/nowiki&gt;-{a}-__TOC__ ''i'''b",
    "d" PAGE "a&lt;b &amp;amp; c" END PAGE "d" END "<page><ns>1</ns><text>e" END "<page><ns>0</ns><redirect/><text>f" END,
    "d<page><ns>0</ns><text/></page>" PAGE "x",
    NULL};
const char *const FUZZ_TOKENS[] = {PAGE, END, "<page>", "<ns>0</ns>", "<redirect", "<revision>", "<model>", "<text", " bytes=\"", ">", "{{", "}}", "{{{", "}}}", "{|", "|}", "|-",
    "[[", "]]", "[", "]", "|", "''", "'''", "'''''", "\n", "\n=", "\n*", "==", "&lt;", "&gt;", "&amp;", "&quot;", "&#65;", "&#x1f600;", "&amp;#0;",
    "&amp;nbsp;", "&lt;ref", "&lt;/ref&gt;", "/&gt;", "&lt;!--", "--&gt;", "&lt;nowiki&gt;", "&lt;math&gt;", "&lt;br&gt;", "&lt;table", "&lt;/",
    "File:", "Category:", "thumb", ".jpg", "http://", "https://", "ftp://", "__TOC__", "_", "-{", "}-", ":", "#", "\xc3\xa9", "\xff", NULL};

#define CHECK(truth) ((truth) ? (void)0 : (fprintf(stderr, "line %d: not " #truth "\n", __LINE__), abort()))

void LLVMFuzzerInitialize(void) {}

/* The text of the articles, in memory of its own; their number is added to *articles. */
static uint8_t *cleaned(const uint8_t *pages, size_t bytes, size_t *made, size_t *articles) {
    uint8_t *copy = malloc(bytes + !bytes), *out = malloc(bytes + 1);
    Found found;
    if (bytes)
        memcpy(copy, pages, bytes);
    CHECK(markup_clean(copy, bytes, out, made, &found) == DONE);
    size_t lines = 0;
    for (size_t i = 0; i < *made; i++)
        lines += out[i] == '\n', CHECK(out[i]);
    CHECK(*made <= bytes + 1 && lines >= found.articles && (!found.articles || out[*made - 1] == '\n'));
    *articles += found.articles;
    free(copy);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t pages[8192];
    if (size < 1 || size > 6000)
        return 0;
    int is_text = data[0] == 'w';
    size_t bytes = 0, made, made_first, made_rest, articles = 0, again = 0;
    if (is_text)
        memcpy(pages, PAGE, bytes = sizeof PAGE - 1);
    memcpy(pages + bytes, data + 1, size - 1), bytes += size - 1;
    if (is_text)
        memcpy(pages + bytes, END, sizeof END - 1), bytes += sizeof END - 1;
    uint8_t *whole = cleaned(pages, bytes, &made, &articles);
    for (size_t at = 1; at + 6 <= bytes; at++) /* each page is cleaned by itself */
        if (!memcmp(pages + at, "<page>", 6)) {
            again = 0;
            uint8_t *first = cleaned(pages, at, &made_first, &again), *rest = cleaned(pages + at, bytes - at, &made_rest, &again);
            CHECK(again == articles && made_first + made_rest == made);
            CHECK(!memcmp(whole, first, made_first) && !memcmp(whole + made_first, rest, made_rest));
            free(first), free(rest);
            break;
        }
    free(whole);
    return 0;
}
