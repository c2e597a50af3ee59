/*
 * What the process asks of the system: descriptors, memory, threads, and that
 * its keys stay its own.
 */
#ifndef ONWARD_PROCESS_H
#define ONWARD_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

struct daemon;

/* Before anything else: no core dumps, signals that mean nothing to us, as
 * many descriptors as we may have, memory and threads. */
void process_prepare(void);

/*
 * Descriptors: a session is admitted only while there are some for its
 * upstream connection and its spool as well.
 */
struct descriptors {
    size_t limit;
    size_t base; /* open when the listeners were, and a reserve */
};
void descriptors_measure(struct descriptors *descriptors);
/* Is there room for one more session? Idle upstream connections and kept spool
 * files may be closed to make it. */
bool descriptors_suffice(struct daemon *daemon);

/* Of libuv's pool. */
unsigned process_threads(void);

/* Descriptors that are open now. */
size_t descriptors_open(void);

/* Give memory back to the system after large messages or a burst. */
void process_trim(void);

#endif
