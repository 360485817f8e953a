/* The word job's inner loop: counting the stretches of a block.

   python_kernel.py says the same in Python; this is held equal to it, byte for byte. Input is hostile: nothing
   is read past its end, every size is checked, every failure has a status. Unicode stays in Python: this knows
   ASCII letters, and bytes >= 0x80. */

#include "../../counts/counts.h"

#define PIECE 16384 /* Folded at once: fits the cache next to the processor. */

/* ------------------------------------------------------------------------------ counting */

/* Marks of stretches and words. From INVALID_AT on: how many bytes of a stretch are not UTF-8; then JOINED if it has
   a joiner next to a letter. Summed over stretches of one piece, the first number does not reach the second. */
enum { IN_ORDER = 1, UNCLEAR = 2, INVALID_AT = 2, JOINED_AT = 28 };
#define JOINED (1u << (INVALID_AT + JOINED_AT))
#define OF_WORDS 0x80000000u

typedef struct {
    Table stretches, words; /* words of stretches that are not ASCII, but for those that are stretches, too */
    Table settled;          /* words counted before the stretches, in order of first occurrence */
    size_t resolved;        /* as many stretches have their words in `order` */
    Buffer folded, edges, unclear, order;
    Lines lines;
    uint64_t longer_words;
    int keeps_case, is_unicode; /* kernel.py: Spelling */
    size_t longest;
} Counting;

/* Give back all memory but that of the lines. */
EXPORTED void counting_keep_lines(Counting *counting) {
    close_table(&counting->stretches), close_table(&counting->words), close_table(&counting->settled);
    close_buffer(&counting->folded), close_buffer(&counting->edges);
    close_buffer(&counting->unclear), close_buffer(&counting->order);
}

/* Give back the memory of a line, which was copied. */
EXPORTED void counting_drop_line(Counting *counting, size_t line) { close_buffer(&counting->lines.lines[line]); }

EXPORTED void counting_close(Counting *counting) {
    counting_keep_lines(counting);
    close_lines(&counting->lines);
    free(counting);
}

/* NULL without memory. */
EXPORTED Counting *counting_open(const Secret *secret) {
    Counting *counting = calloc(1, sizeof *counting);
    if (!counting)
        return NULL;
    if (!open_table(&counting->stretches, secret, 1) && !open_table(&counting->words, secret, 1) &&
        !open_table(&counting->settled, secret, 1))
        return counting;
    counting_close(counting);
    return NULL;
}

static void clear_stretches(Counting *counting) {
    clear_table(&counting->stretches), clear_table(&counting->words);
    counting->unclear.size = counting->order.size = counting->resolved = 0;
}

/* Forget what was counted, for words to be written to lines of `shards`, and keep the memory: fresh pages cost more
   than counting into them. */
EXPORTED int counting_begin(Counting *counting, const Shards *shards, int keeps_case, int is_unicode, int longest) {
    counting->keeps_case = keeps_case, counting->is_unicode = is_unicode, counting->longest = (size_t)longest;
    clear_stretches(counting), clear_table(&counting->settled);
    counting->longer_words = 0;
    return clear_lines(&counting->lines, shards, counting->longest);
}

/* The highest bit of each of eight ASCII bytes that is `wanted`. */
static inline uint64_t equal8(uint64_t bytes, uint8_t wanted) {
    return ~((bytes ^ EACH(wanted)) + EACH(0x7f)) & EACH(0x80);
}

/* The highest bit of each byte of ASCII that may be inside a word of Unicode's, besides letters: 0-9 : ; " ' , . _ */
static inline uint64_t joining8(uint64_t bytes) {
    uint64_t low = bytes & EACH(0x7f);
    uint64_t found = (low + EACH(0x80 - '0')) & ~(low + EACH(0x7f - ';'));
    found |= equal8(low, '"') | equal8(low, '\'') | equal8(low, ',') | equal8(low, '.') | equal8(low, '_');
    return found & ~bytes & EACH(0x80);
}

