/* Answers what options ask of logs: asked.py, read.py and filters.py say the same in Python.

   This file reads the lines of the family of Common Log Format, and those of AWS: of load balancers, S3 and CloudFront.
   Every other line is strange and goes back to Python, and so does a line that C cannot read with certainty. Python
   counts the requests of strange lines here, one by one and in their order. So, whatever the chunks, the same lines are
   written, to the byte. */

#include "../../counts/counts.h"

#include "line.h"
#include "shown.h"

/* By what requests are counted, in the order of options.By. */
enum { HOUR, DAY, WEEKDAY, MONTH, PATH, METHOD, STATUS, CLIENT, AGENT, REFERRER, HOST };

/* The formats, c_asked.py has their names: a sum of the first three, or one of the others. */
enum { COMBINED = 1, VIRTUAL_HOST = 2, REQUEST_TIME = 4, ALB = 8, ELB, S3, CLOUDFRONT, FORMATS };

/* What a key has: by hour requests, and those answered with 5xx; by anything else, these. */
enum { REQUESTS, SENT, SENT_HIGH, CLASSES, TIMED = CLASSES + 5, MICROS, SLOWEST, COLUMNS };

enum { NO_TIME = -1, MOST_SECONDS = 1000000, STEPS = 43 * 128 };
enum { LONGEST_KEY = 300, LONGEST_ADDRESS = 45, LONGEST_HOST = 300, ROOM = 2048 };
#ifndef MOST_STRANGE /* The fuzzer has fewer. */
#define MOST_STRANGE (1 << 20)
#endif

/* Which clients are asked for: all, those of a name, of a network of version 4, or of any other network. */
enum { ALL, NAMED, OF_NETWORK, OF_OTHER_NETWORK };

/* The options: c_asked.py. Nothing is asked of a text that is NULL. */
typedef struct {
    int reads, by, wants_times, clients;
    uint32_t network, mask;
    int64_t from, to; /* minutes */
    Text status, method, host, path, client;
} Options;

typedef struct {
    Options options;
    Secret secret;
    Table keys[PARTS]; /* by hour, those of each; else all are in the first one; malformed lines have one, which is empty */
    Table steps;       /* inner keys: how many requests of a key took so long */
    Lines lines;
    size_t held_bytes, most_bytes, written; /* of memory for keys; how often they were written */
    Sums sums;                              /* by hour */
    uint64_t steps_of[HOURS][STEPS];        /* of all keys of an hour; else of all keys, in the first one */
    int64_t formats[FORMATS], left_out;
    uint32_t crc[256];
    int64_t day; /* the one that `day_text` is of */
    Text day_text;
    char room_for_day[16];
} Asked;

/* What one call read: lines up to `strange`, from where to `read` all are strange. */
typedef struct {
    size_t read, lines, strange;
} Found;

static int is_by_hour(const Asked *asked) { return asked->options.by == HOUR; }

EXPORTED void asked_close(Asked *asked) {
    for (int part = 0; part < PARTS; part++)
        close_table(&asked->keys[part]);
    close_table(&asked->steps);
    close_lines(&asked->lines);
    free(asked);
}

/* NULL without memory. The texts of `options` must stay where they are. */
EXPORTED Asked *asked_open(const Secret *secret, const Shards *shards, size_t most_bytes, const Options *options) {
    Asked *asked = calloc(1, sizeof *asked);
    if (!asked)
        return NULL;
    asked->secret = *secret, asked->most_bytes = most_bytes, asked->options = *options, asked->day = INT64_MIN;
    for (uint32_t byte = 0; byte < 256; byte++) {
        asked->crc[byte] = byte;
        for (int bit = 0; bit < 8; bit++)
            asked->crc[byte] = asked->crc[byte] >> 1 ^ (asked->crc[byte] & 1 ? 0xedb88320 : 0);
    }
    int columns = is_by_hour(asked) ? 2 : COLUMNS;
    int status = open_lines(&asked->lines, shards, PARTS);
    for (int part = 0; part < PARTS && !status; part++)
        if (is_by_hour(asked) || part == 0 || part == MALFORMED)
            status = open_table(&asked->keys[part], secret, (size_t)columns);
    if (!status)
        status = open_table(&asked->steps, secret, COLUMNS);
    if (!status)
        return asked;
    asked_close(asked);
    return NULL;
}

/* ------------------------------------------------------------------------------ what a line tells */

