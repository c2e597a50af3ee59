/*
 * Descriptors: a session is admitted only while there are some for its
 * upstream connection and its spool as well.
 */
#ifndef ONWARD_DESCRIPTORS_H
#define ONWARD_DESCRIPTORS_H

#include "service.h"

struct descriptors {
    size_t limit;
    size_t base; /* open when the listeners were, and a reserve */
    /* What holds them, and may have to give some back. */
    const size_t *sessions; /* how many there are */
    struct pool *pool;
    struct spool_files *files;
};

/* The pointers are set by the caller. */
void descriptors_measure(struct descriptors *descriptors);

/* Is there room for one more session? Idle upstream connections and kept spool
 * files may be closed to make it. */
bool descriptors_suffice(struct descriptors *descriptors);

/* Those that are open now. */
size_t descriptors_open(void);

#endif
