/* What scan.c and asked.c share: how keys are shown, and the sums of hours. */

#include "sha256.h"
#include <stdio.h>

enum { PARTS = HOURS + 1, SENT_BITS = 40 };
enum { PLAIN = 0x100 }; /* marks a key with nothing that JSON escapes */
enum { ENTRY_BYTES = 64 };

#define DIGEST " bytes, SHA-256 "
static const uint8_t NO_PATH[16] = "-";

static int is_ascii(const uint8_t *text, size_t bytes) {
    uint64_t all = 0, some;
    for (; bytes >= 8; text += 8, bytes -= 8)
        all |= (memcpy(&some, text, 8), some);
    for (; bytes; text++, bytes--)
        all |= *text;
    return !(all & EACH(0x80));
}

static int is_plain(const uint8_t *text, size_t bytes) {
    uint64_t some;
    for (; bytes >= 8; text += 8, bytes -= 8)
        if (memcpy(&some, text, 8), escaped_in(some))
            return 0;
    for (; bytes; text++, bytes--)
        if (*text < ' ' || *text == '"' || *text == '\\')
            return 0;
    return 1;
}

/* Whether a text holds what marks one that is shown by its digest. */
static int holds_digest(const uint8_t *text, size_t bytes) {
    size_t digest_bytes = sizeof DIGEST - 1;
    for (size_t at = 0; at + digest_bytes <= bytes; at++) {
        const uint8_t *space = memchr(text + at, ' ', bytes - digest_bytes - at + 1);
        if (!space)
            return 0;
        at = (size_t)(space - text);
        if (!memcmp(space, DIGEST, digest_bytes))
            return 1;
    }
    return 0;
}

/* Write a text with each byte that is not UTF-8 as `\xff`, a NUL too if it is hidden, until more than `most`
   characters are written. */
static uint8_t *write_decoded(uint8_t *to, const uint8_t *text, size_t bytes, int hides_nul, size_t most, size_t *written) {
    const uint8_t *end = text + bytes;
    for (*written = 0; text < end && *written <= most;) {
        size_t size = *text || !hides_nul ? character(text, end) : 0;
        if (size)
            memcpy(to, text, size), to += size, text += size, ++*written;
        else
            to += sprintf((char *)to, "\\x%02x", *text++), *written += 4;
    }
    return to;
}

/* Write what a text of `bytes` is shown by, behind its beginning. */
static uint8_t *write_digest(uint8_t *to, const uint8_t *text, size_t bytes) {
    uint8_t digest[64];
    sha256(text, bytes, digest);
    return to + sprintf((char *)to, "... (%zu" DIGEST "%.64s)", bytes, (const char *)digest);
}

/* ------------------------------------------------------------------------------ sums of hours */

typedef struct {
    uint64_t statuses[HOURS][STATUSES];
    unsigned __int128 sent[HOURS];
} Sums;

/* Bytes sent may take more than 64 bits: what is above SENT_BITS is summed by itself. */
static int write_sums(const Sums *sums, Lines *lines, size_t hour) {
    int status = DONE;
    char name[4];
    int64_t low = (int64_t)(sums->sent[hour] & ((1ull << SENT_BITS) - 1)), high = (int64_t)(sums->sent[hour] >> SENT_BITS);
    if (low)
        status = write_sum(lines, hour, (const uint8_t *)"sent", 4, low);
    if (high && !status)
        status = write_sum(lines, hour, (const uint8_t *)"sent_high", 9, high);
    for (int code = 0; code < STATUSES && !status; code++) {
        int64_t requests = (int64_t)sums->statuses[hour][code];
        if (!requests)
            continue;
        int name_bytes = snprintf(name, sizeof name, code == UNANSWERED ? "-" : "%03d", code % UNANSWERED);
        status = write_sum(lines, hour, (const uint8_t *)name, (size_t)name_bytes, requests);
    }
    return status;
}