static const Text NOTHING = {NO_PATH, 1};

typedef struct {
    Request request;
    int format;
    Text client, host, method, path, referrer, agent, status;
    int64_t minute, micros; /* minutes as in times.py; NO_TIME if the time taken is not known */
    uint8_t room_for_host[LONGEST_HOST], room_for_status[3];
} Seen;

static Text or_nothing(Text text) { return text.bytes ? text : NOTHING; }

static Text without_port(Text text) {
    size_t count = 0;
    while (count < text.bytes && count < 6 && is_digit(text.at[text.bytes - 1 - count]))
        count++;
    if (count && count < 6 && count < text.bytes && text.at[text.bytes - 1 - count] == ':')
        text.bytes -= count + 1;
    return text;
}

/* Whether a word could be an address, as read.py has it. */
static int is_address(Text word) {
    size_t colons = 0, points = 0, run = 0, others = 0, is_quad = word.bytes <= LONGEST_ADDRESS;
    for (size_t i = 0; i < word.bytes && word.bytes <= LONGEST_ADDRESS; i++) {
        uint8_t byte = word.at[i];
        colons += byte == ':', points += byte == '.';
        others += byte != ':' && byte != '.' && !is_digit(byte) && (uint8_t)((byte | 0x20) - 'a') >= 6;
        if (byte == '.')
            is_quad &= run > 0, run = 0;
        else
            is_quad &= is_digit(byte) && ++run <= 3;
    }
    return word.bytes <= LONGEST_ADDRESS && ((is_quad && points == 3 && run) || (colons >= 2 && !others));
}

static int64_t day_number(int year, int month, int day) {
    int64_t before = year - 1, days = 365 * before + before / 4 - before / 100 + before / 400 + day - 1;
    for (int each = 1; each < month; each++)
        days += days_in(year, each);
    return days;
}

/* Seconds with three decimals, as microseconds. */
static const uint8_t *three_decimals(const uint8_t *at, int64_t *micros) {
    uint64_t seconds;
    int millis;
    at = digits(literal(number(at, 6, &seconds), '.'), 3, &millis);
    if (at)
        *micros = 1000000 * (int64_t)seconds + 1000 * millis;
    return at;
}

/* Whether all that follows is a response time, which may have quotes. */
static int is_request_time(const uint8_t *at, const uint8_t *end, int64_t *micros) {
    int64_t found;
    at = literal(at, ' ');
    int has_quotes = at && *at == '"';
    at = at ? three_decimals(at + has_quotes, &found) : NULL;
    if (!at || (has_quotes && !(at = literal(at, '"'))) || at != end)
        return 0;
    *micros = found;
    return 1;
}

/* Whether what is in quotes could be, or begin with, a response time. */
static int is_like_time(const uint8_t *at) {
    int64_t micros;
    int millis;
    if (three_decimals(at, &micros))
        return 1;
    while (is_digit(*at))
        at++;
    return !!digits(literal(at, '.'), 3, &millis);
}

/* Set the response time that follows Combined Log Format: all that there is, or behind another field in quotes. Answer
   whether that, or that there is none, is certain. */
static int request_time(const uint8_t *at, const uint8_t *end, int64_t *micros) {
    Text other;
    *micros = NO_TIME;
    if (at == end || is_request_time(at, end, micros))
        return 1;
    const uint8_t *behind = quoted(literal(at, ' '), &other);
    if (behind && !is_like_time(other.at) && (behind == end || is_request_time(behind, end, micros)))
        return 1;
    return !memchr(at, '.', (size_t)(end - at)) && memcmp(end - 2, "ms", 2);
}

/* Seconds with any decimals, as microseconds. */
static const uint8_t *seconds_at(const uint8_t *at, int64_t *micros) {
    uint64_t seconds, fraction;
    if (!(at = number(at, 18, &seconds)) || seconds > MOST_SECONDS)
        return NULL;
    *micros = 1000000 * (int64_t)seconds;
    if (*at == '.') {
        const uint8_t *from = at + 1;
        if (!(at = number(from, 9, &fraction)))
            return NULL;
        for (int64_t unit = 100000; from < at && unit; unit /= 10)
            *micros += unit * (*from++ - '0');
    }
    return *micros <= 1000000ll * MOST_SECONDS ? at : NULL;
}