/* Eight bytes, ASCII letters in lower case unless that is kept; bit i of the answer tells whether byte i belongs to a
   stretch. */
static INLINE uint64_t fold8(const uint8_t *from, uint8_t *to, int keeps_case, int is_unicode) {
    uint64_t bytes;
    memcpy(&bytes, from, 8);
    uint64_t lower = (bytes | EACH(0x20)) & EACH(0x7f);
    uint64_t letters = (lower + EACH(0x80 - 'a')) & ~(lower + EACH(0x7f - 'z')) & ~bytes & EACH(0x80);
    uint64_t inside = (letters | bytes) & EACH(0x80);
    if (is_unicode)
        inside |= joining8(bytes);
    if (!keeps_case)
        bytes |= letters >> 2;
    memcpy(to, &bytes, 8);
    return (inside >> 7) * 0x0102040810204080 >> 56;
}

/* Fold bytes into `to`, which has room for 64 more; where stretches begin and end, in turn, goes to `edges`. */
static INLINE size_t fold_as(const uint8_t *from, size_t bytes, uint8_t *to, uint32_t *edges, int keeps_case,
                             int is_unicode) {
    size_t found = 0;
    uint64_t before = 0;
    for (size_t at = 0; at < bytes; at += 64) {
        uint8_t last[64] = {0};
        const uint8_t *block = bytes - at < 64 ? memcpy(last, from + at, bytes - at) : from + at;
        uint64_t inside = 0;
        for (int i = 0; i < 8; i++)
            inside |= fold8(block + 8 * i, to + at + 8 * i, keeps_case, is_unicode) << 8 * i;
        for (uint64_t changes = inside ^ (inside << 1 | before); changes; changes &= changes - 1)
            edges[found++] = (uint32_t)(at + (size_t)__builtin_ctzll(changes));
        before = inside >> 63;
    }
    if (before)
        edges[found++] = (uint32_t)bytes;
    return found;
}

static __attribute__((noinline)) size_t fold_others(const Counting *counting, const uint8_t *from, size_t bytes,
                                                    uint8_t *to, uint32_t *edges) {
    return counting->is_unicode ? fold_as(from, bytes, to, edges, counting->keeps_case, 1)
                                : fold_as(from, bytes, to, edges, 1, 0);
}

static INLINE size_t fold(const Counting *counting, const uint8_t *from, size_t bytes, uint8_t *to, uint32_t *edges) {
    if (__builtin_expect(counting->is_unicode | counting->keeps_case, 0))
        return fold_others(counting, from, bytes, to, edges);
    return fold_as(from, bytes, to, edges, 0, 0);
}

static int is_letter(uint8_t byte) { return (uint8_t)((byte | 0x20) - 'a') < 26; }

static int is_inside(const Counting *counting, uint8_t byte) {
    return byte >= 0x80 || is_letter(byte) || (counting->is_unicode && byte && strchr("0123456789:;\"',._", byte));
}

/* How many bytes belong to no character; *first is set to where the first of them is. */
static uint32_t invalid_in(const uint8_t *text, size_t bytes, size_t *first) {
    uint32_t invalid = 0;
    for (size_t at = 0, size; at < bytes; at += size ? size : 1)
        if (!(size = character(text + at, text + bytes)) && !invalid++)
            *first = at;
    return invalid;
}

/* How many bytes the invisible character has that joins letters, for Unicode: a soft hyphen U+00AD, ZWNJ U+200C,
   ZWJ U+200D or a word joiner U+2060. 0 if there is none. */
static size_t joiner(const uint8_t *at, const uint8_t *end) {
    if (end - at > 1 && at[0] == 0xc2 && at[1] == 0xad)
        return 2;
    if (end - at > 2 && at[0] == 0xe2)
        return (at[1] == 0x80 && (at[2] == 0x8c || at[2] == 0x8d)) || (at[1] == 0x81 && at[2] == 0xa0) ? 3 : 0;
    return 0;
}

