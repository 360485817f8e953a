/* What one line of an access log tells: python_scan.py says the same in regular expressions.

   Every line ends with '\n', which is read, and nothing behind it. Functions take where to read from and answer where
   to read on, or NULL where the line is not as they read it. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { HOURS = 24, MALFORMED = HOURS, UNANSWERED = 1000, STATUSES, LONGEST_PATH = 2048 };

typedef struct {
    const uint8_t *at;
    size_t bytes;
} Text;

typedef struct {
    int part;   /* the hour in UTC, or MALFORMED */
    int status; /* 0 to 999, or UNANSWERED */
    int is_alb;
    uint64_t sent;
    const uint8_t *path; /* NULL: there is none */
    size_t path_bytes;
    int year, month, day, minute; /* of the line's own day, and the minute in UTC, which may be one of another day */
    Text first, second; /* words: the client and what follows it, of ALB the client and its target */
    Text request, user, referrer, agent;
    const uint8_t *durations; /* of ALB, three */
} Request;

static inline int is_digit(uint8_t byte) { return (uint8_t)(byte - '0') < 10; }
static inline int is_letter(uint8_t byte) { return (uint8_t)((byte | 0x20) - 'a') < 26; }

static inline const uint8_t *literal(const uint8_t *at, uint8_t byte) { return at && *at == byte ? at + 1 : NULL; }

/* Bytes of any kind, and the space behind them. */
static inline const uint8_t *word(const uint8_t *at, Text *text) {
    if (!at || *at == ' ')
        return NULL;
    text->at = at;
    while (*at != ' ' && *at != '\n')
        at++;
    text->bytes = (size_t)(at - text->at);
    return literal(at, ' ');
}

/* One to `most` digits. */
static inline const uint8_t *number(const uint8_t *at, size_t most, uint64_t *value) {
    const uint8_t *from = at;
    for (*value = 0; at && is_digit(*at); at++) {
        if ((size_t)(at - from) == most)
            return NULL;
        *value = 10 * *value + (uint64_t)(*at - '0');
    }
    return at > from ? at : NULL;
}

static inline const uint8_t *digits(const uint8_t *at, size_t count, int *value) {
    uint64_t found;
    const uint8_t *end = number(at, count, &found);
    *value = (int)found;
    return end && (size_t)(end - at) == count ? end : NULL;
}

/* A quoted string; *inside is what is between its quotes. A backslash takes the next byte along. */
static inline const uint8_t *quoted(const uint8_t *at, Text *inside) {
    if (!(at = literal(at, '"')))
        return NULL;
    inside->at = at;
    for (; *at != '"'; at++) {
        if (*at == '\n')
            return NULL;
        at += *at == '\\' && at[1] != '\n';
    }
    inside->bytes = (size_t)(at - inside->at);
    return at + 1;
}

static const uint8_t *end_of_line(const uint8_t *at) {
    if (!at || !(*at == ' ' || *at == '\n' || (*at == '\r' && at[1] == '\n')))
        return NULL;
    return at;
}

/* ------------------------------------------------------------------------------ times */

static int days_in(int year, int month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int is_leap_year = (year % 4 == 0 && year % 100) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap_year);
}

static int is_date(int year, int month, int day) {
    return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days_in(year, month);
}

static int month_of(const uint8_t *name) {
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int month = 1; month <= 12; month++)
        if (!memcmp(names + 3 * (month - 1), name, 3))
            return month;
    return 0;
}

/* `2026-11-22T23:59:59.123456Z`, with or without a fraction. */
static const uint8_t *utc_time(const uint8_t *at, Request *line) {
    int year, month, day, hour, minute, second;
    at = literal(digits(at, 4, &year), '-');
    at = literal(digits(at, 2, &month), '-');
    at = literal(digits(at, 2, &day), 'T');
    at = literal(digits(at, 2, &hour), ':');
    at = literal(digits(at, 2, &minute), ':');
    at = digits(at, 2, &second);
    if (!at || minute > 59 || (second > 59 && !(hour == 23 && minute == 59 && second == 60)))
        return NULL;
    if (*at == '.') {
        const uint8_t *fraction = ++at;
        while (is_digit(*at))
            at++;
        if (at == fraction)
            return NULL;
    }
    line->part = hour < HOURS && is_date(year, month, day) ? hour : MALFORMED;
    line->year = year, line->month = month, line->day = day, line->minute = 60 * hour + minute;
    return literal(at, 'Z');
}

/* `22/Nov/2026:23:59:59 +0530`. A leap second is taken at 23:59, in UTC or in the line's own zone. */
static const uint8_t *zoned_time(const uint8_t *at, Request *line) {
    int year, day, hour, minute, second, zone;
    if (!(at = literal(digits(at, 2, &day), '/')))
        return NULL;
    const uint8_t *name = at;
    for (int i = 0; i < 3; i++, at++)
        if (!is_letter(*at) || !(*at & 0x20) != !i)
            return NULL;
    at = literal(digits(literal(at, '/'), 4, &year), ':');
    at = literal(digits(at, 2, &hour), ':');
    at = literal(digits(at, 2, &minute), ':');
    at = literal(digits(at, 2, &second), ' ');
    if (!at || minute > 59 || second > 60 || (*at != '+' && *at != '-'))
        return NULL;
    int sign = *at == '-' ? 1 : -1, day_minutes = 24 * 60;
    if (!(at = digits(at + 1, 4, &zone)))
        return NULL;
    int local = 60 * hour + minute, month = month_of(name);
    line->year = year, line->month = month, line->day = day;
    line->minute = local + sign * (60 * (zone / 100) + zone % 100);
    int utc = (line->minute + 2 * day_minutes) % day_minutes;
    int is_time = hour < HOURS && zone / 100 < HOURS && zone % 100 < 60 && is_date(year, month, day);
    int can_leap = local == day_minutes - 1 || utc == day_minutes - 1;
    line->part = is_time && (second < 60 || can_leap) ? utc / 60 : MALFORMED;
    return at;
}