/* The sum of three durations with a space behind each, if all of them are known. */
static int64_t sum_of_durations(const uint8_t *at) {
    int64_t sum = 0, micros = 0;
    for (int each = 0; each < 3; each++) {
        if (!(at = literal(seconds_at(at, &micros), ' ')))
            return NO_TIME;
        sum += micros;
    }
    return sum;
}

/* The host of the URL in a request. */
static Text host_of(Text request) {
    const uint8_t *at = request.at, *end = at + request.bytes, *method = at;
    while (at < end && (is_letter(*at) || *at == '-' || *at == '_'))
        at++;
    const uint8_t *spaces = at;
    while (at < end && *at == ' ')
        at++;
    if (spaces == method || at == spaces || !(at = behind_scheme(at, end)))
        return NOTHING;
    Text host = {at, 0};
    while (at < end && *at != '/' && *at != '?' && *at != ':' && *at != ' ' && *at != '"' && *at != '\\')
        at++;
    host.bytes = (size_t)(at - host.at);
    return or_nothing(host);
}

/* Set the method and the path of a request that was read; there is no path without a method. */
static void use_request(Seen *seen) {
    const Request *line = &seen->request;
    seen->method = seen->path = NOTHING;
    if (!line->path)
        return;
    seen->path = (Text){line->path, line->path_bytes};
    seen->method = line->request;
    seen->method.bytes = (size_t)((const uint8_t *)memchr(line->request.at, ' ', line->request.bytes) - line->request.at);
}

static void use_balancer(Seen *seen, int format) {
    Request *line = &seen->request;
    seen->format = format;
    seen->client = without_port(line->first), seen->host = host_of(line->request);
    seen->micros = sum_of_durations(line->durations);
    seen->referrer = NOTHING, seen->agent = or_nothing(line->agent);
    use_request(seen);
}

static const uint8_t *elb_line(const uint8_t *at, Request *line) {
    uint64_t received, target_status;
    at = word(word(word(literal(utc_time(at, line), ' '), &line->second), &line->first), &line->second);
    line->durations = at;
    at = status(duration(duration(duration(at))), &line->status);
    at = literal(at && *at == '-' ? at + 1 : number(at, 3, &target_status), ' ');
    at = literal(number(at, 15, &received), ' ');
    at = literal(number(at, 15, &line->sent), ' ');
    at = quoted(at, &line->request);
    line->agent = NOTHING;
    if (at && *at == ' ')
        at = quoted(at + 1, &line->agent);
    at = end_of_line(at);
    line->is_alb = 1; /* as to URLs */
    if (at)
        read_request(line);
    return at;
}

/* Digits or a `-`, for which *value stays. */
static const uint8_t *number_or_none(const uint8_t *at, size_t most, uint64_t *value) {
    return at && *at == '-' ? at + 1 : number(at, most, value);
}

/* A quoted string or a `-`, for which *text stays. */
static const uint8_t *quoted_or_none(const uint8_t *at, Text *text) {
    return at && *at == '-' ? at + 1 : quoted(at, text);
}

static int read_s3(const uint8_t *at, Seen *seen) {
    Request *line = &seen->request;
    Text owner, other;
    uint64_t ignored, millis = UINT64_MAX;
    if (!(at = word(at, &owner)) || owner.bytes != 64)
        return 0;
    for (size_t i = 0; i < owner.bytes; i++)
        if (!is_digit(owner.at[i]) && (uint8_t)(owner.at[i] - 'a') >= 6)
            return 0;
    at = word(at, &seen->host);
    at = literal(literal(zoned_time(literal(at, '['), line), ']'), ' ');
    at = word(word(word(word(word(at, &seen->client), &other), &other), &other), &other);
    line->request = line->referrer = line->agent = NOTHING, line->sent = 0;
    at = literal(quoted_or_none(at, &line->request), ' ');
    at = word(status(at, &line->status), &other);
    at = literal(number_or_none(at, 15, &line->sent), ' ');
    at = literal(number_or_none(at, 15, &ignored), ' ');
    at = literal(number_or_none(at, 12, &millis), ' ');
    at = literal(number_or_none(at, 12, &ignored), ' ');
    at = literal(quoted_or_none(at, &line->referrer), ' ');
    if (!end_of_line(quoted_or_none(at, &line->agent)))
        return 0;
    line->is_alb = 0, read_request(line);
    seen->format = S3;
    seen->micros = millis <= 1000 * MOST_SECONDS ? 1000 * (int64_t)millis : NO_TIME;
    seen->referrer = or_nothing(line->referrer), seen->agent = or_nothing(line->agent);
    use_request(seen);
    return 1;
}