/* Whether a character of an alphabet may begin with this byte: those of E2, EF and F0 are mostly symbols. */
static int may_be_letter(uint8_t lead) {
    return is_letter(lead) || (lead >= 0xc3 && lead <= 0xee && lead != 0xe2);
}

/* How many joiners of a stretch are next to a letter, as far as bytes tell; *first is set to where the first is. On
   both sides would depend on where the text is cut. */
static size_t joined_in(const uint8_t *text, size_t bytes, size_t *first) {
    size_t joined = 0;
    uint8_t before = 0;
    for (size_t at = 0, size; at < bytes; at += size) {
        size = joiner(text + at, text + bytes);
        if (size && (may_be_letter(before) || (at + size < bytes && may_be_letter(text[at + size]))) && !joined++)
            *first = at;
        before = text[at];
        size = character(text + at, text + bytes);
        size += !size;
    }
    return joined;
}

static int is_ascii(const Key *key) {
    uint64_t all = key->head[0] | key->head[1];
    for (size_t i = 16; i < key->bytes; i++)
        all |= key->text[i];
    return !(all & EACH(0x80));
}

/* Whether a stretch is a word: ASCII letters. */
static __attribute__((noinline)) int is_word(const Counting *counting, const Key *key) {
    if (!counting->is_unicode)
        return is_ascii(key);
    const uint8_t *text = key->bytes <= 16 ? (const uint8_t *)key->head : key->text;
    for (size_t i = 0; i < key->bytes; i++)
        if (!is_letter(text[i]))
            return 0;
    return 1;
}

/* A stretch that is new and not a word. */
static int note_unclear(Counting *counting, Entry *stretch, const Key *key) {
    size_t first;
    stretch->mark = UNCLEAR | invalid_in(key->text, key->bytes, &first) << INVALID_AT;
    if (!counting->is_unicode && joined_in(key->text, key->bytes, &first))
        stretch->mark |= JOINED;
    if (reserve(&counting->unclear, key->bytes + 1))
        return NO_MEMORY;
    append(&counting->unclear, "\n", 1);
    append(&counting->unclear, key->text, key->bytes);
    return DONE;
}

/* Where the first byte of the keys' texts that is not UTF-8 is, from `folded` on, where they lie. */
static size_t first_invalid_of(const Key *keys, size_t made, const uint8_t *folded) {
    size_t first = 0;
    for (size_t i = 0; i < made; i++)
        if (invalid_in(keys[i].text, keys[i].bytes, &first))
            return (size_t)(keys[i].text - folded) + first;
    return 0;
}

/* How often something was in a chunk, and where first. */
typedef struct {
    uint64_t times, first;
} Noted;

static void note(Noted *noted, uint64_t times, size_t first) {
    if (times && !noted->times)
        noted->first = first;
    noted->times += times;
}

/* Note the joiners of the keys' texts, which lie in `folded`; that is at `start` of the chunk. */
static void note_joined(Noted *joined, const Key *keys, size_t made, const uint8_t *folded, size_t start) {
    for (size_t i = 0, first = 0; i < made; i++) {
        size_t times = joined_in(keys[i].text, keys[i].bytes, &first);
        note(joined, times, start + (size_t)(keys[i].text - folded) + first);
    }
}

/* Count the stretches of a chunk that cuts none. Noted are the bytes that are not UTF-8, and the joiners next to letters,
   unless words are those of Unicode. */
