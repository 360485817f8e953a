/* Sums of lines of counts: of one shard in a reducer, or of what a block has counted so far.

   python_counts.py says the same in Python; this is held equal to it, byte for byte. */

#include "counts.h"

enum { FEW_KEYS = 1000, FEW_TEXTS = 1 << 20 }; /* lambda_src/counts/table.py */
enum { SUM, MIN, MAX }; /* what a column makes of two numbers of a key */

typedef struct {
    Table *keys, *names; /* for each part, opened when it has something; a key's mark is the piece that it was in last */
    size_t parts, columns;
    uint8_t kinds[MOST_COLUMNS];
    Secret secret;
    size_t keys_held, texts_held, keys_limit, texts_limit; /* over all parts */
    uint64_t pass, passes;                                 /* of several, each over some of the keys */
    Shards shards;
    uint64_t shard; /* the one that keys must be of, if shards are by key */
    uint32_t piece;
    Buffer unescaped, ranked;
    Lines lines, answer;
} Counts;

EXPORTED void counts_close(Counts *counts) {
    for (size_t i = 0; i < counts->parts; i++) {
        if (counts->keys)
            close_table(&counts->keys[i]);
        if (counts->names)
            close_table(&counts->names[i]);
    }
    free(counts->keys), free(counts->names);
    close_buffer(&counts->unescaped), close_buffer(&counts->ranked);
    close_lines(&counts->lines), close_lines(&counts->answer);
    free(counts);
}

/* NULL without memory. */
EXPORTED Counts *counts_open(const Secret *secret, size_t parts, size_t columns, const uint8_t *kinds) {
    static const Shards one = {{{0}}, 1, 0, 0};
    Counts *counts = columns && columns <= MOST_COLUMNS ? calloc(1, sizeof *counts) : NULL;
    if (!counts)
        return NULL;
    counts->secret = *secret, counts->parts = parts, counts->columns = columns;
    memcpy(counts->kinds, kinds, columns);
    counts->keys = calloc(parts, sizeof(Table)), counts->names = calloc(parts, sizeof(Table));
    if (counts->keys && counts->names && !open_lines(&counts->answer, &one, 1))
        return counts;
    counts_close(counts);
    return NULL;
}

/* Forget all keys and names, and keep the memory. */
static void forget(Counts *counts) {
    for (size_t i = 0; i < counts->parts; i++) {
        if (counts->keys[i].slots)
            clear_table(&counts->keys[i]);
        if (counts->names[i].slots)
            clear_table(&counts->names[i]);
    }
    counts->keys_held = counts->texts_held = counts->piece = 0;
}

/* Begin again. All parts together hold at most `keys` keys, whose texts, where they do not fit into an entry, have at
   most `texts` bytes: those of one pass of several. Keys must be of `shard`, one of `shards`. */
EXPORTED void counts_begin(Counts *counts, size_t keys, size_t texts, uint64_t pass, uint64_t passes,
                           const Shards *shards, uint64_t shard) {
    for (size_t i = 0; i < counts->parts; i++)
        if (counts->keys[i].slots)
            counts->keys[i].slots_mask = FEWEST_SLOTS - 1; /* as few as at first: sums differ more than blocks */
    forget(counts);
    counts->keys_limit = keys, counts->texts_limit = texts, counts->pass = pass, counts->passes = passes;
    counts->shards = *shards, counts->shard = shard;
    if (shards->count == 1)
        counts->shards.by_part = 1; /* nothing to check: a reader knows which part it reads */
    close_lines(&counts->lines);
}

/* ------------------------------------------------------------------------------ reading */

/* counts_add checks first that the last byte is `}`, `]` or a newline. Behind any other byte there is one more to read. */
typedef struct {
    const uint8_t *at, *end;
    const uint8_t *failed; /* where what is being read begins */
} Reader;

