/*
 * Log lines in Postfix' grammar, `ID: key=value, key=<value>, ...`, or the
 * same keys as one JSON object. The sink is a function pointer: where lines
 * go is the process's business.
 *
 * Every octet a peer chose passes the escaper of escape.h, so a line cannot be
 * split, and no part of a value looks like a field. A line has at most 3,900
 * octets: a long value ends in "...", a list is cut.
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

struct log_line {
    struct buf text;
    enum log_format format;
    enum log_level level;
    size_t kept; /* octets of the line that are for its tail */
    enum {
        LOG_RECORD,  /* keys and values: what became of something */
        LOG_SENTENCE /* log_message */
    } kind;
    size_t id_length; /* octets of text that name the session */
    bool empty;
    bool cut; /* a list has been */
};

struct log_sink {
    void (*write)(void *ctx, const struct log_line *line);
    void *ctx;
    enum log_level level; /* what is less important is not built at all */
    enum log_format format;
};

/* id may be empty: a line that belongs to no session. */
void log_begin(struct log_line *line, const struct log_sink *sink,
               enum log_level level, struct slice id);

/* key=value; in double quotes when it holds blanks, commas, quotes, backslashes
 * or nothing. */
void log_value(struct log_line *line, const char *key, struct slice value);
void log_number(struct log_line *line, const char *key, uint64_t value);

/* key=<value>, with format json just the string. */
void log_address(struct log_line *line, const char *key, struct slice value);

/* key=<a>,<b>; json: an array of strings. The list takes at most one share of
 * the room that is left; the number of addresses without room follows it as
 * more=N. A second list that is cut says "more_KEY" in JSON. */
void log_addresses(struct log_line *line, const char *key,
                   const struct slice *values, size_t count, unsigned share);

/* key=a,b without quotes, json: a string; for lists of plain words. */
void log_words(struct log_line *line, const char *key,
               const struct slice *values, size_t count);

/*
 * What must stand at the end of a line is made before its lists, as a tail:
 * begun, filled like a line, its length kept free in the line, and appended
 * (and freed) at the end.
 */
void log_begin_tail(struct log_line *tail, const struct log_line *line);
void log_keep_tail(struct log_line *line, const struct log_line *tail);
void log_append_tail(struct log_line *line, struct log_line *tail);

/* Hands the line to the sink and frees it. */
void log_end(struct log_line *line, const struct log_sink *sink);

/* What a line says whichever session it is about: without the id; json:
 * without the braces. */
struct slice log_said(const struct log_line *line);

/* One sentence; json: {"message": "..."}. */
void log_message(const struct log_sink *sink, enum log_level level,
                 struct slice id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
