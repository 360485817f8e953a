/* What is fuzzed: the kernel, against code that is too simple to share its faults. Memory fails on demand. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t allocations_left = SIZE_MAX;
static int fails(void) { return allocations_left == 0 || allocations_left-- == 0; }
static void *failing_realloc(void *old, size_t size) { return fails() ? NULL : realloc(old, size); }
static void *failing_calloc(size_t count, size_t size) { return fails() ? NULL : calloc(count, size); }

#define FEWEST_SLOTS 16 /* so that small inputs make tables grow */
#define realloc failing_realloc
#define calloc failing_calloc
#include "../../lambda_src/jobs/top_words/kernel.c"
#undef realloc
#undef calloc

const char *const FUZZ_SEEDS[] = {
    "c\1\377The cat, the Cat and the dog: it's a dog-eat-dog world",
    "c\2\377na\xc3\xafve\xe2\x80\x94\xc5\x92uvre naive NA\xc3\x8fVE \xe6\x97\xa5\xe6\x9c\xac \xff\xfe abcdefghijklmnopqrstuvwxyz",
    "c\3\5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbb ccccccccccccccccc",
    "t\1\377x\xc3\xa9y \xc3\xa9 x\n\nx y \xc3\xa9\nz",
    "s\0\377{\"the\":12,\"cat\":3,\"abcdefghijklmnopqrst\":1}\n{\"the\":1}\n{}",
    "s\1\377{\"a\":9223372036854775807}\n{\"a\":1,\"b\":2}",
    "s\1\377{\"a\":1,\"a\":2}",
    "s\1\377{\"a\":0}",
    "s\1\377{\"a\":1,\"b\":2}\t{\"a\":1}\t{\"c\":3}",
    "c\12\377the cat the dog caf\xc3\xa9 the cat the dog caf\xc3\xa9",
    "s\1\377{\"a\":01}",
    "s\2\3{\"\xe6\x97\xa5\":7,\"b\":2,\"c\":3}",
    NULL};
