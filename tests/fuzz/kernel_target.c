/* What is fuzzed: the sums of counts and the word kernel, against code that is too simple to share their faults. Memory
   fails on demand. */

#define FEWEST_SLOTS 16 /* so that small inputs make tables grow */
#include "failing_memory.h"
#include "../../lambda_src/counts/counts.c"
#include "../../lambda_src/jobs/top_words/kernel.c"
#undef realloc
#undef calloc

const char *const FUZZ_SEEDS[] = {
    "c\1\377The cat, the Cat and the dog: it's a dog-eat-dog world",
    "c\2\377na\xc3\xafve\xe2\x80\x94\xc5\x92uvre naive NA\xc3\x8fVE \xe6\x97\xa5\xe6\x9c\xac \xff\xfe abcdefghijklmnopqrstuvwxyz",
    "c\3\5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbb ccccccccccccccccc",
    "c\61\377The cat: 3.5 cats' \"quoted\" o_o caf\xc3\xa9's 1,000;2 The",
    "c\31\377The Cat the cat \xc3\x89t\xc3\xa9 \xc3\xa9t\xc3\xa9",
    "t\1\377x\xc3\xa9y \xc3\xa9 x\n\nx y \xc3\xa9\nz",
    "s\0\377{\"the\":12,\"cat\":3,\"abcdefghijklmnopqrst\":1}\n\1{\"the\":1}\n{\"x\":9}\1\n",
    "s\0\377{\"a\":9223372036854775807}\n\1{\"a\":1,\"b\":2}\n",
    "s\0\377{\"a\":1,\"a\":2}\n",
    "s\0\377{\"a\":-1}\n",
    "s\3\377{\"a\":1,\"b\":2}\t{\"a\":1}\t{\"c\":3}\n[\"sum\",-5,\"other\",7]",
    "s\1\377{\"a\":[1,-2],\"b\":[2,9223372036854775807]}\n\1\n{\"a\":[1,-3]}",
    "s\2\377{\"a\\n\\u001f\\\\\\\"\":[1,2,3]}\n\1{\"a\\n\\u001f\\\\\\\"\":[0,-1,9]}\n",
    "s\15\377{\"a\":[1,-2],\"b\":[2,7],\"a key of more than sixteen bytes\":[1,1]}\n\1\n{\"a\":[1,-3]}",
    "s\15\377{\"a\":[1,-2]",
    "s\45\377{\"b\":[2,7],\"a\":[1,-2],\"a key of more than sixteen bytes\":[1,1],\"a key of more than sixteen\":[3,1]}\n\1\n{\"a\":[1,-3]}",
    "s\44\377{\"\xe6\x97\xa5\":7,\"b\":2,\"c\":3}\n",
    "r\1\377Hamburg;12.0\nS\xc3\xa3o;-3.5\nHamburg;0.1\n;1.0\nx;1\n\xff;1.0\nHamburg;99999999999999999.9",
    "r\0\377a;1\nb;-2\n\na;;3\na;999999999999999999\na;999999999999999999",
    "c\12\377the cat the dog caf\xc3\xa9 the cat the dog caf\xc3\xa9",
    "s\1\377{\"a\":01}\n",
    NULL};
