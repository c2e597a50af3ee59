/*
 * One message's way through the log: the lines of the front smtpd, of Onward,
 * of re-injection, delivery and bounce.
 *
 * What was taken is joined by queue ids: "queued as ID" in the final reply is
 * what the two Postfix halves share, and Onward's "queued=" names the others of
 * a message that became several. What was refused has no queue id: Postfix'
 * line that quotes the refusal and Onward's own are paired by the recipient
 * and the words of the reply, each with the nearest one.
 *
 * The log is read several times, trace_start before each: once with trace_pair,
 * with trace_learn until a whole reading taught nothing new, and once more with
 * trace_collect. Only lines of the story are kept; the time is linear in the
 * length of the log.
 */
#ifndef ONWARD_STATUS_TRACELOG_H
#define ONWARD_STATUS_TRACELOG_H

#include "base.h"

enum {
    TRACE_IDS_MAX = 1000,     /* ids followed */
    TRACE_LINES_MAX = 20000,  /* lines kept */
    TRACE_PAIRS_MAX = 1000000 /* refusals paired */
};

struct trace;

/* An id of a session or a queue, or an address (it has an @, or is <>). */
struct trace *trace_new(struct slice what);
void trace_free(struct trace *trace);

/* A reading of the log begins; every line of it is given, in order. */
void trace_start(struct trace *trace);
void trace_pair(struct trace *trace, struct slice line);
/* Was there something new? */
bool trace_learn(struct trace *trace, struct slice line);
void trace_collect(struct trace *trace, struct slice line);

/* The stories, one message each, in the order of the log; returns how many.
 * *cut: there was more than may be kept. */
size_t trace_print(const struct trace *trace, struct buf *out, bool *cut);

#endif
