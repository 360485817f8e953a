/* Counts of keys in C: what the engine's counts.c and the C of jobs share.

   A key is any UTF-8 text. A table has a vector of numbers for each of its keys; lines are written by shard and part,
   as lambda_src/counts describes them. Input is hostile: nothing is read past its end, every size is checked, every
   failure has a status.

   Hashes have a secret, so that no text can be made to collide. Entries lie beside the slots in the order in which
   they came, so that the secret never shows in a result. */

#ifndef COUNTS_H
#define COUNTS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))
#define SHARED static __attribute__((unused))
#define INLINE inline __attribute__((always_inline))
#define BATCH 32               /* Hashed at once, so that the memory of slots and entries is there in time. */
#define MOST_COLUMNS 16
#define MOST_NAMES 10000       /* Of sums of a part; a key may have any number. */
#define MAX_ENTRIES 0x7fffffff /* An index fits into a slot. */
#ifndef FEWEST_SLOTS           /* The fuzzer has fewer. */
#define FEWEST_SLOTS 1024
#endif

/* What functions answer: lambda_src/counts/library.py. */
enum { DONE, NO_MEMORY, TOO_MANY, SYNTAX, TWICE, TOO_LARGE, ELSEWHERE, TOO_MANY_NAMES };

/* ------------------------------------------------------------------------------ buffers that grow */

typedef struct {
    uint8_t *data;
    size_t size, capacity;
} Buffer;

SHARED int reserve(Buffer *buffer, size_t more) {
    if (more <= buffer->capacity - buffer->size)
        return DONE;
    if (more > SIZE_MAX / 4 || buffer->size > SIZE_MAX / 4)
        return NO_MEMORY;
    size_t capacity = 2 * buffer->size + more;
    uint8_t *data = realloc(buffer->data, capacity);
    if (!data)
        return NO_MEMORY;
    buffer->data = data, buffer->capacity = capacity;
    return DONE;
}

SHARED void append(Buffer *buffer, const void *data, size_t bytes) { /* where there is room */
    memcpy(buffer->data + buffer->size, data, bytes);
    buffer->size += bytes;
}

SHARED void close_buffer(Buffer *buffer) {
    free(buffer->data);
    *buffer = (Buffer){0};
}

/* ------------------------------------------------------------------------------ keys */

typedef struct {
    uint64_t head[2]; /* the first 16 bytes, padded with zeros */
    const uint8_t *text;
    size_t bytes;
    uint64_t hash;
} Key;

typedef struct {
    uint64_t word[4];
} Secret;

#define EACH(byte) (0x0101010101010101u * (byte))

/* At most 16 bytes, padded with zeros; nothing at or behind `end` is read. */
SHARED inline void load(uint64_t head[2], const uint8_t *text, size_t bytes, const uint8_t *end) {
    static const uint8_t masks[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                      255, 255, 255, 255, 255, 255, 255, 255};
    bytes = bytes < 16 ? bytes : 16;
    head[0] = head[1] = 0;
    if (end - text < 16) {
        if (bytes)
            memcpy(head, text, bytes);
        return;
    }
    uint64_t mask[2];
    memcpy(mask, masks + 16 - bytes, 16);
    memcpy(head, text, 16);
    head[0] &= mask[0], head[1] &= mask[1];
}

