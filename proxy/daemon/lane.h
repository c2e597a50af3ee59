/*
 * Long work for the thread pool, such as RSA-4096, kept from standing in the
 * way of short work: there, and on the processors.
 *
 * Two threads of the pool are always left: for a reload, and for the others.
 * And where the process may come back from it, a thread does long work in the
 * idle class: whatever else wants its processor gets it at once, the loop,
 * Postfix, anybody; not only when a time slice is over, which is 3 ms. On a
 * machine that has no idle moment it would never be done, so what has waited
 * for 25 ms is made a thread like all others. A thread of its own sees to that,
 * not the loop: which may just then be waiting for a lock of malloc that the
 * idle one holds.
 */
#ifndef ONWARD_LANE_H
#define ONWARD_LANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

struct lane;

/* Embedded in the user's own; belongs to it again in `done`. */
struct lane_work {
    void (*run)(struct lane_work *work);  /* on a thread */
    void (*done)(struct lane_work *work); /* on the loop */
    struct lane *lane;
    uv_work_t request;
    TAILQ_ENTRY(lane_work) among;
    uint64_t since;      /* ms */
    atomic_int thread;   /* that does it in the idle class; 0: none */
    atomic_bool hurried; /* it has waited long enough */
};

TAILQ_HEAD(lane_list, lane_work);

struct lane {
    uv_loop_t *loop;
    unsigned running_count;
    unsigned width; /* how many may run */
    bool may_idle;
    uv_thread_t hurrier; /* if may_idle */
    uv_mutex_t mutex; /* of what follows; no thread in the idle class has it */
    uv_cond_t changed;
    struct lane_list waiting, running; /* both oldest first */
    bool closed;
};

/* threads: of the pool. */
void lane_open(struct lane *lane, uv_loop_t *loop, unsigned threads);
/* With nothing in it. */
void lane_close(struct lane *lane);

/* run and done are set. */
void lane_add(struct lane *lane, struct lane_work *work);

#endif
