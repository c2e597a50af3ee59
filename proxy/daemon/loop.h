/*
 * What every part that does I/O is given: the event loop, the memory that its
 * connections read into, the log, the clock, and calls for the next turn. All
 * of it belongs to the loop's thread.
 */
#ifndef ONWARD_LOOP_H
#define ONWARD_LOOP_H

#include "relay.h"

#include <sys/queue.h>
#include <uv.h>

enum {
    LOOP_SCRATCH = 64 * 1024 /* what one read takes at most */
};

/* A call that an event leaves for later in the same turn of the loop: embedded
 * in what it is about. */
struct later {
    void (*run)(struct later *later);
    bool queued;
    TAILQ_ENTRY(later) next;
};
TAILQ_HEAD(later_list, later);

struct loop {
    uv_loop_t uv;
    const struct log_sink *log;
    struct later_list later;
    size_t later_count;
    uv_idle_t idle; /* active while a call is queued */
    /* All connections read into the same memory; what is not used at once is
     * copied by the owner. So an idle connection has no buffer. */
    char scratch[LOOP_SCRATCH];
};

void loop_open(struct loop *loop, const struct log_sink *log);
/* Lets the loop end; loop_free when it has. */
void loop_close(struct loop *loop);
void loop_free(struct loop *loop);

/* Runs once, however often it is queued before. later->run is set. */
void loop_later(struct loop *loop, struct later *later);
void loop_not_later(struct loop *loop, struct later *later);

/* A line of the process itself. */
void loop_log(const struct loop *loop, enum log_level level, const char *format,
              ...) __attribute__((format(printf, 3, 4)));

/* Monotonic milliseconds; and the time of an event. On any thread. */
uint64_t clock_ms(void);
struct relay_time clock_now(void);

#endif
