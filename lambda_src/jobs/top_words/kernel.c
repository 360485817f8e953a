/* The word job's inner loops: counting the stretches of a block, and summing lines of counts.

   python_kernel.py says the same in Python; this is held equal to it, byte for byte. Input is hostile: nothing
   is read past its end, every size is checked, every failure has a status. Unicode stays in Python: this knows
   ASCII letters, and bytes >= 0x80.

   Hashes have a key, so that no text can be made to collide. Entries lie beside the slots in the order in which
   they came, so that the key never shows in a result. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))
#define LONGEST 20  /* as in words.py */
#define PIECE 16384 /* Folded at once: fits the cache next to the processor. */
#define BATCH 32    /* Hashed at once, so that the memory of slots and entries is there in time. */
#define MAX_ENTRIES 0x7fffffff /* An index fits into a slot. */
#ifndef FEWEST_SLOTS /* The fuzzer has fewer. */
#define FEWEST_SLOTS 4096
#endif

enum { DONE, NO_MEMORY, TOO_MANY, SYNTAX, TWICE, TOO_LARGE }; /* what functions answer: c_kernel.py */

/* ------------------------------------------------------------------------------ buffers that grow */

typedef struct {
    uint8_t *data;
    size_t size, capacity;
} Buffer;

static int reserve(Buffer *buffer, size_t more) {
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

static void append(Buffer *buffer, const void *data, size_t bytes) { /* where there is room */
    memcpy(buffer->data + buffer->size, data, bytes);
    buffer->size += bytes;
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
static inline void load(uint64_t head[2], const uint8_t *text, size_t bytes, const uint8_t *end) {
    static const uint8_t masks[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                      255, 255, 255, 255, 255, 255, 255, 255};
    bytes = bytes < 16 ? bytes : 16;
    head[0] = head[1] = 0;
    if (end - text < 16) {
        memcpy(head, text, bytes);
        return;
    }
    uint64_t mask[2];
    memcpy(mask, masks + 16 - bytes, 16);
    memcpy(head, text, 16);
    head[0] &= mask[0], head[1] &= mask[1];
}

static inline uint64_t folded_product(uint64_t one, uint64_t other) {
    unsigned __int128 product = (unsigned __int128)one * other;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Folded products, as in wyhash, of the text and random words that its author cannot have known. */
static inline __attribute__((always_inline)) void make_key(Key *key, const Secret *secret, const uint8_t *text,
                                                           size_t bytes, const uint8_t *end) {
    uint64_t head[2], next[2];
    load(head, text, bytes, end);
    uint64_t hash = folded_product(head[0] ^ secret->word[0], head[1] ^ secret->word[1]);
    for (size_t at = 16; at < bytes; at += 16) {
        load(next, text + at, bytes - at, end);
        hash = folded_product(next[0] ^ hash, next[1] ^ secret->word[2]);
    }
    *key = (Key){{head[0], head[1]}, text, bytes, folded_product(hash ^ bytes, secret->word[3] | 1)};
}

/* ------------------------------------------------------------------------------ a table of counts */

typedef struct {
    uint64_t head[2]; /* the key if it has at most 16 bytes, else head[1] is where it begins in `texts` */
    uint64_t count;
    uint32_t bytes, mark; /* mark: what the caller notes, at first 0 */
} Entry;

typedef struct {
    Secret secret;
    size_t limit, slots_mask, slots_there; /* only those of the mask are in use */
    uint32_t *slots; /* 1 + the entry's index in the bits of the mask, its hash in those above; 0 where free */
    Buffer entries, texts;
} Table;

static Entry *entry_at(const Table *table, size_t index) {
    return (Entry *)(void *)table->entries.data + index;
}
static size_t entries_in(const Table *table) { return table->entries.size / sizeof(Entry); }
static const uint8_t *text_of(const Table *table, const Entry *entry) {
    return entry->bytes <= 16 ? (const uint8_t *)entry->head : table->texts.data + entry->head[1];
}

static void make_key_of(Key *key, const Table *table, const Entry *entry) {
    const uint8_t *text = text_of(table, entry);
    make_key(key, &table->secret, text, entry->bytes, text + (entry->bytes > 16 ? entry->bytes : 16));
}

static inline int is_key(const Table *table, const Entry *entry, const Key *key) {
    if (entry->bytes != key->bytes)
        return 0;
    if (key->bytes <= 16)
        return entry->head[0] == key->head[0] && entry->head[1] == key->head[1];
    return !memcmp(table->texts.data + entry->head[1], key->text, key->bytes);
}

static size_t first_slot(const Table *table, const Key *key) { return (uint32_t)key->hash & table->slots_mask; }
static void prefetch_slot(const Table *table, const Key *key) {
    __builtin_prefetch(table->slots + first_slot(table, key));
}
/* Once the slot is there: the entry behind it, or any, for to branch would cost more. */
static void prefetch_entry(const Table *table, const Key *key) {
    size_t place = table->slots[first_slot(table, key)] & table->slots_mask;
    __builtin_prefetch(entry_at(table, place - !!place));
}

static void take_slot(Table *table, size_t slot, const Key *key, size_t index) {
    table->slots[slot] = ((uint32_t)key->hash & ~(uint32_t)table->slots_mask) | (uint32_t)(index + 1);
}

/* A slot has too little of the hash for more slots, so the keys are hashed again. Few steps, for each costs that. */
static int resize_slots(Table *table, size_t slots) {
    uint32_t *resized = table->slots;
    if (slots > table->slots_there && !(resized = realloc(resized, slots * sizeof *resized)))
        return NO_MEMORY;
    table->slots_there = slots > table->slots_there ? slots : table->slots_there;
    table->slots = memset(resized, 0, slots * sizeof *resized), table->slots_mask = slots - 1;
    Key keys[BATCH];
    for (size_t done = 0, made; done < entries_in(table); done += made) {
        for (made = 0; made < BATCH && done + made < entries_in(table); made++) {
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
static inline Entry *find(const Table *table, const Key *key, size_t *slot) {
    uint32_t taken, mask = (uint32_t)table->slots_mask;
    for (*slot = first_slot(table, key); (taken = table->slots[*slot]); *slot = (*slot + 1) & mask) {
        Entry *entry = entry_at(table, (taken & mask) - 1);
        if (!((taken ^ (uint32_t)key->hash) & ~mask) && is_key(table, entry, key))
            return entry;
    }
    return NULL;
}

/* The entry of the key, made with count 0 where there was none; NULL with *status set if it cannot be. */
static inline Entry *entry_of(Table *table, const Key *key, int *status) {
    size_t slot, index = entries_in(table), text_bytes = key->bytes > 16 ? key->bytes : 0;
    Entry *found = find(table, key, &slot);
    if (found)
        return found;
    if (index >= table->limit || index >= MAX_ENTRIES || key->bytes > UINT32_MAX)
        *status = TOO_MANY;
    else if (reserve(&table->entries, sizeof(Entry)) || reserve(&table->texts, text_bytes))
        *status = NO_MEMORY;
    if (*status)
        return NULL;
    Entry *entry = entry_at(table, index); /* field by field: a copy would wait for its own stores */
    entry->head[0] = key->head[0], entry->head[1] = text_bytes ? table->texts.size : key->head[1];
    entry->count = 0, entry->bytes = (uint32_t)key->bytes, entry->mark = 0;
    table->entries.size += sizeof *entry;
    if (text_bytes)
        append(&table->texts, key->text, text_bytes);
    take_slot(table, slot, key, index);
    if (4 * (index + 1) > 3 * table->slots_mask) /* at most three of four slots are taken */
        *status = resize_slots(table, 4 * (table->slots_mask + 1));
    return *status ? NULL : entry;
}

/* Append `"word":count` to a line of JSON, whose last object begins at `object`; a tab is between objects. */
static int append_count(Buffer *line, size_t object, const Table *table, const Entry *word) {
    if (reserve(line, (size_t)word->bytes + 48))
        return NO_MEMORY;
    uint8_t *at = line->data + line->size;
    if (line->size > object)
        *at++ = ',';
    else
        *at = '\t', at += object > 0, *at++ = '{';
    *at++ = '"';
    if (word->bytes <= 16)
        memcpy(at, word->head, 16); /* a constant number of bytes is no call */
    else
        memcpy(at, text_of(table, word), word->bytes);
    at += word->bytes;
    *at++ = '"', *at++ = ':';
    uint64_t count = word->count;
    for (uint64_t rest = count; rest >= 10; rest /= 10)
        at++;
    line->size = (size_t)(at + 1 - line->data);
    do
        *at-- = (uint8_t)('0' + count % 10);
    while (count /= 10);
    return DONE;
}

static int end_object(Buffer *line, size_t object) {
    if (reserve(line, 1))
        return NO_MEMORY;
    if (line->size > object)
        append(line, "}", 1);
    return DONE;
}

static const uint8_t *written(const Buffer *line, size_t *bytes) {
    *bytes = line->size ? line->size : 2;
    return line->size ? line->data : (const uint8_t *)"{}";
}

static int open_table(Table *table, const Secret *secret) {
    table->secret = *secret, table->limit = MAX_ENTRIES;
    return resize_slots(table, FEWEST_SLOTS);
}

static void clear_table(Table *table) {
    memset(table->slots, 0, (table->slots_mask + 1) * sizeof *table->slots);
    table->entries.size = table->texts.size = 0;
}

static void close_buffer(Buffer *buffer) {
    free(buffer->data);
    *buffer = (Buffer){0};
}

static void close_table(Table *table) {
    free(table->slots);
    table->slots = NULL;
    close_buffer(&table->entries), close_buffer(&table->texts);
}

/* ------------------------------------------------------------------------------ counting */

enum { IN_ORDER = 1, UNCLEAR = 2, INVALID_AT = 2 }; /* marks of stretches and words; above them, how many bytes of a
                                                       stretch are not UTF-8 */
#define OF_WORDS 0x80000000u

typedef struct {
    Table stretches, words; /* words of stretches that are not ASCII, but for those that are stretches, too */
    Table settled;          /* words counted before the stretches, in order of first occurrence */
    size_t resolved;        /* as many stretches have their words in `order` */
    Buffer folded, edges, unclear, order, lines[LONGEST];
    uint64_t observed[LONGEST + 1];
} Counting;

/* Give back all memory but that of the lines. */
EXPORTED void counting_keep_lines(Counting *counting) {
    close_table(&counting->stretches), close_table(&counting->words), close_table(&counting->settled);
    close_buffer(&counting->folded), close_buffer(&counting->edges);
    close_buffer(&counting->unclear), close_buffer(&counting->order);
}

/* Give back the memory of a line, which was copied. */
EXPORTED void counting_drop_line(Counting *counting, size_t line) { close_buffer(&counting->lines[line]); }

EXPORTED void counting_close(Counting *counting) {
    counting_keep_lines(counting);
    for (size_t i = 0; i < LONGEST; i++)
        counting_drop_line(counting, i);
    free(counting);
}

/* NULL without memory. */
EXPORTED Counting *counting_open(const Secret *secret) {
    Counting *counting = calloc(1, sizeof *counting);
    if (!counting)
        return NULL;
    if (!open_table(&counting->stretches, secret) && !open_table(&counting->words, secret) &&
        !open_table(&counting->settled, secret))
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
    for (int i = 0; i < LONGEST; i++)
        counting->lines[i].size = 0;
    memset(counting->observed, 0, sizeof counting->observed);
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

/* How many bytes the character at the beginning has, 0 if there is none that Python decodes: nothing overlong, no
   surrogates, nothing above U+10FFFF. */
static inline size_t character(const uint8_t *at, const uint8_t *end) {
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

static int is_utf8(const uint8_t *at, const uint8_t *end) {
    size_t bytes = 1;
    while (at < end && (bytes = character(at, end)))
        at += bytes;
    return !!bytes;
}

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
    uint32_t place = (uint32_t)(word - entry_at(table, 0)) | (table == &counting->words ? OF_WORDS : 0);
    if (reserve(&counting->order, sizeof place))
        return NO_MEMORY;
    append(&counting->order, &place, sizeof place);
    return DONE;
}

/* Count the words of one unclear stretch, which are separated by spaces. */
static int count_words(Counting *counting, const uint8_t *text, const uint8_t *end, uint64_t times) {
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
    uint64_t times[BATCH];
    for (size_t done = 0, places = counting->order.size / sizeof(uint32_t); done < places && !status;) {
        size_t made = 0;
        for (; made < BATCH && done < places; done++) {
            Entry *word;
            const Table *table = table_in_order(counting, done, &word);
            if (length_of(table, word) > LONGEST) {
                counting->observed[LONGEST] += word->count;
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
    size_t objects[LONGEST], unused;
    for (int i = 0; i < LONGEST; i++)
        objects[i] = counting->lines[i].size;
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
        counting->observed[length - 1] += word->count;
        if (length <= LONGEST)
            status = append_count(&counting->lines[length - 1], objects[length - 1], table, word);
    }
    for (int i = 0; i < LONGEST && !status; i++)
        status = end_object(&counting->lines[i], objects[i]);
    clear_stretches(counting), clear_table(&counting->settled);
    return status;
}

/* The lines of JSON, each of one object or several with tabs between, with words in the order in which they came, and
   what each counts; `observed` has one more, of longer words. */
EXPORTED void counting_lines(const Counting *counting, const uint8_t *lines[LONGEST], size_t sizes[LONGEST],
                             uint64_t observed[LONGEST + 1]) {
    for (int i = 0; i < LONGEST; i++)
        lines[i] = written(&counting->lines[i], &sizes[i]);
    memcpy(observed, counting->observed, sizeof counting->observed);
}

/* ------------------------------------------------------------------------------ summing */

typedef struct {
    Table table; /* an entry's mark is the line that it was in last */
    uint64_t part, parts, total;
    size_t texts_limit;
    uint32_t line;
    Buffer best;
} Sums;

EXPORTED void sums_close(Sums *sums) {
    close_table(&sums->table);
    free(sums->best.data);
    free(sums);
}

/* NULL without memory. */
EXPORTED Sums *sums_open(const Secret *secret) {
    Sums *sums = calloc(1, sizeof *sums);
    if (!sums || !open_table(&sums->table, secret))
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
    word->count += times; /* not above the total, which does not overflow */
    return __builtin_add_overflow(sums->total, times, &sums->total) ? TOO_LARGE : DONE;
}

/* The lowest bit that is set is the highest one of the first of eight bytes that ends a word. */
static inline uint64_t word_ends(uint64_t bytes) {
    uint64_t quotes = bytes ^ EACH('"'), backslashes = bytes ^ EACH('\\');
    uint64_t found = (quotes - EACH(1)) & ~quotes;
    found |= (backslashes - EACH(1)) & ~backslashes;
    found |= (bytes - EACH(' ')) & ~bytes;
    return found & EACH(0x80);
}

/* Where a word ends, at a quote or at what no word has; `all` gets the bits that its bytes have. */
static inline const uint8_t *end_of_word(const uint8_t *at, const uint8_t *end, uint64_t *all) {
    for (uint64_t bytes, ends; end - at >= 8; at += 8) {
        memcpy(&bytes, at, 8);
        if ((ends = word_ends(bytes))) {
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
    sums->best.size = 0;
    for (size_t i = 0; i < found && !status; i++)
        status = append_count(&sums->best, 0, &sums->table, best[i]);
    if (status || end_object(&sums->best, 0))
        return NO_MEMORY;
    *line = written(&sums->best, bytes), *total = sums->total;
    return DONE;
}