EXPORTED int counting_add(Counting *counting, const uint8_t *chunk, size_t bytes, Noted *invalid, Noted *joined) {
    Table *stretches = &counting->stretches;
    int status = DONE;
    *invalid = *joined = (Noted){0, 0};
    for (size_t start = 0, end; !status && start < bytes; start = end) {
        end = bytes - start > PIECE ? start + PIECE : bytes;
        while (end < bytes && is_inside(counting, chunk[end]))
            end++;
        size_t piece = end - start;
        if (piece >= (size_t)1 << JOINED_AT)
            return TOO_MANY;
        if (reserve(&counting->folded, piece + 64) || reserve(&counting->edges, (piece + 2) * sizeof(uint32_t)))
            return NO_MEMORY;
        const uint8_t *folded = counting->folded.data, *folded_end = folded + piece;
        uint32_t *edge = (uint32_t *)(void *)counting->edges.data;
        uint32_t *last_edge = edge + fold(counting, chunk + start, piece, counting->folded.data, edge);
        Key keys[BATCH];
        while (edge < last_edge && !status) {
            size_t made = 0;
            for (; made < BATCH && edge < last_edge; edge += 2) {
                make_key(&keys[made], &stretches->secret, folded + edge[0], edge[1] - edge[0], folded_end);
                prefetch_slot(stretches, &keys[made++]);
            }
            uint64_t marks = 0;
            for (size_t i = 0; i < made && !status; i++) {
                Entry *stretch = entry_of(stretches, &keys[i], &status);
                if (stretch && !stretch->count++ && !is_word(counting, &keys[i]))
                    status = note_unclear(counting, stretch, &keys[i]);
                marks += stretch ? stretch->mark >> INVALID_AT : 0;
            }
            if (__builtin_expect(marks != 0, 0)) {
                uint64_t of_invalid = marks & ((1u << JOINED_AT) - 1);
                note(invalid, of_invalid, of_invalid && !invalid->times ? start + first_invalid_of(keys, made, folded) : 0);
                if (marks >> JOINED_AT)
                    note_joined(joined, keys, made, folded, start);
            }
        }
    }
    return status;
}

/* How many distinct stretches there are. */
EXPORTED size_t counting_stretches(const Counting *counting) { return entries_in(&counting->stretches); }

/* The distinct stretches that are not words themselves, in order of first occurrence, a newline before each. */
EXPORTED const uint8_t *counting_unclear(const Counting *counting, size_t *bytes) {
    *bytes = counting->unclear.size;
    return counting->unclear.data;
}

/* Put a word behind those that came before, unless it is there. */
static int put_in_order(Counting *counting, const Table *table, Entry *word) {
    if (word->mark & IN_ORDER)
        return DONE;
    word->mark |= IN_ORDER;
    uint32_t place = (uint32_t)index_of(table, word) | (table == &counting->words ? OF_WORDS : 0);
    if (reserve(&counting->order, sizeof place))
        return NO_MEMORY;
    append(&counting->order, &place, sizeof place);
    return DONE;
}

/* Count the words of one unclear stretch, which are separated by spaces. */
static int count_words(Counting *counting, const uint8_t *text, const uint8_t *end, int64_t times) {
    int status = DONE;
    for (const uint8_t *next = text; next <= end && !status; text = ++next) {
        while (next < end && *next != ' ')
            next++;
        if (next == text)
            continue;
        Key key;
        Table *table = &counting->stretches;
        make_key(&key, &table->secret, text, (size_t)(next - text), end);
        /* A word of ASCII letters that is a stretch, too, is counted there. */
        size_t slot;
        Entry *word = is_word(counting, &key) ? find(table, &key, &slot) : NULL;
        if (!word)
            word = entry_of(table = &counting->words, &key, &status);
        if (word) {
            word->count += times;
            status = put_in_order(counting, table, word);
        }
    }
    return status;
}

/* How many of eight bytes go on with a code point. */
static size_t following(uint64_t bytes) {
    return ((bytes & ~(bytes << 1) & EACH(0x80)) >> 7) * EACH(1) >> 56;
}

/* How many code points a word has; of a longer one than `longest`, that it is longer. */
static size_t length_of(const Table *table, const Entry *word, size_t longest) {
    size_t length = word->bytes;
    if (length <= 16) {
        length -= following(word->head[0]) + following(word->head[1]);
    } else {
        const uint8_t *text = text_of(table, word);
        length = 0;
        for (size_t i = 0; i < word->bytes && length <= longest; i++)
            length += (text[i] & 0xc0) != 0x80;
    }
    return length + !length; /* no word of Python's has none */
}

/* Take the words of the next stretches: `text` has words and spaces in the place of each one that counting_unclear
   gave, as many as the caller likes; the next call has those that follow. */