SHARED inline uint64_t folded_product(uint64_t one, uint64_t other) {
    unsigned __int128 product = (unsigned __int128)one * other;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Folded products, as in wyhash, of the text and random words that its author cannot have known. */
SHARED INLINE uint64_t hash_of(const uint64_t head[2], const Secret *secret,
                                                              const uint8_t *text, size_t bytes, const uint8_t *end) {
    uint64_t next[2], hash = folded_product(head[0] ^ secret->word[0], head[1] ^ secret->word[1]);
    for (size_t at = 16; at < bytes; at += 16) {
        load(next, text + at, bytes - at, end);
        hash = folded_product(next[0] ^ hash, next[1] ^ secret->word[2]);
    }
    return folded_product(hash ^ bytes, secret->word[3] | 1);
}

/* Nothing at or behind `end` is read. */
SHARED INLINE void make_key(Key *key, const Secret *secret, const uint8_t *text,
                                                           size_t bytes, const uint8_t *end) {
    uint64_t head[2];
    load(head, text, bytes, end);
    *key = (Key){{head[0], head[1]}, text, bytes, hash_of(head, secret, text, bytes, end)};
}

/* ------------------------------------------------------------------------------ UTF-8 */

/* How many bytes the character at the beginning has, 0 if there is none that Python decodes: nothing overlong, no
   surrogates, nothing above U+10FFFF. */
SHARED inline size_t character(const uint8_t *at, const uint8_t *end) {
    uint8_t first = *at++;
    if (first < 0x80)
        return 1;
    size_t more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first < 0xc2 || first > 0xf4 || (size_t)(end - at) < more || *at < least || *at > most)
        return 0;
    for (size_t i = 1; i < more; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return more + 1;
}

SHARED int is_utf8(const uint8_t *at, const uint8_t *end) {
    size_t bytes = 1;
    while (at < end && (bytes = character(at, end)))
        at += bytes;
    return !!bytes;
}

/* ------------------------------------------------------------------------------ a table of counts */

typedef struct {
    uint64_t head[2];     /* the key if it has at most 16 bytes, else head[1] is where it begins in `texts` */
    int64_t count;        /* the first column */
    uint32_t bytes, mark; /* mark: what the caller notes, at first 0 */
} Entry;

typedef struct {
    Secret secret;
    size_t columns, limit, slots_mask, slots_there; /* only the slots of the mask are in use */
    uint32_t *slots; /* 1 + the entry's index in the bits of the mask, its hash in those above; 0 where free */
    Buffer entries, more, texts; /* more: of each entry, the columns behind the first one */
} Table;

SHARED inline Entry *entry_at(const Table *table, size_t index) {
    return (Entry *)(void *)table->entries.data + index;
}
SHARED inline size_t entries_in(const Table *table) { return table->entries.size / sizeof(Entry); }
SHARED inline size_t index_of(const Table *table, const Entry *entry) {
    return (size_t)(entry - entry_at(table, 0));
}
/* The columns of an entry behind its first one. */
SHARED inline int64_t *more_of(const Table *table, const Entry *entry) {
    return (int64_t *)(void *)table->more.data + index_of(table, entry) * (table->columns - 1);
}
SHARED inline int64_t *count_of(const Table *table, Entry *entry, size_t column) {
    return column ? more_of(table, entry) + column - 1 : &entry->count;
}
SHARED inline const uint8_t *text_of(const Table *table, const Entry *entry) {
    return entry->bytes <= 16 ? (const uint8_t *)entry->head : table->texts.data + entry->head[1];
}

/* The bytes of a text before its first NUL: those of the key that an inner key belongs to. */
SHARED inline size_t outer_bytes(const uint8_t *text, size_t bytes) {
    const uint8_t *nul = bytes ? memchr(text, 0, bytes) : NULL;
    return nul ? (size_t)(nul - text) : bytes;
}

/* The hash of an entry's key under `secret`. */
SHARED inline uint64_t hash_of_entry(const Table *table, const Secret *secret, const Entry *entry, int has_inner) {
    const uint8_t *text = text_of(table, entry);
    if (has_inner) {
        size_t bytes = outer_bytes(text, entry->bytes);
        Key outer;
        make_key(&outer, secret, text, bytes, text + bytes);
        return outer.hash;
    }
    if (entry->bytes <= 16)
        return hash_of(entry->head, secret, (const uint8_t *)entry->head, entry->bytes, (const uint8_t *)(entry->head + 2));
    Key key;
    make_key(&key, secret, text, entry->bytes, text + entry->bytes);
    return key.hash;
}

SHARED void make_key_of(Key *key, const Table *table, const Entry *entry) {
    const uint8_t *text = text_of(table, entry);
    make_key(key, &table->secret, text, entry->bytes, text + (entry->bytes > 16 ? entry->bytes : 16));
}

SHARED inline int is_key(const Table *table, const Entry *entry, const Key *key) {
    if (entry->bytes != key->bytes)
        return 0;
    if (key->bytes <= 16)
        return entry->head[0] == key->head[0] && entry->head[1] == key->head[1];
    return !memcmp(table->texts.data + entry->head[1], key->text, key->bytes);
}

SHARED inline size_t first_slot(const Table *table, const Key *key) { return (uint32_t)key->hash & table->slots_mask; }
SHARED inline void prefetch_slot(const Table *table, const Key *key) {
    __builtin_prefetch(table->slots + first_slot(table, key));
}
/* Once the slot is there: the entry behind it, or any, for to branch would cost more. */
SHARED inline void prefetch_entry(const Table *table, const Key *key) {
    size_t place = table->slots[first_slot(table, key)] & table->slots_mask;
    __builtin_prefetch(entry_at(table, place - !!place));
}

SHARED inline void take_slot(Table *table, size_t slot, const Key *key, size_t index) {
    table->slots[slot] = ((uint32_t)key->hash & ~(uint32_t)table->slots_mask) | (uint32_t)(index + 1);
}

/* A slot has too little of the hash for more slots, so the keys are hashed again. Few steps, for each costs that. */
SHARED int resize_slots(Table *table, size_t slots) {
    uint32_t *resized = table->slots;
    if (slots > table->slots_there && !(resized = realloc(resized, slots * sizeof *resized)))
        return NO_MEMORY;
    table->slots_there = slots > table->slots_there ? slots : table->slots_there;
    table->slots = memset(resized, 0, slots * sizeof *resized), table->slots_mask = slots - 1;
    Key keys[BATCH];
    for (size_t done = 0, made, entries = entries_in(table); done < entries; done += made) {
        for (made = 0; made < BATCH && done + made < entries; made++) {
            make_key_of(&keys[made], table, entry_at(table, done + made));
            prefetch_slot(table, &keys[made]);
        }
        for (size_t i = 0; i < made; i++) {
            size_t slot = first_slot(table, &keys[i]);
            while (resized[slot])
                slot = (slot + 1) & table->slots_mask;
            take_slot(table, slot, &keys[i], done + i);
        }
    }
    return DONE;
}

/* The entry of the key, or NULL; then *slot is where it belongs. */
SHARED INLINE Entry *find(const Table *table, const Key *key, size_t *slot) {
    uint32_t taken, mask = (uint32_t)table->slots_mask;
    for (*slot = first_slot(table, key); (taken = table->slots[*slot]); *slot = (*slot + 1) & mask) {
        Entry *entry = entry_at(table, (taken & mask) - 1);
        if (!((taken ^ (uint32_t)key->hash) & ~mask) && is_key(table, entry, key))
            return entry;
    }
    return NULL;
}

/* The entry of the key, made with zeros where there was none; NULL with *status set if it cannot be. */
SHARED INLINE Entry *entry_of(Table *table, const Key *key, int *status) {
    size_t slot, index = entries_in(table), text_bytes = key->bytes > 16 ? key->bytes : 0;
    Entry *found = find(table, key, &slot);
    if (found)
        return found;
    if (index >= table->limit || index >= MAX_ENTRIES || key->bytes > UINT32_MAX)
        *status = TOO_MANY;
    else if (reserve(&table->entries, sizeof(Entry)) || reserve(&table->texts, text_bytes) ||
             (table->columns > 1 && reserve(&table->more, (table->columns - 1) * sizeof(int64_t))))
        *status = NO_MEMORY;
    if (*status)
        return NULL;
    Entry *entry = entry_at(table, index); /* field by field: a copy would wait for its own stores */
    entry->head[0] = key->head[0], entry->head[1] = text_bytes ? table->texts.size : key->head[1];
    entry->count = 0, entry->bytes = (uint32_t)key->bytes, entry->mark = 0;
    table->entries.size += sizeof *entry;
    for (size_t i = 1; i < table->columns; i++)
        append(&table->more, &(int64_t){0}, sizeof(int64_t));
    if (text_bytes)
        append(&table->texts, key->text, text_bytes);
    take_slot(table, slot, key, index);
    if (4 * (index + 1) > 3 * table->slots_mask) /* at most three of four slots are taken */
        *status = resize_slots(table, 4 * (table->slots_mask + 1));
    return *status ? NULL : entry;
}

SHARED int open_table(Table *table, const Secret *secret, size_t columns) {
    table->secret = *secret, table->columns = columns, table->limit = MAX_ENTRIES;
    return resize_slots(table, FEWEST_SLOTS);
}

/* Forget what was counted and keep the memory: fresh pages cost more than counting into them. */
SHARED void clear_table(Table *table) {
    memset(table->slots, 0, (table->slots_mask + 1) * sizeof *table->slots);
    table->entries.size = table->more.size = table->texts.size = 0;
}

SHARED void close_table(Table *table) {
    free(table->slots);
    table->slots = NULL;
    close_buffer(&table->entries), close_buffer(&table->more), close_buffer(&table->texts);
}

/* ------------------------------------------------------------------------------ lines */

/* How a run divides its pairs of part and key: lambda_src.job.Shards. */
typedef struct {
    Secret secret;
    uint64_t count;
    int by_part;
    int has_inner; /* keys are hashed up to a NUL: lambda_src/counts/table.py */
} Shards;

/* Lines by shard and part: by part there is one for each part, by key one for each part of each shard, those of the
   first shard first. A line has pieces with tabs between: objects {"key":1} or {"key":[1,2]}, arrays ["name",1]. */
typedef struct {
    Shards shards;
    size_t parts, count;
    Buffer *lines;
    size_t *pieces; /* where in each line the piece begins that is being written */
    int64_t *observed; /* the sum of the first column in each line */
} Lines;

SHARED void close_lines(Lines *lines) {
    for (size_t i = 0; lines->lines && i < lines->count; i++)
        close_buffer(&lines->lines[i]);
    free(lines->lines), free(lines->pieces), free(lines->observed);
    *lines = (Lines){0};
}

SHARED int open_lines(Lines *lines, const Shards *shards, size_t parts) {
    if (!parts || !shards->count || shards->count > SIZE_MAX / sizeof(Buffer) / parts)
        return NO_MEMORY;
    *lines = (Lines){.shards = *shards, .parts = parts, .count = shards->by_part ? parts : parts * shards->count};
    lines->lines = calloc(lines->count, sizeof *lines->lines);
    lines->pieces = calloc(lines->count, sizeof *lines->pieces);
    lines->observed = calloc(lines->count, sizeof *lines->observed);
    if (lines->lines && lines->pieces && lines->observed)
        return DONE;
    close_lines(lines);
    return NO_MEMORY;
}

/* Lines of `shards` and `parts` with nothing in them, in the memory of those that there were where that suits. */
SHARED int clear_lines(Lines *lines, const Shards *shards, size_t parts) {
    if (!lines->lines || parts != lines->parts || shards->count != lines->shards.count ||
        shards->by_part != lines->shards.by_part) {
        close_lines(lines);
        return open_lines(lines, shards, parts);
    }
    lines->shards = *shards;
    for (size_t i = 0; i < lines->count; i++)
        lines->lines[i].size = 0, lines->observed[i] = 0;
    return DONE;
}

/* What is written from here on belongs to new pieces. */
SHARED void begin_pieces(Lines *lines) {
    for (size_t i = 0; i < lines->count; i++)
        lines->pieces[i] = lines->lines[i].size;
}

/* Where the lines are, their sizes, and the sums of the first column in them. */
SHARED void tell_lines(const Lines *lines, const uint8_t **begins, size_t *sizes, int64_t *observed) {
    for (size_t i = 0; i < lines->count; i++) {
        begins[i] = lines->lines[i].data, sizes[i] = lines->lines[i].size;
        observed[i] = lines->observed[i];
    }
}

SHARED int end_pieces(Lines *lines) {
    for (size_t i = 0; i < lines->count; i++) {
        Buffer *line = &lines->lines[i];
        if (line->size == lines->pieces[i])
            continue;
        if (reserve(line, 1))
            return NO_MEMORY;
        append(line, line->data[lines->pieces[i] + !!lines->pieces[i]] == '[' ? "]" : "}", 1);
    }
    return DONE;
}

/* The lowest bit that is set is the highest one of the first of eight bytes that JSON escapes in a string. */
SHARED inline uint64_t escaped_in(uint64_t bytes) {
    uint64_t quotes = bytes ^ EACH('"'), backslashes = bytes ^ EACH('\\');
    uint64_t found = (quotes - EACH(1)) & ~quotes;
    found |= (backslashes - EACH(1)) & ~backslashes;
    found |= (bytes - EACH(' ')) & ~bytes;
    return found & EACH(0x80);
}

/* Write a text as JSON does inside a string, where there is room for six times as many bytes. */
SHARED uint8_t *write_escaped(uint8_t *to, const uint8_t *text, size_t bytes) {
    static const char digits[] = "0123456789abcdef", shorts[] = "btn\0fr";
    for (size_t i = 0; i < bytes; i++) {
        uint8_t byte = text[i], letter = byte >= 8 && byte < 14 ? (uint8_t)shorts[byte - 8] : 0;
        if (byte == '"' || byte == '\\')
            letter = byte;
        if (letter) {
            *to++ = '\\', *to++ = letter;
        } else if (byte < ' ') {
            memcpy(to, "\\u00", 4);
            to[4] = (uint8_t)digits[byte >> 4], to[5] = (uint8_t)digits[byte & 15], to += 6;
        } else {
            *to++ = byte;
        }
    }
    return to;
}

SHARED inline uint8_t *write_number(uint8_t *at, int64_t number) {
    uint64_t size = number < 0 ? -(uint64_t)number : (uint64_t)number;
    if (number < 0)
        *at++ = '-';
    for (uint64_t rest = size; rest >= 10; rest /= 10)
        at++;
    uint8_t *end = at + 1;
    do
        *at-- = (uint8_t)('0' + size % 10);
    while (size /= 10);
    return end;
}

#define NUMBER_BYTES 21 /* a sign and 19 digits, and what stands before them */

/* The quoted text behind what line `number` has of its piece, which `opening` begins, and room for `more` bytes behind
   it; NULL without memory. An `is_plain` text has nothing that JSON escapes. */
SHARED INLINE uint8_t *write_text(Lines *lines, size_t number, char opening, const uint8_t *text,
                                                                 size_t bytes, int is_plain, size_t more) {
    Buffer *line = &lines->lines[number];
    if (reserve(line, (is_plain ? bytes : 6 * bytes) + 24 + more))
        return NULL;
    uint8_t *at = line->data + line->size;
    if (line->size > lines->pieces[number])
        *at++ = ',';
    else
        *at = '\t', at += line->size > 0, *at++ = (uint8_t)opening;
    *at++ = '"';
    if (!is_plain)
        at = write_escaped(at, text, bytes);
    else if (bytes <= 16)
        memcpy(at, text, 16), at += bytes; /* a constant number of bytes is no call; a head has as many */
    else
        memcpy(at, text, bytes), at += bytes;
    *at++ = '"';
    return at;
}

/* The line that a key of `part` belongs to. */
SHARED inline size_t line_of(const Lines *lines, size_t part, const Table *table, const Entry *entry) {
    const Shards *shards = &lines->shards;
    if (shards->by_part || shards->count == 1)
        return part;
    uint64_t hash = hash_of_entry(table, &shards->secret, entry, shards->has_inner) >> 32;
    return (size_t)(hash * shards->count >> 32) * lines->parts + part;
}

/* Write an entry of `part` to its line. `is_plain`: its key has nothing that JSON escapes. */
SHARED inline int write_entry(Lines *lines, size_t part, const Table *table, const Entry *entry, int is_plain) {
    size_t columns = table->columns, number = line_of(lines, part, table, entry);
    uint8_t *at = write_text(lines, number, '{', text_of(table, entry), entry->bytes, is_plain, columns * NUMBER_BYTES + 3);
    if (!at)
        return NO_MEMORY;
    *at++ = ':';
    if (columns > 1)
        *at++ = '[';
    at = write_number(at, entry->count);
    for (size_t i = 1; i < columns; i++) {
        *at++ = ',';
        at = write_number(at, more_of(table, entry)[i - 1]);
    }
    if (columns > 1)
        *at++ = ']';
    lines->lines[number].size = (size_t)(at - lines->lines[number].data);
    return __builtin_add_overflow(lines->observed[number], entry->count, &lines->observed[number]) ? TOO_LARGE : DONE;
}

/* Write a sum of a part that belongs to no key, in a piece of its own kind. */
SHARED int write_sum(Lines *lines, size_t part, const uint8_t *name, size_t bytes, int64_t sum) {
    uint8_t *at = write_text(lines, part, '[', name, bytes, 0, NUMBER_BYTES); /* by key, the first shard has these */
    if (!at)
        return NO_MEMORY;
    *at++ = ',';
    at = write_number(at, sum);
    lines->lines[part].size = (size_t)(at - lines->lines[part].data);
    return DONE;
}

#endif
