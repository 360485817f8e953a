/* What is fuzzed: what is asked of access logs through options. Nothing may depend on where chunks end: what is counted
   of all lines at once is what is counted of one after the other. Python says what is right (test_access_log_in_c.py).
   Memory fails on demand. An input's first byte chooses the key and the shards, the second how much is held, the third
   when memory fails, the fourth the filters. */

#define FEWEST_SLOTS 16 /* so that small inputs make tables grow */
#define MOST_STRANGE 50
#include "failing_memory.h"
#include "../../lambda_src/jobs/access_log/asked.c"
#undef realloc
#undef calloc

#define COMMON "h:80 1.2.3.4 - bob [22/Nov/2026:23:59:59 +0530] \"GET /a?b=c HTTP/1.1\" 200 12"
#define ALB_LINE                                                                                                        \
    "https 2026-11-22T05:59:59.186641Z app/lb/50 192.168.131.3:2817 10.0.0.1:80 0.08 0.04 1 502 200 0 57 "            \
    "\"GET https://www.example.com:443/a?b=c HTTP/1.1\" \"curl/8\" ECDHE TLSv1.2"

const char *const FUZZ_SEEDS[] = {
    "\4\377\377\1" COMMON "\n" ALB_LINE "\n" COMMON " \"-\" \"curl/8\" \"-\" 0.123\r\njunk\n\n",
    "\1\4\377\2" COMMON " \"r\" \"a\" rt=1.500 x\n" ALB_LINE "\n{\"a\":1}\n" ALB_LINE,
    "\7\1\377\4" COMMON "\n2026-11-22 x\n" ALB_LINE "\n" COMMON " \"\" \"\" \"x\" request_time=\"0.001\"\n",
    "\13\377\377\10- ::1 - b [29/Feb/2024:12:00:00 -2359] \"M /\xff\xc3\xa9 HTTP/2\" 999 -\n" ALB_LINE "\n",
    "\0\0\377\20" COMMON "\n" COMMON "\n" ALB_LINE "\n",
    "\23\377\40\40" COMMON " \"-\" \"a\" 0.1234 rt=0.0001 rt=9.000-\n" ALB_LINE "\n",
    NULL};
