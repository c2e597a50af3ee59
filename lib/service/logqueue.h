/*
 * Log lines on their way to a target that may be slow or gone: a bounded queue,
 * so that mail never waits for the log. What does not fit is dropped and
 * counted, and the count is logged once lines go through again.
 *
 * Trouble (sentences that are warnings or errors) is written once a minute; how
 * often it came again, whichever session it was about, is said at the end of
 * that minute.
 */
#ifndef ONWARD_SERVICE_LOGQUEUE_H
#define ONWARD_SERVICE_LOGQUEUE_H

#include "base.h"

#include <sys/queue.h>

enum {
    LOGQUEUE_OCTETS = 1024 * 1024, /* that wait, at most */
    LOGQUEUE_RETRY = 10,           /* ms, while lines wait; doubled as long */
    LOGQUEUE_RETRY_MOST = 160,     /* as nothing moves */
    LOGQUEUE_RECONNECT = 1000,     /* ms, at most one attempt */
    LOGQUEUE_REPEATS = 16,         /* different lines of trouble in a minute */
    LOGQUEUE_MINUTE = 60 * 1000,   /* ms */
};

/* For logqueue_ops.wake: not at all. */
#define LOGQUEUE_NEVER UINT64_MAX

enum logqueue_result {
    LOGQUEUE_DONE,    /* *gone octets were taken; for datagrams all */
    LOGQUEUE_AGAIN,   /* later */
    LOGQUEUE_GONE,    /* the other side is not there: connect again */
    LOGQUEUE_REFUSED, /* this line cannot be written */
};

struct logqueue_ops {
    /* The line as the target wants it. */
    void (*dress)(void *ctx, enum log_level level, enum log_format format,
                  struct slice line, struct buf *out);
    enum logqueue_result (*write)(void *ctx, struct slice octets, size_t *gone);
    bool (*reconnect)(void *ctx);
    /* logqueue_on_time at that time, ms; replaces the one before. */
    void (*wake)(void *ctx, uint64_t at);
};

/* A line of trouble that was written less than a minute ago. */
struct logqueue_repeat {
    struct buf text; /* what it said, without the session; empty: free */
    enum log_level level;
    uint64_t since; /* ms */
    unsigned more;
};

struct logqueue {
    const struct logqueue_ops *ops;
    void *ctx;
    enum log_format format;
    TAILQ_HEAD(, logqueue_line) lines;
    size_t octets;    /* of them */
    uint64_t dropped; /* and not said yet */
    uint64_t dropped_total;
    uint64_t connected; /* when that was tried, ms */
    unsigned interval;  /* ms, of retry */
    uint64_t retry;     /* when, ms; lines wait */
    struct logqueue_repeat repeats[LOGQUEUE_REPEATS];
};

void logqueue_init(struct logqueue *queue, const struct logqueue_ops *ops,
                   void *ctx, uint64_t now);
void logqueue_free(struct logqueue *queue);

/* Lines are built in this format from now on; the target is another. */
void logqueue_change(struct logqueue *queue, enum log_format format,
                     uint64_t now);

void logqueue_write(struct logqueue *queue, const struct log_line *line,
                    uint64_t now);
void logqueue_on_time(struct logqueue *queue, uint64_t now);

/* Say now how often trouble was repeated. */
void logqueue_sum_up(struct logqueue *queue, uint64_t now);
/* Write what waits. True: nothing is left. */
bool logqueue_drain(struct logqueue *queue, uint64_t now);

#endif
