/* Counts the requests of access logs by hour and path: python_scan.py says the same in Python.

   Text comes in chunks of whole lines without NULs that are skipped. Malformed lines go back to Python, which looks
   for other formats. Whatever the chunks, the same lines are written, to the byte. */

#include "../../counts/counts.h"

#include "line.h"
#include "shown.h"

enum { COLUMNS = 2, LONGEST_KEY = 4 * LONGEST_PATH + 128 }; /* requests, and those answered with 5xx */
#ifndef MOST_STRANGE /* The fuzzer has fewer. */
#define MOST_STRANGE 4096
#endif

typedef struct {
    Table paths[PARTS]; /* malformed lines have one, which is empty */
    Lines lines;
    size_t held_bytes, most_bytes; /* of memory for paths */
    size_t written;
    Sums sums;
    int64_t malformed_lines;
} Scan;

/* What one call noticed: c_scan.py. A strange line is malformed and not empty, and its format is not known. */
typedef struct {
    size_t scanned, lines, malformed, first_malformed, strange_lines;
    size_t strange[2 * MOST_STRANGE]; /* where each begins and ends, without its '\n' */
} Noticed;

EXPORTED void scan_close(Scan *scan) {
    for (int part = 0; part < PARTS; part++)
        close_table(&scan->paths[part]);
    close_lines(&scan->lines);
    free(scan);
}

/* NULL without memory. */
EXPORTED Scan *scan_open(const Secret *secret, const Shards *shards, size_t most_bytes) {
    Scan *scan = calloc(1, sizeof *scan);
    if (!scan)
        return NULL;
    scan->most_bytes = most_bytes;
    int status = open_lines(&scan->lines, shards, PARTS);
    for (int part = 0; part < PARTS && !status; part++)
        status = open_table(&scan->paths[part], secret, COLUMNS);
    if (!status)
        return scan;
    scan_close(scan);
    return NULL;
}

/* Write the paths to the lines, as a piece of each, and forget them. */
static int write_paths(Scan *scan) {
    int status = DONE;
    begin_pieces(&scan->lines);
    for (size_t part = 0; part < PARTS; part++) {
        Table *paths = &scan->paths[part];
        for (size_t i = 0; i < entries_in(paths) && !status; i++) {
            const Entry *path = entry_at(paths, i);
            status = write_entry(&scan->lines, part, paths, path, path->mark & PLAIN);
        }
        clear_table(paths);
    }
    scan->held_bytes = 0, scan->written++;
    return status ? status : end_pieces(&scan->lines);
}

/* ------------------------------------------------------------------------------ paths as they are shown */

/* Whether a path must be shown by its digest. */
static int needs_digest(const uint8_t *path, size_t bytes) { return bytes > LONGEST_PATH || holds_digest(path, bytes); }

static int is_shown_as_it_is(const uint8_t *path, size_t bytes) {
    return is_ascii(path, bytes) && !needs_digest(path, bytes);
}

/* Write what is shown of a path where there is room for LONGEST_KEY. */
static size_t show(const uint8_t *path, size_t bytes, uint8_t *to) {
    int is_shortened = needs_digest(path, bytes);
    size_t shown = is_shortened && bytes > LONGEST_PATH / 2 ? LONGEST_PATH / 2 : bytes, written;
    uint8_t *end = write_decoded(to, path, shown, 0, SIZE_MAX, &written);
    return (size_t)((is_shortened ? write_digest(end, path, bytes) : end) - to);
}

/* ------------------------------------------------------------------------------ counting */

typedef struct {
    Key path;
    size_t hour;
    int is_5xx;
} Counted;

static int count_path(Scan *scan, size_t part, const Key *key, int64_t requests, int64_t with_5xx) {
    int status = DONE;
    Entry *path = entry_of(&scan->paths[part], key, &status);
    if (!path)
        return status;
    *count_of(&scan->paths[part], path, 1) += with_5xx;
    if ((path->count += requests) > requests)
        return DONE;
    path->mark = is_plain(key->text, key->bytes) ? PLAIN : 0;
    scan->held_bytes += ENTRY_BYTES + key->bytes;
    return scan->held_bytes > scan->most_bytes ? write_paths(scan) : DONE;
}

