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
    struct slice fields;                 /* its keys and values */
    struct slice links[TRACE_LINKS_MAX]; /* queue ids it speaks of */
    size_t link_count;
    bool onward; /* not Postfix */
    bool json;
};

/* False: not a line of Postfix or Onward. */
bool trace_line_parse(struct slice line, struct trace_line *parsed);

/* Is the address a value of the line's from, to, orig_to or srs, in any case?
 * Words of a stranger elsewhere in the line are no such value. */
bool trace_line_has_address(const struct trace_line *line,
                            struct slice address);

/* Onward's line of something that was not taken: its recipients, a list as it
 * stands there, and the words of the reply as far as both logs write them the
 * same. */
bool trace_line_is_refusal(const struct trace_line *line,
                           struct slice *recipients, struct slice *reply);

/* Postfix' line that quotes what a proxy or next hop said against it. */
bool trace_line_quotes_refusal(const struct trace_line *line);

/* Is it this refusal, of Onward's line `ours`, that the line quotes? */
bool trace_line_quotes(const struct trace_line *line,
                       const struct trace_line *ours, struct slice recipients,
                       struct slice reply);

#endif