const char *const FUZZ_TOKENS[] = {"{", "}", "\"", ":", ",", "{}", "\n", "}\t{", "\\", "\\u0041", "\"a\":1", ",\"b\":10", "0",
    "18446744073709551615", "18446744073709551616", "99999999999999999999999", " ", "  ", "the", "The", "\xc3\xa9",
    "\xe2\x80\x94", "\x80", "\xff", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xef\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80\x80",
    "\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "abcdefghijklmnop", "abcdefghijklmnopq", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "@", "[", "`", "AZaz", "\xd0\x96\xd0\x96", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmno", NULL};

#define CHECK(truth) ((truth) ? (void)0 : (fprintf(stderr, "line %d: not " #truth "\n", __LINE__), abort()))

static const Secret SECRET = {{0x0123456789abcdef, 0xfedcba9876543210, 0x0f1e2d3c4b5a6978, 0x8796a5b4c3d2e1f0}};

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

/* The stretches of a chunk, byte by byte. */
static void simple_count(Simple *simple, const uint8_t *chunk, size_t bytes) {
    uint8_t stretch[8192];
    size_t length = 0;
    for (size_t i = 0; i < bytes; i++) {
        uint8_t byte = chunk[i];
        if (byte >= 'A' && byte <= 'Z')
            byte = (uint8_t)(byte - 'A' + 'a');
        if ((byte >= 'a' && byte <= 'z') || byte >= 0x80) {
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

/* Whether Python would be given these lines: what sums_add must take, and how much it counts. */
static int simple_read(const uint8_t *line, size_t bytes, Simple *words, uint64_t *total) {
    const uint8_t *at = line, *end = line + bytes;
    if (bytes && end[-1] == '\n')
        end--;
    if (at == end || *at++ != '{')
        return 0;
    if (at < end && *at == '}')
        return at + 1 == end;
    for (;;) {
        uint64_t number = 0;
        size_t digits = 0, known = words->found;
        if (at == end || *at++ != '"')
            return 0;
        const uint8_t *word = at;
        while (at < end && *at != '"')
            if (*at < 0x20 || *at++ == '\\')
                return 0;
        if (at == end || at == word || !simple_is_utf8(word, (size_t)(at - word)))
            return 0;
        simple_add(words, word, (size_t)(at++ - word));
        if (words->found == known || at == end || *at++ != ':')
            return 0;
        for (; at < end && *at >= '0' && *at <= '9'; digits++) {
            unsigned __int128 next = (unsigned __int128)number * 10 + (*at++ - '0');
            if ((!digits && next == 0) || next > INT64_MAX)
                return 0;
            number = (uint64_t)next;
        }
        if (!digits || *total + number < number || *total + number > INT64_MAX || at == end)
            return 0;
        *total += number;
        if (*at == '}' && at + 1 == end)
            return 1;
        if (*at == '}' && end - at > 3 && at[1] == '\t' && at[2] == '{')
            words->found = words->used = 0, at += 3;
        else if (*at++ != ',')
            return 0;
    }
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
            letters += stretches->text[stretches->begin[i] + at] < 0x80;
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
        counting_clear(counting), words = stretches.found = stretches.used = 0;
        for (size_t i = 0; i < chunks && !status; i++) {
            size_t from = size * i / chunks, to = size * (i + 1) / chunks, settled, settled_bytes;
            uint8_t *chunk = copy_of(data + from, to - from);
            uint64_t invalid;
            size_t first_invalid;
            status = counting_add(counting, chunk, to - from, &invalid, &first_invalid);
            CHECK(status || (invalid ? first_invalid + invalid <= to - from : is_utf8(chunk, chunk + to - from)));
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
        const uint8_t *lines[LONGEST];
        size_t sizes[LONGEST];
        uint64_t observed[LONGEST + 1], total = 0;
        counting_keep_lines(counting);
        counting_lines(counting, lines, sizes, observed);
        for (int i = 0; i < LONGEST; i++) {
            if (sizes[i] == 2)
                continue; /* `{}` costs time and tells nothing */
            Sums *sums = sums_open(&SECRET);
            if (!sums)
                break;
            sums_begin(sums, 100000, SIZE_MAX, 0, 1);
            size_t failed_at, bytes;
            uint64_t of_line;
            const uint8_t *best;
            uint8_t *line = copy_of(lines[i], sizes[i]);
            int summed = sums_add(sums, line, sizes[i], &failed_at);
            int is_no_json = !simple_is_utf8(lines[i], sizes[i]);
            is_no_json |= text && (memchr(text, '"', text_bytes) || memchr(text, '\\', text_bytes));
            for (size_t at = 0; at < text_bytes; at++)
                is_no_json |= text[at] < ' ' && text[at] != '\n';
            CHECK(summed == DONE || (summed == NO_MEMORY && !allocations_left) || is_no_json);
            if (!summed && !is_no_json && !sums_best(sums, 10, &best, &bytes, &of_line))
                CHECK(of_line == observed[i]);
            total += observed[i];
            free(line);
            sums_close(sums);
            counting_drop_line(counting, (size_t)i);
        }
        if (!text && allocations_left)
            CHECK(total + observed[LONGEST] == words);
    }
    counting_close(counting);
}

static void try_summing(const uint8_t *data, size_t size, uint64_t parts) {
    static Simple words;
    uint64_t expected = 0, total = 0;
    int is_damaged = 0, no_memory = 0;
    Sums *sums = sums_open(&SECRET);
    if (!sums)
        return;
    for (uint64_t part = 0; part < parts && !no_memory; part++) {
        sums_begin(sums, 3000, SIZE_MAX, part, parts);
        const uint8_t *at = data, *end = data + size, *best;
        int status = DONE, is_expected = 1;
        expected = 0; /* each pass reads all */
        while (at < end && !status && is_expected) {
            const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
            size_t failed_at = 0, bytes = (size_t)((newline ? newline + 1 : end) - at);
            uint8_t *line = copy_of(at, bytes);
            words.found = words.used = 0;
            status = sums_add(sums, line, bytes, &failed_at);
            is_expected = simple_read(line, bytes, &words, &expected);
            CHECK(failed_at <= bytes);
            free(line);
            no_memory = status == NO_MEMORY;
            CHECK(!no_memory || !allocations_left);
            if (!no_memory && parts == 1)
                CHECK((status == DONE) == is_expected);
            CHECK(no_memory || status == DONE || !is_expected);
            is_damaged |= status != DONE || !is_expected;
            at += bytes;
        }
        size_t bytes;
        uint64_t of_part;
        if (!status && !sums_best(sums, 10, &best, &bytes, &of_part)) {
            total += of_part;
            uint64_t again = 0;
            words.found = words.used = 0;
            CHECK(simple_read(best, bytes, &words, &again));
            CHECK(again <= of_part && words.found <= 10);
        } else
            is_damaged = 1;
    }
    sums_close(sums);
    CHECK(is_damaged || total == expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3 || size > 6000)
        return 0;
    const uint8_t *newline = memchr(data + 3, '\n', size - 3);
    size_t bytes = newline ? (size_t)(newline - data - 3) : size - 3;
    allocations_left = data[2] < 64 ? data[2] : SIZE_MAX;
    if (data[0] == 's')
        try_summing(data + 3, size - 3, 1 + data[1] % 3);
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
