/* A line of the mail log, taken apart as far as trace.c needs it. */
#ifndef ONWARD_STATUS_TRACELINE_H
#define ONWARD_STATUS_TRACELINE_H

#include "base.h"

enum {
    TRACE_LINKS_MAX = 24
};

struct trace_line {
    struct slice program;                /* "postfix/smtpd", "onward" */
    struct slice prefix;                 /* time and host */
    struct slice text;                   /* behind "]: " */
    struct slice own;                    /* the id it begins with; or empty */
    struct slice links[TRACE_LINKS_MAX]; /* queue ids it speaks of */
    size_t link_count;
    bool onward; /* not Postfix */
};

/* False: not a line of Postfix or Onward. */
bool trace_line_parse(struct slice line, struct trace_line *parsed);

/* Does it hold <address>, in any case? (Or "address", where Onward's log is
 * JSON.) */
bool trace_line_has_address(const struct trace_line *line,
                            struct slice address);

/* Onward's line of something that was not taken: its recipients, "<a>,<b>" as
 * they stand there, and the words of the reply. */
bool trace_line_is_refusal(const struct trace_line *line,
                           struct slice *recipients, struct slice *reply);

/* Postfix' line that quotes what a proxy or next hop said against it. */
bool trace_line_quotes_refusal(const struct trace_line *line);

/* Is it this refusal that the line quotes? */
bool trace_line_quotes(const struct trace_line *line, struct slice recipients,
                       struct slice reply);

#endif
