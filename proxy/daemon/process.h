/*
 * What the process asks of the system: descriptors, memory, threads, and that
 * its keys stay its own.
 */
#ifndef ONWARD_PROCESS_H
#define ONWARD_PROCESS_H

/* Before anything else: no core dumps, signals that mean nothing to us, as
 * many descriptors as we may have, memory and threads. */
void process_prepare(void);

/* Of libuv's pool. */
unsigned process_threads(void);

/* Give memory back to the system after large messages or a burst. */
void process_trim(void);

#endif