static int count_paths(Scan *scan, const Counted *counted, size_t count) {
    int status = DONE;
    for (size_t i = 0; i < count; i++)
        prefetch_entry(&scan->paths[counted[i].hour], &counted[i].path);
    for (size_t i = 0; i < count && !status; i++)
        status = count_path(scan, counted[i].hour, &counted[i].path, 1, counted[i].is_5xx);
    return status;
}

static void note_malformed(Noticed *noticed, const uint8_t *chunk, const uint8_t *line, const uint8_t *next, int is_known) {
    size_t begin = (size_t)(line - chunk), end = (size_t)(next - chunk) - 1;
    if (!noticed->malformed++)
        noticed->first_malformed = begin;
    if (is_known || end == begin)
        return;
    noticed->strange[2 * noticed->strange_lines] = begin;
    noticed->strange[2 * noticed->strange_lines++ + 1] = end;
}

/* Count lines from `*noticed->scanned` on, until a chunk, which ends with '\n', or the room for strange lines ends. */
EXPORTED int scan_add(Scan *scan, const uint8_t *chunk, size_t bytes, Noticed *noticed) {
    const uint8_t *at = chunk + noticed->scanned, *end = chunk + bytes, *next;
    Counted counted[BATCH];
    uint8_t shown[LONGEST_KEY];
    size_t made = 0;
    int status = DONE;
    noticed->lines = noticed->malformed = noticed->strange_lines = 0;
    for (; at < end && noticed->strange_lines < MOST_STRANGE && !status; at = next, noticed->lines++) {
        Request request;
        int is_known = read_line(at, end, &request, &next);
        if (!is_known || request.part == MALFORMED) {
            note_malformed(noticed, chunk, at, next, is_known);
            continue;
        }
        scan->sums.statuses[request.part][request.status]++;
        scan->sums.sent[request.part] += request.sent;
        Counted *one = &counted[made++];
        one->hour = (size_t)request.part, one->is_5xx = request.status >= 500 && request.status < 600;
        const Table *paths = &scan->paths[request.part];
        int is_shown = 1;
        if (!request.path) {
            make_key(&one->path, &paths->secret, NO_PATH, 1, NO_PATH + sizeof NO_PATH);
        } else if ((is_shown = is_shown_as_it_is(request.path, request.path_bytes))) {
            make_key(&one->path, &paths->secret, request.path, request.path_bytes, end);
        } else {
            size_t shown_bytes = show(request.path, request.path_bytes, shown);
            make_key(&one->path, &paths->secret, shown, shown_bytes, shown + shown_bytes);
        }
        prefetch_slot(paths, &one->path);
        if (made == BATCH || !is_shown)
            status = count_paths(scan, counted, made), made = 0;
    }
    scan->malformed_lines += (int64_t)noticed->malformed;
    noticed->scanned = (size_t)(at - chunk);
    return status ? status : count_paths(scan, counted, made);
}

/* ------------------------------------------------------------------------------ lines */

/* Write what is left to the lines. */
EXPORTED int scan_finish(Scan *scan) {
    Key none;
    make_key(&none, &scan->paths[MALFORMED].secret, NO_PATH, 0, NO_PATH + sizeof NO_PATH);
    int64_t malformed = scan->malformed_lines;
    int status = malformed ? count_path(scan, MALFORMED, &none, malformed, 0) : DONE;
    status = status ? status : write_paths(scan);
    begin_pieces(&scan->lines);
    for (size_t hour = 0; hour < HOURS && !status; hour++)
        status = write_sums(&scan->sums, &scan->lines, hour);
    return status ? status : end_pieces(&scan->lines);
}

/* How often paths were written to the lines. */
EXPORTED size_t scan_written(const Scan *scan) { return scan->written; }

/* The lines as far as they are written, by shard and part, their sizes, and the requests in each. */
EXPORTED void scan_lines(const Scan *scan, const uint8_t **lines, size_t *sizes, int64_t *observed) {
    for (size_t i = 0; i < scan->lines.count; i++) {
        lines[i] = scan->lines.lines[i].data, sizes[i] = scan->lines.lines[i].size;
        observed[i] = scan->lines.observed[i];
    }
}

/* Give back the memory of a line, which was copied. */
EXPORTED void scan_drop_line(Scan *scan, size_t line) { close_buffer(&scan->lines.lines[line]); }
