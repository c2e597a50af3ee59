/*
 * Where a log line can go: the journal, syslog, standard error or a file. Knows
 * how each wants its lines dressed, and writes without ever blocking.
 */
#ifndef ONWARD_LOGTARGET_H
#define ONWARD_LOGTARGET_H

#include "service.h"

enum logtarget_kind {
    LOGTARGET_JOURNAL,
    LOGTARGET_SYSLOG,
    LOGTARGET_STDERR,
    LOGTARGET_FILE,
};

struct logtarget {
    enum logtarget_kind kind;
    int fd;         /* -1: not connected */
    bool own_fd;    /* false: it is fd 2 itself */
    bool is_socket; /* send, not write */
    bool may_block; /* a pipe that could not be opened anew: ask poll first */
    struct buf path;
};

/* Resolves "auto" and connects. False: not connected now (errno). */
bool logtarget_open(struct logtarget *target, enum conf_log_target wanted,
                    struct slice file);
bool logtarget_reconnect(struct logtarget *target);
void logtarget_close(struct logtarget *target);

/* The line as this target wants it, newline or datagram header included. */
void logtarget_dress(const struct logtarget *target, enum log_level level,
                     enum log_format format, struct slice line,
                     struct buf *out);

enum logqueue_result logtarget_write(struct logtarget *target,
                                     struct slice octets, size_t *gone);

#endif