/* What CloudFront's columns are used for. */
enum { BYTES_SENT = 3, CLIENT_IP, CS_METHOD, CS_HOST, URI_STEM, SC_STATUS, CS_REFERRER, CS_AGENT, FEWEST_COLUMNS = 12,
       HOST_HEADER = 15, TIME_TAKEN = 18, CLOUDFRONT_COLUMNS };

static int read_cloudfront(const uint8_t *at, const uint8_t *end, Seen *seen) {
    Request *line = &seen->request;
    Text fields[CLOUDFRONT_COLUMNS];
    int hour, minute, second, count = 0;
    const uint8_t *clock = digits(literal(digits(literal(digits(at, 4, &line->year), '-'), 2, &line->month), '-'), 2, &line->day);
    clock = literal(digits(literal(digits(literal(clock, '\t'), 2, &hour), ':'), 2, &minute), ':');
    if (!literal(digits(clock, 2, &second), '\t') || minute > 59 || second > 59)
        return 0;
    for (const uint8_t *tab = at; tab < end && count < CLOUDFRONT_COLUMNS; at = tab + 1, count++) {
        tab = memchr(at, '\t', (size_t)(end - at));
        tab = tab ? tab : end;
        fields[count] = (Text){at, (size_t)(tab - at)};
    }
    if (count < FEWEST_COLUMNS)
        return 0;
    Text code = fields[SC_STATUS], sent = fields[BYTES_SENT];
    line->status = UNANSWERED, line->sent = 0;
    int is_unanswered = code.bytes == 1 && (*code.at == '-' || *code.at == '0'), is_unknown = sent.bytes == 1 && *sent.at == '-';
    if ((!is_unanswered && digits(code.at, 3, &line->status) != code.at + code.bytes) ||
        (!is_unknown && number(sent.at, 15, &line->sent) != sent.at + sent.bytes))
        return 0;
    line->part = hour < HOURS && is_date(line->year, line->month, line->day) ? hour : MALFORMED;
    line->minute = 60 * hour + minute;
    Text host = count > HOST_HEADER ? fields[HOST_HEADER] : NOTHING;
    seen->format = CLOUDFRONT;
    seen->client = fields[CLIENT_IP], seen->method = fields[CS_METHOD], seen->path = or_nothing(fields[URI_STEM]);
    seen->host = host.bytes == 1 && *host.at == '-' ? fields[CS_HOST] : host;
    seen->referrer = fields[CS_REFERRER], seen->agent = fields[CS_AGENT];
    if (count <= TIME_TAKEN || seconds_at(fields[TIME_TAKEN].at, &seen->micros) != fields[TIME_TAKEN].at + fields[TIME_TAKEN].bytes)
        seen->micros = NO_TIME;
    return 1;
}

/* Whether a line could have a format that comes before those of Common Log Format. */
static int begins_otherwise(const uint8_t *at) {
    int year, month, day;
    Text first = {0};
    if (literal(digits(at, 4, &year), '-') || !(is_digit(*at) || *at == ':' || (is_letter(*at) && *at & 0x20)))
        return 1;
    at = word(at, &first);
    return first.bytes == 64 || digits(literal(digits(literal(digits(at, 4, &year), '-'), 2, &month), '-'), 2, &day);
}

/* Whether a virtual host comes first: then an address follows, or one word is left before the user. -1: not certain. */
static int has_virtual_host(const Request *line) {
    Text first = line->first, second = line->second, user = line->user;
    if (memchr(first.at, ',', first.bytes) || memchr(second.at, ',', second.bytes))
        return -1;
    if (second.bytes == 1 && *second.at == '-')
        return 0;
    for (size_t at = 2; at < user.bytes; at++)
        if (user.at[at] == ' ' && user.at[at - 1] == '-' && user.at[at - 2] == ' ')
            return -1;
    return (user.bytes > 1 && user.at[0] == '-' && user.at[1] == ' ' && !memchr(user.at + 2, ' ', user.bytes - 2)) ||
           is_address(second);
}

