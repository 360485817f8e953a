/* What is fuzzed: the scanner of access logs, against code that is too simple to share its faults. Memory fails on
   demand. An input's first byte chooses the shards, the second how much is held, the third when memory fails. */

#define FEWEST_SLOTS 16 /* so that small inputs make tables grow */
#define MOST_STRANGE 3
#include "failing_memory.h"
#include "../../lambda_src/jobs/access_log/scan.c"
#undef realloc
#undef calloc

#define COMBINED "1.2.3.4 - bob [22/Nov/2026:23:59:59 +0530] \"GET /a?b=c HTTP/1.1\" 200 12 \"-\" \"curl/8\""
#define ALB                                                                                                             \
    "https 2026-11-22T05:59:59.186641Z app/lb/50 192.168.131.3:2817 10.0.0.1:80 0.08 0.04 -1 502 200 0 57 "           \
    "\"GET https://www.example.com:443/a?b=c HTTP/1.1\" \"curl/8\" ECDHE TLSv1.2"

#define ALB_OF(numbers) "h2 2026-11-22T00:00:00Z a b c 1 -1 0.1 " numbers " \"GET https://h/a\xe2\x82 HTTP/2\" \"\""

const char *const FUZZ_SEEDS[] = {
    "p\377\377" COMBINED "\n" ALB "\n" COMBINED "\r\njunk\n\n",
    "k\4\377" COMBINED "\n" ALB "\n" ALB,
    "p\0\377h2 2026-11-22T05:59:59Z [22/Nov/2026:10:00:00 +0000] \"a 1 1 1 200 200 0 0 \" 200 12 \" \" \" \"\n" ALB,
    "k\1\377a b  [31/Dec/2016:23:59:60 -0100] \"GET /\xc3\xa9\xff b c\" 503 999999999999999 \"\\\"\" \"\\\\\" x\n",
    "p\377\377- - - [29/Feb/2024:12:00:00 +0000] \"POST / HTTP/2\" 500 - \"\" \"\"\n- - - [29/Feb/1900:12:00:00 +0000] \"\" 500 - \"\" \"\"",
    "k\377\377- - - [01/Jan/2024:12:00:00 +0000] \"GET /a (9 bytes, SHA-256 00) HTTP/1.1\" 500 1 \"\" \"\"\n",
    "p\377\377- - - [01/Jan/2024:12:00:00 +0000] \"GET /a  HTTP/1.1\" 499 1 \"\" \"\"\n- - - [01/Jan/2024:12:00:00 +0000] \"\" 499 1 \"\" \"\\\n\" \"\" \"\" \"\"\n- - - [01/Jan/2024:12:00:00 +0000] \"GET  /a HTTP/1.1\" 600 1234567890123456 \"\" \"\"",
    "p\377\377" ALB_OF("499 - 0 1234567890123456") "\n" ALB_OF("- - 0 1") "\n" ALB_OF("200 - 1234567890123456 1") "\r\n" ALB_OF("600 9 0 1"),
    "p\377\20wss 2026-01-31T23:59:60Z a b c 0.1 - . - - 0 1 \"GET ws://h/a b?c d HTTP/1.1\" \"\"\n",
    NULL};
const char *const FUZZ_TOKENS[] = {" ", "\"", "\\", "\\\"", "\n", "\r\n", "?", "/", "://", "http://", " HTTP/1.1\"", " HTTP/2\"",
    "[", "]", "-", "\xff", "\xc3\xa9", "\xe2\x82", "\x1b", "60", "24", "00", "29/Feb/2023", "31/Apr/", "0000", "+2400", "-0060",
    "999999999999999", "1000000000000000", " 500 ", " - ", "Z", ".", "GET ", " bytes, SHA-256 ", COMBINED "\n", ALB "\n",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    NULL};

#define CHECK(truth) ((truth) ? (void)0 : (fprintf(stderr, "line %d: not " #truth "\n", __LINE__), abort()))

static const Secret SECRET = {{0x0123456789abcdef, 0xfedcba9876543210, 0x0f1e2d3c4b5a6978, 0x8796a5b4c3d2e1f0}};

/* ------------------------------------------------------------------------------ a simple reader */

typedef struct {
    const uint8_t *at, *end;
} Reader;

/* What a shape says: 9 is a digit, A and a are letters, ~ is a sign, all else stands for itself. */
static int simple_shape(Reader *reader, const char *shape) {
    for (; *shape; shape++, reader->at++) {
        uint8_t byte = reader->at < reader->end ? *reader->at : '\n';
        int fits = *shape == '9' ? byte >= '0' && byte <= '9'
                   : *shape == 'A' ? byte >= 'A' && byte <= 'Z'
                   : *shape == 'a' ? byte >= 'a' && byte <= 'z'
                   : *shape == '~' ? byte == '+' || byte == '-'
                                   : byte == (uint8_t)*shape;
        if (!fits)
            return 0;
    }
    return 1;
}

