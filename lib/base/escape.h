/*
 * The one escaper of text that a stranger chose, for the log, for JSON and for
 * a terminal: what it writes is one line without control characters.
 *
 * Escaped everywhere: control characters, DEL, C1 (U+0080 to U+009F), octets
 * that are not UTF-8, and Unicode's format characters and line separators
 * (among them the direction overrides, which show a text backwards).
 */
#ifndef ONWARD_BASE_ESCAPE_H
#define ONWARD_BASE_ESCAPE_H

#include "buf.h"

enum log_escape {
    /* Octets as \ooo (octal), format characters as \x{202e}. */
    LOG_ESCAPE_TEXT,
    /* Between double quotes: also \" and \\. */
    LOG_ESCAPE_QUOTED,
    /* Between < and >: also backslash, <, >, " and blank, as \x{5c}. */
    LOG_ESCAPE_ADDRESS,
    /* Inside a JSON string (RFC 8259, section 7): \u202e. */
    LOG_ESCAPE_JSON
};

/* Appends at most max octets (3 or more); text that is longer ends in "...",
 * never within an escape or a character. */
void log_escape(struct buf *out, enum log_escape how, struct slice s,
                size_t max);

/* Text and JSON of any length. */
void log_escape_text(struct buf *out, struct slice s);
void log_escape_json(struct buf *out, struct slice s);

/* Appends what LOG_ESCAPE_ADDRESS or LOG_ESCAPE_JSON wrote as it was before. A
 * backslash that begins no such escape stands for itself. */
void log_unescape(struct buf *out, enum log_escape how, struct slice s);

/* Length of the valid UTF-8 sequence at the start of s (RFC 3629), 0 if s does
 * not begin with one. */
size_t utf8_length(struct slice s);
bool utf8_is_valid(struct slice s);

/* The same, 0 also for a control character, U+0080 to U+009F among them, which
 * terminals obey. */
size_t utf8_printable_length(struct slice s);

/* The same, 0 also for a format character or line separator: the octets that
 * are shown as they are. */
size_t utf8_shown_length(struct slice s);

#endif
