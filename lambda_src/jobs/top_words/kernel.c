/* The word job's inner loops: counting the stretches of a block, and summing lines of counts.

   python_kernel.py says the same in Python; this is held equal to it, byte for byte. Input is hostile: nothing
   is read past its end, every size is checked, every failure has a status. Unicode stays in Python: this knows
   ASCII letters, and bytes >= 0x80. */

#include "../../counts/counts.h"

#define LONGEST 20  /* as in words.py */
#define PIECE 16384 /* Folded at once: fits the cache next to the processor. */

/* ------------------------------------------------------------------------------ counting */

enum { IN_ORDER = 1, UNCLEAR = 2, INVALID_AT = 2 }; /* marks of stretches and words; above them, how many bytes of a
                                                       stretch are not UTF-8 */
#define OF_WORDS 0x80000000u

typedef struct {
    Table stretches, words; /* words of stretches that are not ASCII, but for those that are stretches, too */
    Table settled;          /* words counted before the stretches, in order of first occurrence */
    size_t resolved;        /* as many stretches have their words in `order` */
    Buffer folded, edges, unclear, order;
    Lines lines;
    uint64_t longer_words;
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
    Shards by_length = {{{0}}, LONGEST, 1};
    if (!open_table(&counting->stretches, secret, 1) && !open_table(&counting->words, secret, 1) &&
        !open_table(&counting->settled, secret, 1) && !open_lines(&counting->lines, &by_length, LONGEST))
        return counting;
    counting_close(counting);
    return NULL;
}

static void clear_stretches(Counting *counting) {
    clear_table(&counting->stretches), clear_table(&counting->words);
    counting->unclear.size = counting->order.size = counting->resolved = 0;
}

/* Forget what was counted and keep the memory: fresh pages cost more than counting into them. */
EXPORTED void counting_clear(Counting *counting) {
    clear_stretches(counting), clear_table(&counting->settled);
    for (size_t i = 0; i < counting->lines.count; i++)
        counting->lines.lines[i].size = 0, counting->lines.observed[i] = 0;
    counting->longer_words = 0;
}

/* Eight bytes, ASCII letters in lower case; bit i of the answer tells whether byte i belongs to a stretch. */
static inline uint64_t fold8(const uint8_t *from, uint8_t *to) {
    uint64_t bytes;
    memcpy(&bytes, from, 8);
    uint64_t lower = (bytes | EACH(0x20)) & EACH(0x7f);
    uint64_t letters = (lower + EACH(0x80 - 'a')) & ~(lower + EACH(0x7f - 'z')) & ~bytes & EACH(0x80);
    uint64_t inside = (letters | bytes) & EACH(0x80);
    bytes |= letters >> 2;
    memcpy(to, &bytes, 8);
    return (inside >> 7) * 0x0102040810204080 >> 56;
}

/* Fold bytes into `to`, which has room for 64 more; where stretches begin and end, in turn, goes to `edges`. */
static size_t fold(const uint8_t *from, size_t bytes, uint8_t *to, uint32_t *edges) {
    size_t found = 0;
    uint64_t before = 0;
    for (size_t at = 0; at < bytes; at += 64) {
        uint8_t last[64] = {0};
        const uint8_t *block = bytes - at < 64 ? memcpy(last, from + at, bytes - at) : from + at;
        uint64_t inside = 0;
        for (int i = 0; i < 8; i++)
            inside |= fold8(block + 8 * i, to + at + 8 * i) << 8 * i;
        for (uint64_t changes = inside ^ (inside << 1 | before); changes; changes &= changes - 1)
            edges[found++] = (uint32_t)(at + (size_t)__builtin_ctzll(changes));
        before = inside >> 63;
    }
    if (before)
        edges[found++] = (uint32_t)bytes;
    return found;
}

static int is_inside(uint8_t byte) { return byte >= 0x80 || (uint8_t)((byte | 0x20) - 'a') < 26; }

/* How many bytes belong to no character; *first is set to where the first of them is. */
static uint32_t invalid_in(const uint8_t *text, size_t bytes, size_t *first) {
    uint32_t invalid = 0;
    for (size_t at = 0, size; at < bytes; at += size ? size : 1)
        if (!(size = character(text + at, text + bytes)) && !invalid++)
            *first = at;
    return invalid;
}

static int is_ascii(const Key *key) {
    uint64_t all = key->head[0] | key->head[1];
    for (size_t i = 16; i < key->bytes; i++)
        all |= key->text[i];
    return !(all & EACH(0x80));
}