/* A word of some bytes, or of any, and a space; NULL if it is not there. */
static const uint8_t *simple_word(Reader *reader, const char *bytes) {
    const uint8_t *from = reader->at;
    while (reader->at < reader->end && *reader->at != ' ')
        if (*reader->at++ == 0 ? bytes != NULL : bytes && !strchr(bytes, reader->at[-1]))
            return NULL;
    if (reader->at == from || reader->at == reader->end)
        return NULL;
    reader->at++;
    return from;
}

static int simple_quoted(Reader *reader, Reader *inside) {
    if (reader->at == reader->end || *reader->at++ != '"')
        return 0;
    inside->at = reader->at;
    int is_taken = 0;
    for (; reader->at < reader->end; reader->at++) {
        if (!is_taken && *reader->at == '"') {
            inside->end = reader->at++;
            return 1;
        }
        is_taken = !is_taken && *reader->at == '\\';
    }
    return 0;
}

static int simple_number(const uint8_t *at, int count) {
    int number = 0;
    for (; count; count--)
        number = 10 * number + (*at++ - '0');
    return number;
}

static int simple_is_date(int year, int month, int day) {
    int days = month == 2 ? 28 : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
    if (month == 2 && (year % 400 == 0 || (year % 4 == 0 && year % 100 != 0)))
        days = 29;
    return year > 0 && month > 0 && month < 13 && day > 0 && day <= days;
}

typedef struct {
    int part, status, is_alb;
    uint64_t sent;
    Reader path;
    int has_path;
} Simple;

static int simple_utc(Reader *reader, Simple *found) {
    const uint8_t *time = reader->at;
    if (!simple_shape(reader, "9999-99-99T99:99:99"))
        return 0;
    int hour = simple_number(time + 11, 2), minute = simple_number(time + 14, 2), second = simple_number(time + 17, 2);
    if (minute > 59 || (second > 59 && (hour != 23 || minute != 59 || second != 60)))
        return 0;
    if (reader->at < reader->end && *reader->at == '.') {
        if (!simple_shape(reader, ".9"))
            return 0;
        while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
            reader->at++;
    }
    int is_date = simple_is_date(simple_number(time, 4), simple_number(time + 5, 2), simple_number(time + 8, 2));
    found->part = is_date && hour < 24 ? hour : MALFORMED;
    return simple_shape(reader, "Z ");
}

static int simple_zoned(Reader *reader, Simple *found) {
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const uint8_t *time = reader->at;
    if (!simple_shape(reader, "99/Aaa/9999:99:99:99 ~9999] "))
        return 0;
    int hour = simple_number(time + 12, 2), minute = simple_number(time + 15, 2), second = simple_number(time + 18, 2);
    int zone_hours = simple_number(time + 22, 2), zone_minutes = simple_number(time + 24, 2), month = 0;
    for (int i = 0; i < 12; i++)
        month = memcmp(months[i], time + 3, 3) ? month : i + 1;
    if (minute > 59 || second > 60)
        return 0;
    int utc = 60 * hour + minute;
    for (int i = 0; i < 60 * zone_hours + zone_minutes; i++)
        utc = time[21] == '+' ? (utc ? utc - 1 : 1439) : (utc + 1) % 1440;
    found->part = utc / 60;
    if (hour > 23 || zone_hours > 23 || zone_minutes > 59 ||
        !simple_is_date(simple_number(time + 7, 4), month, simple_number(time, 2)))
        found->part = MALFORMED;
    if (second == 60 && 60 * hour + minute != 1439 && utc != 1439)
        found->part = MALFORMED;
    return 1;
}

static int simple_has(Reader text, const char *what) {
    for (; text.at < text.end; text.at++)
        if ((size_t)(text.end - text.at) >= strlen(what) && !memcmp(text.at, what, strlen(what)))
            return 1;
    return 0;
}