/* Common or Combined Log Format, with or without a virtual host and a response time. */
static int read_clf(const uint8_t *at, const uint8_t *end, Seen *seen) {
    Request *line = &seen->request;
    if (begins_otherwise(at) || !(at = common_fields(at, line)))
        return 0;
    int behind_host = has_virtual_host(line), is_common = at + (at < end && *at == ' ') == end;
    line->referrer = line->agent = NOTHING;
    if (behind_host < 0 || (!is_common && !(at = combined_fields(at, line))))
        return 0;
    seen->micros = NO_TIME;
    if (!is_common && !request_time(at, end, &seen->micros))
        return 0;
    seen->format = (is_common ? 0 : COMBINED) + (behind_host ? VIRTUAL_HOST : 0) + (seen->micros == NO_TIME ? 0 : REQUEST_TIME);
    seen->client = behind_host ? line->second : line->first;
    seen->host = behind_host ? without_port(line->first) : NOTHING;
    seen->referrer = or_nothing(line->referrer), seen->agent = or_nothing(line->agent);
    read_request(line);
    use_request(seen);
    return 1;
}

/* Hosts are in lower case. Answer whether there was room. */
static int lower_host(Seen *seen) {
    Text *host = &seen->host;
    if (host->bytes > LONGEST_HOST)
        return 0;
    for (size_t i = 0; i < host->bytes; i++)
        seen->room_for_host[i] = host->at[i] + 32 * ((uint8_t)(host->at[i] - 'A') < 26);
    host->at = seen->room_for_host;
    return 1;
}

/* Read the line between `at` and `end`, with a '\n' or "\r\n" behind it, or answer that it is strange. */
static int read_known(const uint8_t *at, const uint8_t *end, Seen *seen) {
    Request *line = &seen->request;
    if (alb_line(at, line))
        use_balancer(seen, ALB);
    else if (elb_line(at, line))
        use_balancer(seen, ELB);
    else if (!read_cloudfront(at, end, seen) && !read_clf(at, end, seen) && !read_s3(at, seen))
        return 0;
    if (line->part == MALFORMED || (seen->format != S3 && !lower_host(seen)))
        return 0;
    seen->minute = 24 * 60 * day_number(line->year, line->month, line->day) + line->minute;
    for (int i = 0, code = line->status; i < 3; i++, code /= 10)
        seen->room_for_status[2 - i] = (uint8_t)('0' + code % 10);
    seen->status = line->status == UNANSWERED ? NOTHING : (Text){seen->room_for_status, 3};
    return 1;
}

/* ------------------------------------------------------------------------------ filters */

static int is_equal(Text one, Text other) { return one.bytes == other.bytes && !memcmp(one.at, other.at, one.bytes); }

static int begins_with(Text text, Text beginning) {
    return text.bytes >= beginning.bytes && !memcmp(text.at, beginning.at, beginning.bytes);
}

/* Whether a path is matched: by its beginning, or by all of it if there is a `*`. */
static int matches(Text path, Text pattern) {
    const uint8_t *star = memchr(pattern.at, '*', pattern.bytes), *end = pattern.at + pattern.bytes;
    Text first = {pattern.at, star ? (size_t)(star - pattern.at) : pattern.bytes};
    if (!begins_with(path, first))
        return 0;
    while (star) {
        path.at += first.bytes, path.bytes -= first.bytes;
        first.at = star + 1;
        star = memchr(first.at, '*', (size_t)(end - first.at));
        first.bytes = (size_t)((star ? star : end) - first.at);
        if (!star && path.bytes > first.bytes) /* the last piece ends the path */
            path.at += path.bytes - first.bytes, path.bytes = first.bytes;
        while (!begins_with(path, first)) {
            if (path.bytes <= first.bytes)
                return 0;
            path.at++, path.bytes--;
        }
    }
    return 1;
}

/* Read an address of version 4 as Python's ipaddress does, which takes no zero before other digits. */
static int is_version_4(Text text, uint32_t *address) {
    size_t at = 0;
    *address = 0;
    for (int each = 0; each < 4; each++) {
        size_t from = at;
        uint32_t value = 0;
        for (; at < text.bytes && at - from < 3 && is_digit(text.at[at]); at++)
            value = 10 * value + (uint32_t)(text.at[at] - '0');
        if (at == from || value > 255 || (text.at[from] == '0' && at - from > 1))
            return 0;
        if (each < 3 && (at == text.bytes || text.at[at++] != '.'))
            return 0;
        *address = *address << 8 | value;
    }
    return at == text.bytes;
}

enum { LEFT_OUT, TAKEN, UNCERTAIN };