/* A stretch that is new and not ASCII. */
static int note_unclear(Counting *counting, Entry *stretch, const Key *key) {
    size_t first;
    stretch->mark = UNCLEAR | invalid_in(key->text, key->bytes, &first) << INVALID_AT;
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

/* Count the stretches of a chunk that cuts none. *invalid is how many of its bytes are not UTF-8, *first_invalid where
   the first of them is. */
EXPORTED int counting_add(Counting *counting, const uint8_t *chunk, size_t bytes, uint64_t *invalid,
                          size_t *first_invalid) {
    Table *stretches = &counting->stretches;
    int status = DONE;
    *invalid = *first_invalid = 0;
    for (size_t start = 0, end; !status && start < bytes; start = end) {
        end = bytes - start > PIECE ? start + PIECE : bytes;
        while (end < bytes && is_inside(chunk[end]))
            end++;
        size_t piece = end - start;
        if (piece > UINT32_MAX >> INVALID_AT)
            return TOO_MANY;
        if (reserve(&counting->folded, piece + 64) || reserve(&counting->edges, (piece + 2) * sizeof(uint32_t)))
            return NO_MEMORY;
        const uint8_t *folded = counting->folded.data, *folded_end = folded + piece;
        uint32_t *edge = (uint32_t *)(void *)counting->edges.data;
        uint32_t *last_edge = edge + fold(chunk + start, piece, counting->folded.data, edge);
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
                if (stretch && !stretch->count++ && !is_ascii(&keys[i]))
                    status = note_unclear(counting, stretch, &keys[i]);
                marks += stretch ? stretch->mark >> INVALID_AT : 0;
            }
            if (marks && !*invalid)
                *first_invalid = start + first_invalid_of(keys, made, folded);
            *invalid += marks;
        }
    }
    return status;
}

/* How many distinct stretches there are. */
EXPORTED size_t counting_stretches(const Counting *counting) { return entries_in(&counting->stretches); }

/* The distinct stretches that are not ASCII, in order of first occurrence, a newline before each. */
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
        /* A word that is an ASCII stretch too is counted there. */
        size_t slot;
        Entry *word = is_ascii(&key) ? find(table, &key, &slot) : NULL;
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