static int simple_scheme(Reader *text) {
    const uint8_t *at = text->at;
    while (at < text->end && ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z')))
        at++;
    Reader rest = {at, text->end};
    if (at == text->at || !simple_shape(&rest, "://"))
        return 0;
    text->at = rest.at;
    return 1;
}

static void simple_request(Reader text, Simple *found) {
    static const char method[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    found->has_path = 0;
    if (!simple_word(&text, method))
        return;
    const uint8_t *last = text.end;
    while (last > text.at && last[-1] != ' ')
        last--;
    Reader version = {last, text.end}, other = version, scheme = text;
    int has_version = last > text.at && ((simple_shape(&version, "HTTP/9") && version.at == text.end) ||
                                         (simple_shape(&other, "HTTP/9.9") && other.at == text.end));
    if (has_version) {
        text.end = last - 1;
        if (text.at == text.end || *text.at == ' ' || text.end[-1] == ' ')
            return;
    } else if (simple_has(text, " ") || text.at == text.end || (*text.at != '/' && !simple_scheme(&scheme))) {
        return;
    }
    if (found->is_alb && simple_scheme(&text))
        while (text.at < text.end && !strchr("/? ", *text.at ? *text.at : 'x'))
            text.at++;
    Reader path = {text.at, text.at};
    while (path.end < text.end && *path.end != '?')
        path.end++;
    found->path = path, found->has_path = has_version || path.end > path.at;
}

static int simple_code(Reader *reader, int *code) {
    const uint8_t *word = simple_word(reader, "0123456789-");
    if (!word || !((reader->at - word == 4 && !memchr(word, '-', 3)) || (reader->at - word == 2 && *word == '-')))
        return 0;
    *code = *word == '-' ? UNANSWERED : simple_number(word, 3);
    return 1;
}

static int simple_size(Reader *reader, uint64_t *size) {
    const uint8_t *word = simple_word(reader, "0123456789");
    if (!word || reader->at - word > 16)
        return 0;
    for (*size = 0; *word != ' '; word++)
        *size = 10 * *size + (uint64_t)(*word - '0');
    return 1;
}

static int simple_alb(Reader reader, Simple *found) {
    Reader request, agent;
    int target;
    uint64_t received;
    found->is_alb = 1;
    if (!simple_word(&reader, "abcdefghijklmnopqrstuvwxyz0123456789") || !simple_utc(&reader, found))
        return 0;
    for (int i = 0; i < 6; i++)
        if (!simple_word(&reader, i < 3 ? NULL : "0123456789-."))
            return 0;
    if (!simple_code(&reader, &found->status) || !simple_code(&reader, &target) || !simple_size(&reader, &received) ||
        !simple_size(&reader, &found->sent) || !simple_quoted(&reader, &request) || !simple_shape(&reader, " ") ||
        !simple_quoted(&reader, &agent) || (reader.at < reader.end && *reader.at != ' '))
        return 0;
    simple_request(request, found);
    return 1;
}

static int simple_combined(Reader reader, Simple *found) {
    Reader request, text;
    found->is_alb = 0;
    if (!simple_word(&reader, NULL) || !simple_word(&reader, NULL))
        return 0;
    const uint8_t *user = reader.at;
    while (reader.at < reader.end && *reader.at != '[')
        reader.at++;
    if (reader.at == user || reader.at[-1] != ' ' || !simple_shape(&reader, "[") || !simple_zoned(&reader, found) ||
        !simple_quoted(&reader, &request) || !simple_shape(&reader, " ") || !simple_code(&reader, &found->status) ||
        found->status == UNANSWERED)
        return 0;
    found->sent = 0;
    if (reader.end - reader.at >= 2 && !memcmp(reader.at, "- ", 2))
        reader.at += 2;
    else if (!simple_size(&reader, &found->sent))
        return 0;
    if (!simple_quoted(&reader, &text) || !simple_shape(&reader, " ") || !simple_quoted(&reader, &text) ||
        (reader.at < reader.end && *reader.at != ' '))
        return 0;
    simple_request(request, found);
    return 1;
}

/* ------------------------------------------------------------------------------ simple counts and lines */

typedef struct {
    uint8_t key[LONGEST_KEY];
    size_t bytes;
    int64_t requests, with_5xx;
} SimplePath;

static struct {
    SimplePath paths[PARTS][200];
    size_t found[PARTS], held_bytes, lines, malformed;
    uint64_t statuses[HOURS][STATUSES];
    unsigned __int128 sent[HOURS];
    Buffer written[3 * PARTS];
    int has_piece[3 * PARTS];
    int64_t observed[3 * PARTS];
    Shards shards;
} simple;

static void simple_append(size_t line, const char *text, size_t bytes) {
    CHECK(!reserve(&simple.written[line], bytes + 1));
    append(&simple.written[line], text, bytes);
}

static void simple_begin(size_t line, const char *bracket) {
    simple_append(line, simple.has_piece[line] ? "," : simple.written[line].size ? "\t" : "", simple.has_piece[line] || simple.written[line].size);
    if (!simple.has_piece[line])
        simple_append(line, bracket, 1);
    simple.has_piece[line] = 1;
}

static void simple_end(const char *bracket) {
    for (size_t line = 0; line < 3 * PARTS; line++)
        if (simple.has_piece[line]) {
            simple_append(line, bracket, 1);
            simple.has_piece[line] = 0;
        }
}

static void simple_write(void) {
    for (size_t part = 0; part < PARTS; part++) {
        for (size_t i = 0; i < simple.found[part]; i++) {
            const SimplePath *path = &simple.paths[part][i];
            Key key;
            char text[64];
            make_key(&key, &simple.shards.secret, path->key, path->bytes, path->key + path->bytes);
            size_t line = part + (simple.shards.by_part ? 0 : (size_t)((key.hash >> 32) * simple.shards.count >> 32) * PARTS);
            simple_begin(line, "{");
            simple_append(line, "\"", 1);
            for (size_t at = 0; at < path->bytes; at++) {
                uint8_t byte = path->key[at];
                static const char specials[] = "\b\t\n\f\r\"\\";
                const char *special = byte ? strchr(specials, byte) : NULL;
                int size = special ? sprintf(text, "\\%c", "btnfr\"\\"[special - specials])
                                   : sprintf(text, byte < 32 ? "\\u%04x" : "%c", byte);
                simple_append(line, text, (size_t)size);
            }
            simple_append(line, text, (size_t)sprintf(text, "\":[%lld,%lld]", (long long)path->requests, (long long)path->with_5xx));
            simple.observed[line] += path->requests;
        }
        simple.found[part] = 0;
    }
    simple_end("}");
    simple.held_bytes = 0;
}

static void simple_count(size_t part, const uint8_t *key, size_t bytes, int64_t requests, int with_5xx, size_t most_bytes) {
    size_t i = 0;
    while (i < simple.found[part] &&
           (simple.paths[part][i].bytes != bytes || memcmp(simple.paths[part][i].key, key, bytes)))
        i++;
    SimplePath *path = &simple.paths[part][i];
    if (i == simple.found[part]) {
        CHECK(simple.found[part]++ < 199);
        memcpy(path->key, key, bytes);
        path->bytes = bytes, path->requests = path->with_5xx = 0;
        simple.held_bytes += ENTRY_BYTES + bytes;
    }
    path->requests += requests, path->with_5xx += with_5xx;
    if (simple.held_bytes > most_bytes)
        simple_write();
}

/* As each byte that is not UTF-8 is shown. */
static size_t simple_shown(Reader path, uint8_t *to) {
    size_t bytes = (size_t)(path.end - path.at), size = 0;
    int is_long = bytes > LONGEST_PATH || simple_has(path, DIGEST);
    const uint8_t *at = path.at, *end = is_long && bytes > LONGEST_PATH / 2 ? at + LONGEST_PATH / 2 : path.end;
    while (at < end) {
        size_t length = 1;
        while (length < 4 && at + length < end && !is_utf8(at, at + length))
            length++;
        if (is_utf8(at, at + length))
            memcpy(to + size, at, length), size += length, at += length;
        else
            size += (size_t)sprintf((char *)to + size, "\\x%02x", *at++);
    }
    if (is_long) {
        size += (size_t)sprintf((char *)to + size, "... (%zu bytes, SHA-256 ", bytes);
        sha256(path.at, bytes, to + size);
        to[size + 64] = ')';
        size += 65;
    }
    return size;
}

static void simple_scan(const uint8_t *chunk, size_t bytes, size_t most_bytes) {
    uint8_t shown[LONGEST_KEY];
    for (const uint8_t *at = chunk, *next; at < chunk + bytes; at = next, simple.lines++) {
        next = at;
        while (*next++ != '\n')
            ;
        Reader line = {at, next - 1};
        if (line.end > line.at && line.end[-1] == '\r')
            line.end--;
        Simple found;
        int is_known = simple_alb(line, &found) || simple_combined(line, &found);
        if (!is_known || found.part == MALFORMED) {
            simple.malformed++;
            continue;
        }
        simple.statuses[found.part][found.status]++;
        simple.sent[found.part] += found.sent;
        size_t size = found.has_path ? simple_shown(found.path, shown) : (size_t)sprintf((char *)shown, "-");
        simple_count((size_t)found.part, shown, size, 1, found.status / 100 == 5, most_bytes);
    }
}

static void simple_finish(size_t most_bytes) {
    char text[64];
    if (simple.malformed)
        simple_count(MALFORMED, (const uint8_t *)"", 0, (int64_t)simple.malformed, 0, most_bytes);
    simple_write();
    for (size_t hour = 0; hour < HOURS; hour++) {
        uint64_t low = (uint64_t)(simple.sent[hour] % 1099511627776u), high = (uint64_t)(simple.sent[hour] / 1099511627776u);
        for (int code = -2; code < STATUSES; code++) {
            uint64_t value = code == -2 ? low : code == -1 ? high : simple.statuses[hour][code];
            if (!value)
                continue;
            int size = code == -2 ? sprintf(text, "\"sent\"")
                       : code == -1 ? sprintf(text, "\"sent_high\"")
                                    : sprintf(text, code == UNANSWERED ? "\"-\"" : "\"%03d\"", code);
            simple_begin(hour, "[");
            size += sprintf(text + size, ",%llu", (unsigned long long)value);
            simple_append(hour, text, (size_t)size);
        }
    }
    simple_end("]");
}

/* ------------------------------------------------------------------------------ the target */

static void simple_clear(void) {
    for (size_t i = 0; i < 3 * PARTS; i++)
        simple.written[i].size = 0, simple.has_piece[i] = 0, simple.observed[i] = 0;
    memset(simple.found, 0, sizeof simple.found);
    memset(simple.statuses, 0, sizeof simple.statuses);
    memset(simple.sent, 0, sizeof simple.sent);
    simple.held_bytes = simple.lines = simple.malformed = 0;
}

/* Scan a chunk; what is noticed must be what the simple reader finds. */
static int scan_all(Scan *scan, const uint8_t *chunk, size_t bytes, size_t *lines, size_t *malformed) {
    Noticed noticed = {0};
    while (noticed.scanned < bytes) {
        int status = scan_add(scan, chunk, bytes, &noticed);
        if (status)
            return status;
        CHECK(noticed.strange_lines <= MOST_STRANGE && noticed.strange_lines <= noticed.malformed);
        for (size_t i = 0; i < noticed.strange_lines; i++) {
            size_t begin = noticed.strange[2 * i], end = noticed.strange[2 * i + 1];
            CHECK(begin < end && end < bytes && chunk[end] == '\n' && !memchr(chunk + begin, '\n', end - begin));
            CHECK((begin == 0 || chunk[begin - 1] == '\n') && begin >= noticed.first_malformed);
        }
        *lines += noticed.lines, *malformed += noticed.malformed;
    }
    return DONE;
}

static void check_lines_of(Scan *scan) {
    const uint8_t *lines[3 * PARTS];
    size_t sizes[3 * PARTS], count = PARTS * (simple.shards.by_part ? 1 : simple.shards.count);
    int64_t observed[3 * PARTS];
    if (scan_finish(scan))
        return; /* without memory */
    scan_lines(scan, lines, sizes, observed);
    for (size_t i = 0; i < count; i++) {
        CHECK(sizes[i] == simple.written[i].size && observed[i] == simple.observed[i]);
        CHECK(!sizes[i] || !memcmp(lines[i], simple.written[i].data, sizes[i]));
    }
}

void LLVMFuzzerInitialize(void) {}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 4)
        return 0;
    simple.shards = data[0] & 1 ? (Shards){{{1, 2, 3, 4}}, 3, 0, 0} : (Shards){SECRET, PARTS, 1, 0};
    size_t most_bytes = data[1] == 255 ? SIZE_MAX : data[1] * 16u, bytes = size - 3, lines = 0, malformed = 0;
    allocations_left = data[2] == 255 ? SIZE_MAX : data[2];
    uint8_t *chunk = malloc(bytes + 1);
    memcpy(chunk, data + 3, bytes);
    bytes += chunk[bytes - 1] != '\n';
    chunk[bytes - 1] = '\n';
    const uint8_t *middle = memchr(chunk + bytes / 2, '\n', bytes - bytes / 2);
    size_t first_bytes = (size_t)(middle - chunk) + 1;
    Scan *scan = scan_open(&SECRET, &simple.shards, most_bytes);
    if (scan) {
        int status = scan_all(scan, chunk, first_bytes, &lines, &malformed);
        if (!status && first_bytes < bytes)
            status = scan_all(scan, chunk + first_bytes, bytes - first_bytes, &lines, &malformed);
        CHECK(!status || (status == NO_MEMORY && allocations_left == 0));
        size_t left = allocations_left;
        allocations_left = SIZE_MAX;
        simple_clear();
        simple_scan(chunk, bytes, most_bytes);
        simple_finish(most_bytes);
        allocations_left = left;
        if (!status) {
            CHECK(lines == simple.lines && malformed == simple.malformed);
            check_lines_of(scan);
        }
        scan_close(scan);
    }
    free(chunk);
    return 0;
}