/* Whether the filters take a request. */
static int takes(const Options *options, const Seen *seen) {
    uint32_t address;
    if (seen->minute < options->from || seen->minute >= options->to ||
        (options->status.at && !begins_with(seen->status, options->status)) ||
        (options->method.at && !is_equal(seen->method, options->method)) ||
        (options->host.at && !is_equal(seen->host, options->host)) ||
        (options->path.at && !matches(seen->path, options->path)))
        return LEFT_OUT;
    if (options->wants_times && seen->micros == NO_TIME)
        return UNCERTAIN; /* Python notes it */
    if (options->clients == ALL)
        return TAKEN;
    if (options->clients == NAMED)
        return is_equal(seen->client, options->client) ? TAKEN : LEFT_OUT;
    if (!is_version_4(seen->client, &address))
        return UNCERTAIN;
    return options->clients == OF_NETWORK && (address & options->mask) == options->network ? TAKEN : LEFT_OUT;
}

/* ------------------------------------------------------------------------------ keys */

/* The day, month or weekday of a minute, which stays until there is another one. */
static Text day_text_of(Asked *asked, int64_t minute) {
    static const Text weekdays[] = {{(const uint8_t *)"Monday", 6},    {(const uint8_t *)"Tuesday", 7},
                                    {(const uint8_t *)"Wednesday", 9}, {(const uint8_t *)"Thursday", 8},
                                    {(const uint8_t *)"Friday", 6},    {(const uint8_t *)"Saturday", 8},
                                    {(const uint8_t *)"Sunday", 6}};
    const int64_t last = 3652058, minutes = 24 * 60; /* 31 December 9999 */
    int64_t day = minute < 0 ? 0 : minute / minutes > last ? last : minute / minutes;
    if (day == asked->day)
        return asked->day_text;
    asked->day = day;
    if (asked->options.by == WEEKDAY)
        return asked->day_text = weekdays[day % 7];
    int year = (int)(day / 366) + 1, month = 1;
    while (day_number(year + 1, 1, 1) <= day)
        year++;
    while (month < 12 && day_number(year, month + 1, 1) <= day)
        month++;
    int day_of_month = (int)(day - day_number(year, month, 1)) + 1;
    snprintf(asked->room_for_day, sizeof asked->room_for_day, "%04d-%02d-%02d", year % 10000, month, day_of_month % 100);
    return asked->day_text = (Text){(const uint8_t *)asked->room_for_day, asked->options.by == MONTH ? 7 : 10};
}

static Text key_of(Asked *asked, const Seen *seen) {
    switch (asked->options.by) {
    case HOUR:
    case PATH:
        return seen->path;
    case METHOD:
        return seen->method;
    case STATUS:
        return seen->status;
    case CLIENT:
        return seen->client;
    case AGENT:
        return seen->agent;
    case REFERRER:
        return seen->referrer;
    case HOST:
        return seen->host;
    default:
        return day_text_of(asked, seen->minute);
    }
}

/* A key as it is shown, in `room` unless it is shown as it is. Of any but paths by hour, a NUL is hidden: it stands
   between a key and an inner one. */
static Text shown(const Asked *asked, Text key, uint8_t *room, int *plain) {
    size_t written;
    if ((*plain = key.bytes <= LONGEST_KEY && is_ascii(key.at, key.bytes) && is_plain(key.at, key.bytes)) &&
        !holds_digest(key.at, key.bytes))
        return key;
    int hides_nul = !is_by_hour(asked);
    uint8_t *end = write_decoded(room, key.at, key.bytes, hides_nul, LONGEST_KEY, &written);
    if (written > LONGEST_KEY || holds_digest(room, (size_t)(end - room))) {
        size_t beginning = key.bytes < LONGEST_KEY / 6 ? key.bytes : LONGEST_KEY / 6;
        end = write_decoded(room, key.at, beginning, hides_nul, SIZE_MAX, &written);
        end = write_digest(end, key.at, key.bytes);
    }
    *plain = 0;
    return (Text){room, (size_t)(end - room)};
}

/* The part of a key that is not counted by hour: as asked.py, by its CRC-32. */
static uint32_t part_of(const Asked *asked, Text key) {
    uint32_t crc = ~0u;
    for (size_t i = 0; i < key.bytes; i++)
        crc = crc >> 8 ^ asked->crc[(crc ^ key.at[i]) & 255];
    return ~crc % HOURS;
}

/* ------------------------------------------------------------------------------ counting */