const char *const FUZZ_TOKENS[] = {" ", "\"", "\\", "\n", "\r\n", "?", "/", "://", " HTTP/1.1\"", "[", "]", "-", "\xff", "\xc3\xa9",
    "29/Feb/2023", "0000", "+2400", "01/Jan/0001:00:00:00 +2359", "31/Dec/9999:23:59:59 -2359", "999999999999999", " 500 ", ".", ":",
    ":65535", "::", "192.0.2.1 ", " bytes, SHA-256 ", " rt=", "request_time=", "0.123", " \"-\" \"-\"", "1000000.5", COMMON "\n",
    ALB_LINE "\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    NULL};

#define CHECK(truth) ((truth) ? (void)0 : (fprintf(stderr, "line %d: not " #truth "\n", __LINE__), abort()))
#define TEXT(literal) ((Text){(const uint8_t *)(literal), sizeof(literal) - 1})

static const Secret SECRET = {{0x0123456789abcdef, 0xfedcba9876543210, 0x0f1e2d3c4b5a6978, 0x8796a5b4c3d2e1f0}};

static Options options_of(uint8_t by, uint8_t filters) {
    Options options = {.reads = 1, .by = by % (HOST + 1), .from = INT64_MIN, .to = INT64_MAX};
    if (filters & 1)
        options.status = TEXT("5");
    if (filters & 2)
        options.path = TEXT("/*a*");
    if (filters & 4)
        options.from = 0, options.to = 1000000000;
    if (filters & 8)
        options.clients = OF_NETWORK, options.network = 0xc0a80000, options.mask = 0xffff0000;
    if (filters & 16)
        options.host = TEXT("www.example.com");
    if (filters & 32)
        options.clients = NAMED, options.client = TEXT("1.2.3.4");
    if (filters & 64)
        options.method = TEXT("GET");
    return options;
}

/* In the place of Python, which reads strange lines: any line is a request. */
static int count_strange(Asked *asked, const uint8_t *line, size_t bytes) {
    return asked_count(asked, bytes % HOURS, line[0] * 4 % STATUSES, line, bytes % 900, 1000000000000000 - (int64_t)bytes,
                       bytes % 3 ? (int64_t)(bytes * bytes * bytes) : NO_TIME);
}

static int read_all(Asked *asked, const uint8_t *chunk, size_t bytes, size_t *lines) {
    Found found = {0};
    while (found.read < bytes) {
        size_t before = found.read;
        int status = asked_read(asked, chunk, bytes, &found);
        if (status)
            return status;
        CHECK(before < found.read && before <= found.strange && found.strange <= found.read && found.read <= bytes);
        *lines += found.lines;
        for (const uint8_t *at = chunk + found.strange, *next; at < chunk + found.read; at = next, ++*lines) {
            next = (const uint8_t *)memchr(at, '\n', (size_t)(chunk + found.read - at)) + 1;
            if ((status = count_strange(asked, at, (size_t)(next - at))))
                return status;
        }
    }
    return DONE;
}

static void check_same(Asked *one, Asked *other, size_t lines) {
    const uint8_t *texts[2][3 * PARTS];
    size_t sizes[2][3 * PARTS];
    int64_t observed[2][3 * PARTS], formats[2][FORMATS], left_out[2];
    CHECK(!asked_finish(one, 7) && !asked_finish(other, 7));
    asked_lines(one, texts[0], sizes[0], observed[0]), asked_lines(other, texts[1], sizes[1], observed[1]);
    int64_t requests = -7;
    for (size_t i = 0; i < one->lines.count; i++) {
        CHECK(sizes[0][i] == sizes[1][i] && observed[0][i] == observed[1][i]);
        CHECK(!sizes[0][i] || !memcmp(texts[0][i], texts[1][i], sizes[0][i]));
        CHECK(!sizes[0][i] || is_utf8(texts[0][i], texts[0][i] + sizes[0][i]));
        requests += observed[0][i];
    }
    asked_lines_read(one, formats[0], &left_out[0]), asked_lines_read(other, formats[1], &left_out[1]);
    CHECK(!memcmp(formats[0], formats[1], sizeof formats[0]) && left_out[0] == left_out[1]);
    CHECK(requests + left_out[0] == (int64_t)lines && asked_written(one) == asked_written(other));
}

void LLVMFuzzerInitialize(void) {}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 5)
        return 0;
    Shards shards = data[0] & 16 ? (Shards){{{1, 2, 3, 4}}, 3, 0, 1} : (Shards){SECRET, PARTS, 1, 0};
    Options options = options_of(data[0] & 15, data[3]);
    size_t most_bytes = data[1] == 255 ? SIZE_MAX : data[1] * 64u, bytes = size - 4, lines = 0, one_by_one = 0;
    uint8_t *chunk = malloc(bytes + 1);
    memcpy(chunk, data + 4, bytes);
    bytes += chunk[bytes - 1] != '\n';
    chunk[bytes - 1] = '\n';
    allocations_left = data[2] == 255 ? SIZE_MAX : data[2];
    Asked *asked = asked_open(&SECRET, &shards, most_bytes, &options);
    int status = asked ? read_all(asked, chunk, bytes, &lines) : NO_MEMORY;
    CHECK(!status || (status == NO_MEMORY && allocations_left == 0));
    allocations_left = SIZE_MAX;
    Asked *other = asked_open(&SECRET, &shards, most_bytes, &options);
    for (const uint8_t *at = chunk, *next; at < chunk + bytes && !status; at = next) {
        size_t left = (size_t)(chunk + bytes - at);
        next = (const uint8_t *)memchr(at, '\n', left) + 1;
        uint8_t *line = malloc((size_t)(next - at)); /* so that reading past its end is seen */
        memcpy(line, at, (size_t)(next - at));
        CHECK(!read_all(other, line, (size_t)(next - at), &one_by_one));
        free(line);
    }
    if (!status) {
        CHECK(lines == one_by_one);
        check_same(asked, other, lines);
    }
    if (asked)
        asked_close(asked);
    asked_close(other);
    free(chunk);
    return 0;
}