EXPORTED int counting_resolve(Counting *counting, const uint8_t *text, size_t bytes) {
    int status = DONE;
    const uint8_t *at = text, *end = text + bytes;
    for (; counting->resolved < entries_in(&counting->stretches) && !status; counting->resolved++) {
        Entry *stretch = entry_at(&counting->stretches, counting->resolved);
        if (!(stretch->mark & UNCLEAR)) {
            status = put_in_order(counting, &counting->stretches, stretch);
            continue;
        }
        if (at == end)
            return DONE;
        if (*at++ != '\n')
            return SYNTAX;
        const uint8_t *next = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        status = count_words(counting, at, next ? next : end, stretch->count);
        at = next ? next : end;
    }
    return status || at == end ? status : SYNTAX;
}

static const Table *table_in_order(const Counting *counting, size_t place, Entry **word) {
    uint32_t packed;
    memcpy(&packed, counting->order.data + place * sizeof packed, sizeof packed);
    const Table *table = packed & OF_WORDS ? &counting->words : &counting->stretches;
    *word = entry_at(table, packed & ~OF_WORDS);
    return table;
}

/* Move the words of all stretches to those that are settled, and forget the stretches: so memory stays bounded
   however long the text is. What is settled then are *words of together *word_bytes. */
EXPORTED int counting_settle(Counting *counting, size_t *words, size_t *word_bytes) {
    if (counting->resolved != entries_in(&counting->stretches))
        return SYNTAX;
    int status = DONE;
    Table *settled = &counting->settled;
    Key keys[BATCH];
    int64_t times[BATCH];
    for (size_t done = 0, places = counting->order.size / sizeof(uint32_t); done < places && !status;) {
        size_t made = 0;
        for (; made < BATCH && done < places; done++) {
            Entry *word;
            const Table *table = table_in_order(counting, done, &word);
            if (length_of(table, word, counting->longest) > counting->longest) {
                counting->longer_words += (uint64_t)word->count;
                continue;
            }
            make_key_of(&keys[made], table, word);
            prefetch_slot(settled, &keys[made]);
            times[made++] = word->count;
        }
        for (size_t i = 0; i < made && !status; i++) {
            Entry *word = entry_of(settled, &keys[i], &status);
            if (word)
                word->count += times[i];
        }
    }
    clear_stretches(counting);
    *words = entries_in(settled), *word_bytes = 0;
    for (size_t i = 0; i < *words; i++)
        *word_bytes += entry_at(settled, i)->bytes;
    return status;
}

/* Write the words that are settled, or else those of the stretches, to the lines, as one more piece of each where
   there are any, and forget them. */
EXPORTED int counting_write(Counting *counting) {
    if (counting->resolved != entries_in(&counting->stretches))
        return SYNTAX;
    size_t unused;
    begin_pieces(&counting->lines);
    int status = DONE, is_settled = entries_in(&counting->settled) > 0;
    if (is_settled)
        status = counting_settle(counting, &unused, &unused);
    size_t words = is_settled ? entries_in(&counting->settled) : counting->order.size / sizeof(uint32_t);
    for (size_t i = 0; i < words && !status; i++) {
        Entry *word;
        const Table *table = &counting->settled;
        if (is_settled)
            word = entry_at(table, i);
        else
            table = table_in_order(counting, i, &word);
        size_t length = length_of(table, word, counting->longest);
        if (length > counting->longest)
            counting->longer_words += (uint64_t)word->count;
        else
            status = write_entry(&counting->lines, length - 1, table, word, !counting->is_unicode); /* צה"ל */
    }
    status = status ? status : end_pieces(&counting->lines);
    clear_stretches(counting), clear_table(&counting->settled);
    return status;
}

/* The lines by shard and length, whose words are in the order in which they came; the answer counts longer words. */
EXPORTED uint64_t counting_lines(const Counting *counting, const uint8_t **lines, size_t *sizes, int64_t *observed) {
    tell_lines(&counting->lines, lines, sizes, observed);
    return counting->longer_words;
}