/* Write the keys to the lines, as a piece of each, and forget them. */
static int write_keys(Asked *asked) {
    int status = DONE;
    begin_pieces(&asked->lines);
    for (size_t number = 0; number <= PARTS; number++) {
        Table *keys = number < PARTS ? &asked->keys[number] : &asked->steps;
        if (!keys->slots)
            continue;
        for (size_t i = 0; i < entries_in(keys) && !status; i++) {
            const Entry *key = entry_at(keys, i);
            status = write_entry(&asked->lines, key->mark % PLAIN, keys, key, !!(key->mark & PLAIN));
        }
        clear_table(keys);
    }
    asked->held_bytes = 0, asked->written++;
    return status ? status : end_pieces(&asked->lines);
}

/* The entry of a key, new or not. */
static Entry *counted(Asked *asked, Table *table, Text key, const uint8_t *end, int *status) {
    Key made;
    make_key(&made, &asked->secret, key.at, key.bytes, end);
    size_t entries = entries_in(table);
    Entry *entry = entry_of(table, &made, status);
    if (entries_in(table) > entries)
        asked->held_bytes += ENTRY_BYTES + (table->columns - 1) * sizeof(int64_t) + key.bytes;
    return entry;
}

/* The step of a response time: 64 to each power of two. */
static size_t step_of(int64_t micros) {
    if (!micros)
        return 0;
    size_t exponent = 64 - (size_t)__builtin_clzll((uint64_t)micros);
    return exponent * 128 + (exponent > 7 ? (size_t)micros >> (exponent - 7) : (size_t)micros << (7 - exponent));
}

static int count_step(Asked *asked, Text key, uint32_t mark, size_t step) {
    uint8_t text[ROOM + NUMBER_BYTES];
    int status = DONE;
    memcpy(text, key.at, key.bytes);
    text[key.bytes] = 0;
    size_t bytes = (size_t)(write_number(text + key.bytes + 1, (int64_t)step) - text);
    Entry *entry = counted(asked, &asked->steps, (Text){text, bytes}, text + sizeof text, &status);
    if (!entry)
        return status;
    entry->mark = mark % PLAIN;
    ++*count_of(&asked->steps, entry, TIMED);
    return DONE;
}

static int count_by_hour(Asked *asked, size_t hour, int code, Text key, const uint8_t *end, int plain, int64_t sent) {
    int status = DONE;
    Entry *entry = counted(asked, &asked->keys[hour], key, end, &status);
    if (!entry)
        return status;
    entry->count++, entry->mark = (uint32_t)hour | (plain ? PLAIN : 0);
    *count_of(&asked->keys[hour], entry, 1) += code / 100 == 5;
    asked->sums.statuses[hour][code]++, asked->sums.sent[hour] += (uint64_t)sent;
    return DONE;
}

static int count_by_key(Asked *asked, int code, Text key, const uint8_t *end, int plain, int64_t sent, int64_t micros) {
    int status = DONE;
    Table *table = &asked->keys[0];
    Entry *entry = counted(asked, table, key, end, &status);
    if (!entry)
        return status;
    if (!entry->count++)
        entry->mark = part_of(asked, key) | (plain ? PLAIN : 0);
    int64_t *more = more_of(table, entry) - 1; /* so that columns are its indices */
    sent += more[SENT];
    more[SENT] = sent & ((1ll << SENT_BITS) - 1), more[SENT_HIGH] += sent >> SENT_BITS;
    more[CLASSES + (code >= 200 && code < 600 ? code / 100 - 2 : 4)]++;
    if (micros == NO_TIME)
        return DONE;
    more[TIMED]++;
    if (__builtin_add_overflow(more[MICROS], micros, &more[MICROS]))
        return TOO_LARGE;
    more[SLOWEST] = micros > more[SLOWEST] ? micros : more[SLOWEST];
    return count_step(asked, key, entry->mark, step_of(micros));
}

/* Count a request; nothing at or behind `end` is read of its key. */
static int count(Asked *asked, size_t hour, int code, Text key, const uint8_t *end, int64_t sent, int64_t micros) {
    uint8_t room[ROOM];
    int plain;
    Text text = shown(asked, key, room, &plain);
    end = text.at == room ? room + sizeof room : end;
    int status = is_by_hour(asked) ? count_by_hour(asked, hour, code, text, end, plain, sent)
                                   : count_by_key(asked, code, text, end, plain, sent, micros);
    if (micros != NO_TIME)
        asked->steps_of[is_by_hour(asked) ? hour : 0][step_of(micros)]++;
    return !status && asked->held_bytes > asked->most_bytes ? write_keys(asked) : status;
}