/* ------------------------------------------------------------------------------ requests */

/* Behind `scheme://`, or NULL. */
static const uint8_t *behind_scheme(const uint8_t *at, const uint8_t *end) {
    const uint8_t *from = at;
    while (at < end && is_letter(*at))
        at++;
    return at > from && end - at >= 3 && !memcmp(at, "://", 3) ? at + 3 : NULL;
}

/* Where the version of a request begins, or NULL if it has none. */
static const uint8_t *version_of(const uint8_t *request, const uint8_t *end) {
    if (end - request < 6 || !is_digit(end[-1]))
        return NULL;
    const uint8_t *version = end - (end[-2] == '.' && is_digit(end[-3]) ? 8 : 6);
    return version >= request && !memcmp(version, "HTTP/", 5) ? version : NULL;
}

/* Set the path of the request. */
static void read_request(Request *line) {
    const uint8_t *at = line->request.at, *end = at + line->request.bytes;
    const uint8_t *method = at, *version = version_of(at, end), *behind;
    line->path = NULL;
    while (at < end && (is_letter(*at) || *at == '-' || *at == '_'))
        at++;
    if (at == method || at == end || *at++ != ' ')
        return;
    int has_version = version && version - at > 1 && *at != ' ' && version[-1] == ' ' && version[-2] != ' ';
    if (has_version)
        end = version - 1;
    else if (at == end || memchr(at, ' ', (size_t)(end - at)) || (*at != '/' && !behind_scheme(at, end)))
        return;
    if (line->is_alb && (behind = behind_scheme(at, end)))
        for (at = behind; at < end && *at != '/' && *at != '?' && *at != ' ';)
            at++;
    const uint8_t *path = at;
    while (at < end && *at != '?')
        at++;
    if (at > path || has_version)
        line->path = path, line->path_bytes = (size_t)(at - path);
}

/* ------------------------------------------------------------------------------ lines */

static const uint8_t *status(const uint8_t *at, int *value) {
    if (at && *at == '-') {
        *value = UNANSWERED;
        return literal(at + 1, ' ');
    }
    return literal(digits(at, 3, value), ' ');
}

/* Digits, points and signs. */
static const uint8_t *duration(const uint8_t *at) {
    const uint8_t *from = at;
    while (at && (is_digit(*at) || *at == '-' || *at == '.'))
        at++;
    return at > from ? literal(at, ' ') : NULL;
}

static const uint8_t *alb_line(const uint8_t *at, Request *line) {
    const uint8_t *from = at;
    uint64_t received;
    int target_status;
    while (is_digit(*at) || (is_letter(*at) && *at & 0x20))
        at++;
    if (at == from || !(at = utc_time(literal(at, ' '), line)))
        return NULL;
    at = word(word(word(literal(at, ' '), &line->second), &line->first), &line->second);
    line->durations = at;
    at = duration(duration(duration(at)));
    at = status(status(at, &line->status), &target_status);
    at = literal(number(at, 15, &received), ' ');
    at = literal(number(at, 15, &line->sent), ' ');
    at = literal(quoted(at, &line->request), ' ');
    at = end_of_line(quoted(at, &line->agent));
    line->is_alb = 1;
    if (at)
        read_request(line);
    return at;
}

/* What Common and Combined Log Format have, up to the bytes sent. */
static const uint8_t *common_fields(const uint8_t *at, Request *line) {
    const uint8_t *user = at = word(word(at, &line->first), &line->second);
    while (at && *at != '[' && *at != '\n')
        at++;
    if (!at || at == user || at[-1] != ' ')
        return NULL;
    line->user = (Text){user, (size_t)(at - 1 - user)};
    at = literal(literal(zoned_time(literal(at, '['), line), ']'), ' ');
    at = literal(quoted(at, &line->request), ' ');
    at = literal(digits(at, 3, &line->status), ' ');
    line->is_alb = 0;
    if (!at || *at != '-')
        return number(at, 15, &line->sent);
    line->sent = 0;
    return at + 1;
}

/* What only Combined Log Format has. */
static const uint8_t *combined_fields(const uint8_t *at, Request *line) {
    at = literal(quoted(literal(at, ' '), &line->referrer), ' ');
    return end_of_line(quoted(at, &line->agent));
}

static inline const uint8_t *combined_line(const uint8_t *at, Request *line) {
    at = combined_fields(common_fields(at, line), line);
    if (at)
        read_request(line);
    return at;
}

/* Read the line that begins at `at`, and answer whether it has a format that is known. Its time may still be
   MALFORMED. *next is where the line after it begins, if that is known, for `end` is where the text does. */
static inline int read_line(const uint8_t *at, const uint8_t *end, Request *line, const uint8_t **next) {
    const uint8_t *rest = alb_line(at, line);
    if (!rest)
        rest = combined_line(at, line);
    const uint8_t *newline = rest ? rest : at;
    *next = (const uint8_t *)memchr(newline, '\n', (size_t)(end - newline)) + 1;
    return !!rest;
}