const char *const FUZZ_TOKENS[] = {"{", "}", "\"", ":", ",", "{}", "\n", "}\t{", "\\", "\\u0041", "\\u001f", "\\n", "\\\"", "[", "]", "-", "\"a\":[1,2]", "\1", "\"a\":1", ",\"b\":10", "0",
    "18446744073709551615", "18446744073709551616", "99999999999999999999999", " ", "  ", "the", "The", "\xc3\xa9",
    "\xe2\x80\x94", "\xe2\x80\x8c", "\xc2\xad", "\x80", "\xff", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xef\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80\x80",
    "\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "abcdefghijklmnop", "abcdefghijklmnopq", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "@", "[", "`", "AZaz", "\xd0\x96\xd0\x96", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmno", NULL};


static const Secret SECRET = {{0x0123456789abcdef, 0xfedcba9876543210, 0x0f1e2d3c4b5a6978, 0x8796a5b4c3d2e1f0}};
#define OTHER {{0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0xd6e8feb86659fd93}}

#define CHECK(truth) ((truth) ? (void)0 : (fprintf(stderr, "line %d: not " #truth "\n", __LINE__), abort()))

typedef struct {
    uint8_t text[8192];
    size_t begin[4096], bytes[4096], count[4096], found, used;
} Simple;

static void simple_add(Simple *simple, const uint8_t *text, size_t bytes) {
    if (!bytes)
        return;
    for (size_t i = 0; i < simple->found; i++)
        if (simple->bytes[i] == bytes && !memcmp(simple->text + simple->begin[i], text, bytes)) {
            simple->count[i]++;
            return;
        }
    memcpy(simple->text + simple->used, text, bytes);
    simple->begin[simple->found] = simple->used;
    simple->bytes[simple->found] = bytes;
    simple->count[simple->found++] = 1;
    simple->used += bytes;
}

static int keeps_case, is_unicode, longest; /* how words are spelled: chosen by the input */

static int simple_letter(uint8_t byte) { return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'); }

/* The stretches of a chunk, byte by byte. */
static void simple_count(Simple *simple, const uint8_t *chunk, size_t bytes) {
    uint8_t stretch[8192];
    size_t length = 0;
    for (size_t i = 0; i < bytes; i++) {
        uint8_t byte = chunk[i];
        if (byte >= 'A' && byte <= 'Z' && !keeps_case)
            byte = (uint8_t)(byte - 'A' + 'a');
        if (simple_letter(byte) || byte >= 0x80 || (is_unicode && byte && strchr("0123456789:;\"',._", byte))) {
            stretch[length++] = byte;
        } else {
            simple_add(simple, stretch, length);
            length = 0;
        }
    }
    simple_add(simple, stretch, length);
}

/* Whether the text is what its own code points are written as. */
static int simple_is_utf8(const uint8_t *text, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        uint32_t first = text[at], point = first;
        size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        if (length > bytes - at)
            return 0;
        if (length > 1)
            point = first & (0x7fu >> length);
        for (size_t i = 1; i < length; i++)
            point = point << 6 | (text[at + i] & 0x3fu);
        uint8_t written[4] = {(uint8_t)point};
        size_t wanted = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        for (size_t i = 0; wanted > 1 && i < wanted; i++)
            written[i] = (uint8_t)(i ? 0x80u | (point >> 6 * (wanted - 1 - i) & 0x3fu)
                                     : (0xf0u << (4 - wanted) & 0xffu) | point >> 6 * (wanted - 1));
        if (wanted != length || memcmp(written, text + at, length) || point > 0x10ffff ||
            (point >= 0xd800 && point < 0xe000))
            return 0;
        at += length;
    }
    return 1;
}

/* What lines count. */
enum { SIMPLE_PARTS = 2, SIMPLE_KEYS = 3000 };
typedef struct {
    struct {
        uint8_t text[64], is_name;
        size_t bytes, part, piece;
        __int128 counts[3];
    } key[SIMPLE_KEYS];
    size_t found, piece;
} SimpleCounts;

/* Read a string of JSON that has no escapes but those that are needed; 0 if it is none, or too long for this. */
static int simple_string(const uint8_t **at, const uint8_t *end, uint8_t *text, size_t *bytes) {
    static const char shorts[] = "\"\"\\\\b\bf\fn\nr\rt\t";
    *bytes = 0;
    if (*at == end || *(*at)++ != '"')
        return 0;
    for (; *at < end && **at != '"'; (*bytes)++) {
        uint8_t byte = *(*at)++;
        if (byte < ' ' || *bytes == 64)
            return 0;
        if (byte == '\\') {
            if (*at == end)
                return 0;
            uint8_t letter = *(*at)++;
            byte = 0;
            for (size_t i = 0; i < sizeof shorts - 1; i += 2)
                if ((uint8_t)shorts[i] == letter)
                    byte = (uint8_t)shorts[i + 1];
            if (!byte) {
                char digits[5] = {0}, again[5];
                if (letter != 'u' || end - *at < 4)
                    return 0;
                memcpy(digits, *at, 4), *at += 4;
                byte = (uint8_t)strtol(digits, NULL, 16);
                snprintf(again, sizeof again, "%04x", byte);
                if (memcmp(again, digits, 4) || byte >= ' ' || (byte && strchr("\b\f\n\r\t", byte)))
                    return 0;
            }
        }
        text[*bytes] = byte;
    }
    return *at < end && *(*at)++ == '"' && simple_is_utf8(text, *bytes);
}

static int simple_number(const uint8_t **at, const uint8_t *end, __int128 *number) {
    int is_negative = *at < end && **at == '-';
    const uint8_t *first = *at += is_negative;
    for (*number = 0; *at < end && **at >= '0' && **at <= '9'; (*at)++)
        if (*at - first > 30)
            return 0;
        else
            *number = *number * 10 + (**at - '0');
    if (*at == first || (*first == '0' && (*at > first + 1 || is_negative)))
        return 0;
    *number = is_negative ? -*number : *number;
    return *number <= INT64_MAX && *number >= INT64_MIN;
}

/* Count a key, or a name. Columns are a sum, a minimum and a maximum. */
static int simple_combine(SimpleCounts *counts, size_t part, uint8_t is_name, const uint8_t *text, size_t bytes,
                          const __int128 *numbers) {
    size_t i = 0;
    while (i < counts->found && (counts->key[i].part != part || counts->key[i].is_name != is_name ||
                                 counts->key[i].bytes != bytes || memcmp(counts->key[i].text, text, bytes)))
        i++;
    if (i == counts->found) {
        CHECK(counts->found++ < SIMPLE_KEYS);
        memcpy(counts->key[i].text, text, bytes);
        counts->key[i].bytes = bytes, counts->key[i].part = part, counts->key[i].is_name = is_name;
        memcpy(counts->key[i].counts, numbers, sizeof counts->key[i].counts);
    } else {
        __int128 *held = counts->key[i].counts;
        held[0] += numbers[0];
        held[1] = numbers[1] < held[1] ? numbers[1] : held[1];
        held[2] = numbers[2] > held[2] ? numbers[2] : held[2];
        if (counts->key[i].piece == counts->piece || held[0] > INT64_MAX || held[0] < INT64_MIN)
            return 0;
    }
    counts->key[i].piece = counts->piece;
    return 1;
}

/* Whether the lines of all parts are what counts_write writes: what counts_add must take. */
static int simple_lines(SimpleCounts *counts, const uint8_t *at, const uint8_t *end, size_t columns) {
    for (size_t part = 0; part < SIMPLE_PARTS; part++) {
        if (part && (at == end || *at++ != '\n'))
            return 0;
        while (at < end && *at != '\n') {
            uint8_t opening = *at++, text[64];
            size_t bytes;
            counts->piece++;
            if (opening != '{' && opening != '[')
                return 0;
            for (;;) {
                __int128 numbers[3] = {0};
                if (!simple_string(&at, end, text, &bytes) || at == end || *at++ != (opening == '{' ? ':' : ','))
                    return 0;
                int is_list = opening == '{' && columns > 1;
                for (size_t i = 0; i < (is_list ? columns : 1); i++)
                    if ((is_list && (at == end || *at++ != (i ? ',' : '['))) || !simple_number(&at, end, &numbers[i]))
                        return 0;
                if ((is_list && (at == end || *at++ != ']')) || (opening == '{' && numbers[0] < 0))
                    return 0;
                if (!simple_combine(counts, part, opening == '[', text, bytes, numbers) || at == end)
                    return 0;
                if (*at++ == ',')
                    continue;
                if (at[-1] != (opening == '{' ? '}' : ']'))
                    return 0;
                break;
            }
            if (at < end && *at == '\t' && ++at && (at == end || *at == '\n'))
                return 0;
        }
    }
    return at == end;
}

/* Whether a string may be too long for simple_string. */
static int is_too_long(const uint8_t *data, size_t bytes) {
    size_t run = 0;
    for (size_t i = 0; i < bytes; i++)
        if ((run = data[i] == '"' && (!i || data[i - 1] != '\\') ? 0 : run + 1) > 64)
            return 1;
    return 0;
}

static void *copy_of(const uint8_t *data, size_t size) { /* of exactly that size */
    void *copy = malloc(size + !size);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

/* Check the stretches of a counting, give it their words, and answer how many these are: those of `text`, which is what
   Python answers for the stretches that are not ASCII, or else they are cut at some bytes. */
static int resolve(Counting *counting, const Simple *stretches, const uint8_t *text, size_t text_bytes, uint64_t *words) {
    size_t unclear_bytes = 0, asked = 0;
    const uint8_t *unclear = counting_unclear(counting, &unclear_bytes);
    CHECK(counting_stretches(counting) == stretches->found);
    for (size_t i = 0; i < stretches->found; i++) {
        const Entry *entry = entry_at(&counting->stretches, i);
        CHECK((size_t)entry->count == stretches->count[i] && entry->bytes == stretches->bytes[i]);
        CHECK(!memcmp(text_of(&counting->stretches, entry), stretches->text + stretches->begin[i], stretches->bytes[i]));
        size_t letters = 0, found = 0;
        for (size_t at = 0; at < stretches->bytes[i]; at++)
            letters += is_unicode ? simple_letter(stretches->text[stretches->begin[i] + at])
                                  : stretches->text[stretches->begin[i] + at] < 0x80;
        if (letters < stretches->bytes[i]) {
            CHECK(unclear[asked] == '\n');
            CHECK(!memcmp(unclear + asked + 1, stretches->text + stretches->begin[i], stretches->bytes[i]));
            size_t stretch_at = asked + 1;
            asked += stretches->bytes[i] + 1;
            for (size_t at = stretch_at; at < asked; at++)
                found += unclear[at] != 0x80 && (at + 1 == asked || unclear[at + 1] == 0x80);
        }
        *words += (letters < stretches->bytes[i] ? found : 1) * stretches->count[i];
    }
    CHECK(asked == unclear_bytes);
    uint8_t *answer = copy_of(text ? text : unclear, text ? text_bytes : unclear_bytes);
    size_t answer_bytes = text ? text_bytes : unclear_bytes, given = 0;
    for (size_t i = 0; i < answer_bytes && !text; i++)
        if (answer[i] == 0x80)
            answer[i] = ' ';
    int status = DONE;
    while (given < answer_bytes && !status) { /* in pieces of whole stretches, the first one or all others */
        const uint8_t *newline = given ? NULL : memchr(answer + 1, '\n', answer_bytes - 1);
        size_t piece = newline ? (size_t)(newline - answer) : answer_bytes - given;
        status = counting_resolve(counting, answer + given, piece);
        given += piece;
    }
    status = status ? status : counting_resolve(counting, answer, 0);
    free(answer);
    return status;
}

/* Count `data` in chunks, check the stretches, then the lines made of them, and sum those. `mode` says whether words are
   settled, or written, behind each chunk. With `text`, see resolve. */
static void try_counting(const uint8_t *data, size_t size, size_t chunks, int mode, const uint8_t *text, size_t text_bytes) {
    static Simple stretches;
    stretches.found = stretches.used = 0;
    Counting *counting = counting_open(&SECRET);
    if (!counting)
        return;
    int status = DONE;
    uint64_t words = 0;
    for (int again = 0; again < 2 && !status; again++) { /* the second time in memory that was used before */
        Shards shards = {OTHER, chunks == 2 ? (uint64_t)longest : chunks == 3 ? 3 : 1, chunks == 2, 0};
        status = counting_begin(counting, &shards, keeps_case, is_unicode, longest);
        words = stretches.found = stretches.used = 0;
        for (size_t i = 0; i < chunks && !status; i++) {
            size_t from = size * i / chunks, to = size * (i + 1) / chunks, settled, settled_bytes;
            uint8_t *chunk = copy_of(data + from, to - from);
            Noted invalid, joined;
            status = counting_add(counting, chunk, to - from, &invalid, &joined);
            CHECK(status || (invalid.times ? invalid.first + invalid.times <= to - from : is_utf8(chunk, chunk + to - from)));
            CHECK(status || !joined.times || (joined.first < to - from && chunk[joined.first] >= 0xc2));
            simple_count(&stretches, chunk, to - from);
            free(chunk);
            if (status || !mode)
                continue;
            status = resolve(counting, &stretches, text, text_bytes, &words);
            stretches.found = stretches.used = 0;
            if (!status)
                status = counting_settle(counting, &settled, &settled_bytes);
            CHECK(status || counting_stretches(counting) == 0);
            if (!status && mode > 1 && i % 2 == 0)
                status = counting_write(counting);
        }
    }
    if (!status)
        status = resolve(counting, &stretches, text, text_bytes, &words);
    if (!status)
        status = counting_write(counting);
    CHECK(status == DONE || (status == NO_MEMORY && !allocations_left) || (status == SYNTAX && text));
    if (!status) {
        const uint8_t *lines[100 * 3];
        size_t sizes[100 * 3];
        int64_t observed[100 * 3];
        uint64_t total;
        counting_keep_lines(counting);
        total = counting_lines(counting, lines, sizes, observed);
        for (size_t i = 0; i < counting->lines.count; i++) {
            Counts *counts = sizes[i] ? counts_open(&SECRET, 1, 1, (const uint8_t *)"\0") : NULL;
            total += (uint64_t)observed[i];
            if (counts) {
                static const Shards one = {{{0}}, 1, 0, 0};
                size_t failed_at, keys;
                int64_t of_line = 0;
                counts_begin(counts, 100000, SIZE_MAX, 0, 1, &one, 0);
                uint8_t *line = copy_of(lines[i], sizes[i]);
                int summed = counts_add(counts, 0, 1, line, sizes[i], &failed_at);
                int is_no_json = !simple_is_utf8(lines[i], sizes[i]);
                is_no_json |= text && (memchr(text, '"', text_bytes) || memchr(text, '\\', text_bytes));
                for (size_t at = 0; at < text_bytes; at++)
                    is_no_json |= text[at] < ' ' && text[at] != '\n';
                CHECK(summed == DONE || (summed == NO_MEMORY && !allocations_left) || is_no_json);
                if (!summed && !is_no_json && !counts_totals(counts, 0, &of_line, &keys))
                    CHECK(of_line == observed[i]);
                free(line);
                counts_close(counts);
            }
            counting_drop_line(counting, i);
        }
        if (!text && allocations_left)
            CHECK(total == words);
    }
    counting_close(counting);
}

/* Whether what is held of a part is what the simple code has counted. */
static void check_part(Counts *counts, const SimpleCounts *simple, size_t part, size_t columns) {
    int64_t totals[3];
    size_t keys, wanted_keys = 0, bytes;
    __int128 wanted[3] = {0};
    for (size_t i = 0; i < simple->found; i++) {
        if (simple->key[i].part != part || simple->key[i].is_name)
            continue;
        const __int128 *numbers = simple->key[i].counts;
        wanted[0] += numbers[0];
        wanted[1] = !wanted_keys || numbers[1] < wanted[1] ? numbers[1] : wanted[1];
        wanted[2] = !wanted_keys || numbers[2] > wanted[2] ? numbers[2] : wanted[2];
        wanted_keys++;
    }
    int status = counts_totals(counts, part, totals, &keys);
    CHECK(status == (wanted[0] > INT64_MAX ? TOO_LARGE : DONE) && keys == wanted_keys);
    for (size_t i = 0; i < columns && keys && !status; i++)
        CHECK(totals[i] == wanted[i]);
    const uint8_t *json;
    for (size_t column = 0; column < columns; column++)
        for (size_t top = 0; top < 6; top += 2) {
            static SimpleCounts best;
            best.found = best.piece = 0;
            if (counts_best(counts, part, column, top, &json, &bytes))
                continue;
            uint8_t *line = malloc(bytes + 1);
            if (bytes)
                memcpy(line, json, bytes);
            line[bytes] = '\n';
            CHECK(simple_lines(&best, line, line + bytes + 1, columns) && best.found <= top);
            for (size_t i = 1; i < best.found; i++) {
                __int128 before = best.key[i - 1].counts[column], after = best.key[i].counts[column];
                CHECK(column == 1 ? before <= after : before >= after);
            }
            free(line);
        }
    if (!counts_names(counts, part, &json, &bytes))
        CHECK(!bytes || json[bytes - 1] == ']');
}

/* Whether the rows of a part are all of its keys, in order; nothing can be added afterwards. */
static void check_rows(Counts *counts, size_t part, size_t columns) {
    int64_t totals[3], observed, sum = 0;
    size_t keys, next = 0, found = 0, bytes, last_bytes = 0;
    static uint8_t last[64 * 2];
    int status = counts_totals(counts, part, totals, &keys);
    counts_sort(counts, part);
    while (next < keys && !status) {
        const uint8_t *rows, *row;
        if ((status = counts_rows(counts, part, 50, &next, &rows, &bytes, &observed)))
            break;
        sum += observed;
        for (row = rows; row < rows + bytes; found++) {
            const uint8_t *end = row, *stop = memchr(row, 0xff, (size_t)(rows + bytes - row));
            while (*end || (end + 1 < rows + bytes && end[1] == 0xfe))
                end++;
            size_t key_bytes = (size_t)(end - row), commas = 0, common = key_bytes < last_bytes ? key_bytes : last_bytes;
            int order = memcmp(last, row, common);
            CHECK(key_bytes <= sizeof last && (!found || order < 0 || (!order && last_bytes < key_bytes)));
            memcpy(last, row, last_bytes = key_bytes);
            stop = stop ? stop : rows + bytes;
            for (const uint8_t *at = end; at < stop; at++)
                commas += *at == ',';
            CHECK(commas == columns - 1);
            row = stop + 1;
        }
    }
    CHECK(status || (found == keys && sum == (keys ? totals[0] : 0)));
}

/* Add blocks of lines, each ended by \1; check what is summed; write it by `shards`, and add those lines. */
static void try_summing(const uint8_t *data, size_t size, size_t columns, const Shards *shards, uint64_t passes, int sorts) {
    static const uint8_t kinds[3] = {SUM, MIN, MAX};
    static const Shards one = {{{0}}, 1, 0, 0};
    static SimpleCounts simple;
    simple.found = simple.piece = 0;
    Counts *counts = counts_open(&SECRET, SIMPLE_PARTS, columns, kinds);
    if (!counts)
        return;
    counts_begin(counts, 3000, SIZE_MAX, passes - 1, passes, &one, 0);
    int status = DONE, is_expected = 1;
    for (const uint8_t *at = data, *end = data + size, *next; at < end && !status && is_expected; at = next) {
        const uint8_t *stop = memchr(at, 1, (size_t)(end - at));
        size_t failed_at, bytes = (size_t)((stop ? stop : end) - at);
        next = stop ? stop + 1 : end;
        uint8_t *block = copy_of(at, bytes);
        status = counts_add(counts, 0, SIMPLE_PARTS, block, bytes, &failed_at);
        is_expected = simple_lines(&simple, block, block + bytes, columns);
        CHECK(failed_at <= bytes && (status != NO_MEMORY || !allocations_left));
        CHECK(status == NO_MEMORY || status == DONE || !is_expected || is_too_long(block, bytes));
        CHECK(status || is_expected || passes > 1 || is_too_long(block, bytes));
        is_expected &= !is_too_long(block, bytes);
        free(block);
    }
    const uint8_t *lines[12];
    size_t sizes[12], keys = 0, again = 0, texts;
    int64_t observed[12];
    if (!status && is_expected && passes == 1)
        for (size_t part = 0; part < SIMPLE_PARTS; part++)
            check_part(counts, &simple, part, columns);
    keys = counts_held(counts, &texts);
    for (size_t part = 0; part < SIMPLE_PARTS && !status && is_expected && sorts; part++)
        check_rows(counts, part, columns);
    if (!status && is_expected && !sorts && !counts_write(counts, shards)) {
        CHECK(!counts_held(counts, &texts));
        counts_lines(counts, lines, sizes, observed);
        for (uint64_t shard = 0; shard < shards->count && !status; shard++) {
            Counts *of_shard = counts_open(&SECRET, SIMPLE_PARTS, columns, kinds);
            if (!of_shard)
                break;
            counts_begin(of_shard, 3000, SIZE_MAX, 0, 1, shards, shard);
            size_t first = shards->by_part ? shard : shard * SIMPLE_PARTS, failed_at;
            for (size_t part = 0; part < (shards->by_part ? 1 : SIMPLE_PARTS) && !status; part++)
                status = counts_add(of_shard, shards->by_part ? shard : part, 1, lines[first + part], sizes[first + part], &failed_at);
            CHECK(status == DONE || (status == NO_MEMORY && !allocations_left));
            again += counts_held(of_shard, &texts);
            const uint8_t *best;
            for (size_t part = 0, bytes; part < SIMPLE_PARTS && !status; part++)
                if (counts_best(of_shard, part, 0, 1 + part, &best, &bytes))
                    break; /* without memory; with inner keys, these are looked up */
            counts_close(of_shard);
        }
        CHECK(status || !allocations_left || again == keys);
    }
    counts_close(counts);
}

/* Add rows a few keys at a time: each is counted once or handed back. */
static void try_rows(const uint8_t *data, size_t size, size_t decimals) {
    static const uint8_t kinds[3] = {SUM, MIN, MAX};
    static const Shards one = {{{0}}, 1, 0, 0};
    Counts *counts = counts_open(&SECRET, SIMPLE_PARTS, 3, kinds);
    if (!counts)
        return;
    counts_begin(counts, 3000, SIZE_MAX, 0, 1, &one, 0);
    size_t at = 0, rows = size && data[size - 1] != '\n', others = 0, counted = 0, bytes, keys;
    for (size_t i = 0; i < size; i++)
        rows += data[i] == '\n';
    int status = DONE;
    while (at < size && !status) {
        size_t before = at;
        int64_t totals[3];
        status = counts_add_rows(counts, 1, data, size, ';', decimals, 40, 1000, &at);
        CHECK(status == DONE || (status == NO_MEMORY && !allocations_left));
        CHECK(at <= size && (status || at > before));
        const uint8_t *left = counts_other_rows(counts, &bytes);
        for (size_t i = 0; i < bytes; i++)
            others += left[i] == '\n';
        if (!status && !counts_totals(counts, 1, totals, &keys) && keys) {
            counted += (size_t)totals[0];
            CHECK(totals[1] <= totals[2]);
        }
        status = status ? status : counts_write(counts, &one);
    }
    CHECK(status || others + counted == rows);
    counts_close(counts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3 || size > 6000)
        return 0;
    const uint8_t *newline = memchr(data + 3, '\n', size - 3);
    size_t bytes = newline ? (size_t)(newline - data - 3) : size - 3;
    allocations_left = data[2] < 64 ? data[2] : SIZE_MAX;
    int is_by_part = data[1] / 3 % 4 == 3;
    keeps_case = data[1] / 12 % 2, is_unicode = data[1] / 24 % 2, longest = data[1] / 48 % 2 ? 100 : 20;
    Shards shards = {OTHER, is_by_part ? SIMPLE_PARTS : 1 + data[1] / 3 % 4 * 2, is_by_part, data[1] % 2};
    if (data[0] == 's')
        try_summing(data + 3, size - 3, 1 + data[1] % 3, &shards, 1 + data[1] / 12 % 3, data[1] / 36 % 2);
    else if (data[0] == 'r')
        try_rows(data + 3, size - 3, data[1] % 3);
    else if (data[0] == 't' && newline)
        try_counting(data + 3, bytes, 1 + data[1] % 4, data[1] / 4 % 3, newline + 1, size - 4 - bytes);
    else
        try_counting(data + 3, size - 3, 1 + data[1] % 4, data[1] / 4 % 3, NULL, 0);
    allocations_left = SIZE_MAX;
    return 0;
}

/* Words that all want the same slots under a key that is known do not under another. */
void LLVMFuzzerInitialize(void) {
    enum { WORDS = 300, SLOTS = 4096 };
    Secret other = SECRET;
    for (int i = 0; i < 4; i++)
        other.word[i] *= 0x9e3779b97f4a7c15;
    Table table = {0};
    CHECK(!open_table(&table, &other, 1) && !resize_slots(&table, SLOTS));
    char word[9];
    int status = DONE;
    size_t far = 0;
    for (unsigned tried = 0, found = 0; found < WORDS; tried++) {
        Key key;
        snprintf(word, sizeof word, "%08x", tried);
        make_key(&key, &SECRET, (uint8_t *)word, 8, (uint8_t *)word + 8);
        if (key.hash % SLOTS)
            continue;
        found++;
        make_key(&key, &other, (uint8_t *)word, 8, (uint8_t *)word + 8);
        CHECK(entry_of(&table, &key, &status));
        size_t slot;
        find(&table, &key, &slot);
        size_t distance = (slot - (uint32_t)key.hash) & table.slots_mask;
        far = distance > far ? distance : far;
    }
    CHECK(far < 30);
    close_table(&table);
}
