/*
 * Log lines in Postfix' grammar, `ID: key=value, key=<value>, ...`, or the
 * same keys as one JSON object. The sink is a function pointer: where lines
 * go is the process's business.
 *
 * Every octet a peer chose passes the one escaper in here: control characters,
 * DEL and invalid UTF-8 become \ooo (octal) in text and \u00XX in JSON, so a
 * line cannot be split or forged.
 */
#ifndef ONWARD_BASE_LOG_H
#define ONWARD_BASE_LOG_H

#include "buf.h"

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};
enum log_format {
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON
};

struct log_sink {
    void (*write)(void *ctx, enum log_level level, struct slice line);
    void *ctx;
    enum log_level level; /* what is less important is not built at all */
    enum log_format format;
};

struct log_line {
    struct buf text;
    enum log_format format;
    enum log_level level;
    bool empty;
};

/* id may be empty: a line that belongs to no session. */
void log_begin(struct log_line *line, const struct log_sink *sink,
               enum log_level level, struct slice id);

/* key=value; in double quotes when it holds blanks, commas, quotes or
 * nothing. */
void log_value(struct log_line *line, const char *key, struct slice value);
void log_number(struct log_line *line, const char *key, uint64_t value);

/* key=<value>, with format json just the string. */
void log_address(struct log_line *line, const char *key, struct slice value);

/* key=<a>,<b>; json: an array of strings. */
void log_addresses(struct log_line *line, const char *key,
                   const struct slice *values, size_t count);

/* key=a,b without quotes, json: a string; for lists of plain words. */
void log_words(struct log_line *line, const char *key,
               const struct slice *values, size_t count);

/* Hands the line to the sink and frees it. */
void log_end(struct log_line *line, const struct log_sink *sink);

/* One sentence; json: {"message": "..."}. */
void log_message(const struct log_sink *sink, enum log_level level,
                 struct slice id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The escapers, for whoever prints wire text elsewhere. */
void log_escape_text(struct buf *out, struct slice s);
void log_escape_json(struct buf *out, struct slice s);

/* Length of the valid UTF-8 sequence at the start of s (RFC 3629), 0 if what
 * stands there is none. */
size_t utf8_length(struct slice s);
bool utf8_is_valid(struct slice s);

/* The same, 0 also for a control character, U+0080 to U+009F among them, which
 * terminals obey: octets that can be shown as they are. */
size_t utf8_printable_length(struct slice s);

#endif