/* Where a string of JSON ends or has an escape; `all` gets the bits that its bytes have. */
static INLINE const uint8_t *end_of_text(const uint8_t *at, const uint8_t *end, uint64_t *all) {
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

/* The byte that the escape behind a backslash stands for, -1 if it is not one that write_escaped writes. */
static int unescape(Reader *reader) {
    static const char letters[] = "btnfr\"\\", bytes[] = "\b\t\n\f\r\"\\";
    const uint8_t *at = reader->at;
    if (reader->end - at < 5) /* more follows any key */
        return -1;
    const char *found = memchr(letters, *at, sizeof letters - 1);
    if (found)
        return reader->at++, (uint8_t)bytes[found - letters];
    int low = at[4] >= '0' && at[4] <= '9' ? at[4] - '0' : at[4] >= 'a' && at[4] <= 'f' ? at[4] - 'a' + 10 : -1;
    if (memcmp(at, "u00", 3) || at[3] < '0' || at[3] > '1' || low < 0)
        return -1;
    int byte = (at[3] - '0') << 4 | low;
    reader->at += 5;
    return memchr(bytes, byte, sizeof bytes - 1) ? -1 : byte;
}

/* Read a text with escapes, from its first one on, into `unescaped`, which never moves while a batch is read. */
static int read_escaped(Reader *reader, Buffer *unescaped, const uint8_t **text, size_t *bytes) {
    const uint8_t *begin = *text;
    if (reserve(unescaped, (size_t)(reader->end - begin)))
        return NO_MEMORY;
    size_t start = unescaped->size;
    while (reader->at < reader->end && *reader->at == '\\') {
        append(unescaped, begin, (size_t)(reader->at++ - begin));
        int byte = unescape(reader);
        if (byte < 0)
            return SYNTAX;
        unescaped->data[unescaped->size++] = (uint8_t)byte;
        uint64_t all = 0;
        begin = reader->at, reader->at = end_of_text(begin, reader->end, &all);
    }
    append(unescaped, begin, (size_t)(reader->at - begin));
    *text = unescaped->data + start, *bytes = unescaped->size - start;
    return is_utf8(*text, *text + *bytes) ? DONE : SYNTAX;
}

/* Read a quoted text as a key, and the byte behind it, which must be `next`. */
static INLINE int read_key(Reader *reader, const Secret *secret, Buffer *unescaped, Key *key, uint8_t next) {
    reader->failed = reader->at;
    if (*reader->at != '"')
        return SYNTAX;
    const uint8_t *text = ++reader->at, *end = reader->end;
    uint64_t all = 0;
    reader->at = end_of_text(text, end, &all);
    size_t bytes = (size_t)(reader->at - text);
    if (reader->at < end && *reader->at == '\\') {
        Reader slow = *reader; /* see add_keys */
        int status = read_escaped(&slow, unescaped, &text, &bytes);
        *reader = slow;
        if (status)
            return status;
        end = text + bytes;
    } else if ((all & EACH(0x80)) && !is_utf8(text, reader->at))
        return SYNTAX;
    if (reader->end - reader->at < 3 || reader->at[0] != '"' || reader->at[1] != next)
        return SYNTAX;
    reader->at += 2;
    make_key(key, secret, text, bytes, end);
    return DONE;
}

/* Read a number as write_number writes it. */
static INLINE int read_number(Reader *reader, int64_t *number, int may_be_negative) {
    const uint8_t *at = reader->at;
    uint64_t size = 0, is_negative = may_be_negative && *at == '-';
    const uint8_t *first = at += is_negative;
    for (uint8_t digit; (digit = (uint8_t)(*at - '0')) < 10; at++)
        size = size * 10 + digit;
    if (at == first || (*first == '0' && (at - first > 1 || is_negative)))
        return SYNTAX;
    if (at - first > 19 || size > (uint64_t)INT64_MAX + is_negative)
        return TOO_LARGE;
    reader->at = at, *number = (int64_t)(is_negative ? -size : size);
    return DONE;
}

static INLINE int read_byte(Reader *reader, uint8_t byte) {
    if (*reader->at != byte)
        return SYNTAX;
    reader->at++;
    return DONE;
}

static int open_once(Table *table, const Secret *secret, size_t columns) {
    return table->slots ? DONE : open_table(table, secret, columns);
}

/* What two numbers of a key make in a column. */
static INLINE int combine(uint8_t kind, int64_t *number, int64_t more) {
    if (kind == SUM)
        return __builtin_add_overflow(*number, more, number) ? TOO_LARGE : DONE;
    if (kind == MIN ? more < *number : more > *number)
        *number = more;
    return DONE;
}

/* The hash of the key that this one belongs to, which may be itself. */
static uint64_t outer_hash(const Key *key, const Secret *secret) {
    size_t bytes = outer_bytes(key->text, key->bytes);
    Key outer;
    make_key(&outer, secret, key->text, bytes, key->text + bytes);
    return outer.hash;
}

static INLINE int is_elsewhere(const Counts *counts, const Key *key) {
    uint64_t hash;
    if (counts->shards.has_inner)
        hash = outer_hash(key, &counts->shards.secret);
    else
        hash = hash_of(key->head, &counts->shards.secret, key->text, key->bytes, key->text + key->bytes);
    return (hash >> 32) * counts->shards.count >> 32 != counts->shard;
}

static INLINE int is_of_pass(const Counts *counts, const Key *key) {
    uint64_t hash = counts->shards.has_inner ? outer_hash(key, &counts->secret) : key->hash;
    return (hash >> 32) % counts->passes == counts->pass;
}

/* Add a key to the table of its part, or combine its counts. */
static INLINE int add_key(const Counts *counts, size_t columns, Table *table, const Key *key, uint32_t piece, int64_t first,
                          const int64_t *more) {
    int status = DONE;
    Entry *entry = entry_of(table, key, &status);
    if (!entry)
        return status;
    uint32_t mark = entry->mark; /* 0: it is new */
    entry->mark = piece;
    if (mark == piece)
        return TWICE;
    status = combine(SUM, &entry->count, first);
    for (size_t i = 1; i < columns && !status; i++)
        if (mark)
            status = combine(counts->kinds[i], &more_of(table, entry)[i - 1], more[i - 1]);
        else
            more_of(table, entry)[i - 1] = more[i - 1];
    return status;
}

static INLINE int read_numbers(Reader *reader, size_t columns, int64_t *first, int64_t *more) {
    int status = columns > 1 ? read_byte(reader, '[') : DONE;
    if (!status)
        status = read_number(reader, first, 0); /* it is what is observed */
    for (size_t i = 1; i < columns && !status; i++)
        if (!(status = read_byte(reader, ',')))
            status = read_number(reader, &more[i - 1], 1);
    if (!status && columns > 1)
        status = read_byte(reader, ']');
    return status;
}

typedef struct {
    size_t made;
    Key keys[BATCH];
    const uint8_t *places[BATCH]; /* where they begin */
    int64_t first[BATCH], behind[BATCH][MOST_COLUMNS - 1];
} Batch;

/* Read the next keys of an object; *more is set to whether it has others. */
static INLINE int read_batch(Counts *counts, size_t columns, Reader *reader, const Table *table, Batch *batch, int *more) {
    int status;
    counts->unescaped.size = 0;
    for (batch->made = 0; batch->made < BATCH && *more; batch->made++) {
        size_t i = batch->made;
        if ((status = read_key(reader, &table->secret, &counts->unescaped, &batch->keys[i], ':')))
            return status;
        prefetch_slot(table, &batch->keys[i]);
        batch->places[i] = reader->failed;
        if ((status = read_numbers(reader, columns, &batch->first[i], batch->behind[i])))
            return status;
        if (columns > 1 && reader->at == reader->end) /* the last byte was the `]` of a key's numbers */
            return SYNTAX;
        *more = *reader->at == ',';
        if (!*more && *reader->at != '}')
            return SYNTAX;
        reader->at++;
    }
    return DONE;
}

/* Add a batch of keys; on failure, *failed is where the one begins that failed. */
static INLINE int add_batch(Counts *counts, size_t columns, Table *table, const Batch *batch, const uint8_t **failed) {
    for (size_t i = 0; i < batch->made; i++)
        prefetch_entry(table, &batch->keys[i]);
    size_t keys = entries_in(table), texts = table->texts.size;
    const int is_checked = !counts->shards.by_part, is_everything = counts->passes == 1;
    const uint32_t piece = counts->piece;
    int status = DONE;
    table->limit = keys + (counts->keys_limit - counts->keys_held);
    size_t done = 0;
    for (; done < batch->made && !status; done++) {
        const Key *key = &batch->keys[done];
        if (is_checked && is_elsewhere(counts, key))
            status = ELSEWHERE;
        else if (is_everything || is_of_pass(counts, key))
            status = add_key(counts, columns, table, key, piece, batch->first[done], batch->behind[done]);
    }
    if (done)
        *failed = batch->places[done - 1];
    counts->keys_held += entries_in(table) - keys, counts->texts_held += table->texts.size - texts;
    return status || counts->texts_held <= counts->texts_limit ? status : TOO_MANY;
}

/* Add an object of keys, from behind its `{` to behind its `}`. */
static INLINE int add_keys_of(Counts *counts, size_t columns, Reader *reader, size_t part) {
    Table *table = &counts->keys[part];
    Reader fast = *reader; /* nobody has its address, so it stays in registers */
    Batch batch;
    int status = open_once(table, &counts->secret, counts->columns), more = 1;
    while (more && !status)
        if (!(status = read_batch(counts, columns, &fast, table, &batch, &more)))
            status = add_batch(counts, columns, table, &batch, &fast.failed);
    *reader = fast;
    return status;
}

static int add_keys(Counts *counts, Reader *reader, size_t part) { /* one column is common, and much faster by itself */
    return counts->columns == 1 ? add_keys_of(counts, 1, reader, part) : add_keys_of(counts, counts->columns, reader, part);
}

/* Add an array of sums by name, from behind its `[` to behind its `]`. */
static int add_names(Counts *counts, Reader *reader, size_t part) {
    Table *table = &counts->names[part];
    int status = open_once(table, &counts->secret, 1), more = 1;
    if (!counts->shards.by_part && counts->shard)
        return ELSEWHERE;
    for (; more && !status; reader->at++) {
        Key name;
        int64_t number;
        counts->unescaped.size = 0;
        if ((status = read_key(reader, &counts->secret, &counts->unescaped, &name, ',')) ||
            (status = read_number(reader, &number, 1)))
            return status;
        table->limit = MOST_NAMES;
        Entry *entry = counts->pass ? NULL : entry_of(table, &name, &status);
        status = status == TOO_MANY ? TOO_MANY_NAMES : status;
        if (entry && !status)
            status = entry->mark == counts->piece ? TWICE : combine(SUM, &entry->count, number);
        if (entry)
            entry->mark = counts->piece;
        if (!status && *reader->at != ',' && *reader->at != ']')
            return SYNTAX;
        more = !status && *reader->at == ',';
    }
    return status;
}

/* Add a line of each of `parts` parts from `first` on, with newlines between. On failure, *failed_at is an offset. */
EXPORTED int counts_add(Counts *counts, size_t first, size_t parts, const uint8_t *data, size_t bytes, size_t *failed_at) {
    Reader reader = {data, data + bytes, data};
    int status = first <= counts->parts && parts <= counts->parts - first ? DONE : SYNTAX;
    if (bytes && !memchr("}]\n", data[bytes - 1], 3))
        status = SYNTAX;
    for (size_t part = first; part < first + parts && !status; part++) {
        if (part > first && (reader.at == reader.end || *reader.at++ != '\n'))
            status = SYNTAX;
        for (int more = !status && reader.at < reader.end && *reader.at != '\n'; more && !status;) {
            reader.failed = reader.at;
            if (!++counts->piece)
                status = TOO_LARGE; /* a mark would have two meanings */
            else if (reader.at < reader.end && *reader.at == '{')
                reader.at++, status = add_keys(counts, &reader, part);
            else if (reader.at < reader.end && *reader.at == '[')
                reader.at++, status = add_names(counts, &reader, part);
            else
                status = SYNTAX;
            if (!status && (more = reader.at < reader.end && *reader.at == '\t'))
                reader.at++;
        }
    }
    if (!status && reader.at < reader.end)
        reader.failed = reader.at, status = SYNTAX;
    *failed_at = (size_t)(reader.failed - data);
    return status;
}

/* ------------------------------------------------------------------------------ rows */

#define MOST_ROW_KEY 1000 /* bytes */
#define MOST_DIGITS 18    /* of a number, with its point: so 64 bits hold it */

/* Read what is behind a row's separator up to `end`: digits and a point before the last `decimals` of them. */
static INLINE int read_decimal(const uint8_t *at, const uint8_t *end, size_t decimals, int64_t *number) {
    int is_negative = at < end && *at == '-';
    at += is_negative;
    const uint8_t *point = decimals ? end - decimals - 1 : end;
    if (end - at > MOST_DIGITS || end - at < (decimals ? (ptrdiff_t)decimals + 2 : 1) || (decimals && *point != '.'))
        return 0;
    int64_t size = 0;
    int are_digits = 1;
    for (; at < end; at++)
        if (at != point) {
            uint8_t digit = (uint8_t)(*at - '0');
            are_digits &= digit < 10;
            size = size * 10 + digit % 10;
        }
    *number = is_negative ? -size : size;
    return are_digits;
}

static int add_row(Counts *counts, Table *table, const Key *key, int64_t number) {
    int status = DONE;
    Entry *entry = entry_of(table, key, &status);
    if (!entry)
        return status;
    int64_t *more = more_of(table, entry);
    int is_new = !entry->mark;
    if (entry->count == INT64_MAX)
        return TOO_LARGE;
    entry->count++, entry->mark = counts->piece;
    for (size_t i = 1; i < counts->columns && !status; i++)
        if (is_new)
            more[i - 1] = number;
        else
            status = combine(counts->kinds[i], &more[i - 1], number);
    return status;
}

/* Add rows of a key, a separator and a number with `decimals`, from *at on, which is set to where the next row begins
   once as much is held as `keys` keys or `texts` bytes of texts. A row counts 1 in the first column, and its number in
   all others. Rows that are none are kept for counts_other_rows. */
EXPORTED int counts_add_rows(Counts *counts, size_t part, const uint8_t *rows, size_t bytes, uint8_t separator, size_t decimals,
                             size_t keys, size_t texts, size_t *at) {
    Table *table = &counts->keys[part];
    const uint8_t *row = rows + *at, *end = rows + bytes;
    int status = ++counts->piece ? open_once(table, &counts->secret, counts->columns) : TOO_LARGE;
    counts->unescaped.size = 0;
    table->limit = MAX_ENTRIES;
    while (row < end && !status && counts->keys_held < keys && counts->texts_held < texts) {
        Key made[BATCH];
        int64_t numbers[BATCH];
        size_t count = 0, held = entries_in(table), held_texts = table->texts.size;
        for (; count < BATCH && row < end && !status;) {
            const uint8_t *next = memchr(row, '\n', (size_t)(end - row)), *stop = next ? next : end;
            next = next ? next + 1 : end;
            const uint8_t *found = memchr(row, separator, (size_t)(stop - row));
            uint64_t all = 0;
            for (const uint8_t *byte = row; found && byte < found; byte++)
                all |= *byte;
            if (found && found - row <= MOST_ROW_KEY && read_decimal(found + 1, stop, decimals, &numbers[count]) && (all < 0x80 || is_utf8(row, found))) {
                make_key(&made[count], &table->secret, row, (size_t)(found - row), end);
                prefetch_slot(table, &made[count++]);
            } else if (!(status = reserve(&counts->unescaped, (size_t)(stop - row) + 1))) {
                append(&counts->unescaped, row, (size_t)(stop - row));
                append(&counts->unescaped, "\n", 1);
            }
            row = next;
        }
        for (size_t i = 0; i < count && !status; i++)
            status = add_row(counts, table, &made[i], numbers[i]);
        counts->keys_held += entries_in(table) - held, counts->texts_held += table->texts.size - held_texts;
    }
    *at = (size_t)(row - rows);
    return status;
}

/* What counts_add_rows has left, with a newline behind each row. */
EXPORTED const uint8_t *counts_other_rows(const Counts *counts, size_t *bytes) {
    *bytes = counts->unescaped.size;
    return counts->unescaped.data;
}

/* How many keys are held, and the bytes of their texts that do not fit into an entry. */
EXPORTED size_t counts_held(const Counts *counts, size_t *texts) {
    *texts = counts->texts_held;
    return counts->keys_held;
}

/* ------------------------------------------------------------------------------ writing */

/* Write what is held as a piece more of the lines of `shards`, and forget it. */
EXPORTED int counts_write(Counts *counts, const Shards *shards) {
    int status = counts->lines.lines ? DONE : open_lines(&counts->lines, shards, counts->parts);
    if (status)
        return status;
    begin_pieces(&counts->lines);
    for (size_t part = 0; part < counts->parts; part++) {
        const Table *table = &counts->keys[part];
        for (size_t i = 0, entries = table->slots ? entries_in(table) : 0; i < entries && !status; i++)
            status = write_entry(&counts->lines, part, table, entry_at(table, i), 0);
    }
    status = status ? status : end_pieces(&counts->lines);
    begin_pieces(&counts->lines);
    for (size_t part = 0; part < counts->parts; part++) {
        const Table *table = &counts->names[part];
        for (size_t i = 0, entries = table->slots ? entries_in(table) : 0; i < entries && !status; i++) {
            const Entry *name = entry_at(table, i);
            status = write_sum(&counts->lines, part, text_of(table, name), name->bytes, name->count);
        }
    }
    forget(counts);
    return status ? status : end_pieces(&counts->lines);
}

/* The lines written so far, by shard and part, their sizes, and the sums of the first column in them. */
EXPORTED void counts_lines(const Counts *counts, const uint8_t **lines, size_t *sizes, int64_t *observed) {
    tell_lines(&counts->lines, lines, sizes, observed);
}

/* Give back the memory of a line, which was copied. */
EXPORTED void counts_drop_line(Counts *counts, size_t line) { close_buffer(&counts->lines.lines[line]); }

/* ------------------------------------------------------------------------------ all keys, in order */

/* Eight bytes of a key from `depth` times eight on, padded with zeros, so that they compare as the bytes do. Those of a
   long key are in head[0] while it is sorted: see load_word. */
static inline uint64_t word_of(const Entry *entry, size_t depth) {
    uint64_t word = entry->bytes > 16 ? entry->head[0] : depth < 2 ? entry->head[depth] : 0;
    return __builtin_bswap64(word);
}

/* How many bytes of the word belong to the key; 9 if more follow. */
static inline unsigned bytes_at(const Entry *entry, size_t depth) {
    size_t before = 8 * depth, left = entry->bytes > before ? entry->bytes - before : 0;
    return left > 8 ? 9 : (unsigned)left;
}

static inline void load_word(const Table *table, Entry *entry, size_t depth) {
    if (entry->bytes <= 16)
        return;
    size_t before = 8 * depth, left = entry->bytes > before ? entry->bytes - before : 0;
    entry->head[0] = 0;
    if (left)
        memcpy(entry->head, table->texts.data + entry->head[1] + before, left < 8 ? left : 8);
}

static inline int order_at(const Entry *entry, uint64_t word, unsigned bytes, size_t depth) {
    uint64_t other = word_of(entry, depth);
    if (other != word)
        return other < word ? -1 : 1;
    unsigned others = bytes_at(entry, depth);
    return (others > bytes) - (others < bytes);
}

static inline void swap_entries(Entry *one, Entry *other) {
    Entry moved = *one;
    *one = *other, *other = moved;
}

/* Sort entries that agree in all words before `depth`: quicksort by one word, then by the next one where that is the
   same. Pivots are random, so no order of keys is slow; the largest part is sorted last, so the stack stays small. */
static void sort_entries(const Table *table, Entry *first, size_t count, size_t depth, uint64_t *random) {
    while (count > 1) {
        *random ^= *random << 13, *random ^= *random >> 7, *random ^= *random << 17;
        const Entry *pivot = &first[*random % count];
        uint64_t word = word_of(pivot, depth);
        unsigned bytes = bytes_at(pivot, depth);
        size_t below = 0, above = count;
        for (size_t at = 0; at < above;) {
            int order = order_at(&first[at], word, bytes, depth);
            if (order < 0)
                swap_entries(&first[below++], &first[at++]);
            else if (order > 0)
                swap_entries(&first[at], &first[--above]);
            else
                at++;
        }
        /* Keys that end in this word are equal, so there is one; it counts as sorted. */
        size_t equal = bytes > 8 ? above - below : 0, behind = count - above;
        for (size_t i = below; i < below + equal; i++)
            load_word(table, &first[i], depth + 1);
        if (equal >= below && equal >= behind) {
            sort_entries(table, first, below, depth, random);
            sort_entries(table, first + above, behind, depth, random);
            first += below, count = equal, depth++;
        } else {
            sort_entries(table, first + below, equal, depth + 1, random);
            size_t larger = below > behind ? below : behind;
            if (below > behind)
                sort_entries(table, first + above, behind, depth, random);
            else
                sort_entries(table, first, below, depth, random), first += above;
            count = larger;
        }
    }
}

/* Move the columns behind the first one to where their entries are now: an entry's mark is where it was. */
static void follow_entries(Table *table) {
    size_t behind = table->columns - 1, bytes = behind * sizeof(int64_t);
    int64_t moved[MOST_COLUMNS];
    for (size_t start = 0, entries = entries_in(table); behind && start < entries; start++) {
        size_t at = start, from;
        memcpy(moved, more_of(table, entry_at(table, start)), bytes);
        for (; (from = entry_at(table, at)->mark) != start; at = from) {
            memcpy(more_of(table, entry_at(table, at)), more_of(table, entry_at(table, from)), bytes);
            entry_at(table, at)->mark = (uint32_t)at;
        }
        memcpy(more_of(table, entry_at(table, at)), moved, bytes);
        entry_at(table, at)->mark = (uint32_t)at;
    }
}

/* Sort the keys of a part by their bytes; nothing can be added to it afterwards. */
EXPORTED void counts_sort(Counts *counts, size_t part) {
    Table *table = &counts->keys[part];
    size_t entries = table->slots ? entries_in(table) : 0;
    if (!entries)
        return;
    uint64_t random = counts->secret.word[0] | 1;
    for (size_t i = 0; i < entries; i++) {
        entry_at(table, i)->mark = (uint32_t)i;
        load_word(table, entry_at(table, i), 0);
    }
    sort_entries(table, entry_at(table, 0), entries, 0, &random);
    follow_entries(table);
}

/* Write rows of the sorted keys of a part, as lambda_src/sorted_rows.py has them, from key *next on: about `most` bytes.
   *next is set to the key behind them, and *observed to the sum of the first column in them. */
EXPORTED int counts_rows(Counts *counts, size_t part, size_t most, size_t *next, const uint8_t **rows, size_t *bytes,
                         int64_t *observed) {
    Table *table = &counts->keys[part];
    Buffer *written = &counts->unescaped;
    size_t entries = table->slots ? entries_in(table) : 0;
    written->size = 0, *observed = 0;
    for (; *next < entries && written->size < most; ++*next) {
        Entry *entry = entry_at(table, *next);
        const uint8_t *text = text_of(table, entry), *end = text + entry->bytes, *nul;
        if (reserve(written, 2 * (size_t)entry->bytes + counts->columns * NUMBER_BYTES + 2))
            return NO_MEMORY;
        if (written->size)
            append(written, "\xff", 1);
        for (; (nul = memchr(text, 0, (size_t)(end - text))); text = nul + 1) {
            append(written, text, (size_t)(nul - text));
            append(written, "\0\xfe", 2);
        }
        append(written, text, (size_t)(end - text));
        for (size_t column = 0; column < counts->columns; column++) {
            append(written, column ? "," : "", 1);
            uint8_t *at = written->data + written->size;
            written->size += (size_t)(write_number(at, *count_of(table, entry, column)) - at);
        }
        if (__builtin_add_overflow(*observed, entry->count, observed))
            return TOO_LARGE;
    }
    *rows = written->data, *bytes = written->size;
    return DONE;
}

/* ------------------------------------------------------------------------------ ranking */

/* Of each column over all keys of a part, what it makes of their numbers; the answer is how many keys there are. */
EXPORTED int counts_totals(const Counts *counts, size_t part, int64_t *totals, size_t *keys) {
    const Table *table = &counts->keys[part];
    int status = DONE;
    *keys = table->slots ? entries_in(table) : 0;
    for (size_t column = 0; column < counts->columns && *keys && !status; column++) {
        int64_t total = *count_of(table, entry_at(table, 0), column);
        for (size_t i = 1; i < *keys && !status; i++)
            status = combine(counts->kinds[column], &total, *count_of(table, entry_at(table, i), column));
        totals[column] = total;
    }
    return status;
}

typedef struct {
    const Table *table;
    size_t column;
    int is_lowest_first;
    uint32_t *heap; /* places of entries, the last one in the ranking on top */
} Ranking;

static inline int is_before(const Ranking *ranking, uint32_t one, uint32_t other) {
    const Table *table = ranking->table;
    Entry *first = entry_at(table, one), *second = entry_at(table, other);
    int64_t count = *count_of(table, first, ranking->column), than = *count_of(table, second, ranking->column);
    if (count != than)
        return ranking->is_lowest_first ? count < than : count > than;
    size_t shorter = first->bytes < second->bytes ? first->bytes : second->bytes;
    int order = memcmp(text_of(table, first), text_of(table, second), shorter);
    return order ? order < 0 : first->bytes < second->bytes;
}

static void sift_down(const Ranking *ranking, size_t at, size_t size) {
    uint32_t moved = ranking->heap[at];
    for (size_t below; (below = 2 * at + 1) < size; at = below) {
        if (below + 1 < size && is_before(ranking, ranking->heap[below], ranking->heap[below + 1]))
            below++;
        if (!is_before(ranking, moved, ranking->heap[below]))
            break;
        ranking->heap[at] = ranking->heap[below];
    }
    ranking->heap[at] = moved;
}

/* Put the `top` first ones of a part's keys into the ranking, in order; the answer is how many these are. */
static size_t rank(const Ranking *ranking, size_t top, int leaves_out_zeros) {
    size_t size = 0;
    int64_t last = 0; /* the count of the last one, once there are enough */
    for (size_t i = 0, entries = entries_in(ranking->table); top && i < entries; i++) {
        int64_t count = *count_of(ranking->table, entry_at(ranking->table, i), ranking->column);
        if (size == top && (ranking->is_lowest_first ? count > last : count < last))
            continue;
        if (leaves_out_zeros && !count)
            continue;
        if (size < top) {
            ranking->heap[size++] = (uint32_t)i;
            for (size_t next = size == top ? size / 2 : 0; next--;)
                sift_down(ranking, next, size);
        } else if (is_before(ranking, (uint32_t)i, ranking->heap[0])) {
            ranking->heap[0] = (uint32_t)i;
            sift_down(ranking, 0, size);
        }
        if (size == top)
            last = *count_of(ranking->table, entry_at(ranking->table, ranking->heap[0]), ranking->column);
    }
    for (size_t next = size < top ? size / 2 : 0; next--;)
        sift_down(ranking, next, size);
    for (size_t left = size; left > 1;) {
        uint32_t last = ranking->heap[0];
        ranking->heap[0] = ranking->heap[--left], ranking->heap[left] = last;
        sift_down(ranking, 0, left);
    }
    return size;
}

static void begin_answer(Counts *counts) {
    counts->answer.lines[0].size = 0, counts->answer.observed[0] = 0;
    begin_pieces(&counts->answer);
}

static int end_answer(Counts *counts, const uint8_t **json, size_t *bytes) {
    if (end_pieces(&counts->answer))
        return NO_MEMORY;
    *json = counts->answer.lines[0].data, *bytes = counts->answer.lines[0].size;
    return DONE;
}

/* Write the inner keys of the entries at `places`: of all keys, one look at each. */
static int write_inner(Counts *counts, const Table *table, const uint32_t *places, size_t count) {
    Table outer = {0};
    int status = open_table(&outer, &counts->secret, 1);
    for (size_t i = 0; i < count && !status; i++) {
        const Entry *entry = entry_at(table, places[i]);
        const uint8_t *text = text_of(table, entry);
        Key key;
        make_key(&key, &counts->secret, text, entry->bytes, text + entry->bytes);
        entry_of(&outer, &key, &status);
    }
    for (size_t i = 0, slot; i < entries_in(table) && !status; i++) {
        const Entry *entry = entry_at(table, i);
        const uint8_t *text = text_of(table, entry);
        size_t bytes = outer_bytes(text, entry->bytes);
        Key key;
        if (bytes == entry->bytes)
            continue;
        make_key(&key, &counts->secret, text, bytes, text + bytes);
        if (find(&outer, &key, &slot))
            status = write_entry(&counts->answer, 0, table, entry, 0);
        counts->answer.observed[0] = 0;
    }
    close_table(&outer);
    return status;
}

static int write_best(Counts *counts, const Table *table, size_t column, size_t top, const uint8_t **json, size_t *bytes) {
    size_t entries = table->slots ? entries_in(table) : 0;
    top = top < entries ? top : entries;
    counts->ranked.size = 0;
    if (reserve(&counts->ranked, top * sizeof(uint32_t)))
        return NO_MEMORY;
    Ranking ranking = {table, column, counts->kinds[column] == MIN, (uint32_t *)(void *)counts->ranked.data};
    size_t ranked = entries ? rank(&ranking, top, counts->kinds[column] == SUM) : 0;
    int status = DONE;
    begin_answer(counts);
    for (size_t i = 0; i < ranked && !status; i++) {
        status = write_entry(&counts->answer, 0, table, entry_at(table, ranking.heap[i]), 0);
        counts->answer.observed[0] = 0; /* of no use here, and keys that are ranked by others may overflow it */
    }
    if (counts->shards.has_inner && !status)
        status = write_inner(counts, table, ranking.heap, ranked);
    return status ? status : end_answer(counts, json, bytes);
}

/* The `top` first keys of a part by a column, with their inner keys, as one object: the highest ones, of a minimum the lowest ones, ties by
   the order of bytes, which is that of code points. A key that has 0 of a sum is in no ranking by it. */
EXPORTED int counts_best(Counts *counts, size_t part, size_t column, size_t top, const uint8_t **json, size_t *bytes) {
    return write_best(counts, &counts->keys[part], column, top, json, bytes);
}

/* Add the keys of a part to a table over all parts. */
static int add_part(const Counts *counts, Table *all, size_t part) {
    const Table *table = &counts->keys[part];
    Key keys[BATCH];
    int status = DONE;
    for (size_t done = 0, made, entries = entries_in(table); done < entries && !status; done += made) {
        for (made = 0; made < BATCH && done + made < entries; made++) {
            make_key_of(&keys[made], table, entry_at(table, done + made));
            prefetch_slot(all, &keys[made]);
        }
        for (size_t i = 0; i < made; i++)
            prefetch_entry(all, &keys[i]);
        for (size_t i = 0; i < made && !status; i++) {
            const Entry *entry = entry_at(table, done + i);
            status = add_key(counts, counts->columns, all, &keys[i], (uint32_t)(part + 1), entry->count, more_of(table, entry));
        }
    }
    return status;
}

/* As counts_best, of all parts from `first` on: of a key that several have, the columns are combined. TOO_MANY if that
   takes more keys or texts than are left of those that all parts may hold together; there is always room for a few. */
EXPORTED int counts_best_of_all(Counts *counts, size_t first, size_t parts, size_t column, size_t top, const uint8_t **json,
                                size_t *bytes) {
    Table all = {0};
    int status = open_table(&all, &counts->secret, counts->columns);
    size_t keys_left = counts->keys_limit - counts->keys_held, texts_left = counts->texts_limit - counts->texts_held;
    all.limit = keys_left > FEW_KEYS ? keys_left : FEW_KEYS;
    for (size_t part = first; part < first + parts && !status; part++)
        if (counts->keys[part].slots)
            status = add_part(counts, &all, part);
    if (!status && all.texts.size > (texts_left > FEW_TEXTS ? texts_left : FEW_TEXTS))
        status = TOO_MANY;
    if (!status)
        status = write_best(counts, &all, column, top, json, bytes);
    close_table(&all);
    return status;
}

/* The sums by name of a part, as one array. */
EXPORTED int counts_names(Counts *counts, size_t part, const uint8_t **json, size_t *bytes) {
    const Table *table = &counts->names[part];
    int status = DONE;
    begin_answer(counts);
    for (size_t i = 0, entries = table->slots ? entries_in(table) : 0; i < entries && !status; i++) {
        const Entry *name = entry_at(table, i);
        status = write_sum(&counts->answer, 0, text_of(table, name), name->bytes, name->count);
    }
    return status ? status : end_answer(counts, json, bytes);
}
