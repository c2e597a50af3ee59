/*
 * One message's way through the log: the lines of the front smtpd, of Onward,
 * of re-injection, delivery and bounce, joined by queue ids ("queued as ID" in
 * the final reply is what joins the two Postfix halves).
 *
 * The log is read several times: trace_learn with every line until a whole
 * reading taught nothing new, then once more with trace_collect. Only lines of
 * the story are kept.
 */
#ifndef ONWARD_ADMIN_TRACE_H
#define ONWARD_ADMIN_TRACE_H

#include "base.h"

enum {
    TRACE_IDS_MAX = 1000,   /* queue ids followed */
    TRACE_LINES_MAX = 20000 /* lines kept */
};

struct trace;

/* An id of a session or a queue, or an address (it has an @, or is <>). */
struct trace *trace_new(struct slice what);
void trace_free(struct trace *trace);

/* Was there something new? */
bool trace_learn(struct trace *trace, struct slice line);
void trace_collect(struct trace *trace, struct slice line);

/* The stories, one message each, in the order of the log; returns how many.
 * *cut: there was more than may be kept. */
size_t trace_print(const struct trace *trace, struct buf *out, bool *cut);

#endif