/* How many code points a word has; of a longer one than LONGEST, that it is longer. */
static size_t length_of(const Table *table, const Entry *word) {
    size_t length = word->bytes;
    if (length <= 16) {
        length -= following(word->head[0]) + following(word->head[1]);
    } else {
        const uint8_t *text = text_of(table, word);
        length = 0;
        for (size_t i = 0; i < word->bytes && length <= LONGEST; i++)
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
            if (length_of(table, word) > LONGEST) {
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

/* Write the words that are settled, or else those of the stretches, to the lines, as one more object of each where
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
        size_t length = length_of(table, word);
        if (length > LONGEST)
            counting->longer_words += (uint64_t)word->count;
        else
            status = write_entry(&counting->lines, length - 1, table, word, 1);
    }
    status = status ? status : end_pieces(&counting->lines);
    clear_stretches(counting), clear_table(&counting->settled);
    return status;
}

/* The lines of JSON, each of one object or several with tabs between, with words in the order in which they came, and
   what each counts; `observed` has one more, of longer words. */
EXPORTED void counting_lines(const Counting *counting, const uint8_t *lines[LONGEST], size_t sizes[LONGEST],
                             uint64_t observed[LONGEST + 1]) {
    for (int i = 0; i < LONGEST; i++) {
        const Buffer *line = &counting->lines.lines[i];
        lines[i] = line->size ? line->data : (const uint8_t *)"{}", sizes[i] = line->size ? line->size : 2;
        observed[i] = (uint64_t)counting->lines.observed[i];
    }
    observed[LONGEST] = counting->longer_words;
}

/* ------------------------------------------------------------------------------ summing */

typedef struct {
    Table table; /* an entry's mark is the line that it was in last */
    uint64_t part, parts, total;
    size_t texts_limit;
    uint32_t line;
    Lines best;
} Sums;

EXPORTED void sums_close(Sums *sums) {
    close_table(&sums->table);
    close_lines(&sums->best);
    free(sums);
}

/* NULL without memory. */
EXPORTED Sums *sums_open(const Secret *secret) {
    Sums *sums = calloc(1, sizeof *sums);
    Shards one = {{{0}}, 1, 0};
    if (!sums || (!open_table(&sums->table, secret, 1) && !open_lines(&sums->best, &one, 1)))
        return sums;
    sums_close(sums);
    return NULL;
}

/* Forget what was summed, keep the memory, and sum at most `limit` words, whose texts, where they do not fit into an
   entry, have at most `texts_limit` bytes: those that belong to `part` of `parts`. */
EXPORTED void sums_begin(Sums *sums, size_t limit, size_t texts_limit, uint64_t part, uint64_t parts) {
    sums->table.slots_mask = FEWEST_SLOTS - 1; /* as few as at first: parts differ more than blocks */
    clear_table(&sums->table);
    sums->table.limit = limit, sums->texts_limit = texts_limit;
    sums->part = part, sums->parts = parts;
    sums->total = sums->line = 0;
}

static int add_word(Sums *sums, const Key *key, uint64_t times) {
    int status = DONE;
    if (sums->parts > 1 && (key->hash >> 32) % sums->parts != sums->part)
        return DONE;
    Entry *word = entry_of(&sums->table, key, &status);
    if (!word)
        return status;
    if (word->mark == sums->line)
        return TWICE;
    word->mark = sums->line;
    if (__builtin_add_overflow(sums->total, times, &sums->total) || sums->total > INT64_MAX)
        return TOO_LARGE;
    word->count += (int64_t)times; /* not above the total */
    return DONE;
}

/* Where a word ends, at a quote or at what no word has; `all` gets the bits that its bytes have. */
static inline const uint8_t *end_of_word(const uint8_t *at, const uint8_t *end, uint64_t *all) {
    for (uint64_t bytes, ends; end - at >= 8; at += 8) {
        memcpy(&bytes, at, 8);
        if ((ends = escaped_in(bytes))) {
            *all |= bytes & (ends ^ (ends - 1));
            return at + __builtin_ctzll(ends) / 8;
        }
        *all |= bytes;
    }
    for (; at < end && *at != '"' && *at != '\\' && *at >= ' '; at++)
        *all |= *at;
    return at;
}

/* Add a line as counting_lines writes it, which a newline may follow. On failure, *failed_at is its offset. */
EXPORTED int sums_add(Sums *sums, const uint8_t *line, size_t bytes, size_t *failed_at) {
    const uint8_t *at = line, *end = line + bytes;
    Key keys[BATCH];
    uint64_t times[BATCH];
    int status = DONE, more, is_next;
    *failed_at = 0;
    if (!++sums->line)
        return TOO_LARGE;
    end -= bytes && end[-1] == '\n';
    if (end - at < 2 || *at++ != '{' || *--end != '}')
        return SYNTAX;
    for (more = at < end; more && !status;) {
        size_t made = 0;
        is_next = 0; /* object: what comes twice in one is damage */
        while (made < BATCH && more) {
            *failed_at = (size_t)(at - line);
            const uint8_t *word = ++at;
            if (at >= end || word[-1] != '"')
                return SYNTAX;
            uint64_t all = 0;
            at = end_of_word(word, end, &all);
            if (end - at < 3 || at[0] != '"' || at[1] != ':' || at[2] < '1' || at[2] > '9')
                return SYNTAX;
            if (at == word || ((all & EACH(0x80)) && !is_utf8(word, at)))
                return SYNTAX;
            make_key(&keys[made], &sums->table.secret, word, (size_t)(at - word), end);
            prefetch_slot(&sums->table, &keys[made]);
            uint64_t number = 0;
            for (at += 2; at < end && *at >= '0' && *at <= '9'; at++)
                if (__builtin_mul_overflow(number, 10, &number) ||
                    __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
                    return TOO_LARGE;
            times[made++] = number;
            if (!(more = at < end) || *at++ == ',')
                continue;
            if (end - at < 3 || at[-1] != '}' || at[0] != '\t' || at[1] != '{')
                return SYNTAX;
            at += 2, is_next = 1;
            break;
        }
        for (size_t i = 0; i < made; i++)
            prefetch_entry(&sums->table, &keys[i]);
        for (size_t i = 0; i < made && !status; i++) {
            *failed_at = (size_t)(keys[i].text - line) - 1;
            status = add_word(sums, &keys[i], times[i]);
        }
        if (!status && sums->table.texts.size > sums->texts_limit)
            return TOO_MANY;
        if (is_next && !++sums->line)
            return TOO_LARGE;
    }
    return status;
}

static int is_before(const Table *table, const Entry *one, const Entry *other) {
    if (one->count != other->count)
        return one->count > other->count;
    size_t shorter = one->bytes < other->bytes ? one->bytes : other->bytes;
    int order = memcmp(text_of(table, one), text_of(table, other), shorter);
    return order ? order < 0 : one->bytes < other->bytes;
}

/* The `top` <= 64 most frequent words as a line of JSON, ties by the order of bytes, which is that of code
   points; and how often all words occurred. */
EXPORTED int sums_best(Sums *sums, size_t top, const uint8_t **line, size_t *bytes, uint64_t *total) {
    const Entry *best[65];
    size_t found = 0;
    for (size_t i = 0; i < entries_in(&sums->table); i++) {
        const Entry *word = entry_at(&sums->table, i);
        size_t place = found;
        for (; place && is_before(&sums->table, word, best[place - 1]); place--)
            best[place] = best[place - 1];
        best[place] = word;
        found += found < top;
    }
    int status = DONE;
    sums->best.lines[0].size = 0, sums->best.observed[0] = 0;
    begin_pieces(&sums->best);
    for (size_t i = 0; i < found && !status; i++)
        status = write_entry(&sums->best, 0, &sums->table, best[i], 1);
    if (status || end_pieces(&sums->best))
        return NO_MEMORY;
    const Buffer *written = &sums->best.lines[0];
    *line = written->size ? written->data : (const uint8_t *)"{}", *bytes = written->size ? written->size : 2;
    *total = sums->total;
    return DONE;
}
