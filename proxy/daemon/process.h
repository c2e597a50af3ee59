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
 * upstream connection and its spool as well. libuv closes connections in
 * silence once there are none.
 */
struct descriptors {
    size_t limit;
    size_t base; /* open when the listeners were, and a reserve */
};
void descriptors_measure(struct descriptors *descriptors);
/* May close idle upstream connections to make room. */
bool descriptors_suffice(struct daemon *daemon);

/* Descriptors that are open now. */
size_t descriptors_open(void);

/* Give memory back to the system after large messages or a burst. */
void process_trim(void);

#endif