/* Count a request that Python read: its hour, status, key, bytes sent, and time or NO_TIME. */
EXPORTED int asked_count(Asked *asked, size_t hour, int code, const uint8_t *key, size_t bytes, int64_t sent, int64_t micros) {
    return count(asked, hour, code, (Text){key, bytes}, key + bytes, sent, micros);
}

/* Count a request that was read here; most keys are in the chunk, where more can be read behind them. */
static int count_seen(Asked *asked, const Seen *seen, const uint8_t *chunk, const uint8_t *end) {
    const Request *line = &seen->request;
    Text key = key_of(asked, seen);
    int is_in_chunk = (uintptr_t)key.at >= (uintptr_t)chunk && (uintptr_t)key.at < (uintptr_t)end;
    end = is_in_chunk ? end : key.at + key.bytes;
    return count(asked, (size_t)line->part, line->status, key, end, (int64_t)line->sent, seen->micros);
}

/* Read lines of a chunk, which ends with '\n', from `found->read` on, until it ends or some were strange. */
EXPORTED int asked_read(Asked *asked, const uint8_t *chunk, size_t bytes, Found *found) {
    const uint8_t *at = chunk + found->read, *end = chunk + bytes, *next, *strange = NULL;
    Seen seen;
    int status = DONE;
    for (found->lines = 0; at < end && !status; at = next) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at)), *behind = newline;
        next = newline + 1, behind -= newline > at && newline[-1] == '\r';
        int is_known = asked->options.reads && read_known(at, behind, &seen);
        int is_taken = is_known ? takes(&asked->options, &seen) : UNCERTAIN;
        if (is_taken == UNCERTAIN) {
            strange = strange ? strange : at;
            if (next - strange < MOST_STRANGE)
                continue;
            at = next;
            break;
        }
        if (strange)
            break;
        found->lines++, asked->formats[seen.format]++;
        if (is_taken == LEFT_OUT)
            asked->left_out++;
        else
            status = count_seen(asked, &seen, chunk, end);
    }
    found->read = (size_t)(at - chunk), found->strange = strange ? (size_t)(strange - chunk) : found->read;
    return status;
}

/* How often keys were written to the lines. */
EXPORTED size_t asked_written(const Asked *asked) { return asked->written; }

/* How many lines were read, by format, and how many of them were left out. */
EXPORTED void asked_lines_read(const Asked *asked, int64_t formats[FORMATS], int64_t *left_out) {
    memcpy(formats, asked->formats, sizeof asked->formats);
    *left_out = asked->left_out;
}

/* ------------------------------------------------------------------------------ lines */

static int write_hour(Asked *asked, size_t hour) {
    int status = write_sums(&asked->sums, &asked->lines, hour);
    for (size_t step = 0; step < STEPS && !status; step++) {
        int64_t requests = (int64_t)asked->steps_of[hour][step];
        if (!requests)
            continue;
        char name[16];
        int bytes = snprintf(name, sizeof name, "step %zu", step);
        status = write_sum(&asked->lines, hour, (const uint8_t *)name, (size_t)bytes, requests);
    }
    return status;
}

/* Write what is left to the lines, and how many were malformed. */
EXPORTED int asked_finish(Asked *asked, int64_t malformed) {
    int status = DONE;
    if (malformed) {
        Entry *entry = counted(asked, &asked->keys[MALFORMED], (Text){NO_PATH, 0}, NO_PATH + sizeof NO_PATH, &status);
        if (!entry)
            return status;
        entry->count = malformed, entry->mark = MALFORMED;
    }
    status = write_keys(asked);
    begin_pieces(&asked->lines);
    for (size_t hour = 0; hour < HOURS && !status; hour++)
        status = write_hour(asked, hour);
    return status ? status : end_pieces(&asked->lines);
}

/* The lines as far as they are written, by shard and part, their sizes, and the requests in each. */
EXPORTED void asked_lines(const Asked *asked, const uint8_t **lines, size_t *sizes, int64_t *observed) {
    tell_lines(&asked->lines, lines, sizes, observed);
}

/* Give back the memory of a line, which was copied. */
EXPORTED void asked_drop_line(Asked *asked, size_t line) { close_buffer(&asked->lines.lines[line]); }
