/*
 * Replies (RFC 5321, 4.2): ours, which are always canonical, and upstream's,
 * which are hostile input until this parser has read them.
 */
#ifndef ONWARD_SMTP_REPLY_H
#define ONWARD_SMTP_REPLY_H

#include "base.h"

enum {
    SMTP_REPLY_LINE_MAX = 512,  /* octets we write, CRLF included */
    SMTP_REPLY_LINES_MAX = 100, /* more: the connection is dead */
    SMTP_REPLY_LINES_KEPT = 4,  /* of a reply that is passed on */
};

struct smtp_reply {
    unsigned code;     /* 200-599 */
    struct slice text; /* lines joined by LF; printable, sanitized; without
                        * the code */
};

/*
 * Reads one reply, in whatever pieces it comes. All zeroes is the start.
 * After SMTP_REPLY_DONE the text is in parser->text until the next call. What
 * upstream says beyond the lines that are kept, and beyond what a line of ours
 * may hold, is read and forgotten: it may send 100 lines to each RCPT.
 */
struct smtp_reply_parser {
    bool keep_all; /* lines, up to SMTP_REPLY_LINES_MAX: the reply to EHLO */
    struct buf text;
    struct buf line; /* the part of a line that has come so far */
    unsigned code;
    unsigned lines;
    size_t octets; /* of the current line, also those not kept */
    bool overlong; /* the rest of this line is skipped */
};

enum smtp_reply_status {
    SMTP_REPLY_MORE,
    SMTP_REPLY_DONE,
    SMTP_REPLY_BAD, /* no code, mixed codes, 0xx, 1xx or 6xx-9xx, too many
                     * lines, a line over 100 KiB, a NUL, or no memory: the
                     * connection is dead */
};

/* Advances *in behind what was used. */
enum smtp_reply_status smtp_reply_take(struct smtp_reply_parser *parser,
                                       struct slice *in,
                                       struct smtp_reply *reply);
void smtp_reply_parser_free(struct smtp_reply_parser *parser);

/*
 * Append the reply as it goes on the wire: one code, "-" on all lines but the
 * last, no line over 512 octets, nothing but printable ASCII and UTF-8.
 */
void smtp_reply_print(const struct smtp_reply *reply, struct buf *out);

/* The enhanced status code (RFC 3463) at the start of the text, or empty. */
struct slice smtp_reply_enhanced(const struct smtp_reply *reply);

/* The ID of Postfix' "queued as ID", or empty. */
struct slice smtp_reply_queue_id(const struct smtp_reply *reply);

/* "550 5.1.1 text" from a setting or a table: 4xx or 5xx only; text not
 * empty. The result points into s. */
bool smtp_reply_parse_setting(struct slice s, struct smtp_reply *reply);

#endif
